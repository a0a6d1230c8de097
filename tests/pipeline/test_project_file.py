"""vitreous.toml: what is kept of a command line, what goes before what, what is said of faults."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.series import write_series
from vitreous.align.settings import AlignSettings
from vitreous.cli.main import main
from vitreous.errors import VitreousError
from vitreous.pipeline.inputs import SeriesInput
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.project_file import SeriesSettings, parse, with_options
from vitreous.reconstruct.settings import ReconstructSettings

PROJECT = Path("/data/project")
OPTIONS = SeriesSettings(
    SeriesInput(tilt_axis=-4.3),
    AlignSettings(work_pixel=12),
    ReconstructSettings(binning=2, thickness="300nm", subset_start=(3, 4), view_weights=(1.0, 0.5)),
)


def reconstruct(**options):
    return SeriesSettings(reconstruct=ReconstructSettings(**options))


def made_with(project, name="ts"):
    """Settings of a reconstruction that differ from the defaults."""
    return StepFolder(project, name, "reconstruct").read_manifest()["settings_changed"]


# -- kept and read again ---------------------------------------------------------------------------


def test_what_a_command_line_gives_is_read_again():
    text, _ = with_options("", [Path("/data/TS_03.mrc")], OPTIONS)

    file = parse(text, PROJECT)

    again = file.settings_for("TS_03")
    assert again == OPTIONS
    assert file.inputs == (Path("/data/TS_03.mrc"),)
    assert 'thickness = "300nm" # Height of the tomogram\n' in text


def test_the_same_options_change_nothing_and_comments_survive():
    text, _ = with_options("", [Path("/data/TS_03.mrc")], OPTIONS)
    text = text.replace("[align]\n", "[align]\n# as the facility has it\n")

    same, _ = with_options(text, [Path("/data/TS_03.mrc")], OPTIONS)
    other, _ = with_options(text, [], reconstruct(binning=4))

    assert same == text
    assert other == text.replace("bin = 2", "bin = 4")


def test_new_inputs_join_the_list():
    text, _ = with_options("", [Path("/data/one.mrc")], SeriesSettings())

    text, _ = with_options(text, [Path("/data/two.mrc"), Path("/data/one.mrc")], SeriesSettings())

    assert parse(text, PROJECT).inputs == (Path("/data/one.mrc"), Path("/data/two.mrc"))


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1))
def test_any_name_has_settings_of_its_own(name):
    text, _ = with_options("", [], reconstruct(binning=2))

    text, _ = with_options(text, [], reconstruct(binning=4), only=[name])

    file = parse(text, PROJECT)
    assert file.settings_for(name).reconstruct.binning == 4
    assert file.settings_for(name + "x").reconstruct.binning == 2


# -- what goes before what -------------------------------------------------------------------------


def test_a_series_own_table_goes_before_the_general_one_key_by_key():
    text = '[reconstruct]\nbin = 2\nthickness = "300nm"\n[series."a.1".reconstruct]\nbin = 4\n'

    own = parse(text, PROJECT).settings_for("a.1").reconstruct

    assert (own.binning, own.thickness) == (4, "300nm")


def test_an_option_for_all_takes_the_place_of_single_series_and_says_so():
    text, _ = with_options("", [], reconstruct(binning=4), only=["TS_03"])

    text, lost = with_options(text, [], reconstruct(binning=8))

    assert parse(text, PROJECT).settings_for("TS_03").reconstruct.binning == 8
    assert lost == ["bin = 4 of series TS_03 gives way to the command line"]


def test_relative_paths_count_from_the_projects_folder():
    file = parse('[input]\ninputs = ["../raw"]\nangles = "session.tlt"\n', PROJECT)

    assert file.inputs == (PROJECT / "../raw",)
    assert file.settings_for("ts").given.angles == PROJECT / "session.tlt"


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[reconstruct]\nthicknes = '3nm'\n", ":2: unknown key thicknes in [reconstruct]. Did you"),
        ("[reconstruct]\nbin = 1\nbin-ning = 2\n", ":3: unknown key bin-ning in [reconstruct]"),
        ("[align]\n\nthickness = '3nm'\n", ":3: unknown key thickness in [align]. It belongs to"),
        ("\n[reconstrct]\n", ":2: unknown table [reconstrct]. Did you mean reconstruct?"),
        ("[reconstruct]\nbin = 0\n", ":2: bin = 0: Input should be greater than or equal to 1"),
        ("[reconstruct]\nthickness = 'thin'\n", ":2: thickness = 'thin': 'thin' is no length"),
        ("[reconstruct]\nview_weights = [\n1,\n'a',\n]\n", ":2: view_weights = [1, 'a']: "),
        ("[align]\n[series.'a b'.align]\nlevel = 3\n", ":3: level = 3: Input should be a valid"),
        ("[series.ts]\nbin = 2\n", ':2: [series."ts"] has no table bin'),
        ("[input]\ninputs = 'a.mrc'\n", ":2: inputs is a list of files and folders"),
        ("align = 3\n", ":1: align is a table: write [align]"),
        ("[align]\nlevel = yes\n", ":2: this is no TOML: Invalid value"),
    ],
)
def test_a_fault_is_told_with_its_line(text, said):
    with pytest.raises(VitreousError) as error:
        parse(text, PROJECT)

    assert str(error.value).startswith(f"{PROJECT}/vitreous.toml{said}")


def test_all_faults_are_told_at_once():
    with pytest.raises(VitreousError) as error:
        parse("[reconstruct]\nbin = 0\nthicknes = 3\n[align]\nrounds = 'a'\n", PROJECT)

    assert len(str(error.value).splitlines()) == 3


# -- in a run --------------------------------------------------------------------------------------


def test_a_project_alone_goes_on_with_all_that_was_given(tmp_path):
    one, two = (write_series(tmp_path, name) for name in ("one", "two"))
    project = tmp_path / "project"
    words = ["-q", "run", "--project", str(project)]
    options = ["--alignment", str(tmp_path), "--thickness", "30nm"]
    assert main([*words[:2], str(one.stack), str(two.stack), *words[2:], *options]) == 0

    assert main([*words, "--only", "t*", "--bin", "2"]) == 0
    assert made_with(project, "one") == {"thickness": "30nm"}
    assert made_with(project, "two") == {"thickness": "30nm", "binning": 2}
    kept = (project / "vitreous.toml").read_bytes()

    assert main(words) == 0
    assert made_with(project, "two") == {"thickness": "30nm", "binning": 2}
    assert (project / "vitreous.toml").read_bytes() == kept


def test_a_facilitys_template_is_taken(tmp_path):
    series, project = write_series(tmp_path), tmp_path / "project"
    project.mkdir()
    template = '# session of today\n[reconstruct]\nthickness = "20nm"  # ours\n'
    (project / "vitreous.toml").write_text(template)
    words = ["-q", "run", str(series.stack), "--project", str(project)]

    assert main([*words, "--alignment", str(series.transforms)]) == 0

    assert made_with(project) == {"thickness": "20nm"}
    assert template.splitlines()[2] in (project / "vitreous.toml").read_text().splitlines()


def test_a_broken_file_stops_the_run_before_anything_is_made(tmp_path, capfd):
    series, project = write_series(tmp_path), tmp_path / "project"
    project.mkdir()
    (project / "vitreous.toml").write_text("[reconstruct]\nbinn = 2\n")

    code = main(["run", str(series.stack), "--project", str(project)])

    assert code == 1
    assert "vitreous.toml:2: unknown key binn in [reconstruct]. Did you mean bin?" in (
        capfd.readouterr().err
    )
    assert [path.name for path in project.iterdir()] == ["vitreous.toml"]


def test_a_project_without_series_says_how_to_begin(tmp_path, capfd):
    assert main(["run", "--project", str(tmp_path / "new")]) == 1

    assert "has no series yet: name stacks or folders" in capfd.readouterr().err
    assert not (tmp_path / "new").exists()
