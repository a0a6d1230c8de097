"""`vitreous info`: the kind of files and what they hold."""

from pathlib import Path

from vitreous.cli.messages import complain
from vitreous.errors import UnknownFormatError, VitreousError


def info(files: list[Path], /) -> None:
    """Say what FILES are, by their content, and what they hold.

    Reads images and stacks (MRC, TIFF), mdoc, tilt angles and alignments (IMOD, AreTomo, RELION,
    Warp, EMAN2); packed ones (gzip, bzip2) too. A kind that is not read is named, exit code 2; a
    broken file is named with the place of the fault, exit code 1.
    """
    from vitreous.formats.describe import describe

    faults: list[VitreousError] = []
    gap = ""
    for path in files:
        try:
            facts = describe(path)
        except VitreousError as error:
            faults.append(error)
            continue
        print(f"{gap}{path}")
        gap = "\n"
        width = max(len(name) for name, _ in facts)
        for name, fact in facts:
            print(f"  {name:<{width}}  {fact}")
    faults.sort(key=lambda fault: not isinstance(fault, UnknownFormatError))  # broken ones last
    for fault in faults[:-1]:
        complain(str(fault))
    if faults:
        raise faults[-1]
