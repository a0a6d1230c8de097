"""EMAN2: the alignment of e2tomogram (info/NAME.json) and angle lists of e2make3dpar <-> Alignment.

The JSON's `tlt_params` has a row [tx, ty, ztilt, ytilt, xtilt] for each section: pixels of
`apix_unbin` and degrees. EMAN2 turns by the negative of each, so that with the same numbers its
volume is the z-mirror of IMOD's:

    P = Rz(-ztilt) Ry(-ytilt) Rx(-xtilt)        s = apix_unbin (tx, ty)

from our centre pixels n // 2 in image and volume. Sections whose `ali_loss` is above 500 are left
out. A list of angles a (a .tlt of e2make3dpar) stands for images with an upright axis, P = Ry(-a),
s = 0.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError
from vitreous.formats.content import read_text
from vitreous.formats.facts import NOTHING, Told, settled
from vitreous.formats.imod import read_angles, write_angles
from vitreous.formats.products import write_text
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.images import StackFacts

Array = NDArray[np.float64]

LOSS_OF_LEFT_OUT = 1000.0
LARGEST_LOSS = 500.0
PLAIN_PX = 1e-3  # an angle list holds no axis and no shifts beyond this


def volume_centre(size: tuple[int, int, int]) -> tuple[float, float, float]:
    """0-based voxel (x, y, z) of our origin in EMAN2's volume of `size`."""
    x, y, z = size
    return float(x // 2), float(y // 2), float(z // 2)


def to_alignment(
    params: Array, facts: StackFacts, used: NDArray[np.bool_] | None = None
) -> Alignment:
    """Rows [tx, ty, ztilt, ytilt, xtilt] of all sections -> our maps."""
    sections = np.arange(len(params)) if used is None else np.flatnonzero(used)
    rows = params[sections]
    return alignment_from_angles(
        axes_degrees=-rows[:, 2],
        tilts_degrees=-rows[:, 3],
        x_tilts_degrees=-rows[:, 4],
        shifts=rows[:, :2] * facts.pixel_size,
        sections=sections,
        section_count=facts.sections,
        image_size=facts.image_size,
        pixel_size=facts.pixel_size,
    )


def from_alignment(alignment: Alignment) -> Array:
    """Our maps -> rows for all sections; a left-out one repeats the nearest used one.

    Magnification, stretch and local motion have no place and are left.
    """
    angles = (alignment.axes_degrees, alignment.tilts_degrees, alignment.x_tilts_degrees)
    rows = np.column_stack([alignment.shifts_px, *(-angle for angle in angles)])
    every = np.arange(alignment.section_count)
    return rows[np.abs(every[:, None] - alignment.sections).argmin(1)]


def read(path: Path, told: Told = NOTHING) -> Alignment:
    """Read e2tomogram's JSON, or a list of angles."""
    text = read_text(path)
    if not text.lstrip().startswith("{"):
        tilts = read_angles(path)
        params = np.zeros((len(tilts), 5))
        params[:, 3] = tilts
        return to_alignment(params, settled(path, told, sections=len(tilts)))
    record = _record(text, path)
    params = _numbers(record, "tlt_params", path, 5)
    pixel_size = record.get("apix_unbin")
    if pixel_size is not None and not isinstance(pixel_size, int | float):
        raise FormatError(f"apix_unbin: expected a number, found {pixel_size!r}", path=path)
    used = np.ones(len(params), bool)
    if "ali_loss" in record:
        losses = _numbers(record, "ali_loss", path, None)
        if len(losses) != len(params):
            raise FormatError(
                f"{len(losses)} values in ali_loss, but {len(params)} in tlt_params", path=path
            )
        used = losses <= LARGEST_LOSS
    if not used.any():
        raise FormatError(f"every ali_loss is above {LARGEST_LOSS:g}: no tilt is used", path=path)
    facts = settled(path, told, sections=len(params), pixel_size=pixel_size)
    return to_alignment(params, facts, used)


def _record(text: str, path: Path) -> dict[str, object]:
    try:
        record = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        what = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
        raise FormatError(f"no JSON: {what}", path=path, line=line) from None
    if not isinstance(record, dict) or "tlt_params" not in record:
        raise FormatError(
            "no tlt_params", path=path, line=1, hint="e2tomogram.py writes it when it has aligned."
        )
    return record


def _numbers(record: dict[str, object], key: str, path: Path, columns: int | None) -> Array:
    """A list of numbers, or of rows of `columns` numbers."""
    try:
        values = np.array(record[key], np.float64)
    except (ValueError, TypeError, OverflowError):
        values = np.array(np.nan)
    wanted = () if columns is None else (columns,)
    if not values.ndim or values.shape[1:] != wanted or not np.isfinite(values).all():
        rows = "numbers" if columns is None else f"rows of {columns} numbers"
        raise FormatError(f"{key}: expected a list of {rows}", path=path)
    return values


def write(alignment: Alignment, path: Path) -> list[Path]:
    """Write e2tomogram's JSON, or (`.tlt`, `.rawtlt`) a list of angles of all sections."""
    params = from_alignment(alignment)
    if path.suffix in (".tlt", ".rawtlt"):
        if np.abs(params[:, [0, 1, 2, 4]]).max() > PLAIN_PX:
            raise UserError(
                f"{path}: an angle list holds no tilt axis, shifts or X tilts. Write an .xf, or "
                "apply the alignment to the stack first."
            )
        write_angles(path, params[:, 3])
        return [path]
    left_out = np.isin(np.arange(alignment.section_count), alignment.left_out)
    record = {
        "ali_loss": np.where(left_out, LOSS_OF_LEFT_OUT, 0.0).tolist(),
        "apix_unbin": alignment.pixel_size,
        "tlt_params": params.tolist(),
    }
    rows = [f'"{key}": {json.dumps(value)}' for key, value in record.items()]
    write_text(path, "{\n" + ", \n".join(rows).replace("], [", "], \n[") + "\n}\n")
    return [path]
