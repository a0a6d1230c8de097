"""IMOD's `newstack`: its options, its defaults, its order of sections."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitreous.errors import UserError
from vitreous.faces.pip_options import Line, Option, parse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.pipeline.restack_settings import RestackSettings

log = logging.getLogger(__name__)

MODES = {"0": "int8", "1": "int16", "2": "float32", "6": "uint16", "12": "float16"}
ONE_OUTPUT = "one output file is written"
OPTIONS = (
    Option("input in InputFile"),
    Option("output ou OutputFile"),
    Option("fileinlist FileOfInputs"),
    Option("secs SectionsToRead"),
    Option("fromone NumberedFromOne", has_value=False),
    Option("exclude ExcludeSections"),
    Option("tilt TiltAngleFile"),
    Option("reorder ReorderByTiltAngle"),
    Option("size SizeToOutputInXandY"),
    Option("mode ModeToOutput"),
    Option("offset OffsetsInXandY"),
    Option("xform TransformFile"),
    Option("uselines UseTransformLines"),
    Option("onexform OneTransformPerFile", has_value=False),
    Option("rotate RotateByAngle"),
    Option("expand ExpandByFactor"),
    Option("shrink ShrinkByFactor"),
    Option("antialias AntialiasFilter"),
    Option("bin BinByFactor"),
    Option("linear LinearInterpolation", has_value=False),
    Option("float FloatDensities"),
    Option("meansd MeanAndStandardDeviation"),
    Option("scale ScaleMinAndMax"),
    Option("multadd MultiplyAndAdd"),
    Option("fill FillValue"),
    Option("taper TaperAtFill"),
    Option("memory MemoryLimit"),
    Option("test TestLimits"),
    Option("verbose VerboseOutput"),
    Option("fileoutlist FileOfOutputs", refused=ONE_OUTPUT),
    Option("split SplitStartingNumber", refused=ONE_OUTPUT),
    Option("append AppendExtension", refused=ONE_OUTPUT),
    Option("numout NumberToOutput", refused=ONE_OUTPUT),
    Option("format FormatOfOutputFile", refused="MRC is written"),
    Option("bytes BytesSignedInOutput", refused="bytes are written signed, as IMOD's default"),
    Option("nearest NearestNeighbor", refused="interpolation is cubic or -linear"),
    Option("contrast ContrastBlackWhite", refused="use -scale or -multadd"),
    Option("distort DistortionField", refused="distortions aren't corrected"),
    Option("gradient GradientFile", refused="gradients of magnification aren't corrected"),
    Option("replace ReplaceSections", refused="whole files are written"),
    Option("blank BlankOutput", refused="sections that are there are written"),
    Option("twodir TwoDirections", refused="name the two files and use -reorder 1"),
    Option("skip SkipSectionIncrement", refused="list sections with -secs"),
    Option("strip StripExtraHeader", refused="tilt angles stay in the extended header"),
    Option("applyfirst ApplyOffsetsFirst", refused="offsets are applied after transforms"),
)


def run(words: Sequence[str], standard_input: Iterable[str]) -> None:
    """Do what a newstack command line says."""
    line = parse(words, OPTIONS, standard_input)
    inputs, output = files(line)
    entries = sections(line, inputs)
    settings = settings_of(line)

    import numpy as np

    from vitreous.pipeline.inputs import require_apart
    from vitreous.pipeline.newstack import write_sources
    from vitreous.pipeline.restack import Source

    require_apart(output, *{path for path, _ in entries})
    stacks = {path: opened(path) for path, _ in entries}
    chosen = listed(entries, stacks)
    angles = tilts(line, chosen, stacks)
    transforms = transforms_of(line, chosen, stacks)
    order = range(len(chosen))
    if (direction := line.last("reorder")) not in (None, "0"):
        if angles is None:
            raise UserError("-reorder: neither -tilt nor the headers tell the tilt angles")
        ordered = np.argsort(angles, kind="stable")
        order = (ordered if direction == "1" else ordered[::-1]).tolist()
    sources: list[Source] = []
    for k in order:
        path, section = chosen[k]
        transform = None if transforms is None else transforms[k]
        sources.append(Source(stacks[path], section, transform))
    write_sources(
        output,
        sources,
        settings,
        labels=labels(stacks[chosen[0][0]]),
        tilts=None if angles is None else angles[list(order)],
    )
    log.info("%s: %d sections", output, len(sources))


def files(line: Line) -> tuple[list[Path], Path]:
    """(input files, the output): by options, else the words, of which the last is the output."""
    words = list(line.words)
    outputs = line.values.get("output", [])
    if not outputs and words:
        outputs = [words.pop()]
    inputs = [Path(name) for name in (*line.values.get("input", []), *words)]
    if len(outputs) != 1:
        raise UserError("one output file is needed: -output FILE")
    if not inputs and line.last("fileinlist") is None:
        raise UserError("no input file: -input FILE")
    return inputs, Path(outputs[0])


Entries = list[tuple[Path, list[int] | None]]


def sections(line: Line, inputs: Sequence[Path]) -> Entries:
    """(file, its sections from 0 or None for all), less those to exclude."""
    from vitreous.formats.file_lists import ALL, parse_list, read_file_list

    first = 1 if "fromone" in line.values else 0
    try:
        lists = [
            None if text == ALL else [n - first for n in parse_list(text)]
            for text in line.values.get("secs", [])
        ]
        excluded = {n - first for text in line.values.get("exclude", []) for n in parse_list(text)}
    except ValueError as error:
        raise UserError(str(error)) from None
    if len(lists) > len(inputs):
        raise UserError(f"{len(lists)} lists of sections for {len(inputs)} input files")
    lists += [None] * (len(inputs) - len(lists))
    entries: Entries = list(zip(inputs, lists, strict=True))
    if (file_list := line.last("fileinlist")) is not None:
        entries += read_file_list(Path(file_list))
    if not excluded:
        return entries
    every = [(path, _all(path) if chosen is None else chosen) for path, chosen in entries]
    return [(path, [n for n in chosen if n not in excluded]) for path, chosen in every]


def _all(path: Path) -> range:
    return range(opened(path).shape[0])


def opened(path: Path) -> "MrcStack | TiffStack":
    """A stack; one whose header has no pixel size counts in pixels, as IMOD does."""
    from vitreous.formats.images import open_images

    stack = open_images(path, 1.0)
    stack.pixel_size = stack.header.pixel_size or 1.0
    return stack


def listed(entries: Entries, stacks: "dict[Path, MrcStack | TiffStack]") -> list[tuple[Path, int]]:
    """(file, section from 0) of every image, in the order of the output."""
    images = []
    for path, chosen in entries:
        count = stacks[path].shape[0]
        for section in range(count) if chosen is None else chosen:
            if not 0 <= section < count:
                raise UserError(f"{path} has sections 0 to {count - 1}, there is no {section}")
            images.append((path, section))
    if not images:
        raise UserError("no sections are left to write")
    return images


def settings_of(line: Line) -> "RestackSettings":
    """The options that change images, as our settings."""
    from vitreous.pipeline.restack_settings import RestackSettings

    given: dict[str, Any] = {}
    for name in ("shrink", "rotate", "expand", "fill"):
        if (one := line.numbers(name, 1)) is not None:
            given[name] = one[0]
    for short, name in (("bin", "bin"), ("antialias", "antialias"), ("float", "equalize")):
        if (one := line.numbers(short, 1)) is not None:
            given[name] = int(one[0])
    for short, name in (("offset", "offset"), ("meansd", "mean_and_sd")):
        if (two := line.numbers(short, 2)) is not None:
            given[name] = two
    if (two := line.numbers("size", 2)) is not None:
        given["size"] = (int(two[0]), int(two[1]))
    if (two := line.numbers("multadd", 2)) is not None:
        given["multiply"], given["add"] = two
    if (text := line.last("scale")) is not None:
        given["scale_to"] = (0.0, 0.0) if text == "0" else line.numbers("scale", 2)
    if (text := line.last("taper")) is not None:
        width, *inside = line.numbers("taper", 2 if "," in text else 1) or (0.0,)
        given["taper"], given["taper_inside"] = int(width), inside == [1.0]
    if (mode := line.last("mode")) is not None:
        if mode not in MODES:
            raise UserError(f"-mode {mode}: choose {', '.join(MODES)}")
        given["mode"] = MODES[mode]
    given["linear"] = "linear" in line.values
    return RestackSettings(**given)


def tilts(
    line: Line,
    images: Sequence[tuple[Path, int]],
    stacks: "dict[Path, MrcStack | TiffStack]",
) -> "NDArray[np.float64] | None":
    """(images,) degrees: of -tilt, by place among all sections of the inputs, else the headers'."""
    import numpy as np

    from vitreous.formats.imod import read_angles
    from vitreous.formats.mrc import MrcStack

    places, total = places_of(images, stacks)
    if (name := line.last("tilt")) is not None:
        found = read_angles(Path(name))
        if len(found) == len(images):
            return found
        if len(found) != total:
            raise UserError(f"{name} has {len(found)} angles for {total} sections")
        return found[places]
    angles = []
    for path, section in images:
        stack = stacks[path]
        known = stack.tilt_angles if isinstance(stack, MrcStack) else None
        if known is None:
            return None
        angles.append(known[section])
    return np.array(angles, np.float64)


def places_of(
    images: Sequence[tuple[Path, int]], stacks: "dict[Path, MrcStack | TiffStack]"
) -> tuple[list[int], int]:
    """The place of each image among all sections of the input files, and how many these have."""
    starts, total = {}, 0
    for path, stack in stacks.items():
        starts[path] = total
        total += stack.shape[0]
    return [starts[path] + section for path, section in images], total


def transforms_of(
    line: Line,
    images: Sequence[tuple[Path, int]],
    stacks: "dict[Path, MrcStack | TiffStack]",
) -> "list[NDArray[np.float64]] | None":
    """(2, 3) of each image: the line of its section, of its file, or of -uselines."""
    from vitreous.formats.file_lists import parse_list
    from vitreous.formats.imod import read_xf

    if (name := line.last("xform")) is None:
        return None
    found = read_xf(Path(name))
    wanted, _ = places_of(images, stacks)
    if len(found) == 1:
        wanted = [0] * len(images)
    elif "onexform" in line.values:
        order = list(stacks)
        wanted = [order.index(path) for path, _ in images]
    elif (lines := line.last("uselines")) is not None:
        try:
            wanted = parse_list(lines)
        except ValueError as error:
            raise UserError(str(error)) from None
        if len(wanted) != len(images):
            raise UserError(f"-uselines names {len(wanted)} lines for {len(images)} sections")
    if max(wanted) >= len(found):
        raise UserError(f"{name} has {len(found)} transforms, line {max(wanted)} is needed")
    return [found[k] for k in wanted]


def labels(stack: "MrcStack | TiffStack") -> tuple[str, ...]:
    """The titles of the first input: the tilt axis stands in one of them."""
    from vitreous.formats.mrc import MrcStack

    return stack.header.labels[:9] if isinstance(stack, MrcStack) else ()
