from xml.etree import ElementTree as Tree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.report.numbers import degrees, duration, signed
from vitreous.report.plots import HEIGHT, WIDTH, Curve, Mark, Plot, ticks

finite = st.floats(-1e6, 1e6).filter(lambda value: value == 0 or abs(value) > 1e-3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=8), finite, st.booleans())
def test_everything_lies_within_the_drawing(points, at, from_zero):
    x, y = zip(*points, strict=True)
    y = [abs(value) for value in y] if from_zero else y
    curves = (Curve(x, y, "line first"), Curve(x, y, "dots bad", "<a>", ["&"] * len(x)))

    drawn = Tree.fromstring(
        Plot('a "b" & c', "x", "y", curves, (Mark(at, "m"),), (at, at + 1), from_zero).svg()
    )

    for circle in drawn.iter("circle"):
        assert 0 <= float(circle.get("cx")) <= WIDTH
        assert 0 <= float(circle.get("cy")) <= HEIGHT
    band = drawn.find("rect")
    assert float(band.get("width")) >= 0


@settings(max_examples=60, deadline=None)
@given(finite, st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_within(low, span):
    high = low + span

    found = ticks(low, high)

    assert 1 <= len(found) <= 7
    assert all(low - 1e-9 * span <= tick <= high + 1e-9 * span for tick in found)
    step = np.diff(found)
    assert np.allclose(step, step[0] if len(step) else 0)


def test_where_there_is_nothing_there_is_no_drawing():
    assert Plot("none", "x", "y", ()).svg() == ""


def test_dots_say_what_they_are():
    plot = Plot("dots", "x", "y", (Curve([1, 2], [3, 4], "dots first", "", ["one <1>", "two"]),))

    told = [title.text for title in Tree.fromstring(plot.svg()).iter("title")]

    assert told == ["one <1>", "two"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (signed(-0.04), "0.0"),
        (signed(-4.26), "−4.3"),
        (degrees(12.345, 2), "12.35°"),
        (duration(3.21), "3.2 s"),
        (duration(59.7), "1 min 0 s"),
        (duration(95), "1 min 35 s"),
        (duration(7265), "2 h 1 min"),
    ],
)
def test_numbers_are_written_as_people_read_them(written, text):
    assert written == text
