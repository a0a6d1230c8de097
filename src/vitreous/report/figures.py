"""The plots of an alignment."""

from collections.abc import Sequence

from vitreous.align.quality import LARGEST_RESIDUAL, LEAST_SCORE
from vitreous.report.facts import Aligned, Slab, Tilt
from vitreous.report.numbers import degrees
from vitreous.report.plots import Curve, Mark, Plot

TILT = "nominal tilt (degrees)"


def figures_of(aligned: Aligned) -> list[tuple[str, str]]:
    """Title and drawing of each plot that has something to show."""
    plots = {
        "Score of each tilt": score_plot(aligned),
        "Shifts": shift_plot(aligned.used),
        "Tilt axis": axis_plot(aligned),
        "Thickness": slab_plot(aligned.slab),
        "Residuals of patches": residual_plot(aligned.used),
        "Repaired pixels": repaired_plot(aligned.tilts),
    }
    drawn = {title: plot.svg() for title, plot in plots.items()}
    return [(title, svg) for title, svg in drawn.items() if svg]


def score_plot(aligned: Aligned) -> Plot:
    """Scores; tilts that aren't trusted or are left out stand out."""
    used = aligned.used
    good = [tilt for tilt in used if tilt.trusted]
    bad = [tilt for tilt in used if not tilt.trusted]
    out = [tilt for tilt in aligned.tilts if tilt.left_out]
    curves = (
        dots(good, [tilt.score or 0 for tilt in good], "first", "score", "trusted"),
        dots(bad, [tilt.score or 0 for tilt in bad], "bad", "score", "not trusted"),
        dots(out, [0.0] * len(out), "out", "left out", "left out"),
    )
    return Plot(
        caption="score of each tilt against its nominal angle",
        x_name=TILT,
        y_name="score (standard deviations)",
        curves=tuple(curve for curve in curves if curve.x),
        marks=(Mark(LEAST_SCORE, f"least to be trusted: {LEAST_SCORE:g}", "limit", level=True),),
        from_zero=True,
    )


def shift_plot(used: Sequence[Tilt]) -> Plot:
    """Where the specimen's origin lies in each image."""
    curves = []
    for axis, (name, look) in enumerate((("x", "first"), ("y", "second"))):
        ordered = sorted(used, key=lambda tilt: tilt.nominal_degrees)
        shifts = [tilt.shift_angstrom[axis] for tilt in ordered if tilt.shift_angstrom]
        line = [tilt.nominal_degrees for tilt in ordered]
        curves.append(Curve(line, shifts, f"line {look}"))
        curves.append(dots(ordered, shifts, look, f"shift in {name}, \u00c5", name))
    return Plot(
        caption="shift of each tilt in x and y against its nominal angle",
        x_name=TILT,
        y_name="shift (\u00c5)",
        curves=tuple(curves),
    )


def axis_plot(aligned: Aligned) -> Plot:
    """How well neighbours agree for each direction of the axis that was tried."""
    best: dict[float, float] = {}
    for axis, agreement in aligned.axis_curve:
        best[axis] = max(best.get(axis, agreement), agreement)
    x = sorted(best)
    y = [best[axis] for axis in x]
    marks = [Mark(aligned.axis_degrees, f"found {degrees(aligned.axis_degrees, 2)}", "first")]
    if aligned.nominal_axis_degrees is not None:
        nominal = aligned.nominal_axis_degrees
        marks.append(Mark(nominal, f"nominal {degrees(nominal, 2)}", "second"))
    told = [f"axis {degrees(axis)}: agreement {best[axis]:.3f}" for axis in x]
    return Plot(
        caption="agreement of neighbouring tilts against the direction of the tilt axis",
        x_name="tilt axis (degrees)",
        y_name="agreement",
        curves=(Curve(x, y, "line quiet"), Curve(x, y, "dots quiet", told=told)) if x else (),
        marks=tuple(marks),
    )


def slab_plot(slab: Slab) -> Plot:
    """The profile along z, and the bounds that were found in it."""
    x = [height for height, _ in slab.profile]
    y = [agreement for _, agreement in slab.profile]
    half = slab.thickness_angstrom / 2
    largest = max(map(abs, y), default=0) or 1.0
    return Plot(
        caption="density in z, and the bounds of the specimen found in it",
        x_name="height (\u00c5)",
        y_name="density shared by half tomograms",
        curves=(Curve(x, [value / largest for value in y], "line first"),) if x else (),
        band=(slab.centre_angstrom - half, slab.centre_angstrom + half),
    )


def residual_plot(used: Sequence[Tilt]) -> Plot:
    """How far the patches of a tilt are from where the alignment has them."""
    known = [tilt for tilt in used if tilt.residual_angstrom is not None]
    values = [tilt.residual_angstrom or 0.0 for tilt in known]
    limit = Mark(LARGEST_RESIDUAL, f"most to be trusted: {LARGEST_RESIDUAL:g}", "limit", level=True)
    return Plot(
        caption="median residual of the patches of each tilt against its nominal angle",
        x_name=TILT,
        y_name="residual (\u00c5)",
        curves=(dots(known, values, "first", "residual, \u00c5"),),
        marks=(limit,) if max(values, default=0) > LARGEST_RESIDUAL / 2 else (),
        from_zero=True,
    )


def repaired_plot(tilts: Sequence[Tilt]) -> Plot:
    """Hot pixels and X-rays of each tilt; nothing where there were none."""
    known = [tilt for tilt in tilts if tilt.repaired_pixels is not None]
    counts = [float(tilt.repaired_pixels or 0) for tilt in known]
    return Plot(
        caption="number of pixels replaced in each tilt against its nominal angle",
        x_name=TILT,
        y_name="pixels replaced",
        curves=(dots(known, counts, "first", "pixels replaced"),) if any(counts) else (),
        from_zero=True,
    )


def dots(
    tilts: Sequence[Tilt], values: Sequence[float], look: str, what: str, name: str = ""
) -> Curve:
    """One dot a tilt, which says its number, angle and value when pointed at."""
    told = [
        f"tilt {tilt.number} ({degrees(tilt.nominal_degrees)}): "
        f"{tilt.left_out or f'{what} {value:.4g}'}"
        for tilt, value in zip(tilts, values, strict=True)
    ]
    return Curve([tilt.nominal_degrees for tilt in tilts], values, f"dots {look}", name, told)
