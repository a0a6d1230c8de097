"""The two reference series of SIMULATED.md: their truth in our records, their settings as ours."""

import json
from dataclasses import dataclass

import numpy as np

from vitreous.formats.mrc import open_stack
from vitreous.records.ctf import Ctf
from vitreous.simulate.acquisition import Exposure, true_alignment
from vitreous.simulate.canvas import canvas_for
from vitreous.simulate.molecules import Molecule
from vitreous.simulate.motion import Deformation
from vitreous.simulate.sample import Bead, Particle, assembled, slab_of
from vitreous.simulate.series import SimulatedSeries
from vitreous.simulate.settings import SimulateSettings

NAMES = ("sim_beads", "sim_nobeads")
DEFOCUS = {"sim_beads": (38000, 700, 15), "sim_nobeads": (45000, 500, 32)}


@dataclass(frozen=True)
class Reference:
    """truth: what truth.json holds; stack (41, y, x) the counts."""

    truth: dict
    stack: np.ndarray


def read_reference(shared, name):
    folder = shared / "data" / name
    with open_stack(folder / f"{name}.mrc") as stack:
        images = np.stack([stack.read(i) for i in range(stack.shape[0])]).astype(np.float32)
    return Reference(json.loads((folder / "truth.json").read_text()), images)


def settings_like(truth, seed=1):
    """Our settings with the parameters of a reference series."""
    field = (truth["nx"] * truth["pixel"]) * (truth["ny"] * truth["pixel"]) / 1e8  # um^2
    volume = field * truth["thickness_angst"] / 1e4
    species = [particle["species"] for particle in truth["particles"]]
    defocus, astigmatism, angle = DEFOCUS[truth["name"]]
    return SimulateSettings(
        seed=seed,
        size=(truth["nx"], truth["ny"]),
        pixel_size=truth["pixel"],
        dose_per_tilt=truth["tilts"][0]["dose"],
        tilt_axis=truth["nominal_axis"],
        local_motion=truth["deformation"]["amplitude_angst"],
        thickness=f"{truth['thickness_angst']}A",
        pitch_x=truth["slab_tilt_x_deg"],
        pitch_y=truth["slab_tilt_y_deg"],
        bend=f"{truth['bend_angst']}A",
        molecules=tuple(species.count(name) / volume / 1000 for name in "ABCD"),
        vesicles=len(truth["vesicles"]) / field,
        beads=len(truth["beads"]) / field,
        defocus=defocus,
        astigmatism=astigmatism,
        astigmatism_angle=angle,
        hand=-truth["defocus_hand"],
    )


def exposures_of(truth):
    """Its tilts as our records."""
    return tuple(
        Exposure(
            section=tilt["section"],
            exposure_index=tilt["acquired"],
            nominal_tilt=tilt["nominal_angle"],
            tilt=tilt["tilt"],
            axis=tilt["axis"],
            magnification=tilt["mag"],
            shift_px=tuple(tilt["shift_px"]),
            ctf=Ctf(
                tilt["defocus_u"],
                tilt["defocus_v"],
                tilt["astig_angle"],
                truth["kv"],
                truth["cs_mm"],
                truth["amplitude_contrast"],
                b_factor=80,
                hand=-truth["defocus_hand"],
            ),
            dose=tilt["dose"],
            pre_exposure=tilt["dose_before"],
        )
        for tilt in truth["tilts"]
    )


def imaged_by_us(truth):
    """The particles and beads that truth.json lists, to be imaged by our microscope.

    Vesicles aren't in it: their shapes are not told.
    """
    settings, tilts, pixel = settings_like(truth), exposures_of(truth), truth["pixel"]
    models = {
        name: Molecule(
            name,
            model["kda"],
            1,
            np.array(model["pos_angst"]),
            np.array(model["weight_volt_angst3"]),
        )
        for name, model in truth["models"].items()
    }
    particles = [
        Particle(models[p["species"]], np.array(p["pos"]) * pixel, np.array(p["R"]))
        for p in truth["particles"]
    ]
    beads = [Bead(np.array(b["pos"]) * pixel, b["radius_angst"], b["side"]) for b in truth["beads"]]
    wave = truth["deformation"]
    deformation = Deformation(
        *(np.array(wave[key]) for key in ("a_angst", "k_rad_per_angst", "phase_rad"))
    )
    half = (truth["nx"] * pixel / 2, truth["ny"] * pixel / 2)
    return SimulatedSeries(
        settings=settings,
        tilts=tilts,
        sample=assembled(slab_of(settings), particles, [], beads, half, deformation, seed=1),
        alignment=true_alignment(tilts, settings),
        canvas=canvas_for(settings),
    )


def shells(image, other=None, width=0.02):
    """Mean power (or cross power) in shells of `width` cycles/px from 0.02 to 0.48."""
    one = np.fft.rfft2(image - image.mean())
    two = one if other is None else np.fft.rfft2(other - other.mean())
    k = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1]))
    shell = (k / width).astype(int).ravel()
    sums = np.bincount(shell, (one.conj() * two).real.ravel())
    return (sums / np.bincount(shell) / image.size)[round(0.02 / width) : round(0.48 / width)]
