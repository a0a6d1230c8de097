"""Fourier shell correlations as plots."""

from collections.abc import Sequence
from pathlib import Path

from vitreous.formats.products import atomic
from vitreous.kernels.fsc import ShellCorrelation
from vitreous.report.plot_pictures import plot_picture
from vitreous.report.plots import Curve, Mark, Plot

HALVES, MAPS = 0.143, 0.5  # Rosenthal & Henderson 2003, and the older convention
PICTURE_WIDTH = 900  # pixels
LOOKS = ("first", "second", "third", "quiet", "bad")


def fsc_plot(curves: Sequence[tuple[str, ShellCorrelation]], caption: str) -> Plot:
    """Curves with their names; where the first falls below 0.143 is marked."""
    resolution = curves[0][1].resolution(HALVES)
    marks = [Mark(threshold, f"{threshold:g}", "limit", level=True) for threshold in (HALVES, MAPS)]
    x_name = "spatial frequency (1/\u00c5)"
    if resolution and resolution != float("inf"):
        several = len(curves) > 1  # their names take the legend
        marks.append(Mark(1 / resolution, "" if several else in_words(resolution), "second"))
        if several:
            x_name += f"; {curves[0][0]}: {HALVES:g} at {in_words(resolution)}"
    return Plot(
        caption=caption,
        x_name=x_name,
        y_name="correlation",
        curves=tuple(
            Curve(
                curve.frequency[1:].tolist(), curve.correlation[1:].tolist(), f"line {look}", name
            )
            for (name, curve), look in zip(curves, LOOKS, strict=False)
        ),
        marks=tuple(marks),
        from_zero=True,
    )


def in_words(resolution: float | None, unit: str = "\u00c5") -> str:
    """A resolution as people write it."""
    if resolution is None:
        return "to Nyquist"
    if resolution == float("inf"):
        return "nowhere"
    return f"{resolution:.3g} {unit}"


def write_fsc_picture(
    path: Path, curves: Sequence[tuple[str, ShellCorrelation]], caption: str
) -> None:
    """Write curves with their names as a PNG."""
    with atomic(path) as part:
        plot_picture(fsc_plot(curves, caption), PICTURE_WIDTH).save(part, "png")
