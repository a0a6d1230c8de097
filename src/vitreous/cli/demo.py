"""`vitreous demo`: the main job on a built-in phantom, found against truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from vitreous.cli.inputs import Computing
from vitreous.pipeline.inputs import AlignmentInput

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vitreous.pipeline.project import StepFolder
    from vitreous.records.alignment import Alignment
    from vitreous.records.volume import Volume
    from vitreous.simulate.specimen import Specimen

SERIES = "phantom"
PIXEL_SIZE = 10.0
IMAGE_SIZE = (256, 240)
THICKNESS_PX = 120
BRIGHTNESS, NOISE = 2000.0, 100.0
FINEST_PX = 4.0  # the correlation counts periods from here on


def demo(
    *,
    folder: Annotated[
        Path, Parameter(help="Where the phantom's series and the project are written.")
    ] = Path("demo-project"),
    computing: Annotated[Computing, Parameter(name="*")] = Computing(),  # noqa: B008
) -> None:
    """Reconstruct a built-in phantom and print what was found against what is true.

    A cell, a vesicle, a filament and gold beads are projected in closed form into 41 noisy tilts
    with shifts, a turned axis and a drifting magnification. Stack and alignment are written as MRC
    and IMOD files, and reconstructed by the same code as `vitreous run`.
    """
    from vitreous.cli.run import run_series
    from vitreous.formats.mrc import read_volume
    from vitreous.pipeline.project import StepFolder
    from vitreous.reconstruct.settings import ReconstructSettings
    from vitreous.simulate.specimen import cell_with_gold

    specimen = cell_with_gold()
    stack, alignment = write_series(specimen, folder)
    settings = ReconstructSettings(thickness=str(THICKNESS_PX))
    run_series(stack, folder, AlignmentInput(alignment=alignment), settings, computing)

    made = StepFolder(folder, SERIES, "reconstruct")
    print(report(read_volume(made.product(".mrc")), specimen, made))


def tilts() -> "Alignment":
    """41 tilts from -60 to 60 degrees, axis at 85.3, with shifts and magnification."""
    import numpy as np

    from vitreous.records.alignment import alignment_from_angles

    rng = np.random.default_rng(41)
    angles = np.linspace(-60, 60, 41)
    return alignment_from_angles(
        axes_degrees=85.3,
        tilts_degrees=angles,
        shifts=rng.normal(0, 4 * PIXEL_SIZE, (41, 2)),
        magnifications=1 + 2e-5 * angles,
        image_size=IMAGE_SIZE,
        pixel_size=PIXEL_SIZE,
    )


def write_series(specimen: "Specimen", folder: Path) -> tuple[Path, Path]:
    """The tilt series as a microscope and an alignment program leave it: .mrc, and .xf with .tlt.

    Matter is dark: brightness less the density along the path, with white noise.
    """
    import numpy as np

    from vitreous.errors import OutputError
    from vitreous.formats.alignments import write_alignment
    from vitreous.formats.mrc import MrcWriter
    from vitreous.simulate.phantom import projections

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: can't be made: {error.strerror}") from error
    alignment = tilts()
    images = BRIGHTNESS - projections(specimen.bodies, alignment)
    images += np.random.default_rng(7).normal(0, NOISE, images.shape).astype(np.float32)
    stack, transforms = folder / f"{SERIES}.mrc", folder / f"{SERIES}.xf"
    with MrcWriter(
        stack, images.shape, PIXEL_SIZE, is_stack=True, tilt_angles=alignment.tilts_degrees
    ) as writer:
        writer.write((0, 0, 0), images)
    write_alignment(alignment, transforms)
    return stack, transforms


def report(volume: "Volume", specimen: "Specimen", made: "StepFolder") -> str:
    """What was found against what is true, in lines."""
    import numpy as np

    from vitreous.simulate.phantom import densities, mirrored
    from vitreous.simulate.scores import correlation_in, dark_centre, tilt_wedge
    from vitreous.simulate.specimen import GOLD_RADIUS

    true = volume.grid.indices(specimen.beads)
    found = np.array([dark_centre(volume.data, bead, GOLD_RADIUS / PIXEL_SIZE) for bead in true])
    true_slab, found_slab = (_slab(beads, specimen.upper) for beads in (true, found))

    matter = -volume.data.astype(np.float32)
    wedge = tilt_wedge(volume.grid.shape, 60, FINEST_PX)
    itself = correlation_in(wedge, matter, densities(specimen.bodies, volume.grid))
    mirror = mirrored(specimen.bodies, (1, 1, -1))
    turned = correlation_in(wedge, matter, densities(mirror, volume.grid))
    hand = "right" if turned < itself else "WRONG"
    return "\n".join(
        [
            "",
            "Gold beads, voxels:",
            *_bead_table(true, found),
            "",
            f"Between the layers of gold: {found_slab:.2f} voxels, truth {true_slab:.2f}",
            f"Where the tilts reach, from {FINEST_PX:g} voxels on, the correlation is",
            f"    with the phantom: {itself:.3f}",
            f"    with its mirror image in z: {turned:.3f} (so the hand is {hand})",
            "",
            f"Tomogram: {made.product('.mrc')}",
            f"Slices:   {made.product('_slices.png')}",
        ]
    )


def _slab(beads: "NDArray[np.float64]", upper: "NDArray[np.bool_]") -> float:
    """Mean distance of the two layers along z."""
    return float(beads[upper, 2].mean() - beads[~upper, 2].mean())


def _bead_table(true: "NDArray[np.float64]", found: "NDArray[np.float64]") -> list[str]:
    import numpy as np

    apart = np.linalg.norm(found - true, axis=1)
    head = f"{'':4}{'true x':>9}{'y':>9}{'z':>9}   {'found x':>9}{'y':>9}{'z':>9}   {'apart':>6}"
    rows = [
        f"{number:4}{x:9.2f}{y:9.2f}{z:9.2f}   {u:9.2f}{v:9.2f}{w:9.2f}   {distance:6.2f}"
        for number, ((x, y, z), (u, v, w), distance) in enumerate(
            zip(true, found, apart, strict=True), start=1
        )
    ]
    return [head, *rows, f"{'rms':>61}   {np.sqrt((apart**2).mean()):6.2f}"]
