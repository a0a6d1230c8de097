import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError, UserError
from vitreous.formats import imod, warp
from vitreous.formats.alignments import same_frame_distances
from vitreous.formats.facts import PartialFacts
from vitreous.formats.star import read_star
from vitreous.records.images import StackFacts

TS_00254 = StackFacts(41, (652, 630), 10.0)
SMALL = StackFacts(3, (64, 48), 2.0)

XML = """\ufeff<?xml version="1.0" encoding="utf-8"?>
<TiltSeries AreAnglesInverted="True" LevelAngleX="1" LevelAngleY="-2" UnselectManual="">
	<Angles>9
0
-9</Angles>
	<UseTilt>True
False
True</UseTilt>
	<AxisAngle>85
85
85</AxisAngle>
	<AxisOffsetX>1
2
3</AxisOffsetX>
	<AxisOffsetY>4
5
6</AxisOffsetY>
	<Note>kept</Note>
</TiltSeries>"""


def read(folder, text, told=SMALL):
    path = folder / "a.xml"
    path.write_text(text)
    return warp.read(path, told)


def test_the_corpus_is_read(shared):
    paths = sorted((shared / "data" / "parsers" / "warp_xml").iterdir())
    assert len(paths) == 3

    for path in paths:
        whole = PartialFacts(image_size=(5760, 4092), pixel_size=0.834)
        told = whole if "TS_1" in path.name else TS_00254
        assert len(warp.read(path, told)) == 41


def movement_distances(folder):
    """(n, 2) angstrom: our positions less Warp's own, 27 points in 41 views."""
    points, _, mappings = read_star(folder / "TS_1.star")
    columns = [f"centeredCoordinate{axis}Angst" for axis in "XYZ"]
    at = np.stack([points.numbers(label) for label in columns], -1)
    wanted = np.stack([mappings.numbers(label) for label in columns[:2]], -1)
    alignment = warp.read(folder / "TS_1.xml")
    assert alignment.displacement.largest > 5
    return alignment.project(at).swapaxes(0, 1).reshape(-1, 2) - wanted


def test_movement_grids_are_warps(shared):
    apart = movement_distances(shared / "data" / "warp_geometry_refs")

    assert apart.shape == (27 * 41, 2)
    assert np.abs(apart).max() < 1e-3


def test_a_grid_of_fewer_layers_is_splined_over_the_tilts(tmp_path):
    nodes = "".join(f'<Node X="0" Y="0" Z="{z}" Value="{v}" />' for z, v in ((0, 2), (1, 4)))
    grid = f'<GridMovementX Width="1" Height="1" Depth="2">{nodes}</GridMovementX></TiltSeries>'

    alignment = read(tmp_path, XML.replace("</TiltSeries>", grid))

    moved = alignment.displacement(np.zeros((2, 1, 2)))
    np.testing.assert_allclose(moved[:, 0], [[-2, 0], [-4, 0]], atol=1e-12)


def test_the_fields_of_a_series(tmp_path):
    alignment = read(tmp_path, XML)

    assert alignment.left_out == (1,)
    np.testing.assert_allclose(alignment.tilts_degrees, [-7, 11])
    np.testing.assert_allclose(alignment.refined_tilts_degrees, [-9, 9])
    np.testing.assert_allclose(alignment.x_tilts_degrees, 1)
    np.testing.assert_allclose(alignment.shifts, [[1, 4], [3, 6]])


def test_what_is_left_aside_is_named(tmp_path, caplog):
    text = XML.replace("UnselectManual", 'MagnificationCorrection="1.01, 0, 0, 1" UnselectManual')
    warping = '<GridVolumeWarpX><Node Value="3" /></GridVolumeWarpX></TiltSeries>'

    read(tmp_path, text.replace("</TiltSeries>", warping))

    assert "MagnificationCorrection 1.01" in caplog.text
    assert "GridVolumeWarpX (motion of the volume) is left aside" in caplog.text


def test_warps_import_of_an_xf_is_the_mirror_twin(shared):
    """TS_00254: Warp took the stage angles as they were, so z runs the other way.

    It also took the shifts as they were, from (n - 1)/2 where its own centre is n/2.
    """
    folder = shared / "data" / "empiar10499_ts254"
    of_imod = imod.read(folder / "imod" / "TS_00254.xf", TS_00254)
    of_warp = warp.read(folder / "warp_from_xf" / "00254.xml", TS_00254)

    points = np.random.default_rng(1).uniform(-1, 1, (50, 3)) * [3260, 3150, 1500]
    apart = of_warp.pixels(points * [1, 1, -1]) - of_imod.pixels(points)

    np.testing.assert_allclose(apart, 0.5, atol=1e-3)


def test_an_xf_goes_to_warp_and_back(shared, tmp_path):
    source = shared / "data" / "empiar10499_ts254" / "imod" / "TS_00254.xf"
    alignment = imod.read(source, TS_00254)

    warp.write(alignment, tmp_path / "a.xml")
    imod.write(warp.read(tmp_path / "a.xml", TS_00254), tmp_path / "b.xf")

    assert same_frame_distances(alignment, imod.read(tmp_path / "b.xf", TS_00254)).max() < 1e-3
    assert np.abs(imod.read_xf(tmp_path / "b.xf") - imod.read_xf(source)).max() < 1e-3


def test_the_layout_is_warps_and_the_rest_of_the_source_is_kept(tmp_path):
    alignment = read(tmp_path, XML)

    warp.write(alignment.without([0]), tmp_path / "b.xml", source=tmp_path / "a.xml")

    raw = (tmp_path / "b.xml").read_bytes().decode()
    assert raw.startswith('\ufeff<?xml version="1.0" encoding="utf-8"?>\n<TiltSeries ')
    assert 'AreAnglesInverted="True"' in raw
    assert "<Note>kept</Note>" in raw
    assert "\t<UseTilt>False\nFalse\nTrue</UseTilt>\n" in raw
    again = warp.read(tmp_path / "b.xml", SMALL)
    np.testing.assert_array_equal(again.sections, [2])
    assert again.tilt_offset_degrees == 2


def test_movement_comes_back(shared, tmp_path):
    alignment = warp.read(shared / "data" / "warp_geometry_refs" / "TS_1.xml")

    warp.write(alignment.without([3, 40]), tmp_path / "a.xml")

    again = warp.read(tmp_path / "a.xml")
    assert again.left_out == (3, 40)
    assert same_frame_distances(alignment.without([3, 40]), again).max() < 1e-3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</Angles>", "", ":19: no XML: mismatched tag$"),
        ("TiltSeries", "Movie", "expected <TiltSeries>, found <Movie>"),
        ("9\n0\n-9", "9\nx\n-9", "Angles: expected a number, found 'x'"),
        ("9\n0\n-9", "9\n0", "<UseTilt> has 3 values, <Angles> 2"),
        ("True\nFalse", "Perhaps\nFalse", "UseTilt: expected True or False"),
        ("True\nFalse\nTrue", "False\nFalse\nFalse", "UseTilt is False for every tilt"),
        ("AxisAngle", "Axis", "<AxisAngle> is missing or empty"),
        ('"-2"', '"nan"', "LevelAngleY: expected a number"),
        ("<Note>kept</Note>", '<GridMovementX Width="2" />', "0 nodes, expected 1 x 1 x 2"),
        ("<Note>kept</Note>", '<GridMovementX Width="-2" />', "expected a whole number"),
    ],
)
def test_a_broken_file_is_a_clear_error(tmp_path, old, new, message):
    with pytest.raises(FormatError, match=message):
        read(tmp_path, XML.replace(old, new))


def test_another_stack_is_noticed(tmp_path):
    with pytest.raises(UserError, match="has 3 views, but the stack has 4 sections"):
        read(tmp_path, XML, StackFacts(4, (64, 48), 2.0))
    sized = XML.replace("UnselectManual", 'ImageDimensionsAngstrom="128, 96" UnselectManual')
    with pytest.raises(UserError, match="for images of 32 x 24 px, the stack's have 64 x 48"):
        read(tmp_path, sized, StackFacts(3, (64, 48), 4.0))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(XML)), st.text("<>/=\"' \n0aNode", max_size=9), st.integers(0, 30))
def test_garbled_xml_is_a_clear_error(tmp_path_factory, at, put_in, gone):
    folder = tmp_path_factory.getbasetemp()
    try:
        read(folder, XML[:at] + put_in + XML[at + gone :])
    except (FormatError, UserError):
        return


def test_the_movies_pixel_size_is_not_taken_for_the_stacks(tmp_path):
    ctf = '<CTF><Param Name="PixelSize" Value="1.5" /></CTF></TiltSeries>'
    text = XML.replace("</TiltSeries>", ctf)
    with pytest.raises(UserError, match="doesn't say the pixel size"):
        read(tmp_path, text, PartialFacts(image_size=(64, 48)))

    sized = text.replace("UnselectManual", 'ImageDimensionsAngstrom="128, 96" UnselectManual')
    alignment = read(tmp_path, sized, PartialFacts(image_size=(64, 48)))

    assert alignment.pixel_size == 2.0
