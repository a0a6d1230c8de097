"""Tilt images, CTFs and doses of tomogram sets."""

import numpy as np
import pytest

from tests.relion_sets import write_set
from vitreous.errors import FormatError, UserError
from vitreous.formats import relion
from vitreous.formats.facts import PartialFacts
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.relion_ctf import read_ctfs, read_doses
from vitreous.formats.relion_images import open_tilt_images
from vitreous.formats.relion_needs import require_columns
from vitreous.formats.relion_sets import read_tomogram, read_tomograms


def test_images_come_from_files_of_their_own_stacks_by_number_and_one_stack(tmp_path):
    """Three ways to name the same images, paths relative to the project or to the set's file."""
    project = write_set(tmp_path)

    alone = open_tilt_images(read_tomogram(project.set))
    project.rename_images(lambda k, name: f"{k + 1:06d}@stack.mrcs:mrcs")
    numbered = open_tilt_images(read_tomogram(project.set))
    of_four = open_tilt_images(read_tomogram(project.old_set))

    assert alone.shape == numbered.shape == of_four.shape == (5, 24, 32)
    for k in range(5):
        for images in (alone, numbered, of_four):
            np.testing.assert_array_equal(images.read(k), project.images[k])


def test_even_and_odd_frames_have_images_of_their_own(tmp_path):
    project = write_set(tmp_path)
    tomogram = read_tomogram(project.set)

    halves = [open_tilt_images(tomogram, which) for which in ("even", "odd")]

    np.testing.assert_allclose(halves[0].read(2) + halves[1].read(2), project.images[2], rtol=1e-6)


def test_every_missing_image_is_named_in_one_message(tmp_path):
    project = write_set(tmp_path)
    for k in (1, 3):
        (tmp_path / f"img/t{k}.mrc").unlink()

    with pytest.raises(UserError, match=r"2 images of TS_1 .* are missing: img/t1.mrc, img/t3"):
        open_tilt_images(read_tomogram(project.set))


def test_images_of_unlike_sizes_are_named(tmp_path):
    project = write_set(tmp_path)
    with MrcWriter(tmp_path / "img/t3.mrc", (1, 24, 30), 5.0, is_stack=True) as writer:
        writer.write((0, 0, 0), np.zeros((1, 24, 30), np.float32))

    with pytest.raises(UserError, match=r"most are 32 x 24 px, not so .*t3.mrc \(30 x 24\)"):
        open_tilt_images(read_tomogram(project.set))


def test_an_image_beyond_the_end_of_its_stack_is_told(tmp_path):
    project = write_set(tmp_path)
    project.rename_images(lambda k, name: f"{k + 4:06d}@stack.mrcs")

    with pytest.raises(UserError, match=r"image 6 of .*stack.mrcs is asked for, which has 5"):
        open_tilt_images(read_tomogram(project.set))


def test_the_sets_pixel_size_goes_before_the_headers(tmp_path, caplog):
    project = write_set(tmp_path)
    project.change_row(rlnTomoTiltSeriesPixelSize="4.0")

    images = open_tilt_images(read_tomogram(project.set))

    assert images.pixel_size == 4.0
    assert "the set says 4 A/px, the header of" in caplog.text


def test_rows_may_stand_in_any_order(tmp_path):
    """Rows that name sections of one stack go where the sections are, alignment and all."""
    project = write_set(tmp_path)
    project.rename_images(lambda k, name: f"{k + 1:06d}@stack.mrcs")
    before = read_tomogram(project.set)
    project.reorder([3, 0, 4, 2, 1])
    after = read_tomogram(project.set)
    size = PartialFacts(image_size=(32, 24))

    there = relion.alignment_of(before, project.set, size)
    here = relion.alignment_of(after, project.set, size)

    np.testing.assert_allclose(there.projections, here.projections)
    np.testing.assert_array_equal(open_tilt_images(after).read(3), project.images[3])


def test_ctf_and_dose_go_to_the_sections(tmp_path):
    project = write_set(tmp_path)
    tomogram = read_tomogram(project.set)

    ctfs = read_ctfs(tomogram, np.array([0, 1, 2, 4, 5]), 6, scales=np.full(5, 0.5))
    doses = read_doses(tomogram, np.array([0, 1, 2, 4, 5]), 6)

    assert (ctfs[3], doses[3]) == (None, None)
    assert (ctfs[4].defocus_u, ctfs[4].defocus_v) == (23300.0, 22700.0)
    assert (ctfs[4].astigmatism_degrees, ctfs[4].scale, ctfs[4].hand) == (35.0, 0.5, 1)
    assert (ctfs[0].voltage_kv, ctfs[0].amplitude_contrast) == (300.0, 0.1)
    assert doses == (0.0, 3.0, 6.0, None, 9.0, 12.0)


def test_a_defocus_of_zero_is_told_with_its_tilts(tmp_path):
    project = write_set(tmp_path)
    project.change_tilts(rlnDefocusU=["0", "2e4", "0", "2e4", "2e4"], rlnDefocusV=["0"] * 5)

    with pytest.raises(UserError, match=r"no defocus \(0\) for tilts 1, 3: estimate the CTF"):
        read_ctfs(read_tomogram(project.set), np.arange(5), 5)


def test_all_that_lacks_is_said_at_once(tmp_path):
    project = write_set(tmp_path)
    project.drop_tilts("rlnDefocusU", "rlnTomoZRot", "rlnMicrographNameOdd")
    project.drop_row("rlnSphericalAberration")
    project.change_row(rlnTomoFrameCount="7", rlnTomoSizeX="40")

    with pytest.raises(FormatError) as caught:
        require_columns(read_tomogram(project.set), ctf=True, halves=True)

    said = str(caught.value)
    assert "its tilts have no rlnTomoZRot, rlnMicrographNameOdd, rlnDefocusU" in said
    assert "its row in the set has no rlnSphericalAberration" in said
    assert "rlnTomoFrameCount is 7, but there are 5 tilts" in said
    assert "of the size only rlnTomoSizeX is given" in said
    assert said.endswith(
        "(--noctf). Align the series first. Half sets need images of even and odd frames."
    )


def test_angles_do_where_matrices_have_no_size(shared):
    """A set of RELION's own tests has both, and no size."""
    path = shared / "data" / "parsers" / "star" / "relion__220728_TS_01.star__commit_32529b58_"

    with pytest.raises(FormatError) as caught:
        require_columns(read_tomogram(path), ctf=True, halves=False)

    assert "its tilts have no" not in str(caught.value)
    assert "rlnTomoSizeX" not in str(caught.value)
    assert "Give the set, not the table of one series" in str(caught.value)


@pytest.mark.parametrize("columns", [("rlnDefocusU",), ("rlnMicrographNameEven",)])
def test_what_is_not_needed_may_lack(tmp_path, columns):
    project = write_set(tmp_path)
    project.drop_tilts(*columns)

    require_columns(read_tomogram(project.set), ctf=False, halves=False)


def test_all_tomograms_of_a_set_are_read_or_some(shared):
    folder = shared / "data" / "ribosome70s_particles"
    path = folder / "warptools_test_4-tomos_10-ptcls_box-32_angpix-12_tomograms.star"

    everything = read_tomograms(path)
    some = read_tomograms(path, ["Unt_088.tomostar", "Unt_083.tomostar"])

    assert len(everything) == 4
    assert [each.name for each in some] == ["Unt_088.tomostar", "Unt_083.tomostar"]


def test_an_unknown_name_brings_the_nearest(tmp_path):
    rows = "".join(f"Position_{k} x.star\n" for k in range(30))
    path = tmp_path / "set.star"
    path.write_text(f"data_global\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesStarFile\n{rows}")

    with pytest.raises(UserError, match=r"no tomogram 'Posiiton_17'. Of its 30 .*Position_17"):
        read_tomogram(path, "Posiiton_17")
