"""All settings of an average of particles: the one place of their names, units and help."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class AverageSettings(BaseModel):
    """From particles in tilt series to a map."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    images: Annotated[
        Literal["tilts", "stacks"],
        Field(
            description="Cut the particles out of the tilt images, or take the stacks that an "
            "extraction has left (their box and binning hold then)."
        ),
    ] = "tilts"
    box: Annotated[int, Field(ge=8, description="Side of the map's box, binned pixels.")] = 128
    binning: Annotated[
        float, Field(ge=1, alias="bin", description="Pixels joined along each axis, 1.5 too.")
    ] = 1.0
    crop: Annotated[
        int | None,
        Field(ge=4, description="Cut the map to this side, binned pixels. Default: the box."),
    ] = None
    symmetry: Annotated[
        str, Field(description="Point group, RELION's name and axes: C1, C6, D7, T, O, I1 ... I4.")
    ] = "C1"
    helical_units: Annotated[
        int, Field(ge=1, description="Asymmetric units of a helix that are averaged; 1: none.")
    ] = 1
    helical_twist: Annotated[float, Field(description="Degrees from a unit to the next.")] = 0.0
    helical_rise: Annotated[float, Field(description="Angstrom from a unit to the next.")] = 0.0
    snr: Annotated[
        float,
        Field(
            ge=0,
            description="Wiener constant: 1/SNR is added to the weights. 0: no such term; weights "
            "below a thousandth of their shell's mean are raised to it.",
        ),
    ] = 0.0
    ctf: Annotated[
        bool, Field(description="Multiply by CTF and dose weight; without: plain mean.")
    ] = True
    circle_crop: Annotated[bool, Field(description="Fade each box outside the circle in it.")] = (
        True
    )
    whiten: Annotated[bool, Field(description="Flatten the noise of each tilt first.")] = False
    dose_cutoff: Annotated[
        float,
        Field(
            ge=0, lt=1, description="Leave out frequencies of which the dose leaves a lesser share."
        ),
    ] = 0.01
    taper: Annotated[
        float | None,
        Field(
            ge=0,
            description="Binned pixels over which the map fades at its sphere. Default: 10, and at "
            "most a fifth of its side.",
        ),
    ] = None
    dark: Annotated[
        bool, Field(description="Particles are darker than ice; the map is bright.")
    ] = True
    kernel: Annotated[
        Literal["gather", "spread"],
        Field(
            description="gather: the grid reads the boxes, as RELION does; spread: boxes are "
            "padded twice and each point is shared by eight of the grid, at four times the cost."
        ),
    ] = "gather"
