"""The plots of motion and contrast transfer."""

from collections.abc import Sequence

from vitreous.report.figures import TILT
from vitreous.report.movie_facts import Defocus, Moved, Transfer
from vitreous.report.numbers import degrees
from vitreous.report.plots import Curve, Plot

MOST_TRACKS = 12  # drawn, evenly over the tilts


def figures_of_motion(moved: Sequence[Moved]) -> list[tuple[str, str]]:
    """Title and drawing of each plot that has something to show."""
    return drawn(
        {
            "Way of each tilt's specimen": path_plot(moved),
            "Error of the motion": error_plot(moved),
            "Tracks, each from its first frame": track_plot(moved),
        }
    )


def figures_of_ctf(transfer: Transfer) -> list[tuple[str, str]]:
    """The same of the contrast transfer."""
    return drawn(
        {
            "Defocus of each tilt": defocus_plot(transfer.tilts),
            "How far rings are seen": resolution_plot(transfer.tilts),
        }
    )


def drawn(plots: dict[str, Plot]) -> list[tuple[str, str]]:
    """Those that have something to show."""
    every = {title: plot.svg() for title, plot in plots.items()}
    return [(title, svg) for title, svg in every.items() if svg]


# -- motion ----------------------------------------------------------------------------------------


def path_plot(moved: Sequence[Moved]) -> Plot:
    """How long the way of a movie was; those with local motion stand out."""
    whole = [each for each in moved if each.path_angstrom is not None and not each.is_local]
    local = [each for each in moved if each.path_angstrom is not None and each.is_local]
    curves = (
        moved_dots(whole, [each.path_angstrom or 0 for each in whole], "first", "whole frame"),
        moved_dots(local, [each.path_angstrom or 0 for each in local], "second", "local too"),
    )
    return Plot(
        caption="length of the way of each movie's frames against its tilt",
        x_name=TILT,
        y_name="way (\u00c5)",
        curves=tuple(curve for curve in curves if curve.x),
        from_zero=True,
    )


def error_plot(moved: Sequence[Moved]) -> Plot:
    """The standard error that each movie claims."""
    known = [each for each in moved if each.standard_error_angstrom is not None]
    errors = [each.standard_error_angstrom or 0 for each in known]
    return Plot(
        caption="standard error of the displacements of each movie against its tilt",
        x_name=TILT,
        y_name="error (\u00c5)",
        curves=(moved_dots(known, errors, "first", ""),) if known else (),
        from_zero=True,
    )


def track_plot(moved: Sequence[Moved]) -> Plot:
    """The ways themselves, of some tilts."""
    known = [each for each in moved if len(each.track) > 1]
    step = -(-len(known) // MOST_TRACKS) if known else 1
    curves = []
    for number, each in enumerate(known[::step]):
        (x0, y0), look = each.track[0], "first" if number % 2 else "second"
        x, y = [x - x0 for x, _ in each.track], [y - y0 for _, y in each.track]
        told = [
            f"tilt of {degrees(each.degrees)}, frame {frame + 1}"
            for frame in range(len(each.track))
        ]
        curves += [Curve(x, y, f"line {look}"), Curve(x, y, f"dots {look}", told=told)]
    return Plot(
        caption="displacement of the specimen in x and y, frame by frame",
        x_name="x (\u00c5)",
        y_name="y (\u00c5)",
        curves=tuple(curves),
    )


def moved_dots(moved: Sequence[Moved], values: Sequence[float], look: str, name: str) -> Curve:
    """One dot a tilt, which says its movie and value when pointed at."""
    told = [
        f"{each.movie} ({degrees(each.degrees)}): {value:.3g} \u00c5"
        for each, value in zip(moved, values, strict=True)
    ]
    return Curve([each.degrees for each in moved], values, f"dots {look}", name, told)


# -- contrast transfer -----------------------------------------------------------------------------


def defocus_plot(tilts: Sequence[Defocus]) -> Plot:
    """Defocus of each tilt with its error as a stroke; tilts without rings stand out."""
    seen = [tilt for tilt in tilts if tilt.has_rings]
    blind = [tilt for tilt in tilts if not tilt.has_rings]
    strokes = [
        Curve(
            [tilt.degrees] * 2,
            [(tilt.defocus - tilt.deviation) / 1e4, (tilt.defocus + tilt.deviation) / 1e4],
            "line first",
        )
        for tilt in seen
        if tilt.deviation is not None
    ]
    dots = (
        defocus_dots(seen, "first", "rings are seen"),
        defocus_dots(blind, "out", "of its neighbours"),
    )
    return Plot(
        caption="defocus of each tilt with its error against its angle",
        x_name="tilt (degrees)",
        y_name="defocus (\u00b5m)",
        curves=(*strokes, *(curve for curve in dots if curve.x)),
    )


def defocus_dots(tilts: Sequence[Defocus], look: str, name: str) -> Curve:
    """One dot a tilt, which says its value and error when pointed at."""
    told = [
        f"tilt {tilt.number} ({degrees(tilt.degrees)}): {tilt.defocus / 1e4:.3f} \u00b1 "
        f"{plain(tilt.deviation)} \u00b5m, score {tilt.score:.2f}"
        for tilt in tilts
    ]
    values = [tilt.defocus / 1e4 for tilt in tilts]
    return Curve([tilt.degrees for tilt in tilts], values, f"dots {look}", name, told)


def plain(deviation: float | None) -> str:
    """A deviation in micrometres."""
    return "?" if deviation is None else f"{deviation / 1e4:.3f}"


def resolution_plot(tilts: Sequence[Defocus]) -> Plot:
    """The period to which rings are seen in each tilt."""
    known = [tilt for tilt in tilts if tilt.has_rings and tilt.resolution is not None]
    told = [
        f"tilt {tilt.number} ({degrees(tilt.degrees)}): rings to {tilt.resolution:.1f} \u00c5"
        for tilt in known
    ]
    periods = [tilt.resolution or 0.0 for tilt in known]
    angles = [tilt.degrees for tilt in known]
    return Plot(
        caption="period to which rings are seen in each tilt against its angle",
        x_name="tilt (degrees)",
        y_name="rings to (\u00c5)",
        curves=(Curve(angles, periods, "dots first", told=told),) if known else (),
        from_zero=True,
    )
