"""Which series there are in what a user names, and which of them are chosen."""

import gzip
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from tests.series import write_stack
from vitreous.errors import UserError
from vitreous.formats.imod import write_angles
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.tiff import write_tiff_stack
from vitreous.pipeline.intake import Source, chosen, find_series


def stack(path, sections=3):
    """A raw stack of small images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_stack(path, np.ones((sections, 4, 5)))


def volume(path):
    """A file that says that it is a volume."""
    with MrcWriter(path, (3, 4, 5), 10.0) as writer:
        writer.write((0, 0, 0), np.ones((3, 4, 5), np.float32))
    return path


def mdoc(path, image="", movies=(), sections=3):
    """A series' .mdoc."""
    lines = [f"ImageFile = {image}"] if image else []
    for z in range(sections):
        lines += [f"[ZValue = {z}]", f"TiltAngle = {3 * z}"]
        lines += [rf"SubFramePath = D:\frames\{movies[z]}"] if movies else []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def movie_mdoc(path):
    """The .mdoc of one movie."""
    path.write_text("[FrameSet = 0]\nTiltAngle = 3\n")
    return path


def found_in(*inputs):
    """(name, stack, mdoc) of the series that can be done."""
    return [
        (source.name, source.stack and source.stack.name, source.mdoc and source.mdoc.name)
        for source in find_series(inputs)
        if source.problem is None
    ]


def problems_in(*inputs):
    return {source.name: source.problem for source in find_series(inputs) if source.problem}


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "beside"),
    [
        ("TS_03.mrc", "TS_03.mrc.mdoc"),
        ("TS_03.mrc", "TS_03.mdoc"),
        ("TS_03.st", "TS_03.st.mdoc"),
        ("TS_03.mrc", None),
    ],
)
def test_a_stack_is_found_with_its_mdoc(tmp_path, file, beside):
    path = stack(tmp_path / file)
    if beside:
        mdoc(tmp_path / beside)

    assert found_in(path) == [("TS_03", file, beside)]


def test_an_mdoc_leads_to_the_stack_it_is_named_like_else_to_the_one_it_names(tmp_path):
    stack(tmp_path / "TS_03.mrc")
    stack(tmp_path / "other.mrc")

    assert found_in(mdoc(tmp_path / "TS_03.mrc.mdoc", "other.mrc"))[0][:2] == ("TS_03", "TS_03.mrc")
    assert found_in(mdoc(tmp_path / "notes.mdoc", r"C:\data\other.mrc")) == [
        ("other", "other.mrc", "notes.mdoc")
    ]
    assert found_in(mdoc(tmp_path / "TS_03.mdoc"))[0][:2] == ("TS_03", "TS_03.mrc")


def test_a_stack_without_an_mdoc_of_its_name_takes_the_one_that_names_it(tmp_path):
    path = stack(tmp_path / "TS_03.mrc")
    mdoc(tmp_path / "Position_7.mdoc", "TS_03.mrc")

    assert found_in(path) == [("TS_03", "TS_03.mrc", "Position_7.mdoc")]

    mdoc(tmp_path / "Position_7_override.mdoc", "TS_03.mrc")
    assert "Position_7.mdoc, Position_7_override.mdoc" in problems_in(path)["TS_03"]


def test_what_is_not_there_is_that_series_problem(tmp_path):
    there = stack(tmp_path / "there.mrc")

    sources = find_series(
        [tmp_path / "no.mrc", there, mdoc(tmp_path / "lost.mrc.mdoc", "lost.mrc")]
    )

    assert [source.name for source in sources] == ["no", "there", "lost"]
    assert sources[0].problem == f"{tmp_path / 'no.mrc'}: there is no such file or folder"
    assert sources[1].problem is None
    assert sources[2].problem.endswith("lost.mrc.mdoc: its stack lost.mrc isn't there")


def test_a_stack_named_twice_is_one_series(tmp_path):
    path = stack(tmp_path / "TS_03.mrc")
    mdoc(tmp_path / "TS_03.mrc.mdoc")

    assert len(find_series([path, tmp_path / "TS_03.mrc.mdoc", tmp_path])) == 1


# -- folders ---------------------------------------------------------------------------------------


def test_a_folder_gives_its_raw_stacks_and_says_what_it_passes_over(tmp_path, caplog):
    caplog.set_level("INFO", "vitreous")
    for name in ("TS_1.mrc", "TS_2.st", "TS_1_EVN.mrc", "TS_1_odd.mrc", "TS_2_rec.mrc", "TS_2.ali"):
        stack(tmp_path / name)
    stack(tmp_path / "gain.mrc", sections=1)
    stack(tmp_path / ".hidden.mrc")
    volume(tmp_path / "TS_2_bin4.mrc")
    (tmp_path / "TS_1.mrc.gz").write_bytes(gzip.compress((tmp_path / "TS_1.mrc").read_bytes()))
    (tmp_path / "TS_2.rec").touch()
    (tmp_path / "notes.txt").touch()
    write_tiff_stack(tmp_path / "TS_3.tif", np.ones((3, 4, 5), np.float32), 10.0)

    assert found_in(tmp_path) == [
        ("TS_1", "TS_1.mrc", None),
        ("TS_2", "TS_2.st", None),
        ("TS_3", "TS_3.tif", None),
    ]
    for said in (
        "passed over as half stacks, by their names: TS_1_EVN.mrc, TS_1_odd.mrc",
        "passed over as tomograms, by their names: TS_2_rec.mrc",
        "passed over as made of other stacks: TS_2.ali",
        "passed over as single images: gain.mrc",
        "passed over as volumes, by their headers: TS_2_bin4.mrc",
        "passed over as packed copies: TS_1.mrc.gz",
    ):
        assert said in caplog.text


def test_a_volume_by_its_header_with_angles_is_a_stack_after_all(tmp_path):
    volume(tmp_path / "TS_1.mrc")
    write_angles(tmp_path / "TS_1.rawtlt", np.zeros(3))

    assert found_in(tmp_path) == [("TS_1", "TS_1.mrc", None)]


def test_a_folder_without_stacks_gives_those_of_its_subfolders_one_level_down(tmp_path):
    stack(tmp_path / "TS_2" / "TS_2.mrc")
    mdoc(tmp_path / "TS_1" / "TS_1.mdoc")
    stack(tmp_path / "TS_1" / "TS_1.mrc")
    stack(tmp_path / "deeper" / "below" / "TS_3.mrc")

    assert found_in(tmp_path) == [("TS_1", "TS_1.mrc", "TS_1.mdoc"), ("TS_2", "TS_2.mrc", None)]

    stack(tmp_path / "TS_4.mrc")
    assert found_in(tmp_path) == [("TS_4", "TS_4.mrc", None)]


def test_an_mdoc_in_one_subfolder_goes_with_the_stack_in_another(tmp_path):
    stack(tmp_path / "stacks" / "TS_1.mrc")
    mdoc(tmp_path / "mdocs" / "TS_1.mrc.mdoc", "TS_1.mrc")

    (source,) = find_series([tmp_path])

    assert source == Source("TS_1", tmp_path / "stacks/TS_1.mrc", tmp_path / "mdocs/TS_1.mrc.mdoc")


def test_a_project_has_no_raw_stacks(tmp_path):
    volume_folder = tmp_path / "TS_1" / "reconstruct"
    volume_folder.mkdir(parents=True)
    volume(volume_folder / "TS_1.mrc")

    for folder in (tmp_path, tmp_path / "TS_1", volume_folder):
        with pytest.raises(UserError, match="no tilt series in"):
            find_series([folder])


def test_a_stack_that_cant_be_read_is_a_series_that_will_fail(tmp_path):
    stack(tmp_path / "TS_1.mrc")
    (tmp_path / "TS_2.mrc").write_bytes(b"")
    (tmp_path / "TS_3.mrc").write_bytes((tmp_path / "TS_1.mrc").read_bytes()[:500])

    assert [name for name, *_ in found_in(tmp_path)] == ["TS_1", "TS_2", "TS_3"]


def test_an_mdoc_without_a_stack_is_told_beside_the_others(tmp_path):
    stack(tmp_path / "TS_1.mrc")
    mdoc(tmp_path / "TS_1.mrc.mdoc", "TS_1.mrc")
    mdoc(tmp_path / "TS_2.mrc.mdoc", "TS_2.mrc")
    mdoc(tmp_path / "snapshot.mdoc", "snapshot.mrc", sections=1)
    (tmp_path / "TS_3.mdoc").write_text("no key and no value\n")

    assert [name for name, *_ in found_in(tmp_path)] == ["TS_1"]
    problems = problems_in(tmp_path)
    assert list(problems) == ["TS_2", "TS_3"]
    assert "its stack TS_2.mrc isn't there" in problems["TS_2"]
    assert "TS_3.mdoc:1: expected 'key = value'" in problems["TS_3"]


# -- movies ----------------------------------------------------------------------------------------


MOVIES = ("TS_1_001_0.0.tif", "TS_1_002_3.0.tif", "TS_1_003_6.0.tif")


def test_movies_are_no_series_of_their_own(tmp_path, caplog):
    caplog.set_level("INFO", "vitreous")
    stack(tmp_path / "TS_1.mrc")
    mdoc(tmp_path / "TS_1.mrc.mdoc", "TS_1.mrc", MOVIES)
    for name in MOVIES:
        write_tiff_stack(tmp_path / name, np.ones((2, 4, 5), np.float32), 10.0)
        movie_mdoc(tmp_path / f"{name}.mdoc")
    stack(tmp_path / "lonely.mrc")
    movie_mdoc(tmp_path / "lonely.mdoc")

    assert found_in(tmp_path) == [("TS_1", "TS_1.mrc", "TS_1.mrc.mdoc")]
    assert "passed over as movies: TS_1_001_0.0.tif, TS_1_002_3.0.tif" in caplog.text


def test_movies_alone_are_series(tmp_path):
    mdoc(tmp_path / "TS_1.mdoc", "TS_1.mrc", MOVIES)
    mdoc(tmp_path / "TS_2.mdoc", "TS_2.mrc", MOVIES)

    sources = find_series([tmp_path])

    assert [(source.name, source.stack, source.problem) for source in sources] == [
        ("TS_1", None, None),
        ("TS_2", None, None),
    ]
    assert [source.notes.mdocs[0].name for source in sources] == ["TS_1.mdoc", "TS_2.mdoc"]


def test_a_stack_keeps_what_tells_of_its_movies_unless_it_is_named_itself(tmp_path):
    path = stack(tmp_path / "TS_1.mrc")
    notes = mdoc(tmp_path / "TS_1.mrc.mdoc", "TS_1.mrc", MOVIES)

    for named, mdocs in ((tmp_path, (notes,)), (notes, (notes,)), (path, None)):
        (source,) = find_series([named])

        assert source.stack == path
        assert (source.notes and source.notes.mdocs) == mdocs


# -- names -----------------------------------------------------------------------------------------


NAMES = ["00255", "a.1", "a.2", "TS 03 [new] (2)", 'it\'s "quoted"', "größe", "*", "-q", "~x"]


def test_a_series_is_named_like_its_stack(tmp_path):
    for name in NAMES:
        stack(tmp_path / f"{name}.mrc")
        mdoc(tmp_path / f"{name}.mdoc", f"{name}.mrc")

    assert found_in(tmp_path) == [(n, f"{n}.mrc", f"{n}.mdoc") for n in sorted(NAMES)]
    assert found_in(*(tmp_path / f"{name}.mdoc" for name in NAMES))[0][0] == "00255"


def test_decomposed_accents_are_the_same_letters(tmp_path):
    decomposed = unicodedata.normalize("NFD", "größe")
    stack(tmp_path / f"{decomposed}.mrc")
    mdoc(tmp_path / "notes.mdoc", "größe.mrc")

    (source,) = find_series([tmp_path])

    assert source.mdoc.name == "notes.mdoc"
    assert chosen([source], ["größe"]) == [source]


def test_stacks_of_one_name_are_one_problem_and_leave_the_others(tmp_path):
    one, other, third = (
        stack(tmp_path / "a" / "ts.mrc"),
        stack(tmp_path / "b" / "ts.st"),
        stack(tmp_path / "b" / "third.mrc"),
    )

    sources = find_series([one, other, third])

    assert [source.name for source in sources] == ["ts", "third"]
    assert sources[0].stack is None
    assert sources[0].problem.startswith(f"{one} and {other} are both series ts: give them names")
    assert sources[1].problem is None


def test_names_that_differ_in_case_only_are_warned_of(tmp_path, caplog):
    stack(tmp_path / "TS.mrc")
    stack(tmp_path / "ts.mrc")

    assert len(found_in(tmp_path)) == 2
    assert "series TS and ts differ in their case only" in caplog.text


@pytest.mark.parametrize("name", ["..", "vitreous.toml"])
def test_a_name_that_no_folder_of_a_project_can_have_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=rf"'{name}' can't be the name of a series"):
        find_series([stack(tmp_path / f"{name}.mrc")])


# -- chosen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ([], ["TS_1", "TS_2", "TS_1 [new]", "lamella"]),
        (["TS_1"], ["TS_1"]),
        (["TS_*"], ["TS_1", "TS_2", "TS_1 [new]"]),
        (["TS_[12]"], ["TS_1", "TS_2"]),
        (["TS_1 [new]"], ["TS_1 [new]"]),
        (["l*", "TS_2", "TS_2"], ["TS_2", "lamella"]),
    ],
)
def test_names_and_patterns_choose(only, names):
    series = ["TS_1", "TS_2", "TS_1 [new]", "lamella"]
    sources = [Source(name, Path(f"{name}.mrc"), None) for name in series]

    assert [source.name for source in chosen(sources, only)] == names


def test_a_pattern_without_a_series_names_the_nearest():
    sources = [Source(name, Path(f"{name}.mrc"), None) for name in ("lamella_1", "TS_03")]

    with pytest.raises(UserError, match=r"--only TS_3: there is no such series.*nearest: TS_03"):
        chosen(sources, ["lam*", "TS_3"])
    with pytest.raises(UserError, match=r"--only xyz: .*no such series; there are lamella_1, TS"):
        chosen(sources, ["xyz"])
