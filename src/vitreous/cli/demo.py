"""`vitreous demo`: the main job on a simulated session, found against truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vitreous.pipeline.project import StepFolder
    from vitreous.records.volume import Volume
    from vitreous.simulate.scores import AlignmentError
    from vitreous.simulate.series import SimulatedSeries
    from vitreous.simulate.settings import SimulateSettings

SERIES = "TS_01"
FIELD_SHARE = 0.44  # of the field, and of the ice's thickness, to each side is counted
BINNING = 2  # of the tomogram: it's there to be looked at
SMOOTH = 20.0  # angstrom


def demo(
    *,
    folder: Annotated[
        Path, Parameter(help="Where the simulated session and the project are written.")
    ] = Path("demo-project"),
) -> None:
    """Run a simulated session through, and print what was found against what is true.

    Macromolecules, vesicles and gold beads in ice are imaged at 41 tilts: a stack and an .mdoc, as
    a microscope leaves them, with one tilt that is dark and one that jumped by a third of the
    field. `vitreous run` aligns it without help and makes the tomogram and the report.
    """
    from vitreous.cli.run import run
    from vitreous.cli.simulate import simulate
    from vitreous.pipeline.project import StepFolder
    from vitreous.reconstruct.settings import ReconstructSettings
    from vitreous.simulate.series import simulate_series

    session, project = folder / "session", folder / "project"
    settings = simulated()
    simulate(output=session, name=SERIES, settings=settings)
    run([session / f"{SERIES}.mrc"], project=project, settings=ReconstructSettings(binning=BINNING))
    steps = (StepFolder(project, SERIES, step) for step in ("align", "reconstruct"))
    print(found_against_truth(simulate_series(settings), *steps))


def simulated() -> "SimulateSettings":
    """What the demo simulates."""
    from vitreous.simulate.settings import SimulateSettings

    return SimulateSettings(
        seed=7, size=(400, 400), pixel_size=6.8, beads=200, dark="3", jumps="30"
    )


def found_against_truth(series: "SimulatedSeries", align: "StepFolder", made: "StepFolder") -> str:
    """What was found against what is true, in lines."""
    import numpy as np

    from vitreous.formats.alignments import read_alignment
    from vitreous.formats.mrc import read_volume
    from vitreous.records.images import facts_of
    from vitreous.simulate.scores import alignment_error

    found = read_alignment(align.product(".xf"), facts_of(series))
    points = in_the_ice(series)
    error = alignment_error(found, points, series.pixels(points)[found.sections])
    beads = bead_distances(read_volume(made.product(".mrc")), series, error)
    axis, true = found.axes_degrees.mean(), series.alignment.axes_degrees[found.sections].mean()
    tilts = found.tilts_degrees - series.alignment.tilts_degrees[found.sections]
    worst = np.argmax(error.per_view_px)
    tilt, worst_px = found.sections[worst] + 1, error.per_view_px[worst]
    reasons = align.read_manifest()["left_out_tilts"].items()
    left_out = "; ".join(f"tilt {tilt}, {why}" for tilt, why in reasons) or "none"
    count, rows, columns = series.shape
    return f"""
{SERIES}, {count} tilts of {columns} x {rows} px of {series.pixel_size:g} A, found against truth:

tilt axis    {axis:.2f} degrees, truth {true:.2f} (the .mdoc says {series.settings.tilt_axis:.2f})
tilt angles  rms {tilts.std():.2f} degrees apart
alignment    rms {error.rms_px:.2f} px apart over the ice; worst tilt {tilt}: {worst_px:.2f} px
gold beads   {len(beads)}, median {np.median(beads):.1f} A apart, worst {beads.max():.1f} A
hand         {"that of the mirror image: WRONG" if error.mirrored else "right"}
left out     {left_out}; truth: tilt {series.settings.dark} is dark

Tomogram: {made.product(".mrc")}
Report:   {made.project / "report.html"}"""


def in_the_ice(series: "SimulatedSeries") -> "NDArray[np.float64]":
    """(m, 3) angstrom: a grid over the field and the ice."""
    import numpy as np

    from vitreous.simulate.scores import grid_points

    settings = series.settings
    sides = [*(side * settings.pixel_size for side in settings.size), settings.thickness_angstrom]
    points = grid_points(FIELD_SHARE * np.array(sides))
    points[:, 2] += series.sample.slab.middle(points[:, 0], points[:, 1])
    return points


def bead_distances(
    volume: "Volume", series: "SimulatedSeries", error: "AlignmentError"
) -> "NDArray[np.float64]":
    """(n,) angstrom between where the tomogram shows the beads and where they belong in it."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from vitreous.simulate.scores import dark_centre

    # noise and the fringes of the contrast transfer would move the spots
    smooth = gaussian_filter(volume.data.astype(np.float32), SMOOTH / volume.grid.voxel_size)
    beads = [bead for bead in series.sample.beads if series.sample.in_field(bead.position)]
    true = volume.grid.indices(error.places(np.array([bead.position for bead in beads])))
    inside = ((true > 0) & (true < np.array(volume.grid.size) - 1)).all(1)
    radius = beads[0].radius / volume.grid.voxel_size
    found = [dark_centre(smooth, place, radius) for place in true[inside]]
    return volume.grid.voxel_size * np.linalg.norm(np.array(found) - true[inside], axis=1)
