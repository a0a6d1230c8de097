import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError, UserError
from vitreous.formats import eman
from vitreous.formats.facts import PartialFacts
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.images import StackFacts

FACTS = StackFacts(3, (64, 48), 2.0)


def test_the_corpus_is_read(shared):
    """`.tlt` made of it by emanjson2imodxf keeps EMAN2's number; our sense is the opposite."""
    parsers = shared / "data" / "parsers"
    (path,) = (parsers / "eman_json").iterdir()
    numbers = np.loadtxt(parsers / "tlt" / "emanjson2imodxf__example.tlt")

    alignment = eman.read(path, PartialFacts(image_size=(4092, 5760)))

    assert alignment.pixel_size == pytest.approx(2.65)
    np.testing.assert_allclose(alignment.tilts_degrees, -numbers, atol=0.006)


def test_rows_of_high_loss_are_left_out_and_come_back(tmp_path):
    rows = [[1, 2, 85, -60, 0.5], [3, 4, 85, 0, 0.5], [5, 6, 85, 60, 0.5]]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"apix_unbin": 2.0, "ali_loss": [1, 999, 2], "tlt_params": rows}))

    alignment = eman.read(path, PartialFacts(image_size=(64, 48)))
    eman.write(alignment, tmp_path / "b.json")

    assert alignment.left_out == (1,)
    np.testing.assert_allclose(alignment.shifts, [[2, 4], [10, 12]])
    again = eman.read(tmp_path / "b.json", PartialFacts(image_size=(64, 48)))
    np.testing.assert_array_equal(again.sections, [0, 2])
    np.testing.assert_allclose(again.projections, alignment.projections, atol=1e-12)


def test_angle_lists_turn_the_other_way_than_imods(tmp_path):
    path = tmp_path / "a.tlt"
    path.write_text("-10\n0\n10\n")

    alignment = eman.read(path, FACTS)

    np.testing.assert_allclose(alignment.tilts_degrees, [10, 0, -10])
    eman.write(alignment, tmp_path / "b.tlt")
    np.testing.assert_allclose(np.loadtxt(tmp_path / "b.tlt"), [-10, 0, 10])


def test_an_angle_list_holds_nothing_else(tmp_path):
    alignment = alignment_from_angles(
        axes_degrees=3.0,
        tilts_degrees=np.zeros(3),
        shifts=np.zeros((3, 2)),
        image_size=(64, 48),
        pixel_size=2.0,
    )

    with pytest.raises(UserError, match="an angle list holds no tilt axis"):
        eman.write(alignment, tmp_path / "b.tlt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"tlt_params": [\n[1, 2]\n', "a.json:3: no JSON"),
        ("{}", "a.json:1: no tlt_params"),
        ('{"tlt_params": [[1, 2, 3]]}', "expected a list of rows of 5 numbers"),
        ('{"tlt_params": 5}', "expected a list of rows of 5 numbers"),
        ('{"tlt_params": [[0,0,0,0,0]], "apix_unbin": "x"}', "apix_unbin: expected a number"),
        ('{"tlt_params": [[0,0,0,0,0]], "ali_loss": [1, 2]}', "2 values in ali_loss, but 1"),
        ('{"tlt_params": [[0,0,0,0,0]], "ali_loss": [999]}', "no tilt is used"),
    ],
)
def test_a_broken_file_is_a_clear_error(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)

    with pytest.raises(FormatError, match=message):
        eman.read(path, PartialFacts(image_size=(64, 48), pixel_size=1.0))


SOUND = '{"apix_unbin": 2.0, "ali_loss": [1, 2], "tlt_params": [[1,2,3,4,5], [1,2,3,4,5]]}'


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SOUND)), st.text('[]{},:"1eE-', max_size=5), st.integers(0, 9))
def test_garbled_json_is_a_clear_error(tmp_path_factory, at, put_in, gone):
    path = tmp_path_factory.getbasetemp() / "garbled.json"
    path.write_text("{" + SOUND[1:at] + put_in + SOUND[at + gone :])
    try:
        eman.read(path, PartialFacts(image_size=(64, 48), pixel_size=2.0))
    except (FormatError, UserError):
        return
