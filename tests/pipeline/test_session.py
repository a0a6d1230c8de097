"""Movies and gain references of a session, found by their names."""

from pathlib import Path

import pytest

from vitreous.errors import UserError
from vitreous.pipeline.intake import find_series
from vitreous.pipeline.session import Files, Notes, find_session, require_most

MOVIES = ("a_001_0.0.tif", "a_002_3.0.tif", "a_003_-3.0.tif")


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def mdoc(path, movies=MOVIES, folder="X:\\data\\frames\\", image=""):
    """A series' .mdoc that names movies."""
    text = f"PixelSpacing = 2\nImageFile = {image}\n"
    for z, movie in enumerate(movies):
        text += f"[ZValue = {z}]\nTiltAngle = {3 * z}\nSubFramePath = {folder}{movie}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def found(place, *mdocs, name="a", **given):
    return find_session(name, Notes(place, mdocs), Files(), **given)


@pytest.mark.parametrize("where", [".", "frames", "a/deep/frames", "../frames"])
@pytest.mark.parametrize("folder", ["X:\\data\\my frames\\", "\\\\server\\share\\", "/data/", ""])
def test_movies_are_found_by_their_exact_names(tmp_path, where, folder):
    notes = mdoc(tmp_path / "mdocs" / "a.mdoc", folder=folder)
    touch(*(tmp_path / "mdocs" / where / movie for movie in MOVIES))
    touch(tmp_path / "mdocs" / "xa_001_0.0.tif", tmp_path / "mdocs" / "a_001_0.0.tif.jpg")

    session = found(tmp_path, notes)

    assert [path.name for path in session.files] == list(MOVIES)
    assert not session.missing


def test_movies_are_found_in_the_folder_that_is_given(tmp_path):
    notes = mdoc(tmp_path / "here" / "a.mdoc")
    touch(*(tmp_path / "elsewhere" / movie for movie in MOVIES))

    assert found(tmp_path / "here", notes).missing == MOVIES
    assert not found(tmp_path / "here", notes, movies=tmp_path / "elsewhere").missing
    with pytest.raises(UserError, match="nowhere: there is no such folder of movies"):
        found(tmp_path / "here", notes, movies=tmp_path / "nowhere")


def test_two_files_of_one_name_are_refused_and_named(tmp_path):
    notes = mdoc(tmp_path / "mdocs" / "a.mdoc")
    touch(*(tmp_path / folder / movie for movie in MOVIES for folder in ("day_1", "day_2")))

    with pytest.raises(
        UserError, match=r"a_001_0.0.tif is there 2 times: .*day_1.*day_2.*--movies"
    ):
        found(tmp_path, notes)


def test_of_two_files_of_one_name_the_one_near_its_mdoc_is_meant(tmp_path):
    notes = mdoc(tmp_path / "TS_1" / "a.mdoc")
    touch(*(tmp_path / folder / "frames" / m for m in MOVIES for folder in ("TS_1", "TS_2")))

    assert {path.parent.parent.name for path in found(tmp_path, notes).files} == {"TS_1"}


def test_of_two_files_of_one_name_the_folder_that_the_mdoc_names_is_meant(tmp_path):
    notes = mdoc(tmp_path / "mdocs" / "a.mdoc", folder="X:\\data\\day_2\\")
    touch(*(tmp_path / folder / movie for movie in MOVIES for folder in ("day_1", "day_2")))

    assert {path.parent.name for path in found(tmp_path, notes).files} == {"day_2"}


def test_a_link_is_no_second_file(tmp_path):
    notes = mdoc(tmp_path / "a.mdoc")
    touch(*(tmp_path / "frames" / movie for movie in MOVIES))
    (tmp_path / "linked").symlink_to(tmp_path / "frames")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / MOVIES[0]).symlink_to(tmp_path / "frames" / MOVIES[0])

    assert not found(tmp_path, notes).missing


def test_movies_behind_a_link_to_a_folder_are_found(tmp_path):
    notes = mdoc(tmp_path / "session" / "a.mdoc")
    touch(*(tmp_path / "elsewhere" / movie for movie in MOVIES))
    (tmp_path / "session" / "frames").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "up").symlink_to(tmp_path / "session")

    assert not found(tmp_path / "session", notes).missing


def test_another_ending_is_taken_and_said(tmp_path):
    notes = mdoc(tmp_path / "a.mdoc", movies=[movie.replace(".tif", ".mrc") for movie in MOVIES])
    touch(*(tmp_path / movie for movie in MOVIES))

    session = found(tmp_path, notes)

    assert [path.name for path in session.files] == list(MOVIES)
    assert "3 movies have another ending" in session.remarks[0]


@pytest.mark.parametrize(
    ("said", "there"),
    [("fractions.tiff", "EER.eer"), ("Fractions.mrc", "Fractions.tiff"), ("EER.eer", "EER.EER")],
)
def test_tomographys_movies_are_found_in_the_kind_that_was_kept(tmp_path, said, there):
    names = [f"Position_7_{n:03d}_{3 * n}.00_20250113_171532_" for n in range(3)]
    notes = mdoc(tmp_path / "a.mdoc", movies=[name + said for name in names])
    touch(*(tmp_path / f"{name}{there}" for name in names))

    assert [path.name for path in found(tmp_path, notes).files] == [name + there for name in names]


def test_what_lies_in_a_project_is_no_movie_of_the_session(tmp_path):
    notes = mdoc(tmp_path / "a.mdoc")
    touch(*(tmp_path / "frames" / movie for movie in MOVIES))
    touch(tmp_path / "out" / "vitreous.toml")
    touch(*(tmp_path / "out" / "a" / "motion" / movie for movie in MOVIES))

    assert {path.parent.name for path in found(tmp_path, notes).files} == {"frames"}


def test_missing_movies_are_named_and_too_many_refused(tmp_path):
    notes = mdoc(tmp_path / "a.mdoc", movies=[f"a_{n}.tif" for n in range(10)])
    touch(*(tmp_path / f"a_{n}.tif" for n in range(7)))

    session = found(tmp_path, notes)

    assert session.missing == ("a_7.tif", "a_8.tif", "a_9.tif")
    require_most(session)
    (tmp_path / "a_0.tif").unlink()
    with pytest.raises(UserError, match=r"4 of 10 movies aren't there: a_0.tif, a_7.tif.*--movies"):
        require_most(found(tmp_path, notes))


def test_a_copy_of_an_mdoc_is_refused(tmp_path):
    one, other = mdoc(tmp_path / "a.mdoc"), mdoc(tmp_path / "b.mdoc")

    with pytest.raises(
        UserError, match=r"3 movies are named more than once in .*a\.mdoc, .*b\.mdoc"
    ):
        found(tmp_path, one, other)


# -- gain ------------------------------------------------------------------------------------------


def test_the_gain_beside_the_movies_is_taken_with_its_defects(tmp_path):
    notes = mdoc(tmp_path / "a.mdoc")
    touch(*(tmp_path / "frames" / movie for movie in MOVIES))
    touch(tmp_path / "frames" / "CountRef_a.dm4", tmp_path / "frames" / "defects_a.txt")

    session = found(tmp_path, notes)

    assert session.gain.name == "CountRef_a.dm4"
    assert session.defects.name == "defects_a.txt"
    assert found(tmp_path, notes, no_gain=True).gain is None
    assert found(tmp_path, notes, gain=Path("other.mrc")).gain == Path("other.mrc")


def test_the_gain_that_the_mdoc_names_goes_before_others(tmp_path):
    notes = mdoc(tmp_path / "a.mdoc")
    notes.write_text(notes.read_text() + "GainReference = X:\\SuperRef_1.dm4\n")
    touch(*(tmp_path / "frames" / movie for movie in MOVIES), tmp_path / "refs" / "SuperRef_1.dm4")
    touch(tmp_path / "frames" / "gain.mrc")

    assert found(tmp_path, notes).gain.name == "SuperRef_1.dm4"


def test_of_several_gains_that_of_the_series_is_taken_else_they_are_named(tmp_path):
    notes = mdoc(tmp_path / "a.mdoc")
    touch(*(tmp_path / movie for movie in MOVIES))
    touch(tmp_path / "b_gain.mrc", tmp_path / "c_gain.mrc")

    with pytest.raises(UserError, match=r"2 gain references: .*b_gain.mrc.*--gain"):
        found(tmp_path, notes)
    touch(tmp_path / "a_gain.mrc")
    assert found(tmp_path, notes).gain.name == "a_gain.mrc"


# -- which series ----------------------------------------------------------------------------------


def named(*inputs):
    return [
        (source.name, [path.name for path in source.notes.mdocs], len(source.notes.movies))
        for source in find_series(inputs)
    ]


def test_each_series_of_movies_is_found_by_its_mdoc(tmp_path):
    mdoc(tmp_path / "TS_1.mdoc", image="TS_1.mrc")
    mdoc(tmp_path / "TS_2.mrc.mdoc", [f"b{movie}" for movie in MOVIES], image="TS_2.mrc")
    mdoc(tmp_path / "TS_1_override.mdoc", image="TS_1.mrc")

    assert named(tmp_path) == [("TS_1", ["TS_1.mdoc"], 0), ("TS_2", ["TS_2.mrc.mdoc"], 0)]


def test_parts_that_name_one_stack_are_one_series(tmp_path):
    mdoc(tmp_path / "TS_1.mdoc", ["a.tif", "b.tif"], image="TS_1.mrc")
    mdoc(tmp_path / "TS_1_more.mdoc", ["c.tif", "d.tif"], image="TS_1.mrc")

    assert named(tmp_path) == [("TS_1", ["TS_1.mdoc", "TS_1_more.mdoc"], 0)]


def test_movies_with_an_mdoc_each_are_put_together_by_their_names(tmp_path):
    for name in (*MOVIES, "b_001_0.0.tif", "b_002_3.0.tif"):
        (tmp_path / f"{name}.mdoc").write_text("[FrameSet = 0]\nTiltAngle = 3\n")

    expected = [("a", [f"{movie}.mdoc" for movie in MOVIES], 0)]
    assert named(tmp_path)[:1] == expected
    assert [name for name, *_ in named(tmp_path)] == ["a", "b"]
    assert named(*(tmp_path / f"{movie}.mdoc" for movie in MOVIES)) == expected


def test_movies_without_any_mdoc_are_put_together_by_their_names(tmp_path):
    touch(*(tmp_path / "TS_1" / movie.replace(".tif", ".eer") for movie in MOVIES))

    assert named(tmp_path) == [("a", [], 3)]
