import json
import logging

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.eer_files import packed, packed_pixels, stored_place, write_eer
from vitreous.errors import FormatError, UserError
from vitreous.formats.eer import frames_in_a_group, read_eer_header
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie, require_frames
from vitreous.kernels.cpu.eer import PADDING, add_electrons

SIZE = (32, 24)  # columns, rows
PIXELS = SIZE[0] * SIZE[1]
KINDS = {65000: (8, 2), 65001: (7, 2), 65002: (7, 1)}  # bits of a gap, of a place along a side


def planted(rng, raw_frames, places, least=20):
    """Per raw frame electrons (n, 4): column, row, place x, place y; few and far, then many."""
    frames = []
    for number in range(raw_frames):
        count = (0, 2, least, 4 * least)[number % 4]
        pixels = np.sort(rng.choice(PIXELS, count, replace=False))
        place = rng.integers(0, places, (count, 2))
        frames.append(np.column_stack([pixels % SIZE[0], pixels // SIZE[0], place]))
    return frames


def streams(frames, compression):
    run_bits, side_bits = KINDS[compression]
    return [
        packed(
            [(y * SIZE[0] + x, stored_place(fx, fy, side_bits)) for x, y, fx, fy in frame.tolist()],
            PIXELS,
            run_bits,
            2 * side_bits,
            symbol_after_full_run=compression == 65000,
        )
        for frame in frames
    ]


def counted(frames, upsampling, places):
    """The image that planted electrons make, pixel by pixel."""
    image = np.zeros((SIZE[1] * upsampling, SIZE[0] * upsampling), int)
    for x, y, fx, fy in np.concatenate(frames).tolist():
        image[
            (y * places + fy) * upsampling // places, (x * places + fx) * upsampling // places
        ] += 1
    return image


@pytest.fixture
def movie_of(tmp_path, rng):
    """movie_of(compression, raw_frames) -> its path and the planted electrons."""

    def made(compression=65001, raw_frames=7, **how):
        places = 1 << KINDS[compression][1]
        frames = planted(rng, raw_frames, places)
        path = write_eer(tmp_path / "x.eer", streams(frames, compression), SIZE, compression, **how)
        return path, frames

    return made


@pytest.mark.parametrize("strips", [1, 2])
@pytest.mark.parametrize(
    ("compression", "upsampling"),
    [(kind, up) for kind in KINDS for up in (1, 2, 4) if (kind, up) != (65002, 4)],
)
def test_planted_electrons_come_back_exactly(movie_of, compression, upsampling, strips):
    path, frames = movie_of(compression, strips=strips)

    movie = open_movie(path, MovieSettings(eer_group=3, eer_upsampling=upsampling), pixel_size=1.2)

    assert movie.shape == (2, SIZE[1] * upsampling, SIZE[0] * upsampling)
    assert movie.pixel_size == pytest.approx(1.2 / upsampling)
    for index in range(2):
        wanted = counted(frames[3 * index : 3 * index + 3], upsampling, 1 << KINDS[compression][1])
        np.testing.assert_array_equal(movie.read(index), wanted)


@settings(max_examples=40, deadline=None)
@given(pixels=st.sets(st.integers(0, PIXELS - 1)), kind=st.sampled_from([65000, 65001, 65002]))
def test_a_frame_ends_at_its_last_pixel_whatever_it_holds(pixels, kind):
    run_bits, side_bits = KINDS[kind]
    events = [(pixel, pixel % (1 << 2 * side_bits)) for pixel in sorted(pixels)]
    stream = packed(events, PIXELS, run_bits, 2 * side_bits, kind == 65000) + bytes(PADDING)
    image = np.zeros(SIZE[::-1], np.uint8)

    end = add_electrons(
        np.frombuffer(stream, np.uint8),
        run_bits,
        side_bits,
        side_bits,
        kind == 65000,
        *SIZE,
        1,
        image,
        1,
    )

    assert end == PIXELS
    assert set(np.flatnonzero(image)) == pixels


@settings(max_examples=40, deadline=None)
@given(pixels=st.sets(st.integers(0, PIXELS - 1)))
def test_many_electrons_are_packed_as_few_are(pixels):
    pixels = np.array(sorted(pixels), int)
    places = pixels % 16

    slowly = packed(list(zip(pixels.tolist(), places.tolist(), strict=True)), PIXELS, 7, 4)

    assert packed_pixels(pixels, places, PIXELS) == slowly


@pytest.mark.parametrize("compression", [65001, 65002])
def test_another_decoder_finds_the_same(movie_of, compression):
    path, frames = movie_of(compression)
    bits = KINDS[compression][1]
    movie = open_movie(path, MovieSettings(eer_group=1, eer_upsampling=2))

    for index, stream in enumerate(streams(frames, compression)):
        theirs = imagecodecs.eer_decode(
            stream, (SIZE[1] * 2, SIZE[0] * 2), 7, bits, bits, superres=1
        )
        np.testing.assert_array_equal(movie.read(index), theirs)


def test_the_reference_streams_give_the_reference_pixels(shared):
    examples = json.loads((shared / "reference" / "session_vectors.json").read_text())["eer"]

    for example in examples:
        width, height, run_bits = example["width"], example["height"], example["run_bits"]
        stream = np.frombuffer(bytes.fromhex(example["hex"]) + bytes(PADDING), np.uint8)
        for upsampling, places in example["pixels"].items():
            up = int(upsampling)
            image = np.zeros((height * up, width * up), np.uint8)
            bits = example["sub_bits"] // 2
            how = (run_bits, bits, bits, run_bits == 8, width, height, up)
            assert add_electrons(stream, *how, image, 1) == width * height
            assert sorted(map(tuple, np.argwhere(image)[:, ::-1])) == sorted(map(tuple, places))


def test_an_incomplete_last_group_is_left_out_and_said(movie_of, caplog):
    path, _ = movie_of(raw_frames=11)

    with caplog.at_level(logging.INFO, "vitreous"):
        movie = open_movie(path, MovieSettings(eer_group=4))

    assert movie.shape[0] == 2
    assert "11 raw frames make 2 frames of 4; the last 3 are left out" in caplog.text


@pytest.mark.parametrize(("group", "held"), [(4, [4, 7]), (12, [11])])
def test_an_incomplete_last_group_may_join_the_one_before(movie_of, group, held):
    path, frames = movie_of(raw_frames=11)

    movie = open_movie(path, MovieSettings(eer_group=group, eer_join_rest=True))

    assert movie.shape[0] == len(held)
    for index, count in enumerate(held):
        first = sum(held[:index])
        wanted = counted(frames[first : first + count], 1, 4)
        np.testing.assert_array_equal(movie.read(index), wanted)


@pytest.mark.parametrize(
    ("raw", "how", "dose", "group"),
    [
        (149, {}, None, 18),
        (5, {}, None, 1),
        (149, {"eer_group": 40}, None, 40),
        (150, {"eer_dose": 0.5}, 3.0, 25),
        (149, {"eer_dose": 0.4}, 3.0, 18),
        (10, {"eer_dose": 50}, 3.0, 10),
    ],
)
def test_groups_are_of_frames_or_of_a_dose(raw, how, dose, group):
    assert frames_in_a_group(raw, MovieSettings(**how), dose) == group


def test_a_group_by_dose_takes_the_microscopes_dose(movie_of):
    path, _ = movie_of(raw_frames=8, dose=2 * 1.54**2)  # 2 e/A^2

    assert open_movie(path, MovieSettings(eer_dose=0.5)).shape[0] == 4


def test_a_group_by_dose_needs_a_dose(movie_of):
    path, _ = movie_of(metadata="")

    with pytest.raises(UserError, match=r"doesn't tell its dose.*--eer-group"):
        open_movie(path, MovieSettings(eer_dose=0.5), pixel_size=1.0)


def test_a_group_larger_than_the_movie_is_refused(movie_of):
    path, _ = movie_of(raw_frames=7)

    with pytest.raises(UserError, match=r"x.eer has 7 raw frames.* frame of 8"):
        open_movie(path, MovieSettings(eer_group=8))


def test_places_finer_than_the_cameras_are_refused(movie_of):
    path, _ = movie_of(65002)

    with pytest.raises(UserError, match=r"1/2 of a pixel: it can't be up-sampled 4 times"):
        open_movie(path, MovieSettings(eer_upsampling=4))


def test_the_microscopes_pixel_size_is_taken(movie_of):
    path, _ = movie_of()

    assert open_movie(path).pixel_size == pytest.approx(1.54)


def test_without_a_pixel_size_one_must_be_given(movie_of):
    path, _ = movie_of(metadata="")

    with pytest.raises(UserError, match=r"x.eer has no pixel size"):
        open_movie(path)


def test_a_damaged_raw_frame_is_left_out_and_said(tmp_path, rng, caplog):
    frames = planted(rng, 4, 4)
    bad = streams(frames, 65001)
    bad[2] = bad[2][: len(bad[2]) // 2]
    movie = open_movie(write_eer(tmp_path / "x.eer", bad, SIZE), MovieSettings(eer_group=4))

    image = movie.read(0)

    np.testing.assert_array_equal(image, counted([frames[0], frames[1], frames[3]], 1, 4))
    assert "raw frame 3 is damaged and left out" in caplog.text


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_movie_is_a_format_error(movie_of, share):
    path, _ = movie_of(raw_frames=9)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])

    with pytest.raises(FormatError, match=r"x\.eer: "):
        open_movie(path, pixel_size=1.0)


def test_fewer_frames_than_were_recorded_are_a_format_error(movie_of):
    path, _ = movie_of(metadata='<m><item name="numberOfFrames">12</item></m>', raw_frames=9)

    with pytest.raises(FormatError, match="12 raw frames were recorded, 9 are in the file"):
        read_eer_header(path)


def test_an_mdocs_number_of_frames_counts_raw_ones(movie_of):
    path, _ = movie_of(raw_frames=8)
    movie = open_movie(path, MovieSettings(eer_group=4))

    require_frames(movie, 8)
    with pytest.raises(FormatError, match="10 frames were recorded, 8 are in the file"):
        require_frames(movie, 10)
