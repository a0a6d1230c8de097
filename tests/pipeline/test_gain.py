import logging

import numpy as np
import pytest
import tifffile

from tests.formats.eer_files import packed, write_eer
from tests.formats.test_mrc import written
from vitreous.errors import UserError
from vitreous.formats.gains import read_gain
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie
from vitreous.formats.mrc import MrcWriter
from vitreous.motion.gain import turned
from vitreous.motion.gain_settings import GainSettings
from vitreous.pipeline.gain import prepare_gain, read_defect_map, sum_movies

STORED = {  # option -> how the true gain was stored (R3's README)
    "rot1": lambda gain: np.rot90(gain, 1),
    "rot2": lambda gain: gain[::-1, ::-1],
    "rot3": lambda gain: np.rot90(gain, -1),
    "flip1": lambda gain: gain[::-1],
    "flip2": lambda gain: gain[:, ::-1],
    "rot1_flip1": lambda gain: np.rot90(gain[::-1], 1),
    "rot3_flip2": lambda gain: np.rot90(gain[:, ::-1], -1),
}


def options(name):
    return {part[:-1]: int(part[-1]) for part in name.split("_")}


def as_settings(name, **more):
    turns = options(name)
    return GainSettings(rotate=turns.get("rot", 0), flip=turns.get("flip", 0), **more)


@pytest.fixture(scope="module")
def relion(shared):
    """Movie (12, 224, 256) and true gain of RELION's runs."""
    with np.load(shared / "oracles" / "R3_relion_motioncorr" / "input.npz") as stored:
        return stored["mov"], stored["gain"]


def write_gain(path, gain):
    """A gain as R3 has it: TIFF files have their rows turned round."""
    if path.suffix == ".tif":
        tifffile.imwrite(path, gain[::-1])
    else:
        written(path.parent, np.ascontiguousarray(gain), path.name, size=(*gain.shape[::-1], 1))
    return path


def write_movie(path, movie):
    if path.suffix == ".tif":
        tifffile.imwrite(path, movie[:, ::-1], photometric="minisblack", compression="lzw")
    else:
        frames, rows, columns = movie.shape
        data = movie.astype(np.int16)
        written(path.parent, data, path.name, size=(columns, rows, frames), mode=1)
    return path


@pytest.mark.parametrize("movie_kind", [".mrcs", ".tif"])
@pytest.mark.parametrize("gain_kind", [".mrc", ".tif"])
def test_relions_options_give_the_true_gain_exactly(tmp_path, relion, movie_kind, gain_kind):
    movie, gain = relion
    frames = write_movie(tmp_path / f"movie{movie_kind}", movie)

    for name, store in STORED.items():
        reference = write_gain(tmp_path / f"{name}{gain_kind}", store(gain))
        settings = as_settings(name, find_defects=False)
        prepared = prepare_gain(reference, [frames], settings)
        np.testing.assert_array_equal(prepared.gain, gain, err_msg=name)
    np.testing.assert_array_equal(open_movie(frames, None, 1.5).read(7), movie[7])


def test_a_gain_read_and_turned_by_the_wrong_option_is_another(tmp_path, relion):
    reference = write_gain(tmp_path / "flip1.mrc", STORED["flip1"](relion[1]))

    assert not np.array_equal(turned(read_gain(reference), 0, 2), relion[1])


@pytest.mark.parametrize("name", STORED)
def test_auto_finds_the_orientation_from_a_dozen_frames_of_relions_movie(tmp_path, relion, name):
    movie, gain = relion
    frames = write_movie(tmp_path / "movie.tif", movie)
    reference = write_gain(tmp_path / "stored.mrc", STORED[name](gain))

    prepared = prepare_gain(reference, [frames], GainSettings(auto=True, find_defects=False))

    np.testing.assert_array_equal(prepared.gain, gain)


def session(tmp_path, rng, movies=4, shape=(64, 80), counts=25):
    """Raw movies of 3 frames and their gain; a hot pixel and a dead column."""
    gain = (1 + 0.06 * rng.normal(size=shape)).clip(0.4, 2).astype(np.float32)
    paths = []
    for number in range(movies):
        frames = rng.poisson(counts / gain, (3, *shape)).clip(0, 250).astype(np.uint8)
        frames[:, 10, 11] = 255
        frames[:, :, 40] = 0
        paths.append(write_movie(tmp_path / f"m{number}.tif", frames))
    return gain, paths


def test_a_wrong_choice_is_caught_and_kept_without_auto(tmp_path, rng, caplog):
    gain, movies = session(tmp_path, rng)
    reference = write_gain(tmp_path / "gain.mrc", gain)

    asked = prepare_gain(reference, movies, GainSettings(rotate=2, find_defects=False))

    np.testing.assert_array_equal(asked.gain, gain[::-1, ::-1])
    warned = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "the movies fit the gain with rotate 0, flip 0, not with rotate 2, flip 0" in warned[0]


def test_auto_takes_what_fits_and_says_that_the_choice_was_wrong(tmp_path, rng, caplog):
    gain, movies = session(tmp_path, rng)
    reference = write_gain(tmp_path / "gain.mrc", gain[::-1])

    found = prepare_gain(reference, movies, GainSettings(auto=True, rotate=2, find_defects=False))

    np.testing.assert_array_equal(found.gain, gain)
    assert found.orientation == (0, 1)
    assert "the movies fit rotate 0, flip 1, which is taken, not rotate 2, flip 0" in caplog.text


def test_a_flat_field_is_told_from_a_gain(tmp_path, rng, caplog):
    gain, movies = session(tmp_path, rng)
    flat = write_gain(tmp_path / "flat.mrc", (1000 / gain).astype(np.float32))

    found = prepare_gain(flat, movies, GainSettings(auto=True, find_defects=False))

    np.testing.assert_allclose(found.gain / gain, np.median(found.gain / gain), rtol=1e-5)


def test_defects_are_found_listed_and_zero_in_the_gain(tmp_path, rng):
    gain, movies = session(tmp_path, rng)
    reference = write_gain(tmp_path / "gain.tif", gain)
    listed = tmp_path / "defects.txt"
    listed.write_text("70 50 2 3\n")

    found = prepare_gain(reference, movies, defects=listed)

    expected = np.zeros(gain.shape, bool)
    expected[10, 11] = expected[50:53, 70:72] = expected[:, 40] = True
    np.testing.assert_array_equal(found.defects, expected)
    assert not found.gain[expected].any()
    np.testing.assert_array_equal(found.gain[~expected], gain[~expected])


def test_a_map_of_defects_can_be_an_image(tmp_path, rng):
    gain, movies = session(tmp_path, rng)
    marked = np.zeros(gain.shape, np.float32)
    marked[3, 4] = 1
    reference = write_gain(tmp_path / "gain.mrc", gain)
    defects = write_gain(tmp_path / "map.tif", marked)

    found = prepare_gain(reference, movies, GainSettings(find_defects=False), defects=defects)

    assert np.argwhere(found.defects).tolist() == [[3, 4]]


def test_a_super_resolution_gain_is_brought_to_the_movies(tmp_path, rng):
    gain, movies = session(tmp_path, rng)
    fine = write_gain(tmp_path / "gain.mrc", np.repeat(np.repeat(gain[:, ::-1], 2, 0), 2, 1))

    found = prepare_gain(fine, movies, GainSettings(auto=True, find_defects=False))

    np.testing.assert_allclose(found.gain, gain, rtol=1e-6)


def test_the_gain_of_eer_movies_lies_on_them_as_it_is_stored(tmp_path, rng):
    shape = (48, 64)
    gain = (1 + 0.1 * rng.normal(size=shape)).clip(0.5, 2).astype(np.float32)
    frames = []
    for _ in range(150):
        hit = np.flatnonzero(rng.random(gain.size) < 0.3 / gain.ravel())
        frames.append(packed([(int(pixel), 0) for pixel in hit], gain.size, 7, 4))
    movie = write_eer(tmp_path / "x.eer", frames, shape[::-1])
    tifffile.imwrite(tmp_path / "x.gain", gain)
    settings = GainSettings(find_defects=False)

    plain = prepare_gain(tmp_path / "x.gain", [movie], settings)
    finer = prepare_gain(
        tmp_path / "x.gain", [movie], settings, reading=MovieSettings(eer_upsampling=2)
    )

    assert plain.check.best == (0, 0)
    assert plain.check.is_sure
    np.testing.assert_array_equal(plain.gain, gain)
    np.testing.assert_array_equal(finer.gain[1::2, 1::2], gain)


def test_a_list_of_defects_counts_the_cameras_pixels(tmp_path):
    (tmp_path / "defects.txt").write_text("3 0 1 8\n5 2 2 1\n")
    camera = np.zeros((8, 16), bool)
    camera[:, 3] = camera[2, 5:7] = True
    with MrcWriter(tmp_path / "defects.mrc", (1, 8, 16), 1.0) as writer:
        writer.write((0, 0, 0), camera[None].astype(np.float32))

    for name in ("defects.txt", "defects.mrc"):
        finer = read_defect_map(tmp_path / name, (16, 32), 2)
        np.testing.assert_array_equal(finer, camera.repeat(2, 0).repeat(2, 1))
        np.testing.assert_array_equal(read_defect_map(tmp_path / name, (8, 16)), camera)


def test_movies_that_cant_be_read_are_named_and_passed_over(tmp_path, rng, caplog):
    _, movies = session(tmp_path, rng)
    movies[1].write_bytes(movies[1].read_bytes()[:300])
    write_movie(movies[2], np.ones((3, 8, 8), np.uint8))

    summed = sum_movies(movies)

    assert summed.movies == 2
    assert summed.frames == 6
    assert "left out" in caplog.text
    assert "m1.tif" in caplog.text
    assert "m2.tif: its frames have 8 x 8 pixels" in caplog.text


def test_a_single_movie_is_halved_by_its_frames(tmp_path, rng):
    movie = rng.integers(1, 9, (5, 8, 8)).astype(np.uint8)

    summed = sum_movies([write_movie(tmp_path / "x.tif", movie)])

    np.testing.assert_array_equal(summed.halves, [movie[::2].sum(0), movie[1::2].sum(0)])


def test_few_movies_are_spread_over_the_session():
    settings = GainSettings(most_movies=4)

    assert settings.looked_at(list(range(100))) == [0, 33, 66, 99]
    assert settings.looked_at([1, 2]) == [1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda gain: gain[:, :-3], r"has 77 x 64 pixels, the movies 80 x 64"),
        (lambda gain: gain * 0, "all values of the gain are 0"),
        (lambda gain: gain.T, "A quarter turn"),
    ],
)
def test_a_gain_that_cant_be_theirs_is_refused(tmp_path, rng, change, message):
    gain, movies = session(tmp_path, rng)
    reference = write_gain(tmp_path / "gain.mrc", change(gain))

    with pytest.raises(UserError, match=message):
        prepare_gain(reference, movies)


def test_auto_without_movies_or_from_empty_or_too_few_ones_is_refused(tmp_path, rng):
    gain, _ = session(tmp_path, rng)
    reference = write_gain(tmp_path / "gain.mrc", gain)
    empty = write_movie(tmp_path / "empty.tif", np.zeros((2, 64, 80), np.uint8))
    dim = write_movie(tmp_path / "dim.tif", rng.poisson(0.05, (2, 64, 80)).astype(np.uint8))

    with pytest.raises(UserError, match="--auto takes the orientation from movies"):
        prepare_gain(reference, [], GainSettings(auto=True))
    with pytest.raises(UserError, match="the movies are empty"):
        prepare_gain(reference, [empty])
    with pytest.raises(UserError, match=r"don't tell the orientation.*Name more movies"):
        prepare_gain(reference, [dim], GainSettings(auto=True))
