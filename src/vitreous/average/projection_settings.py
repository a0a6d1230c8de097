"""All settings of a map from projections: the one place of their names, units and help."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kernel = Literal[
    "nearest", "trilinear", "gauss_2", "gauss_3", "gauss_5", "gauss_var", "kaiser_5", "kaiser_7"
]


class ProjectionSettings(BaseModel):
    """From projections with known orientations to a map."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    kernel: Annotated[
        Kernel,
        Field(description="How a point of an image's transform is shared by those of the map's."),
    ] = "trilinear"
    padded: Annotated[
        tuple[int, int] | None,
        Field(
            description="Size of the padded images, x and y pixels. Default: a good size, at least "
            "twice the longer side, square."
        ),
    ] = None
    transform_size: Annotated[
        tuple[int, int, int] | None,
        Field(
            alias="padvol",
            description="Size of the map's transform, x y z. Default: a cube of the padded "
            "image's longer side.",
        ),
    ] = None
    size: Annotated[
        tuple[int, int, int] | None,
        Field(description="Size of the map, x y z voxels. Default: a cube of the longer side."),
    ] = None
    symmetry: Annotated[
        str, Field(description="Point group, in the axes of symmetry_axes: C1, D7, icos, I2.")
    ] = "C1"
    symmetry_axes: Annotated[
        Literal["eman2", "relion"], Field(description="Whose names and axes of point groups.")
    ] = "relion"
    correction: Annotated[
        Literal["kernel", "eman2", "none"],
        Field(
            description="What the kernel takes from the map's rim is given back: as its transform "
            "says, as EMAN2 does it (which amplifies the corners), or not."
        ),
    ] = "kernel"
    weight_floor: Annotated[
        float,
        Field(
            ge=0,
            description="Weights below this share of their shell's mean are raised to it; the "
            "corners of the transform are left out. 0: no floor, corners kept.",
        ),
    ] = 0.3
    iterative: Annotated[
        bool,
        Field(
            description="Four passes, each of which spreads what the images differ by from the map "
            "before: fills gaps between views (EMAN2's --iterative)."
        ),
    ] = False
    fill_angle: Annotated[
        float,
        Field(ge=0, description="Spread each image over directions this far apart, degrees."),
    ] = 0.0
    seed_as_reference: Annotated[
        bool,
        Field(description="Filter each image by its ring correlation with the seed map."),
    ] = False
    conventions: Annotated[
        Literal["house", "eman2"],
        Field(
            description="eman2: its grey scale, shifts by bilinear interpolation, image corners "
            "left out only of square images, sizes changed about its own centre."
        ),
    ] = "house"
