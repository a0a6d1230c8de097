"""The options of EMAN2's e2make3dpar.py, and of e2make3d.py as far as they are the same.

Values follow as `--x=v` or `--x v`; a name may be cut short as long as it is the only one that
begins so.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from vitreous.errors import UserError

MODES = {
    "nearest_neighbor": "nearest",
    "trilinear": "trilinear",
    "gauss_2": "gauss_2",
    "gauss_3": "gauss_3",
    "gauss_5": "gauss_5",
    "gauss_var": "gauss_var",
    "gridding_5": "kaiser_5",
    "gridding_7": "kaiser_7",
}
"""EMAN2's --mode -> our kernel."""

RECONSTRUCTORS = {
    "back_projection": "'vitreous reconstruct' back-projects tilt series",
    "wiener_fourier": "'--usessnr' weights by signal to noise",
    "nn4": "'--mode nearest_neighbor' is the same kernel",
    "nn4_ctf": "CTFs of tilt series are corrected by 'vitreous average'",
    "real_median": "it isn't a Fourier method",
}
"""EMAN2's other reconstructors, and what does their work."""

# EMAN2's good sizes of a padded image.
GOOD_SIZES = (
    16, 24, 32, 36, 40, 44, 48, 52, 56, 60, 64, 72, 84, 96, 100, 104, 112, 120, 128, 132, 140, 168,
    180, 192, 196, 208, 216, 220, 224, 240, 256, 260, 288, 300, 320, 352, 360, 384, 416, 440, 448,
    480, 512, 540, 560, 576, 588, 600, 630, 640, 648, 672, 686, 700, 720, 750, 756, 768, 784, 800,
    810, 840, 864, 882, 896, 900, 960, 972, 980, 1000, 1008, 1024,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its names; its value for the help, '' of a switch; default; what it does."""

    names: str
    value: str
    text: str
    default: str | int | float | None = None
    repeatable: bool = False


OPTIONS = (
    Option("--output", "FILE", "Map to write: .hdf (name.hdf:BITS sets the bits) or .mrc, which is "
           "always float32.", "threed.hdf"),
    Option("--input", "FILE", "Projections: EMAN HDF or .lst, IMAGIC .img/.hed, MRC stack, RELION "
           "STAR; with --tlt also one volume whose sections are the images."),
    Option("--input_model", "N", "Only images whose model_id is N."),
    Option("--angles", "FILE", "[ours] Orientations: a RELION STAR file, or a table of az alt phi "
           "and, if given, shifts x y in pixels. They go before those of the headers."),
    Option("--lstshift", "HOW", "[ours] Shifts of the headers: auto, centre (they move the image "
           "to its centre) or displace (they moved it away). auto: centre, but displace for "
           "orientations that stand in the .lst itself.", "auto"),
    Option("--tlt", "FILE", "Tilt angles, one a line, tilt axis along y of the images."),
    Option("--sym", "GROUP", "Symmetry: c1, cN, dN, tet, oct, icos (or i, icos5), icos2, in either "
           "case.", "c1"),
    Option("--fillangle", "DEGREES", "Spread each image over directions within this angle.", 0.0),
    Option("--pad", "X[,Y]", "Pad images with zeros to this size; 0: not; negative: the next good "
           "size above 1.25 times the image."),
    Option("--padvol", "X[,Y,Z]", "Size of the map's transform. Default: a cube of the padded "
           "image's longer side."),
    Option("--outsize", "X[,Y,Z]", "Size of the map. Default: a cube of the image's longer side."),
    Option("--compressbits", "N", "Bits of a value in HDF, 1 to 16; 0: float32 without loss; -1: "
           "float32, not packed.", 10),
    Option("--savenorm", "FILE", "Write the weights of the transform, origin in the middle."),
    Option("--keep", "SHARE", "Share of the images to keep, by class_qual.", 1.0),
    Option("--keepsig", "", "--keep is a number of standard deviations above the mean quality."),
    Option("--keepabs", "", "--keep is the largest quality that is kept."),
    Option("--altedgemask", "", "Blank the columns at +-x that a thin specimen can't fill."),
    Option("--no_wt", "", "All images weigh the same."),
    Option("--sqrt_wt", "", "Images weigh by the square root of their number of particles "
           "(ptcl_repr)."),
    Option("--iterative", "", "Four passes, each of which inserts what the images differ by from "
           "the map before. --usessnr has no say."),
    Option("--itermask", "FILE", "Mask of the map between the passes."),
    Option("--usessnr", "", "Weight every point by class_ssnr."),
    Option("--mode", "NAME", f"How points are spread: {', '.join(MODES)}. The gridding modes "
           "use our Kaiser-Bessel kernel of that width.", "gauss_var"),
    Option("--noradcor", "", "Do not correct the fall-off that the mode leaves in the map."),
    Option("--seedmap", "FILE", "Map that fills what the images don't."),
    Option("--seedweight", "W", "Weight of the seed map, in particles.", 1.0),
    Option("--seedweightmap", "FILE", "Weights of the seed map, as --savenorm writes them."),
    Option("--useseedasref", "", "Filter each image by its ring correlation with the seed map."),
    Option("--preprocess", "PROCESSOR", "Processor of the images, before padding; may be repeated, "
           "in order. 'vitreous eman2 processors' lists them.", repeatable=True),
    Option("--setsf", "FILE", "Structure factor to impose (1/A, intensity): a file, auto "
           "(strucfac.txt) or none.", "none"),
    Option("--postprocess", "PROCESSOR", "Processor of the map; may be repeated, in order.",
           repeatable=True),
    Option("--apix", "ANGSTROM", "Pixel size of the map. Default: that of the images."),
    Option("--threads", "N", "Threads. The map is the same for any number.", 4),
    Option("--parallel", "HOW", "thread:N or mpi:N:FOLDER: N worker processes on this machine."),
    Option("--recon", "NAME", "fourier is the only one here.", "fourier"),
    Option("--iter", "N", "Accepted: no longer needed.", None),
    Option("--verbose -v", "N", "0 to 9: say more.", 0),
    Option("--ppid", "N", "Accepted: has no effect.", -1),
)  # fmt: skip

WHOLE = {"--input_model", "--compressbits", "--threads", "--iter", "--verbose", "--ppid"}
NUMBERS = {"--fillangle", "--keep", "--seedweight", "--apix"}

INTRODUCTION = """\
A map from projections with known orientations, by insertion of their Fourier slices: EMAN2's
program with its own options, computed by vitreous.

  vitreous eman2 %(prog)s --input=classes.img --sym=c3 --output=recon.mrc --pad=128
"""


class _Parser(argparse.ArgumentParser):
    """Ends like the other faces: with one message."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{self.prog}: {message}")


def parser(program: str) -> argparse.ArgumentParser:
    """The parser of a program's command line."""
    found = _Parser(
        program, description=INTRODUCTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option in OPTIONS:
        names = option.names.split()
        default = option.default
        text = option.text if default in (None, "") else f"{option.text} [{default}]"
        if not option.value:
            found.add_argument(*names, action="store_true", help=text)
        elif option.repeatable:
            found.add_argument(*names, action="append", default=[], metavar=option.value, help=text)
        else:
            kind = int if names[0] in WHOLE else float if names[0] in NUMBERS else str
            found.add_argument(*names, type=kind, default=default, metavar=option.value, help=text)
    return found


def parse(program: str, words: Sequence[str]) -> argparse.Namespace | None:
    """Read a command line; None where only help was asked for."""
    reader = parser(program)
    if any(word in ("-h", "--help") for word in words):
        print(reader.format_help(), end="")
        return None
    options = reader.parse_args([*words])
    options.program = program
    check(options)
    return options


def check(options: argparse.Namespace) -> None:
    """Raise a `UserError` for what can't be done."""
    if options.recon != "fourier":
        other = RECONSTRUCTORS.get(options.recon, "only Fourier inversion is done here")
        raise UserError(f"--recon={options.recon} isn't done here: {other}")
    if options.mode not in MODES:
        raise UserError(f"--mode {options.mode} is not known: it is one of {', '.join(MODES)}")
    if options.input is None:
        raise UserError("--input is needed: the projections")
    if options.lstshift not in ("auto", "centre", "displace"):
        raise UserError(f"--lstshift {options.lstshift}: auto, centre or displace")
    if options.threads < 1:
        raise UserError(f"--threads {options.threads}: at least 1")
    if options.tlt is not None and options.angles is not None:
        raise UserError("--tlt and --angles don't go together")
    for name in ("seedweightmap", "useseedasref"):
        if getattr(options, name) and options.seedmap is None:
            raise UserError(f"--{name} needs --seedmap")
    if options.keepsig and options.keepabs:
        raise UserError("--keepsig and --keepabs don't go together")
    if options.keep <= 0 and not (options.keepsig or options.keepabs):
        raise UserError(f"--keep {options.keep:g}: a share above 0 is needed")
    if options.compressbits > 16:
        raise UserError(f"--compressbits {options.compressbits}: at most 16")
    if options.apix is not None and options.apix <= 0:
        raise UserError(f"--apix {options.apix:g}: a pixel size is above 0")


def sizes(text: str | None, name: str, counts: tuple[int, ...]) -> tuple[int, ...] | None:
    """'48' or '48,40' -> that many numbers of pixels; None where nothing is said."""
    if text is None:
        return None
    words = text.split(",")
    try:
        numbers = tuple(int(word) for word in words)
    except ValueError:
        numbers = ()
    most = counts[-1]
    if len(numbers) not in counts or min(numbers) < 1:
        forms = " or ".join(",".join("xyz"[:count]) for count in counts)
        raise UserError(f"--{name} {text}: {forms} whole pixels are expected")
    return numbers * most if len(numbers) == 1 else numbers


def padded_size(text: str | None, image: tuple[int, int]) -> tuple[int, int]:
    """(x, y) that images of `image` (x, y) are padded to; never anything but a square by itself."""
    longer = max(image)
    if text is None or text.strip() == "0":
        return longer, longer
    if text.startswith("-"):
        size = good_size(1.25 * longer)
        return size, size
    found = sizes(text, "pad", (1, 2))
    assert found is not None
    return found[0], found[1]


def good_size(least: float) -> int:
    """EMAN2's next good size."""
    for size in GOOD_SIZES:
        if size >= least:
            return size
    from scipy.fft import next_fast_len

    size = int(-(-least // 2))
    while (fast := int(next_fast_len(size, real=False))) and _largest_factor(fast) > 7:
        size = fast + 1
    return 2 * fast


def _largest_factor(number: int) -> int:
    factor, largest = 2, 1
    while number > 1:
        while number % factor == 0:
            number //= factor
            largest = factor
        factor += 1
    return largest
