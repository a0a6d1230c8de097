"""Every option of AreTomo, AreTomo2 and AreTomo3, and what becomes of it here. Imports nothing.

Sources: the parsers of AreTomo2 1.1.3 and AreTomo3 2.3.1; docs/aretomo.md is the same table.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["same", "differs", "idle", "dead", "refused"]
"""Done as AreTomo does; done otherwise; nothing to do here; dead in AreTomo too; not done."""

Form = Literal["one stack", "many series", "both", "movies"]
"""Where it belongs: `-InMrc`, `-InPrefix`, either, or the motion correction that makes a stack."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option: names, AreTomo3's first; its values for the help; how many are read at most.

    text: what it does, or why it doesn't. A refused option may be given with `harmless` values,
    which ask for nothing.
    """

    names: str
    values: str
    text: str
    kind: Kind = "same"
    form: Form = "both"
    most: int = 1
    harmless: tuple[str, ...] = ("0",)

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names.split()[0]

    @property
    def key(self) -> str:
        """Its name in small letters, by which its values are kept."""
        return self.name.lower()


ALIGNED_HERE = "alignment here needs none"

OPTIONS = (
    # -- one stack ----------------------------------------------------------------------------
    Option("InMrc", "FILE", "Raw tilt series, MRC or TIFF.", form="one stack"),
    Option("OutMrc", "FILE", "The tomogram; FILE.log and .err beside it.", form="one stack"),
    Option(
        "AngFile",
        "FILE",
        "Tilt angles in the order of sections, then perhaps the number of acquisition. Another "
        "count of lines than sections is an error (AreTomo ignores the file). Without it, or "
        "-TiltRange: NAME.rawtlt, .mdoc, .tlt, the header.",
        "differs",
        "one stack",
    ),
    Option(
        "AlnFile",
        "FILE",
        "An alignment of AreTomo's, of any version; nothing is aligned then.",
        form="one stack",
    ),
    Option(
        "TiltRange", "FIRST LAST", "Evenly spaced angles, without -AngFile.", "same", "one stack", 2
    ),
    Option(
        "ImgDose",
        "E/A^2",
        "Of each tilt. With -Kv and a known order of acquisition the tilts are dose-weighted.",
        form="one stack",
    ),
    Option(
        "RoiFile",
        "FILE",
        "Not done: patches are chosen by what the images show.",
        "refused",
        "one stack",
        harmless=(),
    ),
    Option(
        "TiltScheme",
        "START STEP MODE",
        "Not done: write the number of acquisition into the second column of -AngFile.",
        "refused",
        "one stack",
        3,
        (),
    ),
    Option("TmpFile", "FILE", "Nothing is left for debugging.", "idle", "one stack"),
    Option("LogFile", "PREFIX", "OUT.log tells.", "idle", "one stack"),
    # -- many series --------------------------------------------------------------------------
    Option(
        "InPrefix InMdoc",
        "PATH",
        "A folder, or how the paths of all series begin; a file is that one.",
        form="many series",
    ),
    Option(
        "InSuffix",
        "TEXT",
        "How they end: .mrc or .st (stacks), .mdoc (their stacks are OUTDIR/NAME.mrc).",
        form="many series",
    ),
    Option(
        "InSkips",
        "A,B",
        "Leave out names with any of these in them. _EVN, _ODD, _Vol and _CTF always are.",
        form="many series",
        most=99,
    ),
    Option("OutDir", "FOLDER", "All products; made if it isn't there.", form="many series"),
    Option(
        "Cmd",
        "0..4",
        "0 all: movies (of stacks nothing), alignment, CTF, volumes; 1 from the alignment on; 2 "
        "volumes by OUTDIR/NAME.aln; 3 the CTF alone; 4 turn the tilt axis by 180 degrees, then "
        "the volumes.",
        "same",
        "many series",
    ),
    Option(
        "Resume",
        "0|1",
        "1: leave what is done, by the fingerprints of input, settings and products (with every "
        "-Cmd); 0: make all again.",
        "differs",
        "many series",
    ),
    Option(
        "Serial",
        "SECONDS",
        "Wait so long for further series, then end; a file that grows still is waited for.",
        form="many series",
    ),
    Option(
        "TmpDir",
        "FOLDER",
        "For what doesn't fit into memory (AreTomo: debugging).",
        "differs",
        "many series",
    ),
    Option("LogDir", "FOLDER", "Logs lie in NAME_Log.", "idle", "many series"),
    Option(
        "SplitSum",
        "0|1",
        "1 (default): volumes of the stacks of even and odd frames too, NAME_EVN and NAME_ODD "
        "beside the stack.",
        form="many series",
    ),
    Option(
        "TotalDose",
        "E/A^2",
        "Of the whole series, each tilt the same (AreTomo3: by exposure time).",
        "differs",
        "many series",
    ),
    Option(
        "ExtZ", "PIXELS", "Added to the measured thickness by -VolZ -1 (300).", form="many series"
    ),
    Option(
        "CorrCTF",
        "MODE B",
        "Volumes corrected for the CTF that -Kv lets estimate, in strips along the axis. 0 "
        "(default; AreTomo3: 1 15): not; 1: Wiener's formula, the first peak left as it is; 2: "
        "phases flipped; 3: multiplied, the first peak left as it is. B, a low-pass, is not done.",
        "differs",
        "many series",
        2,
    ),
    # -- the tomogram -------------------------------------------------------------------------
    Option(
        "TiltAxis",
        "DEGREES [R]",
        "From the image's y axis, counter-clockwise. R: -1 kept as it is, else (1) searched within "
        "30 degrees and refined. DEGREES 0: searched in all directions; what an .mdoc or the "
        "header says then decides between opposite ones.",
        "differs",
        most=2,
    ),
    Option("AlignZ", "PIXELS", "The thickness is measured.", "idle"),
    Option(
        "VolZ",
        "PIXELS",
        "Thickness, unbinned. -1: as measured (and -ExtZ). 0 (to 16 binned pixels): one stack is "
        "written aligned; of many series none is reconstructed. Default: 1200, many series -1.",
    ),
    Option(
        "AtBin OutBin",
        "N [N N]",
        "Binning, a whole number. Of many series two further volumes: by back-projection "
        "(NAME_2ND_Vol), by SART (NAME_3RD_Vol); 0: none.",
        "differs",
        most=3,
    ),
    Option(
        "TiltCor",
        "M [DEGREES]",
        "1: add the angle by which the specimen is tilted, as measured or as given, to all tilts; "
        "0, -1: don't. It is told in any case.",
        most=2,
    ),
    Option(
        "ReconRange",
        "FIRST LAST",
        "Tilts outside stay out of the tomogram (AreTomo3: by SART only).",
        "differs",
        most=2,
    ),
    Option(
        "FlipVol",
        "0|1",
        "0 (default): axes x, depth, y, IMOD's; 1: x, y, z. 2 is refused, the mirror image of 1.",
    ),
    Option("FlipInt", "0|1", "1: invert the contrast."),
    Option(
        "Wbp",
        "0..2",
        "1, 2: weighted back-projection; 0 (default): -Sart.",
    ),
    Option(
        "Sart",
        "N TILTS",
        "N iterations (20) in subsets of so many tilts (5, many series 3). Grey values below 0 "
        "stay (AreTomo: 0).",
        "differs",
        most=2,
    ),
    Option(
        "DarkTol",
        "0..1",
        "Leave out tilts whose mean over standard deviation is at most this part of the untilted "
        "ones'. Without it: what is darker than the path through the ice explains.",
        "differs",
    ),
    Option(
        "OutImod",
        "0..3",
        "Files for IMOD and others in NAME_Imod: 1 of the raw series; 2 with "
        "the raw series, sorted, without dark tilts; 3 with the aligned series.",
    ),
    Option("Align", "0|1", "0: the series is aligned already, the tilt axis upright."),
    Option(
        "AtPatch Patch",
        "NX NY",
        "Every alignment here is by patches, as many as the images have to show; what moves by "
        "itself within the field is not corrected.",
        "differs",
        most=2,
    ),
    Option("PixSize", "A", "Where the header is wrong or has none (default: the header's)."),
    Option("Kv", "KV", "Voltage: for dose weighting and CTF. 0: no CTF."),
    Option("Cs", "MM", "0, the default for one stack: no CTF; many series: 2.7."),
    Option("AmpContrast", "0..1", "0.07."),
    Option(
        "ExtPhase",
        "DEGREES RANGE",
        "Not 0 0: a phase shift is looked for, wherever it lies.",
        "differs",
        most=2,
    ),
    Option(
        "Gpu",
        "N ...",
        "The first one, where the GPU code is installed; else the processor.",
        "differs",
        most=99,
    ),
    Option("CropVol", "X Y", "Not done: the whole field is made.", "refused", most=2),
    Option("Bft", "GLOBAL LOCAL", f"Dead in AreTomo3; {ALIGNED_HERE}.", "dead", most=2),
    Option("IntpCor", "0|1", "Dead in AreTomo3; images are interpolated by splines here.", "dead"),
    Option("OutXF", "0|1", "Dead since AreTomo 1.3: -OutImod.", "dead"),
    # -- ours ---------------------------------------------------------------------------------
    Option("Cpus", "N", "Ours: threads. Default: all cores that this process may use."),
    Option("Memory", "GB", "Ours: of memory to stay within; what doesn't fit goes to scratch."),
    # -- movies -------------------------------------------------------------------------------
    Option("Gain", "FILE", "Gain reference: MRC, TIFF, DM4, .gain.", form="movies"),
    Option("RotGain", "0..3", "Turn it by so many quarters, counter-clockwise.", form="movies"),
    Option("FlipGain", "0..2", "Then 1: upside down, 2: left to right.", form="movies"),
    Option("InvGain", "0|1", "1: frames are divided by it.", form="movies"),
    Option("DefectFile", "FILE", "Defects, lines 'x y w h'.", form="movies"),
    Option(
        "FmDose",
        "E/A^2",
        "Of a raw frame; a tilt has that of all frames of the first movie.",
        "differs",
        "movies",
    ),
    Option(
        "McPatch",
        "X Y",
        "With more than one, local motion is looked for, in patches of our own size, and "
        "corrected where the movie proves it. Default 1 1: whole frames.",
        "differs",
        "movies",
        3,
    ),
    Option("McBin", "N", "Binning of the averages, a whole number.", "differs", "movies"),
    Option("Throw", "FIRST LAST", "Frames that are left out.", "same", "movies", 2),
    Option(
        "FmInt",
        "N",
        "Raw frames in a rendered frame of an EER movie, the last takes the rest. 0: as many as "
        "bring 0.15 e/A^2 in the first movie, a twelfth where its dose isn't known. Default: 10.",
        form="movies",
    ),
    Option(
        "FmIntFile",
        "FILE",
        "MotionCor's list of raw frames that are summed, of any movie, with their doses; goes "
        "before -FmInt. AreTomo3 has no such option.",
        "differs",
        "movies",
    ),
    Option(
        "Group",
        "GLOBAL LOCAL",
        "Frames that are aligned as one, the first number. Default: as many as bring 0.15 e/A^2.",
        "differs",
        "movies",
        2,
    ),
    Option("EerSampling", "1..3", "EER at 1, 2 or 4 pixels a side.", form="movies"),
    Option("McIter", "N", "All frames are aligned at once.", "idle", "movies"),
    Option("McTol", "PIXELS", "All frames are aligned at once.", "idle", "movies"),
    Option("FmRef", "N", "No frame stays: the mean shift is 0.", "idle", "movies"),
    Option("InFmMotion", "0|1", "Motion within a frame isn't corrected.", "idle", "movies"),
    Option("Dark", "FILE", "Not done: no dark reference is subtracted.", "refused", "movies"),
    Option(
        "Mag",
        "MAJOR MINOR ANGLE",
        "Not done: distortions of magnification aren't corrected.",
        "refused",
        "movies",
        3,
        ("1", "1.0", "1.00", "0"),
    ),
    Option(
        "TiffOrder",
        "1|-1",
        "-1 is not done: frames come as stored.",
        "refused",
        "movies",
        1,
        ("1",),
    ),
    Option("CorrInterp", "0|1", "Dead in AreTomo3.", "dead", "movies"),
)
