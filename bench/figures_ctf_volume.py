"""Tomograms of images corrected for their CTF, against the slab that was simulated."""

from functools import cache, partial

from figures import Figure, Section

from tests.reconstruct.simulated_slab import Slab

SIDE = (160, 96)
STRIPS = ({"ctf": "flip", "ctf_strip_defocus": 0.0}, {"ctf": "flip"})
FINEST = 1 / 7  # 1/A: beyond, nothing is left of either


@cache
def wide() -> Slab:
    """12000 A wide and 300 nm thick."""
    return Slab((4000, 96), "300nm")


@cache
def small() -> Slab:
    """As the test has it."""
    return Slab((288, 144), "60nm", snr=0.3, tilt_step=4.0, molecules=(9.0, 12.0, 12.0, 8.0))


def strips(at_angstrom: float) -> Figure:
    """The mean FSC beyond the first zero in a box so far from the axis."""
    slab, means = wide(), []
    truth = None
    for settings in STRIPS:
        volume = slab.box(at_angstrom / slab.pixel_size, SIDE, **settings)
        truth = slab.truth(volume.grid) if truth is None else truth
        found = slab.shells(volume, truth)
        beyond = (found.frequency > slab.first_zero) & (found.frequency < FINEST)
        means.append(float(found.correlation[beyond].mean()))
    one, several = means
    holds = several > one if at_angstrom else several > one - 0.02
    return Figure([f"{one:.3f}", f"{several:.3f}"], holds)


CTF_STRIPS = Section(
    key="ctf-strips",
    title="CTF in strips",
    text="A slab of molecules, 300 nm thick and 12000 A wide, at 3 A/px and 3 um defocus, tilted "
    "by up to 60 degrees; the phases of its images flipped with one defocus for each tilt, and in "
    "strips of 100 A defocus. Mean Fourier shell correlation with the truth from the CTF's first "
    "zero to 7 A, without noise, in boxes of 480 x 288 A through the whole slab. Off the axis "
    "strips have to be better. On it they can't be (0.02 less are allowed): there the defocus of "
    "the axis is the best single one for so thick a slab.",
    columns=("one defocus", "strips"),
    rows={
        "on the axis": partial(strips, 0.0),
        "2000 A from it": partial(strips, 2000.0),
        "3600 A from it": partial(strips, 3600.0),
    },
    held_by="tests/reconstruct/test_images.py",
)


def corrected(settings: dict[str, object]) -> Figure:
    """Mean FSC up to and beyond the first zero, and the most that a shell loses."""
    slab, side = small(), (200, 120)
    plain = slab.box(0, side)
    truth = slab.truth(plain.grid)
    before, after = (
        slab.shells(volume, truth) for volume in (plain, slab.box(0, side, **settings))
    )
    beyond = (before.frequency > slab.first_zero) & (before.frequency < 1 / 9)
    up_to = before.frequency < slab.first_zero
    gain = after.correlation - before.correlation
    least = float(gain[1:].min())
    cells = [
        f"{part[chosen].mean():.3f}"
        for chosen in (up_to, beyond)
        for part in (before.correlation, after.correlation)
    ]
    return Figure([*cells, f"{least:+.3f}"], least > -0.02 and gain[beyond].mean() > 0)


CTF_VOLUME = Section(
    key="ctf-volume",
    title="Volumes corrected for the CTF",
    text="A slab of 60 nm at 3 A/px and 3 um defocus, white noise three times the images' signal "
    "in power: mean Fourier shell correlation with the noise-free truth up to the CTF's first zero "
    "(24.6 A) and from there to 9 A, of the uncorrected and of the corrected volume; and what the "
    "worst shell (but the first, which is the mean) gains: -0.02 is the least allowed.",
    columns=("up to it", "corrected", "beyond", "corrected", "worst shell"),
    rows={
        "flip": partial(corrected, {"ctf": "flip"}),
        "multiply, first peak intact": partial(
            corrected, {"ctf": "multiply", "ctf_intact_first_peak": True}
        ),
        "wiener, first peak intact": partial(
            corrected, {"ctf": "wiener", "ctf_intact_first_peak": True}
        ),
        "3D wiener, first peak intact": partial(
            corrected, {"ctf": "multiply", "ctf_intact_first_peak": True, "weighting": "wiener"}
        ),
    },
    held_by="tests/reconstruct/test_ctf_volume.py",
)
