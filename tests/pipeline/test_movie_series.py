"""What is known of a series of movies before they are read: pixel size, doses, voltage."""

import numpy as np
import pytest

from tests.formats.eer_files import packed, write_eer
from vitreous.errors import UserError
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.tiff import write_tiff_stack
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline.inputs import MicroscopeInput
from vitreous.pipeline.movie_makings import motion_of
from vitreous.pipeline.movie_series import open_movies
from vitreous.pipeline.session import Files, Notes, find_session

SIZE = (32, 24)  # x, y px of the camera
TILTS = (0, 3, -3)


def tiff(path):
    write_tiff_stack(path, list(np.ones((4, SIZE[1], SIZE[0]), np.uint8)), 1.0)


def eer(path):
    electrons = [(pixel, 0) for pixel in range(0, SIZE[0] * SIZE[1], 7)]
    stream = packed(electrons, SIZE[0] * SIZE[1], 7, 4)
    write_eer(path, [stream] * 8, SIZE)


@pytest.fixture
def series(tmp_path):
    """series(head, record, movie=..., reading=..., given=..., pixel=...) -> opened."""

    def opened(head="", record="", movie=tiff, ending="tif", reading=None, given=None, pixel=None):
        text = head + "\n"
        for z, tilt in enumerate(TILTS):
            name = f"a_{z + 1:03d}_{tilt}.0.{ending}"
            movie(tmp_path / name)
            text += f"[ZValue = {z}]\nTiltAngle = {tilt}\nSubFramePath = {name}\n{record}\n"
        (tmp_path / "a.mdoc").write_text(text)
        session = find_session("a", Notes(tmp_path, (tmp_path / "a.mdoc",)), Files())
        given, reading = given or MicroscopeInput(), reading or MovieSettings()
        return open_movies("a", session, given, pixel, reading)

    return opened


def test_the_pixel_of_binned_images_is_made_that_of_the_movies(series):
    found = series("PixelSpacing = 4\nImageSize = 16 12", "Binning = 2")

    assert found.pixel_size == 2
    assert found.series.image_size == SIZE


def test_a_pixel_size_that_is_given_goes_before(series):
    assert series("PixelSpacing = 4\nImageSize = 16 12", pixel=1.3).pixel_size == 1.3


def test_without_a_pixel_size_anywhere_the_option_is_named(series):
    with pytest.raises(UserError, match=r"nothing says the pixel size of the movies.*--pixel"):
        series("ImageSize = 16 12")


def test_doses_voltage_and_axis_that_are_given_go_before(series):
    given = MicroscopeInput(dose_per_tilt=2.5, kv=200, tilt_axis=85.0)

    found = series("PixelSpacing = 2", "ExposureDose = 3", given=given)

    assert [movie.tilt.dose for movie in found.movies] == [2.5] * 3
    assert [movie.tilt.pre_exposure for movie in found.movies] == [0, 2.5, 5]
    assert (found.voltage_kv, found.series.nominal_axis_degrees) == (200, 85)


@pytest.mark.parametrize("upsampling", [1, 2])
def test_eer_movies_have_the_cameras_size_and_pixel_whatever_they_are_rendered_at(
    series, upsampling
):
    reading = MovieSettings(eer_upsampling=upsampling, eer_dose=0.5)

    found = series("ImageSize = 16 12", "NumSubFrames = 8", eer, "eer", reading)

    assert found.series.image_size == SIZE
    assert found.pixel_size == pytest.approx(1.54)  # the file's own
    assert [movie.frames for movie in found.movies] == [8] * 3


def test_a_list_of_frames_tells_the_dose_of_a_tilt(series, tmp_path):
    listed = tmp_path / "frames.txt"
    listed.write_text("2 1 0.5\n2 2 0.5\n")
    how = MovieSettings(fm_int_file=listed)

    by_list = series("PixelSpacing = 2", "ExposureDose = 9", reading=how)
    by_option = series("PixelSpacing = 2", reading=how, given=MicroscopeInput(dose_per_tilt=3.0))

    assert [tilt.dose for tilt in by_list.series.tilts] == [2.0] * 3
    assert [tilt.dose for tilt in by_option.series.tilts] == [3.0] * 3


def test_the_list_of_frames_decides_averages_by_what_it_says(series, tmp_path):
    listed, copy = tmp_path / "frames.txt", tmp_path / "copy.txt"
    listed.write_text("4 2 0.5\n")
    copy.write_text("4 2 0.5\n")
    found = series("PixelSpacing = 2")

    def decided(path):
        reading = MovieSettings(fm_int_file=path)
        return motion_of(found, "", MotionSettings(), reading).fingerprint

    before = decided(listed)
    assert decided(copy) == before
    listed.write_text("4 1 0.5\n")
    assert decided(listed) != before


def test_movies_of_one_name_but_for_their_ending_are_refused(series, tmp_path):
    tiff(tmp_path / "a_001_0.0.mrc")
    text = "PixelSpacing = 2\n"
    for z, name in enumerate(("a_001_0.0.tif", "a_001_0.0.mrc")):
        text += f"[ZValue = {z}]\nTiltAngle = {z}\nSubFramePath = {name}\n"
    tiff(tmp_path / "a_001_0.0.tif")
    (tmp_path / "b.mdoc").write_text(text)
    session = find_session("b", Notes(tmp_path, (tmp_path / "b.mdoc",)), Files())

    with pytest.raises(UserError, match=r"several movies are called a_001_0\.0"):
        open_movies("b", session, MicroscopeInput(), None, MovieSettings())


def test_movies_with_an_mdoc_each_have_their_own_pixel_and_order(tmp_path):
    for z, tilt in enumerate(TILTS):
        name = f"a_{z + 1:03d}_{tilt}.0.tif"
        tiff(tmp_path / name)
        (tmp_path / f"{name}.mdoc").write_text(
            f"Voltage = 200\n\n[FrameSet = 0]\nTiltAngle = {tilt}\nPixelSpacing = 1.5\n"
            f"ExposureDose = 3\nRotationAngle = 175\nDateTime = 06-Jun-23  10:00:0{9 - z}\n"
        )
    notes = Notes(tmp_path, tuple(sorted(tmp_path.glob("*.mdoc"))))

    found = open_movies(
        "a", find_session("a", notes, Files()), MicroscopeInput(), None, MovieSettings()
    )

    assert (found.pixel_size, found.voltage_kv) == (1.5, 200)
    assert found.series.nominal_axis_degrees == 85
    in_time = [movie.tilt.nominal_tilt_degrees for movie in found.movies]
    assert in_time == list(reversed(TILTS))
    assert [movie.tilt.pre_exposure for movie in found.movies] == [0, 3, 6]


def test_movies_without_any_mdoc_have_angles_and_order_by_name_and_no_dose(tmp_path):
    paths = [tmp_path / f"a_{z + 1:03d}_{tilt}.0.tif" for z, tilt in enumerate(TILTS)]
    for path in paths:
        tiff(path)
    session = find_session("a", Notes(tmp_path, movies=tuple(paths)), Files())

    found = open_movies("a", session, MicroscopeInput(), 2.0, MovieSettings())

    assert [movie.tilt.nominal_tilt_degrees for movie in found.movies] == list(TILTS)
    assert [movie.path for movie in found.movies] == paths
    assert {movie.tilt.dose for movie in found.movies} == {None}
