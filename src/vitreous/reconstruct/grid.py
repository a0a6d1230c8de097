"""Which voxels a tomogram has, and the alignment after the settings had their say."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.geometry.motions import RigidMotion
from vitreous.geometry.rotations import rotation_x, rotation_y, rotation_z
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.typed import angstrom, excluded_sections
from vitreous.records.volume import Grid

DEFAULT_THICKNESS_ANGSTROM = 3000.0
MOST_VOXELS = 100_000  # along an axis: more is a mistake in the unit


def adjusted(
    alignment: Alignment, settings: ReconstructSettings, image_size: tuple[int, int]
) -> Alignment:
    """The alignment with exclusions, offsets, the specimen's x tilt and the sub-area applied.

    Its maps then lead into the images of the stack itself, which are `image_size` (x, y).
    """
    expected = settings.full_image or image_size
    if alignment.image_size != expected:
        raise UserError(
            f"the alignment is for images of {alignment.image_size} px, not {expected}: "
            "it belongs to another stack, or the stack is a sub-area (give full_image)"
        )
    found = _excluded(alignment, settings)
    if settings.tilt_offset:
        found = _tilted_further(found, settings.tilt_offset)
    if offset := angstrom(settings.axis_offset, alignment.pixel_size):
        found = _axis_moved(found, offset)
    if settings.x_axis_tilt:
        found = found.moved(RigidMotion(rotation_x(settings.x_axis_tilt), np.zeros(3)))
    if settings.full_image is not None:
        found = _sub_area(found, settings.subset_start, image_size)
    if settings.half != "all":
        if len(found) < 2:
            raise UserError("one tilt can't be parted into half sets")
        found = found.every_other(0 if settings.half == "odd" else 1)
    return found


def _excluded(alignment: Alignment, settings: ReconstructSettings) -> Alignment:
    sections = excluded_sections(settings.exclude_tilts, alignment.section_count)
    if set(alignment.sections.tolist()) <= set(sections):
        raise UserError("exclude_tilts leaves no tilt to reconstruct from")
    return alignment.without(sections)


def _tilted_further(alignment: Alignment, degrees: float) -> Alignment:
    """A constant more on every tilt angle: P = Rz Ry(tilt + degrees) Rx."""
    axes = rotation_z(alignment.axes_degrees)
    between = axes @ rotation_y(degrees) @ axes.swapaxes(-1, -2)
    # the image's own stretch, if any, comes after the rotation
    rotation = alignment.rotations
    stretch = alignment.projections @ rotation[:, :2].swapaxes(-1, -2)
    return replace(
        alignment,
        projections=stretch @ (between @ rotation)[:, :2],
        tilt_offset_degrees=alignment.tilt_offset_degrees + degrees,
    )


def _axis_moved(alignment: Alignment, offset: float) -> Alignment:
    """The tilt axis runs `offset` angstrom beside the centre: it stays put there instead."""
    axes = np.deg2rad(alignment.axes_degrees)
    in_image = np.stack([np.cos(axes), np.sin(axes)], -1) * offset
    in_specimen = np.array([offset, 0.0, 0.0])
    return replace(
        alignment, shifts=alignment.shifts + in_image - alignment.projections @ in_specimen
    )


def _sub_area(
    alignment: Alignment, start: tuple[int, int], image_size: tuple[int, int]
) -> Alignment:
    """The maps into a stack whose images are cut out of those that were aligned."""
    shifts = alignment.shifts - _off_centre(alignment.image_size, start, image_size) * (
        alignment.pixel_size
    )
    return replace(alignment, shifts=shifts, image_size=image_size)


def _off_centre(
    full: tuple[int, int], start: tuple[int, int], part: tuple[int, int]
) -> NDArray[np.int64]:
    """Pixels (x, y) by which a sub-area's centre lies beside the centre of the full image."""
    return np.asarray(start) + np.asarray(part) // 2 - np.asarray(full) // 2


def thickness_angstrom(alignment: Alignment, settings: ReconstructSettings) -> float:
    """Asked for, or what the alignment's file says, or 3000 A."""
    if settings.thickness is not None:
        thickness = angstrom(settings.thickness, alignment.pixel_size)
        if thickness <= 0:
            raise UserError(f"thickness must be above 0, not {settings.thickness}")
        return thickness
    return alignment.thickness_angstrom or DEFAULT_THICKNESS_ANGSTROM


def tomogram_grid(alignment: Alignment, settings: ReconstructSettings) -> Grid:
    """The grid in the house's own convention: the rotation centre on voxel size // 2.

    Sizes are given in unbinned pixels and divided by the binning. By default x and y have the
    image's sizes, exchanged where the tilt axis lies nearer to the image's x axis.
    """
    binning = settings.binning
    x, y, z = unbinned_size(alignment, settings)
    size = int(x // binning), int(y // binning), int(z // binning)
    require_voxels(size, settings)
    return Grid(
        size,
        alignment.pixel_size * binning,
        (size[0] // 2, size[1] // 2, size[2] // 2),
    )


def unbinned_size(alignment: Alignment, settings: ReconstructSettings) -> tuple[int, int, int]:
    """(x, y, z) of the tomogram in pixels of the images."""
    axis = float(np.median(np.abs(np.sin(np.deg2rad(alignment.axes_degrees)))))
    columns, rows = alignment.image_size
    field = (rows, columns) if axis > np.sqrt(0.5) else (columns, rows)
    return (
        _pixels(settings.width, field[0], alignment.pixel_size),
        _pixels(settings.height, field[1], alignment.pixel_size),
        round(thickness_angstrom(alignment, settings) / alignment.pixel_size),
    )


def require_voxels(size: tuple[int, int, int], settings: ReconstructSettings) -> None:
    """Raise a `UserError` for a side without a voxel, or one of so many that it is a mistake."""
    for name, voxels in zip(("width", "height", "thickness"), size, strict=True):
        if voxels < 1:
            raise UserError(f"{name} is less than one voxel at binning {settings.binning:g}")
        if voxels > MOST_VOXELS:
            raise UserError(f"{name} is {voxels:.6g} voxels: is its unit right?")


def _pixels(length: str | None, field: int, pixel_size: float) -> int:
    """A length in unbinned pixels, the field's where none is given."""
    return field if length is None else round(angstrom(length, pixel_size) / pixel_size)


def placed(grid: Grid, alignment: Alignment, settings: ReconstructSettings) -> Grid:
    """The grid moved as the settings ask: contents shifted, rows chosen, sub-area followed.

    The alignment is the adjusted one; a volume of a sub-area lies where the area does.
    """
    pixel_size = alignment.pixel_size
    x, y, z = grid.centre
    x += angstrom(settings.shift_x, pixel_size) / grid.voxel_size
    y += angstrom(settings.shift_y, pixel_size) / grid.voxel_size
    z += angstrom(settings.shift_z, pixel_size) / grid.voxel_size
    if settings.full_image is not None:
        offset = _off_centre(settings.full_image, settings.subset_start, alignment.image_size)
        untilted = int(np.abs(alignment.tilts_degrees).argmin())
        upright = np.linalg.solve(alignment.rotations[untilted, :2, :2], offset)
        x -= upright[0] / settings.binning
        y -= upright[1] / settings.binning
    size = grid.size
    if settings.rows is not None:
        first, last = settings.rows
        if not 0 <= first <= last < size[1] * settings.binning:
            raise UserError(
                f"rows {first} to {last} don't lie in 0 to {size[1] * settings.binning - 1}"
            )
        begin, end = int(first // settings.binning), int(last // settings.binning)
        y -= begin
        size = (size[0], end - begin + 1, size[2])
    return Grid(size, grid.voxel_size, (x, y, z))
