"""Names of a series and of what lies beside its stack: TS_03.mrc, TS_03.mrc.mdoc, TS_03.rawtlt."""

from pathlib import Path

STACKS = (".mrc", ".st", ".mrcs", ".ali", ".tif", ".tiff")
PACKINGS = (".gz", ".bz2")
MDOC = ".mdoc"


def series_name(path: Path) -> str:
    """The name of a series from that of its stack or .mdoc: TS_03.mrc.gz -> TS_03."""
    if not is_mdoc(path):
        return Path(plain_name(path)).stem
    image = Path(image_name(path))
    return image.stem if image.suffix.lower() in STACKS else image.name


def plain_name(path: Path) -> str:
    """TS_03.mrc.gz -> TS_03.mrc."""
    packing = path.suffix if path.suffix in PACKINGS else ""
    return path.name.removesuffix(packing)


def stack_suffix(path: Path) -> str:
    """TS_03.MRC.gz -> .mrc; '' for what is no stack by its name."""
    suffix = Path(plain_name(path)).suffix.lower()
    return suffix if suffix in STACKS else ""


def is_mdoc(path: Path) -> bool:
    """By its name."""
    return plain_name(path).lower().endswith(MDOC)


def image_name(mdoc: Path) -> str:
    """TS_03.mrc.mdoc -> TS_03.mrc, TS_03.mdoc -> TS_03."""
    return plain_name(mdoc)[: -len(MDOC)]


def mdoc_beside(stack: Path) -> Path | None:
    """TS_03.mrc.mdoc, else TS_03.mdoc, where there is one."""
    names = (plain_name(stack) + MDOC, series_name(stack) + MDOC)
    return next((path for name in names if (path := stack.with_name(name)).is_file()), None)


def angles_beside(stack: Path, ending: str) -> Path | None:
    """TS_03.rawtlt or TS_03.tlt, where there is one."""
    path = stack.with_name(series_name(stack) + ending)
    return path if path.is_file() else None
