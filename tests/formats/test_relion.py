import numpy as np
import pytest

from vitreous.errors import FormatError, UserError
from vitreous.formats import relion, relion_sets
from vitreous.formats.alignments import same_frame_distances
from vitreous.formats.facts import PartialFacts
from vitreous.formats.star import read_star
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.images import StackFacts
from vitreous.records.tilt_series import Tilt, TiltSeries

SIZE = PartialFacts(image_size=(112, 96))


@pytest.fixture
def oracle(shared):
    return shared / "oracles" / "R1_relion_tomogram"


@pytest.fixture
def alignment(rng):
    return alignment_from_angles(
        axes_degrees=85 + rng.normal(size=5),
        tilts_degrees=np.linspace(-60, 60, 5),
        x_tilts_degrees=rng.normal(size=5),
        shifts=rng.normal(size=(5, 2)) * 30,
        image_size=(112, 96),
        pixel_size=5.0,
    )


def test_both_versions_of_a_set_agree_with_the_programs_matrices(oracle):
    """RELION's own matrices: 0-based voxel to 0-based pixel."""
    matrices = np.load(oracle / "input.npz")["P"]
    voxels = np.array([[0.0, 0, 0], [103, 0, 0], [0, 87, 0], [0, 0, 35], [52.5, 44, 17.25]])
    wanted = np.einsum("nij,mj->nmi", matrices[:, :2, :3], voxels) + matrices[:, None, :2, 3]

    for name in ("tilt_series.star", "tomograms_r4.star"):
        alignment = relion.read(oracle / "star" / name, SIZE)

        centre = np.array(relion.volume_centre((104, 88, 36)))
        seen = alignment.pixels((voxels - centre) * alignment.pixel_size)
        np.testing.assert_allclose(seen, wanted, atol=1e-3, err_msg=name)
        assert alignment.section_count == 17


def test_angles_and_matrices_of_a_real_set_agree(shared):
    """A set with both: RELION 5 takes the matrices, voxels counted from 0."""
    folder = shared / "data" / "parsers" / "star"
    tomogram = relion_sets.read_tomogram(folder / "relion__220728_TS_01.star__commit_32529b58_")
    table = tomogram.tilts
    angles = np.stack([table.numbers(label) for label in relion.ANGLES], -1)
    shifts = np.stack([table.numbers(label) for label in relion.SHIFTS], -1)
    matrices = np.stack([table.vectors(label, 4) for label in relion.MATRIX[:3]], 1)
    facts = StackFacts(len(table), (3710, 3838), 1.35)
    sections = np.arange(len(table))

    by_angles = relion.angles_to_alignment(angles, shifts, facts, sections)
    by_matrices = relion.matrices_to_alignment(matrices, (4000, 4000, 3000), facts, sections, 0)

    assert same_frame_distances(by_angles, by_matrices).max() < 1e-3


def test_one_of_several_tomograms_is_chosen_by_name(shared):
    path = shared / "data" / "parsers" / "star" / "pytom-match-pick__tomograms.star"

    names = relion_sets.tomogram_names(path)

    assert names[0] == "tomo200528_100"
    with pytest.raises(UserError, match=r"several tomograms, say which: tomo200528_100, tomo20"):
        relion.read(path)
    with pytest.raises(UserError, match=r"no tomogram 'x'. It has tomo200528_100"):
        relion.read(path, tomogram="x")
    with pytest.raises(UserError, match=r"names .*tomo200528_107.star.* which isn't there"):
        relion.read(path, tomogram="tomo200528_107")


def test_a_series_of_its_own_and_an_optimisation_set(shared, tmp_path, oracle):
    lone = shared / "data" / "parsers" / "star" / "pytom-match-pick__tomo200528_107.star"
    told = PartialFacts(image_size=(4092, 5760), pixel_size=1.724)
    (tmp_path / "set.star").write_text(
        f"data_\n_rlnTomoTomogramsFile {oracle / 'star' / 'tomograms_r4.star'}\n"
    )

    assert len(relion.read(lone, told)) == 35
    assert len(relion.read(tmp_path / "set.star", SIZE)) == 17
    with pytest.raises(UserError, match="is the series 'tomo200528_107', not 'other'"):
        relion.read(lone, told, tomogram="other")


def test_sets_that_describe_particles_are_refused(shared):
    folder = shared / "data" / "ribosome70s_particles"
    path = folder / "warptools_test_4-tomos_10-ptcls_box-32_angpix-12_tomograms.star"
    set_path = folder / "warptools_test_4-tomos_10-ptcls_box-32_angpix-12_optimisation_set.star"

    for found in (path, set_path):
        with pytest.raises(UserError, match="describes particle stacks"):
            relion.read(found, SIZE, tomogram="Unt_088.tomostar")


def test_a_series_that_is_not_aligned_is_said(shared):
    path = shared / "data" / "parsers" / "star" / "TomoBabel__3__TS_01.star"

    with pytest.raises(UserError, match="TS_01 isn't aligned, it has no rlnTomoXTilt"):
        relion.read(path, PartialFacts(image_size=(10, 10), pixel_size=1.0))


def test_imports_with_any_flips_keep_the_pixels(oracle, caplog):
    """RELION 4's import of one IMOD series with and without --flipYZ, --flipZ and offsets."""
    folder = oracle / "imod_import"
    told = PartialFacts(image_size=(112, 96))
    sets = sorted(folder.glob("out_*.star"))
    assert len(sets) == 7

    for path in sets:
        alignment = relion.read(path, told)
        tomogram = relion_sets.read_tomogram(path)
        matrices = np.stack([tomogram.tilts.vectors(m, 4) for m in relion.MATRIX[:3]], 1)
        voxel = np.array([30.0, 20, 10])
        seen = alignment.pixels(
            (voxel[None] - relion.volume_centre(tomogram.size)) * alignment.pixel_size
        )
        wanted = matrices[:, :2, :3] @ (voxel + 1) + matrices[:, :2, 3]
        np.testing.assert_allclose(seen[:, 0], wanted, atol=1e-6)
    assert caplog.text.count("imported without --flipZ: its volumes are mirror images") == 1


@pytest.mark.parametrize("version", [4, 5])
def test_left_out_sections_are_known_again(tmp_path, alignment, version, caplog):
    path = tmp_path / "set.star"

    relion.write(alignment.without([1, 4]), path, version=version, stack=tmp_path / "s.mrc")

    again = relion.read(path, SIZE)
    assert again.left_out == (1, 4)
    assert same_frame_distances(alignment.without([1, 4]), again).max() < 1e-3
    assert ("RELION 4 takes row k for section k" in caplog.text) == (version == 4)


def test_sections_are_told_by_image_names_too(tmp_path, alignment):
    path = tmp_path / "set.star"
    relion.write(alignment.without([1]), path, stack=tmp_path / "s.mrc")
    series = tmp_path / "tilt_series" / "set.star"
    text = series.read_text().replace("_vitreousSection", "_rlnOther")
    series.write_text(text)

    again = relion.read(path, PartialFacts(5, (112, 96)))

    np.testing.assert_array_equal(again.sections, [0, 2, 3, 4])
    assert f"000003@{tmp_path}/s.mrc:mrcs" in text
    series.write_text(text.replace("000003@", "000009@"))
    with pytest.raises(FormatError, match="no 4 different sections of a stack of 5"):
        relion.read(path, PartialFacts(5, (112, 96)))


def test_fewer_rows_than_sections_need_to_say_which(tmp_path, alignment):
    path = tmp_path / "set.star"
    relion.write(alignment, path)
    series = tmp_path / "tilt_series" / "set.star"
    series.write_text(series.read_text().replace("_vitreousSection", "_rlnOther"))

    with pytest.raises(UserError, match="has 5 views, but the stack has 6 sections"):
        relion.read(path, PartialFacts(6, (112, 96)))
    with pytest.raises(UserError, match=r"says 5 A/px, the stack 6"):
        relion.read(path, PartialFacts(5, (112, 96), 6.0))


def test_unknown_columns_and_what_the_series_knows_come_back(oracle, tmp_path):
    source = oracle / "star" / "tilt_series.star"
    series = relion_sets.read_tilt_series(source, SIZE)
    alignment = relion.read(source, SIZE)

    relion.write(alignment, tmp_path / "again.star", series=series)

    (before,) = read_star(oracle / "star" / "TS_1.star")
    (after,) = read_star(tmp_path / "tilt_series" / "TS_1.star")
    assert set(before.columns) <= set(after.columns)
    for label in before.columns:
        if label in (*relion.ANGLES, *relion.SHIFTS):
            np.testing.assert_allclose(before.numbers(label), after.numbers(label), atol=1e-5)
        elif label in ("rlnMicrographPreExposure", "rlnTomoNominalStageTiltAngle"):
            np.testing.assert_allclose(before.numbers(label), after.numbers(label))
        else:
            assert before.texts(label) == after.texts(label)
    (old,), (new,) = read_star(source), read_star(tmp_path / "again.star")
    assert set(old.columns) <= set(new.columns)


def test_a_series_record_goes_into_the_tables(tmp_path, alignment, caplog):
    tilts = tuple(
        Tilt(i, float(angle), pre_exposure=3.0 * i, movie=f"m{i}.tif", extra={"rlnOdd": str(i)})
        for i, angle in enumerate(np.linspace(-59, 61, 5))
    )
    series = TiltSeries("00255", tilts, 5.0, (112, 96), voltage_kv=200, nominal_axis_degrees=84.5)

    relion.write(alignment, tmp_path / "set.star", series=series)

    again = relion_sets.read_tilt_series(tmp_path / "set.star", SIZE)
    assert again.name == "00255"
    assert (again.voltage_kv, again.nominal_axis_degrees) == (200, 84.5)
    np.testing.assert_allclose(again.nominal_tilts_degrees, series.nominal_tilts_degrees)
    assert [tilt.pre_exposure for tilt in again.tilts] == [0, 3, 6, 9, 12]
    assert again.tilts[3].movie == "m3.tif"
    assert again.tilts[3].extra["rlnOdd"] == "3"
    assert "gets the usual: rlnSphericalAberration 2.7, rlnAmplitudeCon" in caplog.text


def test_the_size_of_a_tomogram_follows_the_axis(alignment):
    assert relion.tomogram_size(alignment) == (96, 112, 600)
