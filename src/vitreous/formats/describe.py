"""What a file holds, in lines to print: name and fact."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError, UserError
from vitreous.formats.facts import PartialFacts
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.numbers import read_columns
from vitreous.records.alignment import Alignment

Array = NDArray[np.float64]
Facts = Iterator[tuple[str, str]]

MOST_LABELS = 12  # of a STAR table, in a line


def describe(path: Path) -> list[tuple[str, str]]:
    """The kind of a file and what it holds, read to its end.

    A kind that isn't read is an `UnknownFormatError`, a broken file a `FormatError`.
    """
    kind = kind_of(path)
    reader = READERS.get(kind)
    if reader is None:
        raise UnknownFormatError(f"{kind.value}: this kind is not read (yet)", path=path)
    return [("kind", kind.value), *reader(path)]


# -- images ---------------------------------------------------------------------------------------


def _mrc(path: Path) -> Facts:
    from vitreous.formats.mrc import require_whole
    from vitreous.formats.mrc_header import read_header

    header = read_header(path)
    if header.dtype is not None:
        require_whole(path, header)
    yield "size", " x ".join(map(str, header.size))
    yield "mode", header.not_read or f"{header.mode}, {header.dtype.name}"  # type: ignore[union-attr]
    yield "pixel size", _angstrom(header.pixel_size)
    low, high, mean = header.statistics
    if low <= high:  # MRC2014: the other way round means that nobody counted
        yield "grey values", f"{low:g} to {high:g}, mean {mean:g} (as the header says)"
    yield "space group", f"{header.ispg} ({'a volume' if header.ispg else 'images'})"
    if any(header.origin):
        yield "origin", ", ".join(f"{value:g}" for value in header.origin) + " A"
    if header.axes != (1, 2, 3):
        letters = " ".join("xyz"[axis - 1] for axis in header.axes)
        yield "axes", f"columns, rows, sections are {letters}"
    if header.extended_bytes:
        yield "extended", f"{header.extended_bytes} bytes, {header.extended_kind}"
    if header.tilt_angles is not None:
        yield from _angle_facts(header.tilt_angles)
    yield "byte order", "little-endian" if header.byte_order == "<" else "big-endian"
    for text in header.labels:
        yield "label", text
    for text in header.remarks:
        yield "remark", text


def _ome_zarr(path: Path) -> Facts:
    from vitreous.formats.ome_zarr import open_ome_zarr

    with open_ome_zarr(path) as volume:
        yield "version", volume.version
        yield "size", " x ".join(map(str, volume.shape[::-1]))
        yield "voxels", f"{volume.dtype.name}, in chunks of {' x '.join(map(str, volume.chunks))}"
        scales = {
            level: " x ".join(f"{size:.6g}" for size in level.scale[::-1])
            for level in volume.levels
        }
        yield "voxel size", f"{scales[volume.levels[0]]} A"
        for level in volume.levels[1:]:
            yield f"level {level.path}", f"{scales[level]} A"
        for text in volume.labels:
            yield "label", text


def _tiff(path: Path) -> Facts:
    from vitreous.formats.eer import is_eer
    from vitreous.formats.tiff import read_tiff_header

    if is_eer(path):
        yield from _eer(path)
        return
    header = read_tiff_header(path)
    yield "size", " x ".join(map(str, header.shape[::-1]))
    yield "pixels", f"{header.dtype.name}, compression {header.compression}, {header.kind} TIFF"
    yield "pixel size", _angstrom(header.pixel_size)
    for text in header.remarks:
        yield "remark", text


def _eer(path: Path) -> Facts:
    from vitreous.formats.eer import read_eer_header

    header = read_eer_header(path)
    yield "size", " x ".join(map(str, (*header.size, header.raw_frames))) + " raw frames"
    packing = header.packing
    yield "pixels", f"an EER movie, {packing.run_bits}-bit gaps, 1/{1 << packing.x_bits} px places"
    yield "pixel size", _angstrom(header.pixel_size)
    if header.electrons_per_pixel:
        yield "dose", f"{header.electrons_per_pixel:g} e/px"


def _dm(path: Path) -> Facts:
    from vitreous.formats.dm import read_dm

    image = read_dm(path)
    yield "size", " x ".join(map(str, image.data.shape[::-1]))
    yield "pixels", image.data.dtype.name
    yield "pixel size", _angstrom(image.pixel_size)


def _hdf(path: Path) -> Facts:
    from vitreous.formats.eman_hdf import HdfImages

    with HdfImages(path) as images:
        sizes = {images.read_size(i) for i in range(images.count)}
        for i in range(images.count):
            images.read(i)
        header = images.header(0)
        yield "of a", "EMAN2 stack of images" if len(images.size) == 2 else "EMAN2 volume"
        yield "images", str(images.count)
        yield "size", ", ".join(sorted(" x ".join(map(str, size[::-1])) for size in sizes))
        yield "pixels", images.stored_as
        yield "pixel size", _angstrom(images.pixel_size if "apix_x" in header else None)
        keys = [key for key in header if not key.startswith(("is_", "apix_"))]
        yield "header", ", ".join(keys)


def _lst(path: Path) -> Facts:
    from vitreous.formats.eman_lst import read_lst

    entries = read_lst(path)
    yield "images", str(len(entries))
    yield "files", ", ".join(sorted({str(entry.path) for entry in entries}))
    told = sorted({key for entry in entries for key in entry.told})
    yield "says", ", ".join(told) or "nothing of the images' headers"


# -- metadata -------------------------------------------------------------------------------------


def _mdoc(path: Path) -> Facts:
    from vitreous.formats.mdoc import read_mdoc
    from vitreous.formats.mdoc_series import nominal_axis, tilt_series

    mdoc = read_mdoc(path)
    counts = {kind: len(mdoc.of(kind)) for kind in ("ZValue", "FrameSet", "MontSection", "Image")}
    yield "of a", mdoc.kind
    yield "sections", ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    for title in mdoc.titles:
        yield "title", title.strip()
    if mdoc.kind != "tilt series":
        return
    pixel_size = float(mdoc.get("PixelSpacing") or 0) if _is_number(mdoc.get("PixelSpacing")) else 0
    yield "pixel size", _angstrom(pixel_size or None)
    yield "image size", mdoc.get("ImageSize").replace(" ", " x ") or "not stated"
    axis = nominal_axis(mdoc, path)
    yield "tilt axis", "not stated" if axis is None else f"{axis:.2f} degrees from y"
    try:
        series = tilt_series(mdoc, path.name, path=path, pixel_size=pixel_size or 1.0)
    except FormatError as error:
        yield "not usable", error.what
        return
    yield from _angle_facts(series.nominal_tilts_degrees)
    doses = [tilt.dose for tilt in series.tilts if tilt.dose]
    yield "dose", f"{sum(doses):.4g} e/A^2 in {len(doses)} images" if doses else "not stated"
    without = sum(not tilt.movie for tilt in series.tilts)
    yield "movies", f"{len(series.tilts) - without} named"


def _angles(path: Path) -> Facts:
    yield from _angle_facts(read_columns(path, 1, "number")[:, 0], "numbers")


def _angle_table(path: Path) -> Facts:
    from vitreous.formats.aretomo import read_tlt_txt

    tilts = read_tlt_txt(path)
    yield from _angle_facts(tilts.tilts)
    if tilts.dose is not None:
        yield "dose", f"{tilts.dose.sum():.4g} e/A^2"


def _angle_facts(numbers: Array, what: str = "tilt angles") -> Facts:
    steps = np.diff(numbers)
    if len(numbers) > 1 and not steps.any():
        yield what, f"{len(numbers)}, all {numbers[0] + 0.0:g}"
        return
    order = "rising" if (steps > 0).all() else "falling" if (steps < 0).all() else "not sorted"
    low, high = numbers.min() + 0.0, numbers.max() + 0.0
    yield what, f"{len(numbers)}, {low:g} to {high:g}, {order}"
    values, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any() and len(values) > 1:
        yield "repeated", ", ".join(f"{value:g}" for value in values[counts > 1][:10])


# -- alignments -----------------------------------------------------------------------------------


def _xf(path: Path) -> Facts:
    from vitreous.formats.imod import read_xf

    transforms = read_xf(path)
    rotation = np.degrees(np.arctan2(transforms[:, 0, 1], transforms[:, 0, 0]))
    size = np.sqrt(np.abs(np.linalg.det(transforms[:, :, :2])))
    shift = np.linalg.norm(transforms[:, :, 2], axis=1)
    yield "views", str(len(transforms))
    yield "tilt axis", f"{_span(rotation)} degrees from y"
    yield "scale", _span(size)
    yield "shifts", f"{_span(shift)} px"


def _aln(path: Path) -> Facts:
    from vitreous.formats.aretomo import read_aln

    aln = read_aln(path)
    yield "views", str(len(aln.tilts))
    if aln.raw_size:
        yield "stack", " x ".join(map(str, aln.raw_size))
    yield from _angle_facts(aln.tilts)
    yield "tilt axis", f"{_span(aln.rotations)} degrees from y"
    yield "shifts", f"{_span(np.linalg.norm(aln.shifts, axis=1))} px"
    yield "dark frames", str(len(aln.dark_frames))
    patches = 0 if aln.local is None else len(np.unique(aln.local[:, 1]))
    yield "patches", str(patches)
    if aln.thickness_px is not None:
        yield "thickness", f"{aln.thickness_px:g} px"


def _warp(path: Path) -> Facts:
    from vitreous.formats.warp import read

    yield from _alignment(path, read)


def _eman(path: Path) -> Facts:
    from vitreous.formats.eman import read

    yield from _alignment(path, read)


# Stand-ins for what a file may not say, which none of the facts below needs.
UNSAID = (
    ("", PartialFacts()),
    ("image size", PartialFacts(image_size=(1, 1))),
    ("image size and pixel size", PartialFacts(image_size=(1, 1), pixel_size=1.0)),
)


def _alignment(path: Path, read: Callable[[Path, PartialFacts], Alignment]) -> Facts:
    for unsaid, stand_in in UNSAID:
        try:
            alignment = read(path, stand_in)
        except UserError:
            continue
        if unsaid:
            yield "not stated", unsaid
        yield from _alignment_facts(alignment, "pixel" not in unsaid)
        return


def _alignment_facts(alignment: Alignment, has_pixel_size: bool) -> Facts:
    yield "views", f"{len(alignment)} used of {alignment.section_count}"
    if has_pixel_size:
        yield "pixel size", _angstrom(alignment.pixel_size)
    yield from _angle_facts(np.round(alignment.tilts_degrees, 4))
    yield "tilt axis", f"{_span(alignment.axes_degrees)} degrees from y"
    yield "shifts", f"{_span(np.linalg.norm(alignment.shifts_px, axis=1))} px"
    if alignment.displacement is not None:
        yield "local motion", f"up to {alignment.displacement.largest:.3g} A"


# -- STAR -----------------------------------------------------------------------------------------

# What tells the kinds of STAR files apart: a table's name, or one of its labels.
STAR_KINDS = (
    ("joboptions_values", "", "RELION job options"),
    ("pipeline_general", "", "RELION pipeline"),
    ("scheme_general", "", "RELION scheme"),
    ("schedule_general", "", "RELION schedule"),
    ("model_general", "", "RELION model of a refinement"),
    ("optimiser_general", "", "RELION state of a refinement"),
    ("sampling_general", "", "RELION sampling of a refinement"),
    ("", "rlnTomoTiltSeriesStarFile", "RELION-5 set of tilt series or tomograms"),
    ("", "rlnTomoProjX", "RELION-4 set of tomograms"),
    ("", "rlnTomoParticlesFile", "RELION optimisation set"),
    ("", "rlnTomoNominalStageTiltAngle", "RELION-5 tilt series"),
    ("", "rlnResolutionInversePixel", "RELION detector curve (MTF)"),
    ("stopgap_motivelist", "", "STOPGAP particles"),
    ("stopgap_wedgelist", "", "STOPGAP wedge list"),
    ("micrographs", "", "RELION micrographs"),
    ("particles", "", "RELION particles"),
    ("", "rlnAnglePsi", "RELION particles"),
    ("", "rlnImageName", "RELION images"),
    ("", "rlnMicrographName", "RELION micrographs"),
)


def _star(path: Path) -> Facts:
    from vitreous.formats.star import read_star

    tables = read_star(path)
    labels = {label for table in tables for label in table.columns}
    names = {table.name for table in tables}
    of = [what for name, label, what in STAR_KINDS if name in names or label in labels]
    yield "of a", next(iter(of), "kind that we don't know")
    for table in tables:
        shown = list(table.columns)[:MOST_LABELS]
        more = len(table.columns) - len(shown)
        tail = f" and {more} more" if more else ""
        rows = "row" if len(table) == 1 else "rows"
        yield f"data_{table.name}", f"{len(table)} {rows}: {', '.join(shown)}{tail}"


# -- phrases --------------------------------------------------------------------------------------


def _angstrom(pixel_size: float | None) -> str:
    return "not stated" if pixel_size is None else f"{pixel_size:.7g} A"


def _span(values: Array) -> str:
    low, high = float(values.min()) + 0.0, float(values.max()) + 0.0
    return f"{low:.4g}" if f"{low:.4g}" == f"{high:.4g}" else f"{low:.4g} to {high:.4g}"


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False


READERS: dict[Kind, Callable[[Path], Facts]] = {
    Kind.MRC: _mrc,
    Kind.OME_ZARR: _ome_zarr,
    Kind.TIFF: _tiff,
    Kind.DM: _dm,
    Kind.MDOC: _mdoc,
    Kind.ANGLES: _angles,
    Kind.ANGLE_TABLE: _angle_table,
    Kind.XF: _xf,
    Kind.ALN: _aln,
    Kind.STAR: _star,
    Kind.WARP_XML: _warp,
    Kind.EMAN_JSON: _eman,
    Kind.EMAN_LST: _lst,
    Kind.HDF5: _hdf,
}
"""How each kind that is read is described."""
