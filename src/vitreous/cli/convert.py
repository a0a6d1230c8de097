"""`vitreous convert`: alignments between families, volumes between formats, modes, axis orders."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter
from pydantic import BaseModel, ConfigDict, Field

from vitreous.formats.families import AretomoKernel, Family
from vitreous.records.typed import TiltList, numbers_in

if TYPE_CHECKING:
    from vitreous.formats.alignments import Losses
    from vitreous.formats.facts import PartialFacts

ALIGNMENTS = Group("Alignments", sort_key=1)
VOLUMES = Group("Volumes", sort_key=2)


class AlignmentConversion(BaseModel):
    """An alignment: what it becomes, and what its file leaves unsaid."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    to: Annotated[
        Family | None,
        Field(description="Family to write, where the suffix doesn't say it (.star: relion5)."),
    ] = None
    stack: Annotated[
        Path | None, Field(description="The stack that was aligned: count, size and pixel size.")
    ] = None
    size: Annotated[
        tuple[int, int] | None, Field(description="Columns and rows of an image, without a stack.")
    ] = None
    pixel_size: Annotated[
        float | None,
        Field(
            gt=0,
            alias="pixel",
            description="Angstrom a pixel, before what the stack's header has.",
        ),
    ] = None
    angles: Annotated[
        Path | None, Field(description="Tilt angles (.tlt) where they are not beside the .xf.")
    ] = None
    x_tilts: Annotated[
        Path | None, Field(description="X tilts (.xtilt) where they are not beside the .xf.")
    ] = None
    exclude_tilts: Annotated[
        TiltList, Field(description="Tilts to leave out besides the file's, from 1: 3,12-14.")
    ] = ""
    tomogram: Annotated[
        str | None, Field(description="Which tomogram of a RELION set; its name in the new one.")
    ] = None
    aretomo_kernel: Annotated[
        AretomoKernel | None,
        Field(description="AreTomo's generation: 3 from AreTomo3 2.1.4 on, 2 before (default)."),
    ] = None


class VolumeConversion(BaseModel):
    """A volume: type of a voxel, order of axes, grey scale, version of its format."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Annotated[
        Literal["keep", "float32", "float16", "int16", "int8"],
        Field(description="Type of a voxel."),
    ] = "keep"
    axes: Annotated[
        Literal["keep", "xyz-to-xzy", "xzy-to-xyz"],
        Field(description="Turn a volume about x, as 'clip rotx' (xzy-to-xyz) or back: the hand "
              "is kept."),
    ] = "keep"  # fmt: skip
    add: Annotated[float, Field(description="Added to each value.")] = 0.0
    multiply: Annotated[
        float | None,
        Field(description="Multiplies it then. Default: 1; for integers, the mean +- 8 SD fits."),
    ] = None
    zarr_version: Annotated[
        Literal["0.4", "0.5"], Field(description="Version of an OME-Zarr that is written.")
    ] = "0.4"


def convert(
    source: Path,
    destination: Path,
    /,
    *,
    alignment: Annotated[
        AlignmentConversion, Parameter(name="*", group=ALIGNMENTS)
    ] = AlignmentConversion(),  # noqa: B008
    volume: Annotated[VolumeConversion, Parameter(name="*", group=VOLUMES)] = VolumeConversion(),  # noqa: B008
) -> None:
    """Convert SOURCE, an alignment or a volume, into DESTINATION.

    Alignments go between IMOD (.xf), AreTomo (.aln), RELION 5 and 4 (.star), Warp (.xml) and EMAN2
    (.json). What a family can't hold is named, with its reprojection error in pixels. Volumes go
    between MRC and OME-Zarr (a folder NAME.zarr), both ways; with stacks between MRC and EMAN2's
    HDF ('map.hdf:8' stores values in 8 bits).

      vitreous convert TS_03.xf TS_03.star --stack TS_03.mrc

      vitreous convert TS_03_full.rec TS_03.mrc --axes xzy-to-xyz --mode float16

      vitreous convert TS_03.mrc TS_03.ome.zarr --mode int8
    """
    from vitreous.errors import UserError
    from vitreous.formats.kinds import Kind, kind_of

    if destination.exists() and source.exists() and destination.samefile(source):
        raise UserError(f"{destination} is the source: give the output another name")
    kind = kind_of(source)
    to_hdf = ".hdf" in destination.name
    if kind is Kind.HDF5 or (kind is Kind.MRC and to_hdf):
        convert_hdf(source, destination, volume, alignment.pixel_size)
    elif kind in (Kind.MRC, Kind.OME_ZARR):
        convert_volume(source, destination, volume, alignment.pixel_size)
    else:
        convert_alignment(source, destination, alignment)


def convert_alignment(source: Path, destination: Path, how: AlignmentConversion) -> None:
    """Read, say what is lost, write; what was written is read again and compared."""
    from vitreous.formats import alignments

    was = alignments.family_of(source)
    becomes = how.to or alignments.family_for(destination)
    alignment = alignments.read_alignment(
        source,
        facts_of(how),
        angles=how.angles,
        x_tilts=how.x_tilts,
        left_out=[number - 1 for number in numbers_in(how.exclude_tilts)],
        tomogram=how.tomogram if was == "relion5" else None,
        aretomo_kernel=how.aretomo_kernel,
    )
    same_program = was.rstrip("45") == becomes.rstrip("45")
    written = alignments.write_alignment(
        alignment,
        destination,
        becomes,
        name=how.tomogram,
        stack=how.stack,
        source=source if same_program and was in ("relion5", "warp") else None,
        aretomo_kernel=how.aretomo_kernel,
    )
    print(f"{source} -> {becomes}: {len(alignment)} of {alignment.section_count} views")
    for line in said_of(alignments.conversion_losses(alignment, becomes)):
        print(line)
    print(f"wrote {', '.join(map(str, written))}")


def facts_of(how: AlignmentConversion) -> "PartialFacts":
    """What the options say of the stack."""
    from vitreous.formats.facts import PartialFacts
    from vitreous.formats.images import open_images

    if how.stack is None:
        return PartialFacts(image_size=how.size, pixel_size=how.pixel_size)
    stack = open_images(how.stack, how.pixel_size)
    sections, rows, columns = stack.shape
    return PartialFacts(sections, how.size or (columns, rows), stack.pixel_size)


def said_of(losses: "Losses") -> list[str]:
    """The reprojection error, and what is lost where it is more than rounding."""
    lines = [f"lost: {name}" for name in losses.names]
    lines += [f"reprojection error: mean {losses.mean_px:.4f} px, worst {losses.worst_px:.4f} px"]
    best = losses.agreement
    if best.worst_px < losses.worst_px / 2:
        turned = f"  with the specimen turned by {best.motion.degrees:.3f} degrees: "
        lines += [turned + f"mean {best.distances_px.mean():.4f} px, worst {best.worst_px:.4f} px"]
    return lines


def convert_hdf(
    source: Path, destination: Path, how: VolumeConversion, pixel_size: float | None
) -> None:
    """Write EMAN2's HDF as MRC, or the other way."""
    from vitreous.errors import UserError
    from vitreous.formats import eman_convert

    if how != VolumeConversion():
        raise UserError(
            "--mode, --axes, --add and --multiply go from MRC to MRC: convert in two steps"
        )
    if ".hdf" not in destination.name:
        done = eman_convert.hdf_to_mrc(source, destination, pixel_size)
    else:
        done = eman_convert.mrc_to_hdf(source, destination, pixel_size)
        destination = destination.with_name(destination.name.partition(".hdf")[0] + ".hdf")
    print(f"{done}; wrote {destination}")


def convert_volume(
    source: Path, destination: Path, how: VolumeConversion, pixel_size: float | None
) -> None:
    """Write a volume in another format, mode or order of axes."""
    from vitreous.cli.progress import progress_bar
    from vitreous.formats import volume_convert

    scale = None
    if how.add or how.multiply is not None:
        multiply = 1.0 if how.multiply is None else how.multiply
        scale = volume_convert.GreyScale(how.add, multiply)
    with progress_bar(f"converting {source.name}") as progress:
        used = volume_convert.convert_volume(
            source,
            destination,
            mode=how.mode,
            axes=how.axes,
            grey_scale=scale,
            pixel_size=pixel_size,
            zarr_version=how.zarr_version,
            progress=progress,
        )
    print(f"{used}; wrote {destination}")
