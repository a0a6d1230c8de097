import numpy as np

from vitreous.report.plot_pictures import COLOURS, plot_picture
from vitreous.report.plots import Curve, Mark, Plot


def test_a_curve_lies_in_the_picture_where_it_lies_in_the_drawing():
    plot = Plot("a step", "x", "y", (Curve([0, 10], [1, 1], "line first"),), from_zero=True)

    picture = np.asarray(plot_picture(plot, 720)).astype(int)

    blue = np.abs(picture - COLOURS["first"]).sum(-1) < 30
    rows, columns = np.nonzero(blue)
    assert np.ptp(rows) <= 4
    assert columns.min() > 2 * 52
    assert columns.max() < 720 - 2 * 10


def test_marks_and_names_are_drawn():
    curves = (Curve([0, 1], [0, 1], "line first", "one"), Curve([0, 1], [1, 0], "line second", "b"))
    plain = Plot("two", "x (\u00c5)", "\u2212y", curves)
    marked = Plot("two", "x (\u00c5)", "\u2212y", curves, (Mark(0.5, "half", "second"),))

    apart = np.asarray(plot_picture(plain, 360)) != np.asarray(plot_picture(marked, 360))

    assert apart[30:170].any(0).any(1).sum() <= 3
    assert apart[:20].any()
