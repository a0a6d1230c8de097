"""Every family holds what it can, says what it can't, and is told by its content."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.errors import UnknownFormatError, UserError, VitreousError
from vitreous.formats.alignments import (
    FAMILIES,
    conversion_losses,
    family_for,
    family_of,
    read_alignment,
    same_frame_distances,
    write_alignment,
)
from vitreous.formats.facts import PartialFacts
from vitreous.geometry.rotations import view_rotation
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.displacement import Displacement

SUFFIX = {"imod": ".xf", "aretomo": ".aln", "warp": ".xml", "eman": ".json"}
PIXEL_SIZE = 1.35


def name_for(folder, family):
    return folder / f"a{SUFFIX.get(family, '.star')}"


def written_and_read(folder, alignment, family, **how):
    path = name_for(folder, family)
    write_alignment(alignment, path, family, **how)
    told = PartialFacts(alignment.section_count, alignment.image_size, alignment.pixel_size)
    return read_alignment(path, told, **how)


def simple(tilts=(-60.0, -20.0, 0.0, 20.0, 60.0), size=(4092, 5760), **more):
    count = len(tilts)
    return alignment_from_angles(
        **{
            "axes_degrees": np.linspace(84, 86, count),
            "tilts_degrees": np.array(tilts),
            "shifts": np.linspace(-90, 120, 2 * count).reshape(count, 2),
            "image_size": size,
            "pixel_size": PIXEL_SIZE,
            **more,
        }
    )


ANGLE = st.floats(-180, 180)


@st.composite
def rigid_alignments(draw):
    """Rotations, angles and shifts over a 4k image; some sections left out."""
    count = draw(st.integers(2, 6))
    used = draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any))
    views = sum(used)
    per_view = lambda low, high: np.array(  # noqa: E731
        draw(st.lists(st.floats(low, high), min_size=views, max_size=views))
    )
    return alignment_from_angles(
        axes_degrees=draw(ANGLE) + per_view(-1, 1),
        tilts_degrees=np.sort(per_view(-70, 70)),
        shifts=np.stack([per_view(-900, 900), per_view(-900, 900)], -1),
        sections=np.flatnonzero(used),
        section_count=count,
        image_size=draw(st.sampled_from([(4096, 4096), (4092, 5760), (3711, 3838), (4095, 4097)])),
        pixel_size=draw(st.sampled_from([0.675, 1.35, 13.0])),
        tilt_offset_degrees=draw(st.floats(-15, 15)),
    )


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=12, deadline=None)
@given(alignment=rigid_alignments())
def test_rotations_angles_and_shifts_come_back(tmp_path_factory, family, alignment):
    folder = tmp_path_factory.mktemp("family")

    again = written_and_read(folder, alignment, family)

    assert same_frame_distances(alignment, again).max() < 1e-3
    np.testing.assert_array_equal(again.sections, alignment.sections)
    assert again.section_count == alignment.section_count
    assert not conversion_losses(alignment, family).names


@pytest.mark.parametrize("family", ["imod", "aretomo", "warp"])
def test_the_constant_offset_stays_apart(tmp_path, family):
    alignment = simple(tilt_offset_degrees=3.5)

    again = written_and_read(tmp_path, alignment, family)

    assert again.tilt_offset_degrees == pytest.approx(3.5)
    np.testing.assert_allclose(again.refined_tilts_degrees, [-63.5, -23.5, -3.5, 16.5, 56.5])


@pytest.mark.parametrize("family", ["imod", "aretomo", "relion4"])
def test_the_thickness_goes_along(tmp_path, family):
    again = written_and_read(tmp_path, simple(thickness_angstrom=1620.0), family)

    assert again.thickness_angstrom == pytest.approx(1620.0, abs=PIXEL_SIZE)


def test_aretomos_newer_kernel_comes_back(tmp_path):
    alignment = simple()

    again = written_and_read(tmp_path, alignment, "aretomo", aretomo_kernel="3")

    assert same_frame_distances(alignment, again).max() < 1e-3


@pytest.mark.parametrize(
    ("family", "lost"),
    [
        ("imod", []),
        ("relion4", []),
        ("aretomo", ["magnification", "stretch and skew", "X tilt ("]),
        ("relion5", ["magnification", "stretch and skew"]),
        ("warp", ["magnification", "stretch and skew", "X tilt that differs between views"]),
        ("eman", ["magnification", "stretch and skew"]),
    ],
)
def test_what_a_family_cannot_hold_is_named(tmp_path, family, lost):
    rotation = view_rotation(85.0, np.array([-50.0, 0, 50]), np.array([1.0, 2.0, 4.0]))
    stretch = np.array([[1.02, 0.001], [0.0, 1.0]])
    alignment = replace(simple((-50.0, 0, 50)), projections=stretch @ rotation[:, :2])

    losses = conversion_losses(alignment, family)
    again = written_and_read(tmp_path, alignment, family)

    assert len(losses.names) == len(lost)
    assert all(name.startswith(start) for name, start in zip(losses.names, lost, strict=True))
    found = same_frame_distances(alignment, again)
    assert losses.worst_px == pytest.approx(found.max(), abs=2e-3)
    assert losses.mean_px == pytest.approx(found.mean(), abs=2e-3)
    assert (losses.worst_px > 10) == bool(lost)
    assert losses.agreement.rms_px <= np.sqrt((losses.distances_px**2).mean()) + 1e-6


def test_a_constant_x_tilt_is_warps_and_a_turn_of_the_specimen_in_aretomo(tmp_path):
    alignment = simple(x_tilts_degrees=6.0)

    in_warp = conversion_losses(alignment, "warp")
    in_aretomo = conversion_losses(alignment, "aretomo")

    assert in_warp.worst_px < 1e-6
    assert in_aretomo.names == ("X tilt (6.000 degrees)",)
    assert in_aretomo.worst_px > 10
    assert in_aretomo.agreement.worst_px < 1e-6
    assert in_aretomo.agreement.motion.degrees == pytest.approx(6)
    written_and_read(tmp_path, alignment, "warp")


def test_local_motion_is_named_and_warp_keeps_it(tmp_path, rng):
    field = Displacement(rng.normal(size=(5, 2, 4, 4)) * 9, (4092 * PIXEL_SIZE, 5760 * PIXEL_SIZE))
    alignment = replace(simple(), displacement=field)

    for family in FAMILIES:
        losses = conversion_losses(alignment, family)
        again = written_and_read(tmp_path, alignment, family)
        if family == "warp":
            assert not losses.names
            assert same_frame_distances(alignment, again).max() < 1e-3
        else:
            assert losses.names[0].startswith("local motion (up to ")
            assert 1 < losses.worst_px < 40


def test_aretomos_patches_go_to_warp(tmp_path):
    rows = "".join(f"{i} 85 1 {i} 0 1 1 1 0 {20 * i}\n" for i in range(3))
    local = "".join(f"{i} {p} {600 * p} 90 {p + i} 7 1\n" for i in range(3) for p in range(3))
    source = tmp_path / "source.aln"
    source.write_text(
        f"# AreTomo Alignment\n# RawSize = 4095 4096 3\n{rows}# Local Alignment\n{local}"
    )
    alignment = read_alignment(source, PartialFacts(pixel_size=1.5))

    again = written_and_read(tmp_path, alignment, "warp")

    assert alignment.displacement.largest > 7
    assert same_frame_distances(alignment, again).max() < 1e-3


def test_the_family_is_told_by_content(shared, tmp_path):
    data = shared / "data"
    (json_file,) = (data / "parsers" / "eman_json").iterdir()
    aln = shared / "reference" / "aln_samples" / "global_no_local.aln"
    odd_name = tmp_path / "odd.txt"
    odd_name.write_bytes(aln.read_bytes())

    assert family_of(data / "empiar10499_ts254" / "imod" / "TS_00254.xf") == "imod"
    assert family_of(data / "empiar10499_ts254" / "imod" / "TS_00254.tlt") == "imod"
    assert family_of(odd_name) == "aretomo"
    assert family_of(data / "empiar10499_ts254" / "warp_refined" / "00254.xml") == "warp"
    assert family_of(json_file) == "eman"
    with pytest.raises(UnknownFormatError, match="this is no alignment, but: MRC image"):
        family_of(data / "empiar10499_ts254" / "TS_00254_10A_int8.mrc")


@pytest.mark.parametrize(("family", "program"), [("warp", "Warp"), ("eman", "EMAN2")])
def test_another_sense_of_tilt_is_said_once(tmp_path, caplog, family, program):
    caplog.set_level("INFO")

    write_alignment(simple(), name_for(tmp_path, family), family)

    said = f"{program} turns the other way: angles negated, same hand as IMOD's rotx"
    assert caplog.text.count(said) == 1


def test_outputs_go_by_suffix():
    assert family_for(Path("a.star")) == "relion5"
    with pytest.raises(UserError, match=r"no family writes .foo. Use one of .xf, .aln"):
        family_for(Path("a.foo"))


def test_a_list_of_angles_is_a_stack_that_is_aligned_already(tmp_path, caplog):
    (tmp_path / "a.tlt").write_text("-3\n0\n3\n")
    told = PartialFacts(3, (64, 48), 2.0)

    of_imod = read_alignment(tmp_path / "a.tlt", told)
    of_eman = read_alignment(tmp_path / "a.tlt", told, family="eman")

    assert "taken as aligned" in caplog.text
    np.testing.assert_allclose(of_imod.tilts_degrees, [-3, 0, 3])
    np.testing.assert_allclose(of_eman.tilts_degrees, [3, 0, -3])


def test_sections_can_be_left_out_on_reading(tmp_path):
    for family in FAMILIES:
        path = name_for(tmp_path, family)
        write_alignment(simple(), path, family)
        told = PartialFacts(5, (4092, 5760), PIXEL_SIZE)
        assert read_alignment(path, told, left_out=[0, 3]).left_out == (0, 3), family
        with pytest.raises(UserError, match="tilt 6 can't be left out, there are 1 to 5"):
            read_alignment(path, told, left_out=[5])
        with pytest.raises(UserError, match="no tilt is left"):
            read_alignment(path, told, left_out=range(5))


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_garbled_file_is_a_clear_error(tmp_path_factory, family, data):
    folder = tmp_path_factory.mktemp("garbled")
    path = name_for(folder, family)
    write_alignment(simple(), path, family)
    main = folder / "tilt_series" / "a.star" if family == "relion5" else path
    text = main.read_text()
    at = data.draw(st.integers(0, len(text)))
    gone = data.draw(st.integers(0, 40))
    put_in = data.draw(st.text('0123456789-+.eE nan#_@/[],<>"\n', max_size=6))
    main.write_text(text[:at] + put_in + text[at + gone :])

    found = alignment_or_error(path, family)

    assert isinstance(found, Alignment | VitreousError)


def alignment_or_error(path, family):
    try:
        return read_alignment(path, PartialFacts(5, (4092, 5760), PIXEL_SIZE), family=family)
    except VitreousError as error:
        return error
