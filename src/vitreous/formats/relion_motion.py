"""RELION's STAR file of a movie's motion <-> Motion.

Stored are corrections, the translation that brings a frame onto the average: minus the specimen's
displacement. data_global_shift: in unbinned pixels, -9999 for a frame that isn't used; RELION's own
are relative to the first used frame, MotionCor's to another one, ours to the mean over the frames,
as the average is. data_local_motion_model:

    s(x, y, z) = sum over b in (1, x, x^2, y, y^2, x y) of b (c1 z + c2 z^2 + c3 z^3)

x = column / columns - 1/2, y alike, z: frames since the first used one, in pixels of the average.
It is 0 in that frame by its form. Our average shows the specimen where it is in the mean over the
frames; RELION's, where it was in the first frame. What differs, a distortion that is the same in
all frames, can't be written.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError
from vitreous.formats.star import Table, read_star, table_named, write_star
from vitreous.records.motion import Exposure, LocalMotion, Motion

Array = NDArray[np.float64]

UNUSED = -9999.0
POWERS = 3  # of z
EARLY_DOSE = 4.0  # e/A^2 that part early from late motion


def write(
    motion: Motion,
    path: Path,
    *,
    movie: Path,
    gain: Path | None = None,
    exposure: Exposure | None = None,
    binning: int = 1,
) -> None:
    """Write a movie's motion as RELION's motion correction leaves it beside an average."""
    tables = [_general(motion, movie, gain, exposure, binning), _global_shifts(motion)]
    if motion.local is not None:
        tables.append(_local_model(motion, motion.local, binning))
    write_star(path, tables)


def read(path: Path) -> Motion:
    """Read the motion of RELION's or our own file; displacements are relative to their mean."""
    tables = read_star(path)
    general = table_named(tables, "general", path)
    shifts = table_named(tables, "global_shift", path)
    size = _number(general, "rlnImageSizeX"), _number(general, "rlnImageSizeY")
    pixel_size = _number(general, "rlnMicrographOriginalPixelSize")
    corrections = np.stack(
        [shifts.numbers(f"rlnMicrographShift{axis}") for axis in "XY"], axis=-1
    ).reshape(-1, 2)
    frames = np.flatnonzero((corrections != UNUSED).all(1))
    if not len(frames):
        raise FormatError("no frame is used: all shifts are -9999", path=path, line=shifts.line)
    displacements = -corrections[frames] * pixel_size
    local = None
    if "rlnMotionModelVersion" in general and _number(general, "rlnMotionModelVersion") == 1:
        table = table_named(tables, "local_motion_model", path)
        scale = pixel_size * _number(general, "rlnMicrographBinning")
        constant, local = _local_from(table, frames, (int(size[0]), int(size[1])), scale)
        displacements = displacements + constant
    return Motion(
        frames=frames,
        frame_count=len(corrections),
        displacements=displacements - displacements.mean(0),
        image_size=(int(size[0]), int(size[1])),
        pixel_size=pixel_size,
        local=local,
    )


def accumulated(motion: Motion, exposure: Exposure | None) -> dict[str, str]:
    """rlnAccumMotionTotal, Early and Late: ways of the whole frame in unbinned pixels, as RELION's.

    Early: up to 4 e/A^2 before and in the movie; without a known dose all is late.
    """
    steps = np.linalg.norm(np.diff(motion.displacements, axis=0), axis=1) / motion.pixel_size
    early = np.zeros(len(steps), bool)
    if exposure is not None:
        later = motion.frames[1:]
        early = exposure.before(later) + exposure.of(later) <= EARLY_DOSE
    parts = {"Total": steps.sum(), "Early": steps[early].sum(), "Late": steps[~early].sum()}
    return {f"rlnAccumMotion{name}": f"{way:.6f}" for name, way in parts.items()}


def row_of(average: Path, motion: Motion, exposure: Exposure | None) -> dict[str, str]:
    """A movie's row in `write_overview`; its own file lies beside the average."""
    return {
        "rlnMicrographName": str(average),
        "rlnMicrographMetadata": str(average.with_suffix(".star")),
        "rlnOpticsGroup": "1",
        **accumulated(motion, exposure),
    }


def write_overview(
    path: Path, rows: list[dict[str, str]], pixel_size: float, voltage_kv: float
) -> None:
    """Write corrected_micrographs.star: all averages, A/px `pixel_size`, with their motion."""
    optics = {
        "rlnOpticsGroupName": "opticsGroup1",
        "rlnOpticsGroup": "1",
        "rlnMicrographPixelSize": f"{pixel_size:.6f}",
        "rlnVoltage": f"{voltage_kv:.6f}",
    }
    averages = {label: [row[label] for row in rows] for label in rows[0]}
    groups = {label: [value] for label, value in optics.items()}
    write_star(path, [Table("optics", groups), Table("micrographs", averages)])


# -- tables ---------------------------------------------------------------------------------------


def _general(
    motion: Motion, movie: Path, gain: Path | None, exposure: Exposure | None, binning: int
) -> Table:
    columns, rows = motion.image_size
    said = {
        "rlnImageSizeX": str(columns),
        "rlnImageSizeY": str(rows),
        "rlnImageSizeZ": str(motion.frame_count),
        "rlnMicrographMovieName": str(movie),
        "rlnMicrographBinning": f"{binning:.6f}",
        "rlnMicrographOriginalPixelSize": f"{motion.pixel_size:.6f}",
        "rlnMicrographStartFrame": str(motion.frames[0] + 1),
        "rlnMotionModelVersion": "0" if motion.local is None else "1",
    }
    if gain is not None:
        said["rlnMicrographGainName"] = str(gain)
    if exposure is not None:
        said["rlnMicrographDoseRate"] = f"{exposure.dose_per_frame:.6f}"
        said["rlnMicrographPreExposure"] = f"{exposure.pre_exposure:.6f}"
        said["rlnVoltage"] = f"{exposure.voltage_kv:.6f}"
    return Table("general", {label: [value] for label, value in said.items()}, is_loop=False)


def _global_shifts(motion: Motion) -> Table:
    shifts = np.full((motion.frame_count, 2), UNUSED)
    shifts[motion.frames] = -motion.displacements / motion.pixel_size
    columns = {"rlnMicrographFrameNumber": [str(n + 1) for n in range(motion.frame_count)]}
    for axis, values in zip("XY", shifts.T + 0.0, strict=True):
        columns[f"rlnMicrographShift{axis}"] = [f"{value:.6f}" for value in values]
    return Table("global_shift", columns)


def _local_model(motion: Motion, local: LocalMotion, binning: int) -> Table:
    corrections = -(local.coefficients - local.coefficients[0]) / (motion.pixel_size * binning)
    of_terms = np.einsum("fct,tb->cbf", corrections, to_relion(motion.image_size))
    z = powers_of(motion.frames)
    model = np.linalg.lstsq(z, of_terms.reshape(-1, len(z)).T, rcond=None)[0].T.reshape(-1)
    return Table(
        "local_motion_model",
        {
            "rlnMotionModelCoeffsIdx": [str(n) for n in range(model.size)],
            "rlnMotionModelCoeff": [f"{value:.9g}" for value in model],
        },
    )


def _local_from(
    table: Table, frames: NDArray[np.intp], size: tuple[int, int], scale: float
) -> tuple[Array, LocalMotion]:
    """(constants (frames, 2), local motion), angstrom, relative to the mean over the frames."""
    numbers = table.numbers("rlnMotionModelCoeff")
    basis = to_relion(size)
    due = 2 * (basis.shape[1]) * POWERS
    if numbers.size != due:
        raise FormatError(
            f"the local motion model has {numbers.size} coefficients, {due} were expected",
            path=table.path,
            line=table.line,
        )
    model = numbers.reshape(2, -1, POWERS)
    displaced = -scale * np.einsum("cbk,fk->fcb", model, powers_of(frames))
    # our five terms and a constant span RELION's six
    whole = np.vstack([basis, np.eye(1, basis.shape[1])])
    found = np.linalg.solve(whole.T, displaced.reshape(-1, basis.shape[1]).T).T
    found = found.reshape(*displaced.shape[:2], -1)
    local = found[..., :-1] - found[..., :-1].mean(0)
    return found[..., -1], LocalMotion(local, float("nan"))


def to_relion(size: tuple[int, int]) -> Array:
    """(5, 6): our terms u, v, u^2 - 1/3, u v, v^2 - 1/3 by RELION's 1, x, x^2, y, y^2, x y.

    u = 2 x + 1 / columns: RELION's x counts from the left edge of a pixel, ours from its centre.
    """
    e, d = 1 / size[0], 1 / size[1]
    return np.array(
        [
            [e, 2, 0, 0, 0, 0],
            [d, 0, 0, 2, 0, 0],
            [e * e - 1 / 3, 4 * e, 4, 0, 0, 0],
            [e * d, 2 * d, 0, 2 * e, 0, 4],
            [d * d - 1 / 3, 0, 0, 4 * d, 4, 0],
        ]
    )


def powers_of(frames: NDArray[np.intp]) -> Array:
    """(frames, 3): z, z^2, z^3."""
    z = (frames - frames[0]).astype(np.float64)
    return np.stack([z**power for power in range(1, POWERS + 1)], -1)


def _number(table: Table, label: str) -> float:
    return float(table.numbers(label)[0])
