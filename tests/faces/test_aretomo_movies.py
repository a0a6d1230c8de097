"""What AreTomo3's options make of EER movies."""

import json

import pytest

from tests.formats.eer_files import packed, write_eer
from vitreous.faces.aretomo_line import parse
from vitreous.faces.aretomo_movies import integrated, movie_job, reading_of
from vitreous.formats.eer import frames_in_a_group, raw_groups
from vitreous.formats.movies import open_movie


def test_fm_int_groups_raw_frames_as_aretomo3_does(shared):
    cases = json.loads((shared / "reference/session_vectors.json").read_text())["fm_int_auto"]

    for case in cases:
        raw_frames = case["n_raw"]
        how = reading_of(parse(["-FmInt", str(case["fm_int"])]))
        if how.eer_group is None:
            how = how.model_copy(update={"eer_group": integrated(raw_frames, case["tilt_dose"])})
        size = frames_in_a_group(raw_frames, how)
        groups = raw_groups(raw_frames, size, how.eer_join_rest)
        assert [[group.start, len(group)] for group in groups] == case["frames"], case


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        ("", [10, 15]),
        ("-FmInt 4", [4, 4, 4, 4, 4, 5]),
        ("-FmInt 0", [3, 3, 3, 3, 3, 3, 3, 4]),  # 1.2 e/A^2 in the .mdoc
        ("-FmInt 0 -FmDose 0.02", [7, 7, 11]),
        ("-FmInt 4 -FmIntFile frames.txt", [2, 2, 5, 5, 5, 6]),
    ],
)
def test_movies_of_a_series_are_read_in_the_frames_of_fm_int(
    tmp_path, monkeypatch, options, frames
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "frames.txt").write_text("5 2\n20 5\n")
    names = ["a.eer", "b.eer", "c.eer"]
    for name in names:
        write_eer(tmp_path / name, [packed([(5, 0)], 32 * 24, 7, 4)] * 25, (32, 24))
    mdoc = tmp_path / "TS_1.mdoc"
    sections = [
        f"[ZValue = {k}]\nTiltAngle = {3 * k}\nExposureDose = 1.2\nSubFramePath = D:\\{name}\n"
        for k, name in enumerate(names)
    ]
    mdoc.write_text("\n".join(["PixelSpacing = 1.5\nImageSize = 32 24\n", *sections]))

    job = movie_job(parse(options.split()), "TS_1", mdoc, tmp_path / "project")

    movie = open_movie(tmp_path / "a.eer", job.movies.reading)
    assert [len(group) for group in movie.groups] == frames
    assert [int(movie.read(k).sum()) for k in range(len(frames))] == frames
