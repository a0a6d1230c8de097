"""All settings of a simulated series: the one place of their names, units, defaults and help."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitreous.records.typed import AsNumber, Length, TiltList, angstrom

Pixels = Annotated[int, Field(ge=32)]


class SimulateSettings(BaseModel):
    """A tilt series of a specimen whose truth is known."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    seed: Annotated[
        int, Field(ge=0, description="Another number, another specimen and microscope.")
    ] = 1

    # -- acquisition ------------------------------------------------------------------------------
    size: Annotated[tuple[Pixels, Pixels], Field(description="Pixels of an image in x and y.")] = (
        720,
        720,
    )
    pixel_size: Annotated[float, Field(gt=0, alias="pixel", description="Angstrom a pixel.")] = 5.4
    max_tilt: Annotated[float, Field(ge=0, le=70, description="Steepest tilt, degrees.")] = 60.0
    tilt_step: Annotated[float, Field(gt=0, description="Degrees between tilts.")] = 3.0
    scheme: Annotated[
        Literal["dose-symmetric", "bidirectional", "unidirectional"],
        Field(description="Order in which the tilts are taken."),
    ] = "dose-symmetric"
    group: Annotated[
        int, Field(ge=1, description="Tilts taken on one side before the other (dose-symmetric).")
    ] = 2
    dose_per_tilt: Annotated[float, Field(gt=0, description="Electrons/A^2 for each tilt.")] = 3.0
    tilt_axis: Annotated[
        float, Field(description="Nominal tilt axis, degrees counter-clockwise from y.")
    ] = -4.3

    # -- what the stage does besides --------------------------------------------------------------
    axis_error: Annotated[
        float, Field(ge=0, description="How far the true axis is off, degrees (one sigma).")
    ] = 1.0
    tilt_error: Annotated[
        float, Field(ge=0, description="Error of each tilt angle, degrees (one sigma).")
    ] = 0.07
    shift_error: Annotated[
        float, Field(ge=0, description="Shifts of the images, % of the field (one sigma).")
    ] = 2.0
    magnification_drift: Annotated[
        float, Field(ge=0, description="Change of magnification over the series, %.")
    ] = 0.1
    local_motion: Annotated[
        float, Field(ge=0, description="Deformation by the dose, angstrom at its end.")
    ] = 2.0
    dark: Annotated[
        TiltList, Field(description="Tilts with hardly any beam, from 1 by angle: 3,12-14.")
    ] = ""
    blank: Annotated[TiltList, Field(description="Tilts that show no specimen.")] = ""
    jumps: Annotated[TiltList, Field(description="Tilts shifted by a third of the field.")] = ""

    # -- specimen ---------------------------------------------------------------------------------
    thickness: Annotated[
        Length, Field(description="Of the ice: pixels (300) or with a unit (150nm, 1500A).")
    ] = "150nm"
    pitch_x: Annotated[float, Field(description="The ice is turned about x, degrees.")] = 1.0
    pitch_y: Annotated[float, Field(description="The ice is turned about y, degrees.")] = -2.0
    bend: Annotated[Length, Field(description="How far the ice is bent.")] = "6nm"
    molecules: Annotated[
        tuple[float, float, float, float],
        Field(
            description="Of 2500, 900 and 350 kDa without symmetry and of 750 kDa with C6, "
            "thousands in a cubic micrometre."
        ),
    ] = (4.5, 6.0, 6.0, 4.0)
    vesicles: Annotated[float, Field(ge=0, description="In a square micrometre.")] = 20.0
    beads: Annotated[
        float, Field(ge=0, description="10 nm gold beads in a square micrometre (fiducials: 400).")
    ] = 0.0

    # -- optics -----------------------------------------------------------------------------------
    kv: Annotated[float, Field(gt=0, description="Voltage.")] = 300.0
    cs: Annotated[float, Field(ge=0, description="Spherical aberration, mm.")] = 2.7
    amplitude_contrast: Annotated[float, Field(ge=0, lt=1, description="Share of 1.")] = 0.07
    defocus: Annotated[float, Field(description="Mean underfocus, angstrom.")] = 40000.0
    defocus_error: Annotated[
        float, Field(ge=0, description="Spread over the tilts, angstrom (one sigma).")
    ] = 550.0
    astigmatism: Annotated[float, Field(ge=0, description="U - V, angstrom.")] = 600.0
    astigmatism_angle: Annotated[
        float, Field(description="Direction of U, degrees from x towards y.")
    ] = 15.0
    phase_shift: Annotated[float, Field(description="Of a phase plate, degrees.")] = 0.0
    hand: Annotated[
        Literal[-1, 1],
        AsNumber,
        Field(description="1: what is higher along z is less underfocused; -1: more."),
    ] = 1
    envelope: Annotated[float, Field(ge=0, description="B-factor of the optics, A^2.")] = 80.0

    # -- detector ---------------------------------------------------------------------------------
    dqe: Annotated[float, Field(gt=0, le=1, description="Share of electrons counted.")] = 0.85
    mtf: Annotated[
        float, Field(gt=0, le=1, description="Transfer of the detector at half its sampling.")
    ] = 0.8
    xrays: Annotated[float, Field(ge=0, description="Outliers in a million pixels.")] = 4.0
    frames: Annotated[
        int, Field(ge=0, description="Frames of each tilt's movie; 0: no movies.")
    ] = 0
    frame_motion: Annotated[
        float, Field(ge=0, description="Drift within a movie, angstrom (one sigma).")
    ] = 8.0
    gain_spread: Annotated[
        float, Field(ge=0, description="Of the pixels' sensitivities in movies, % (one sigma).")
    ] = 3.0
    defects: Annotated[
        int, Field(ge=0, description="Broken pixels of the movies' camera, and one column.")
    ] = 20

    @property
    def thickness_angstrom(self) -> float:
        """Of the ice."""
        return angstrom(self.thickness, self.pixel_size)

    @property
    def bend_angstrom(self) -> float:
        """How far the ice is bent."""
        return angstrom(self.bend, self.pixel_size)
