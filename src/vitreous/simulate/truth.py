"""All that is true of a simulated series, as a mapping of plain numbers for truth.json.

Lengths are unbinned pixels where the key doesn't say angstrom, the frame of the specimen is the
house's; in images the origin lands at (n - 1) / 2 + shift_px counted from pixel 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.geometry.euler import relion_angles
from vitreous.records.alignment import Alignment
from vitreous.simulate.acquisition import Exposure
from vitreous.simulate.imaging import MEAN_FREE_PATH
from vitreous.simulate.molecules import BLOB_SIGMA, Molecule, molecules
from vitreous.simulate.motion import Deformation
from vitreous.simulate.movie import drift_px
from vitreous.simulate.sample import Particle
from vitreous.simulate.series import SimulatedSeries
from vitreous.simulate.settings import SimulateSettings
from vitreous.simulate.slab import Slab

Array = NDArray[np.float64]

CONVENTIONS = """
Specimen frame: origin = specimen (volume) centre, axes X Y Z, unit = unbinned px of the stack; Y is
the tilt axis, X across it, Z along the beam at zero tilt. Right-handed.

Image frame: x = column index, y = row index, 0-based, integer = centre of a pixel; row 0 is the
first row in the MRC file (bottom when displayed by IMOD).

P (3 rows x 4): [x, y, h] = P[:, :3] @ [X, Y, Z] + P[:, 3]; x, y in image px; h = height along the
beam in px (times mag), 0 for the specimen centre.

P[:, :3] = mag * Rz(axis) @ Ry(tilt); Ry: x' = X cos + Z sin, h = -X sin + Z cos; Rz
counter-clockwise with y up: x = x' cos - y' sin, y = x' sin + y' cos.

P[:2, 3] = ((nx-1)/2, (ny-1)/2) + shift_px.

With local deformation a specimen point is first moved: X -> X + deformation_f * u(X, Y), u from the
deformation record (evaluated at undeformed X, Y in angstrom; u in angstrom): each component a sum
of three a cos(k . (X, Y) + phase).

Defocus in angstrom, underfocus positive, for the specimen centre; a point at height h has defocus +
defocus_hand * h * pixel. df(az) = (U+V)/2 + (U-V)/2 cos 2(az - astig_angle), az measured from +x
towards +y (y = row index upwards).

defocus_image_centre: mean of U and V at the middle of the slab on the ray through the image centre
(what a whole-image fit should find). transmission: of the ice on the same ray.

Particles: x_specimen = R @ x_model + pos. rot/tilt/psi are RELION's for that R (in RELION tomo the
matrix maps particle space to tomogram space).

Motion: frame f of a movie shows a point at its position in the truth projection plus motion_px[f] =
(dx, dy); the mean over the frames is zero.

beads, particles, vesicles: those in the field of the untilted view.
"""


def truth(series: SimulatedSeries, name: str) -> dict[str, Any]:
    """The truth of a series under its name."""
    settings, sample = series.settings, series.sample
    columns, rows = settings.size
    pixel = settings.pixel_size
    return {
        "conventions": [" ".join(rule.split()) for rule in CONVENTIONS.split("\n\n")],
        "name": name,
        "seed": settings.seed,
        "nx": columns,
        "ny": rows,
        "n_tilts": len(series.tilts),
        "pixel": pixel,
        "kv": settings.kv,
        "cs_mm": settings.cs,
        "amplitude_contrast": settings.amplitude_contrast,
        "phase_shift_deg": settings.phase_shift,
        "defocus_hand": -settings.hand,
        "thickness_angst": settings.thickness_angstrom,
        "thickness_px": settings.thickness_angstrom / pixel,
        "slab_tilt_x_deg": settings.pitch_x,
        "slab_tilt_y_deg": settings.pitch_y,
        "bend_angst": settings.bend_angstrom,
        "blob_sigma_angst": BLOB_SIGMA,
        "nominal_axis": settings.tilt_axis,
        "tilts": [
            true_tilt(tilt, series.alignment, sample.slab) | _movie(tilt, settings)
            for tilt in series.tilts
        ],
        "deformation": _deformation(sample.deformation, settings),
        "beads": [
            {
                "pos": _rounded(bead.position / pixel),
                "radius_angst": round(bead.radius, 2),
                "side": bead.side,
            }
            for bead in sample.beads
            if sample.in_field(bead.position)
        ],
        "vesicles": [
            {
                "centre": _rounded(vesicle.centre / pixel, 3),
                "radius_angst": round(vesicle.radius, 2),
            }
            for vesicle in sample.vesicles
            if sample.in_field(vesicle.centre)
        ],
        "particles": [
            _particle(particle, pixel)
            for particle in sample.particles
            if sample.in_field(particle.position)
        ],
        "models": {molecule.name: _model(molecule) for molecule in molecules()},
    }


def true_tilt(tilt: Exposure, alignment: Alignment, slab: Slab) -> dict[str, Any]:
    """The truth of one tilt."""
    ctf = tilt.ctf
    height, path = centre_of_image(tilt, alignment, slab)
    return {
        "acquired": tilt.exposure_index,
        "nominal_angle": tilt.nominal_tilt,
        "reported_angle": tilt.nominal_tilt,
        "tilt": tilt.tilt,
        "axis": tilt.axis,
        "mag": tilt.magnification,
        "shift_px": list(tilt.shift_px),
        "dose_before": tilt.pre_exposure,
        "dose": tilt.dose,
        "defocus_u": ctf.defocus_u,
        "defocus_v": ctf.defocus_v,
        "astig_angle": ctf.astigmatism_degrees,
        "bad": tilt.fault,
        "deformation_f": tilt.deformed,
        "section": tilt.section,
        "P": projection_matrix(alignment, tilt.section).round(7).tolist(),
        "defocus_image_centre": round(ctf.at_height(height).defocus, 2),
        "transmission": float(np.exp(-path / MEAN_FREE_PATH)),
    }


def _movie(tilt: Exposure, settings: SimulateSettings) -> dict[str, Any]:
    if not settings.frames:
        return {}
    return {"motion_px": drift_px(settings, tilt.section).round(4).tolist()}


def centre_of_image(tilt: Exposure, alignment: Alignment, slab: Slab) -> tuple[float, float]:
    """(height of the slab's middle, path through the ice) on the ray through a view's middle."""
    across = -np.array(tilt.shift_px) * alignment.pixel_size / tilt.magnification
    height, path = slab.seen(alignment.rotations[tilt.section], across)
    return float(height), float(path)


def projection_matrix(alignment: Alignment, view: int) -> Array:
    """(3, 4) P of a view: (x, y, h) in pixels counted from pixel 0, of (X, Y, Z) in pixels."""
    rotation = alignment.rotations[view] * alignment.magnifications[view]
    place = alignment.shifts_px[view] + np.array(alignment.image_size) // 2
    return np.column_stack([rotation, [*place, 0.0]])


def _deformation(deformation: Deformation, settings: SimulateSettings) -> dict[str, Any]:
    return {
        "a_angst": deformation.amplitudes.tolist(),
        "k_rad_per_angst": deformation.waves.tolist(),
        "phase_rad": deformation.phases.tolist(),
        "amplitude_angst": settings.local_motion,
    }


def _particle(particle: Particle, pixel: float) -> dict[str, Any]:
    return {
        "species": particle.molecule.name,
        "pos": _rounded(particle.position / pixel),
        "R": particle.rotation.round(7).tolist(),
        "rot_tilt_psi": [round(float(a), 5) for a in relion_angles(particle.rotation)],
    }


def _model(molecule: Molecule) -> dict[str, Any]:
    return {
        "symmetry": f"C{molecule.symmetry}",
        "kda": molecule.kda,
        "radius_angst": round(molecule.radius, 2),
        "pos_angst": molecule.positions.tolist(),
        "weight_volt_angst3": molecule.weights.tolist(),
    }


def _rounded(values: Array, digits: int = 4) -> list[float]:
    rounded: list[float] = values.round(digits).tolist()
    return rounded
