"""All settings of a reconstruction: the one place of their names, units, defaults and help."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vitreous.records.typed import Length, TiltList


class ReconstructSettings(BaseModel):
    """From aligned tilts to a tomogram."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    # -- the volume ---------------------------------------------------------------------------
    thickness: Annotated[
        Length | None,
        Field(
            description="Height of the tomogram: unbinned pixels (1200) or with a unit (300nm). "
            "Default: what the alignment's file says, else 3000 A."
        ),
    ] = None
    binning: Annotated[
        float,
        Field(ge=1, alias="bin", description="Pixels joined along each axis; may be a fraction."),
    ] = 1
    width: Annotated[
        Length | None, Field(description="Size in x. Default: the field, turned upright.")
    ] = None
    height: Annotated[
        Length | None, Field(description="Size in y. Default: the field, turned upright.")
    ] = None
    rows: Annotated[
        tuple[int, int] | None,
        Field(description="First and last row in y to make, unbinned pixels from 0."),
    ] = None
    shift_x: Annotated[Length, Field(description="Move the contents along x.")] = "0"
    shift_y: Annotated[Length, Field(description="Move the contents along y.")] = "0"
    shift_z: Annotated[Length, Field(description="Move the contents along z.")] = "0"
    grid: Annotated[
        Literal["house", "imod", "aretomo", "aretomo3", "relion"],
        Field(
            description="Where voxel 0 lies: our own centre (n // 2) or another program's "
            "(aretomo3: from AreTomo3 2.1.4 on)."
        ),
    ] = "house"

    # -- geometry -----------------------------------------------------------------------------
    exclude_tilts: Annotated[
        TiltList, Field(description="Tilts to leave out besides the alignment's, from 1: 3,12-14.")
    ] = ""
    tilt_offset: Annotated[float, Field(description="Degrees added to every tilt angle.")] = 0.0
    x_axis_tilt: Annotated[
        float,
        Field(description="Degrees by which the specimen is tilted about x, to be undone."),
    ] = 0.0
    axis_offset: Annotated[
        Length, Field(description="Where the tilt axis lies beside the images' centre.")
    ] = "0"
    full_image: Annotated[
        tuple[int, int] | None,
        Field(description="Size x, y of the image the alignment is for; the stack is a part."),
    ] = None
    subset_start: Annotated[
        tuple[int, int], Field(description="Pixel x, y of the full image where the stack begins.")
    ] = (0, 0)
    half: Annotated[
        Literal["all", "odd", "even"],
        Field(description="Use all tilts, or every other one in order of angle."),
    ] = "all"

    half_sets: Annotated[
        Literal["none", "tilts", "frames"],
        Field(
            description="Make tomograms of two independent halves, too, and their Fourier shell "
            "correlation: every other tilt, or even and odd frames (NAME_EVN, NAME_ODD)."
        ),
    ] = "none"

    # -- grey values of the images --------------------------------------------------------------
    log_base: Annotated[
        float | None,
        Field(description="Take log10 of the grey values plus this number. Default: linear."),
    ] = None
    keep_mean: Annotated[
        bool, Field(description="Keep each image's mean (without filter, and in SIRT).")
    ] = False
    taper: Annotated[
        int, Field(ge=0, description="Unbinned pixels over which image edges fade to the mean.")
    ] = 0
    taper_distance: Annotated[
        float,
        Field(
            ge=0,
            description="What lies nearer to an image's edge, binned pixels, isn't back-projected.",
        ),
    ] = 0.0
    taper_falloff: Annotated[
        float,
        Field(
            ge=0,
            description="From there on an image's contribution sets in over so many binned pixels.",
        ),
    ] = 0.0
    downsample: Annotated[
        Literal["crop", "relion", "relion-crop"],
        Field(
            description="How images are binned: Fourier cropping, padded; or as RELION does, which "
            "samples after a low-pass filter (with --Fc: crops), and filters without padding."
        ),
    ] = "crop"
    dose_weighting: Annotated[
        bool,
        Field(
            description="Weigh down what the dose before each tilt has destroyed (Grant & "
            "Grigorieff 2015)."
        ),
    ] = False
    view_weights: Annotated[
        tuple[float, ...],
        Field(description="A factor for each section of the stack, divided by their mean."),
    ] = ()

    # -- contrast transfer ------------------------------------------------------------------------
    ctf: Annotated[
        Literal["none", "multiply", "flip", "wiener"],
        Field(
            description="Correct each image for its CTF: multiply by it, flip the phases, or "
            "divide by Wiener's formula."
        ),
    ] = "none"
    ctf_strip_defocus: Annotated[
        float,
        Field(
            ge=0,
            description="A tilted image is corrected in strips along its axis, between which the "
            "defocus changes by so many angstrom at most; 0: one defocus for each tilt.",
        ),
    ] = 100.0
    ctf_intact_first_peak: Annotated[
        bool, Field(description="Leave frequencies below the CTF's first peak as they are.")
    ] = False
    ctf_damping: Annotated[
        bool, Field(description="Count the CTF's B-factor, where it has one, as a part of it.")
    ] = True
    snr: Annotated[
        float,
        Field(
            gt=0,
            description="Wiener's formula: the signal's power over the noise's, before transfer.",
        ),
    ] = 10.0

    deconvolve: Annotated[
        bool,
        Field(
            description="Filter the volume for the eye: contrast back, noise away, by each tilt's "
            "CTF and an assumed SNR. Not for averaging."
        ),
    ] = False
    deconvolve_strength: Annotated[
        float, Field(description="The SNR assumed at low frequencies: 1000 to this power.")
    ] = 1.0
    deconvolve_falloff: Annotated[
        float,
        Field(ge=0, description="How fast it falls: by e over a frequency of 1/(200 A) at 1."),
    ] = 1.0
    deconvolve_highpass: Annotated[
        float, Field(ge=0, description="Periods longer than this fade away, angstrom; 0: none.")
    ] = 1000.0

    # -- weighted back-projection -----------------------------------------------------------------
    method: Annotated[
        Literal["wbp", "sirt", "os-sart"],
        Field(description="Weighted back-projection, or iterations towards the images."),
    ] = "wbp"
    weighting: Annotated[
        Literal["ramp", "exact", "overlap", "wiener", "none"],
        Field(
            description="Filter: ramp; exact for the given angles; overlap: 1 / how many tilts "
            "hold a frequency, in any geometry; wiener: divided by what all tilts tell of a "
            "frequency, their CTFs included, with `snr`; or none."
        ),
    ] = "ramp"
    wiener_formula: Annotated[
        Literal["house", "relion"],
        Field(
            description="The division of 'wiener': our own; or RELION's without CTF, where `snr` "
            "depends on the volume's size and edges wrap round."
        ),
    ] = "house"
    specimen_thickness: Annotated[
        Length | None,
        Field(
            description="What 'wiener' takes the specimen to be thick: the thinner, the more tilts "
            "share a frequency. Default: the tomogram's thickness."
        ),
    ] = None
    radial_cutoff: Annotated[
        float | None,
        Field(ge=0, description="Where the radial filter falls off, cycles/px (1 and more: px)."),
    ] = None
    radial_falloff: Annotated[
        float, Field(ge=0, description="Width of that fall-off, cycles/px (1 and more: px).")
    ] = 0.05
    multiply_by_gaussian: Annotated[
        bool, Field(description="Above the cut-off the ramp goes on under the Gaussian.")
    ] = False
    hamming_start: Annotated[
        float | None,
        Field(ge=0, le=0.5, description="Hamming-like filter from this frequency, cycles/px."),
    ] = None
    window: Annotated[
        Literal["none", "hamming", "linear"],
        Field(
            description="'hamming': the ramp under a Hamming window, as AreTomo has it; 'linear': "
            "damped as linear interpolation damps, so that noise looks like IMOD's and RELION's."
        ),
    ] = "none"
    fake_sirt_iterations: Annotated[
        int, Field(ge=0, description="Filter that looks like so many SIRT iterations; 0: off.")
    ] = 0
    flat_fraction: Annotated[
        float, Field(ge=0, le=1, description="Share of a flat filter in the ramp.")
    ] = 0.0
    exact_object_px: Annotated[
        int, Field(ge=1, description="Object size of exact and overlap, binned pixels.")
    ] = 100
    density_neighbours: Annotated[
        int,
        Field(ge=0, description="Neighbours whose angular gaps weigh a tilt; 0: equal weights."),
    ] = 2
    density_weights: Annotated[
        tuple[float, ...],
        Field(description="Weights of these neighbours. Default: 1/(j - 0.5)."),
    ] = ()
    combine: Annotated[
        Literal["density", "imod", "mean"],
        Field(
            description="Grey scale: density per angstrom; IMOD's; or the mean of the tilts that "
            "see a voxel (RELION's)."
        ),
    ] = "density"
    mask_edges: Annotated[
        int | None,
        Field(
            ge=0,
            description="Beyond the arc of valid data, less so many voxels, let the edge run out.",
        ),
    ] = None

    # -- iterations -------------------------------------------------------------------------------
    iterations: Annotated[int, Field(ge=1, description="Iterations of sirt or os-sart.")] = 10
    relaxation: Annotated[
        float, Field(gt=0, lt=2, description="Share of each correction that is applied.")
    ] = 1.0
    subsets: Annotated[
        int, Field(ge=1, description="Groups of tilts in turn within an os-sart iteration.")
    ] = 8
    positive: Annotated[bool, Field(description="Keep densities >= 0 in iterations.")] = False

    # -- the output -------------------------------------------------------------------------------
    mode: Annotated[
        Literal["float32", "float16", "int16", "int8"], Field(description="Type of a voxel.")
    ] = "float32"
    axis_order: Annotated[
        Literal["xyz", "xzy"],
        Field(description="xyz, or IMOD's native order with depth = n - 1 - z."),
    ] = "xyz"
    add: Annotated[float, Field(description="Added to every voxel, before `multiply`.")] = 0.0
    multiply: Annotated[
        float | None,
        Field(
            description="Factor of every voxel. Default: 1; for integers the range is found and "
            "said."
        ),
    ] = None

    @model_validator(mode="after")
    def _exclusive(self) -> Self:
        radial = self.radial_cutoff is not None
        if radial and self.hamming_start is not None:
            raise ValueError("radial_cutoff and hamming_start exclude each other: give one")
        if self.fake_sirt_iterations and (self.flat_fraction or self.weighting != "ramp"):
            raise ValueError(
                "fake_sirt_iterations changes the ramp: leave flat_fraction and weighting out"
            )
        if (self.taper_distance or self.taper_falloff) and self.method != "wbp":
            raise ValueError("taper_distance and taper_falloff are for wbp")
        if self.weighting != "ramp" and self.flat_fraction:
            raise ValueError(f"flat_fraction changes the ramp, not '{self.weighting}': give one")
        inverted = self.weighting == "wiener" and self.ctf != "none"
        if self.deconvolve and (inverted or self.ctf == "wiener"):
            raise ValueError(
                "deconvolve divides by the CTF: use ctf none, multiply or flip with it"
            )
        if self.weighting == "wiener" and self.ctf == "wiener":
            raise ValueError(
                "weighting wiener divides by the CTF already: use ctf multiply with it"
            )
        if self.weighting == "wiener" and self.wiener_formula == "relion" and self.ctf != "none":
            raise ValueError("wiener_formula relion knows of no CTF: use house with ctf")
        if self.density_weights and len(self.density_weights) != self.density_neighbours:
            raise ValueError(
                f"density_weights has {len(self.density_weights)} numbers for "
                f"{self.density_neighbours} density_neighbours"
            )
        return self

    @property
    def needs_ctf(self) -> bool:
        """Whether the CTF of every tilt has to be known."""
        return self.ctf != "none" or self.deconvolve
