"""`vitreous demo`: the main job on a simulated session, found against truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vitreous.pipeline.against_truth import Truth
    from vitreous.records.volume import Volume
    from vitreous.simulate.settings import SimulateSettings

SERIES = "TS_01"
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
    from vitreous.reconstruct.settings import ReconstructSettings

    session, project = folder / "session", folder / "project"
    settings = simulated()
    simulate(output=session, name=SERIES, settings=settings)
    run([session / f"{SERIES}.mrc"], project=project, settings=ReconstructSettings(binning=BINNING))
    print(found_against_truth(session, project))


def simulated() -> "SimulateSettings":
    """What the demo simulates."""
    from vitreous.simulate.settings import SimulateSettings

    return SimulateSettings(
        seed=7, size=(400, 400), pixel_size=6.8, beads=200, dark="3", jumps="30"
    )


def found_against_truth(session: Path, project: Path) -> str:
    """What was found against what is true, in lines."""
    from vitreous.cli.tables import lined_up
    from vitreous.pipeline.against_truth import table, truth_of
    from vitreous.pipeline.project import StepFolder

    truth = truth_of(SERIES, session)
    align, made = (StepFolder(project, SERIES, step) for step in ("align", "reconstruct"))
    stack, tomogram = session / f"{SERIES}.mrc", made.product(".mrc")
    reasons = align.read_manifest()["left_out_tilts"].items()
    left_out = "; ".join(f"tilt {tilt}, {why}" for tilt, why in reasons) or "none"
    dark = ", ".join(str(tilt["section"] + 1) for tilt in truth["tilts"] if tilt["bad"] == "dark")
    rows = [
        *table(project, SERIES, stack, truth),
        ("gold beads", beads_found(tomogram, stack, align.product(".xf"), truth)),
        ("left out", f"{left_out}; truth: tilt {dark} is dark"),
    ]
    head = f"{SERIES} of {stack.parent}, found against truth:"
    where = [f"Tomogram: {tomogram}", f"Report:   {project / 'report.html'}"]
    return "\n".join(["", head, "", *lined_up(rows), "", *where])


def beads_found(tomogram: Path, stack: Path, aligned: Path, truth: "Truth") -> str:
    """How far the tomogram's gold is from where it belongs."""
    import numpy as np

    from vitreous.formats.alignments import read_alignment
    from vitreous.formats.images import open_images
    from vitreous.formats.mrc import read_volume
    from vitreous.pipeline.against_truth import placed, tilts_of
    from vitreous.records.images import facts_of

    alignment = read_alignment(aligned, facts_of(open_images(stack)))
    error = placed(alignment, tilts_of(alignment, truth), truth)
    beads = np.array([bead["pos"] for bead in truth["beads"]]) * truth["pixel"]
    radius = truth["beads"][0]["radius_angst"]
    apart = bead_distances(read_volume(tomogram), error.places(beads), radius)
    return f"{len(apart)}, median {np.median(apart):.1f} A apart, worst {apart.max():.1f} A"


def bead_distances(
    volume: "Volume", beads: "NDArray[np.float64]", radius: float
) -> "NDArray[np.float64]":
    """(n,) angstrom between the dark spots of a volume and where they belong in it."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from vitreous.simulate.scores import dark_centre

    # noise and the fringes of the contrast transfer would move the spots
    smooth = gaussian_filter(volume.data.astype(np.float32), SMOOTH / volume.grid.voxel_size)
    true = volume.grid.indices(beads)
    inside = ((true > 0) & (true < np.array(volume.grid.size) - 1)).all(1)
    found = [dark_centre(smooth, at, radius / volume.grid.voxel_size) for at in true[inside]]
    return volume.grid.voxel_size * np.linalg.norm(np.array(found) - true[inside], axis=1)
