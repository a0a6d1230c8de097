"""`vitreous simulate`: what a SerialEM session leaves of a specimen whose truth is known."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from vitreous.simulate.settings import SimulateSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vitreous.records.progress import Progress
    from vitreous.records.tilt_series import TiltSeries
    from vitreous.simulate.acquisition import Exposure
    from vitreous.simulate.detector import Camera
    from vitreous.simulate.series import SimulatedSeries

log = logging.getLogger(__name__)

TRUTH = "truth.json"
FRAMES = "frames"
TITLE = "simulated tilt series"
SECONDS_PER_TILT = 62
WORTH_A_WARNING = 1e-4  # of the pixels; X-rays are far fewer


def simulate(
    *,
    output: Annotated[Path, Parameter(help="Folder for the series; made if it isn't there.")],
    name: Annotated[str, Parameter(help="Name of the series and its files.")] = "sim",
    mode: Annotated[
        Literal["int8", "int16", "float32"], Parameter(help="Type of a pixel in the stack.")
    ] = "int16",
    settings: Annotated[SimulateSettings, Parameter(name="*")] = SimulateSettings.model_construct(),  # noqa: B008
    cpus: Annotated[int | None, Parameter(help="Threads. Default: all cores it may use.")] = None,
) -> None:
    """Simulate a tilt series with exact truth: stack, angles and .mdoc as SerialEM leaves them.

    Macromolecules, vesicles and gold beads in a slab of ice are imaged with the contrast transfer,
    the dose's damage and the noise of a counting camera. The same settings give the same images.
    truth.json tells what is true: maps, defocus, motion, the places and shapes of all bodies. With
    --frames there are movies (TIFF), their gain reference and a list of broken pixels too.

      vitreous simulate --output TS_01 --name TS_01 --size 400 400 --pixel 6.8 --beads 400
    """
    import json

    from vitreous.cli.progress import progress_bar
    from vitreous.formats.imod import write_angles
    from vitreous.formats.products import write_text
    from vitreous.kernels import machine
    from vitreous.simulate.series import simulate_series
    from vitreous.simulate.truth import truth

    require_room(output, name)
    series = simulate_series(settings)
    with progress_bar(f"simulating {name}") as progress:
        stack = write_session(series, output, name, mode, cpus or machine.cores(), progress)
    write_angles(stack.with_suffix(".rawtlt"), series.as_tilt_series(name).nominal_tilts_degrees)
    write_text(output / TRUTH, json.dumps(truth(series, name)) + "\n")
    columns, rows = settings.size
    log.info(
        "%s: %d tilts of %d x %d px; what is true of them: %s",
        stack,
        len(series.tilts),
        columns,
        rows,
        output / TRUTH,
    )


def require_room(output: Path, name: str) -> None:
    """Make the folder; refuse one that holds the truth of another series, and odd names."""
    from vitreous.errors import UserError
    from vitreous.formats.products import output_error

    if not name or Path(name).name != name:
        raise UserError(f"--name {name!r} is no name for files: leave out folders")
    try:
        output.mkdir(parents=True, exist_ok=True)
        there = simulated_in(output)
    except OSError as error:
        raise output_error(output, error) from error
    if there not in (None, name):
        raise UserError(f"{output} holds series {there!r}: give {name!r} a folder of its own")


def simulated_in(folder: Path) -> str | None:
    """The name of the series whose truth a folder holds."""
    import json

    if not (folder / TRUTH).exists():
        return None
    try:
        return str(json.loads((folder / TRUTH).read_text())["name"])
    except (ValueError, LookupError, TypeError):
        return f"of an unreadable {TRUTH}"


def write_session(
    series: "SimulatedSeries",
    output: Path,
    name: str,
    mode: str,
    threads: int,
    progress: "Progress",
) -> Path:
    """The stack with its .mdoc, and movies where there are any; returns the stack's path."""
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    import numpy as np

    from vitreous.formats.mdoc import write_mdoc
    from vitreous.formats.mdoc_series import as_mdoc, titles
    from vitreous.formats.mrc import MODES, MrcWriter

    if series.settings.frames:
        camera = write_camera(series, output / FRAMES, name)
        take = partial(take_movie, series, camera, output / FRAMES, name)
    else:
        take = partial(take_still, series)

    stack = output / f"{name}.mrc"
    labels = titles(series.as_tilt_series(name), TITLE)
    most = np.inf if mode == "float32" else np.iinfo(mode).max
    notes: list[dict[str, str]] = []
    cut = 0
    with (
        MrcWriter(
            stack, series.shape, series.pixel_size, mode, is_stack=True, labels=labels
        ) as writer,
        ThreadPoolExecutor(threads) as pool,
    ):
        for tilt, image in zip(series.tilts, pool.map(take, series.tilts), strict=True):
            writer.write((tilt.section, 0, 0), image[None])
            notes.append(noted(series, tilt, image))
            cut += int((image > most).sum())
            progress(tilt.section + 1, len(series.tilts))
    if cut > WORTH_A_WARNING * np.prod(series.shape):
        log.warning("%s: %d pixels have more than %d counts and are cut", stack, cut, most)

    mdoc = as_mdoc(recorded(series, name, notes), stack.name, MODES[mode], TITLE)
    write_mdoc(stack.with_name(f"{stack.name}.mdoc"), mdoc)
    return stack


# -- movies ---------------------------------------------------------------------------------------


def write_camera(series: "SimulatedSeries", folder: Path, name: str) -> "Camera":
    """The gain reference, and the broken pixels as MotionCor has them: lines 'x y width height'."""
    import numpy as np

    from vitreous.formats.mrc import MrcWriter
    from vitreous.formats.products import write_text

    folder.mkdir(exist_ok=True)
    camera = series.camera
    gain = camera.gain[None]
    with MrcWriter(folder / f"{name}_gain.mrc", gain.shape, series.pixel_size) as writer:
        writer.write((0, 0, 0), gain)
    lines = [f"{x} {y} 1 1\n" for y, x in np.argwhere(camera.broken)]
    write_text(folder / f"{name}_defects.txt", "".join(lines))
    return camera


def take_still(series: "SimulatedSeries", tilt: "Exposure") -> "NDArray[np.float32]":
    """A tilt's image."""
    return series.read(tilt.section)


def take_movie(
    series: "SimulatedSeries", camera: "Camera", folder: Path, name: str, tilt: "Exposure"
) -> "NDArray[np.float32]":
    """Write a tilt's movie; returns its image for the stack."""
    from vitreous.formats.tiff import write_tiff_stack

    frames = list(series.frames(tilt.section, camera))
    write_tiff_stack(folder / movie_name(tilt, name), frames, series.pixel_size)
    return series.summed(tilt.section, frames, camera)


def movie_name(tilt: "Exposure", name: str) -> str:
    """As SerialEM numbers them: order of acquisition from 1, then the angle."""
    return f"{name}_{tilt.exposure_index + 1:03d}_{tilt.nominal_tilt:.1f}.tif"


# -- the .mdoc ------------------------------------------------------------------------------------


def noted(
    series: "SimulatedSeries", tilt: "Exposure", image: "NDArray[np.float32]"
) -> dict[str, str]:
    """What SerialEM notes of a tilt besides angle, dose and time."""
    from vitreous.simulate.chance import stream

    settings = series.settings
    reading = stream(settings.seed, "defocus reading", tilt.section).normal(0, 0.05)
    target = settings.defocus / 1e4
    notes = {
        "StagePosition": "12.3 -45.6",
        "StageZ": "21.5",
        "Magnification": "33000",
        "PixelSpacing": f"{series.pixel_size:g}",
        "SpotSize": "8",
        "Defocus": f"{-target + reading:g}",
        "RotationAngle": f"{settings.tilt_axis + 90:g}",
        "ExposureTime": "1.5",
        "Binning": "1",
        "CameraIndex": "0",
        "DividedBy2": "0",
        "CountsPerElectron": "1",
        "TargetDefocus": f"{-target:.2f}",
        "MinMaxMean": f"{image.min():.3f} {image.max():.3f} {image.mean():.3f}",
    }
    if settings.frames:
        notes["NumSubFrames"] = f"{settings.frames}"
        notes["FrameDosesAndNumber"] = f"{tilt.dose / settings.frames:g} {settings.frames}"
    return notes


def recorded(series: "SimulatedSeries", name: str, notes: list[dict[str, str]]) -> "TiltSeries":
    """The series as the microscope knows it, with its notes and the time of each tilt."""
    from dataclasses import replace
    from datetime import datetime, timedelta

    begun = datetime(2026, 11, 24, 10, 0, 0)  # noqa: DTZ001 - a microscope's local time
    known = series.as_tilt_series(name)
    tilts = tuple(
        replace(
            tilt,
            movie=f"X:\\frames\\{movie_name(exposure, name)}" if series.settings.frames else "",
            acquired=begun + timedelta(seconds=SECONDS_PER_TILT * exposure.exposure_index),
            extra=note,
        )
        for tilt, exposure, note in zip(known.tilts, series.tilts, notes, strict=True)
    )
    return replace(known, tilts=tilts)
