"""RELION's command lines: grammar, programs' names, job.star, what the scheduler is told."""

import re
from pathlib import Path

import pytest

from vitreous.cli.main import main
from vitreous.errors import UserError
from vitreous.faces.relion import controlled, run
from vitreous.faces.relion_control import ABORT, Control
from vitreous.faces.relion_job import read_job
from vitreous.faces.relion_line import parse
from vitreous.faces.relion_tomogram import names_asked, output_of, with_job
from vitreous.faces.relion_tomogram_options import LABEL, OPTIONS
from vitreous.faces.relion_tomogram_settings import binning_of, version_of, weights_of

OF_THE_MANUAL = """
    i t tn no_weight pre_weight SNR noctf keep_mean td tf x0 y0 z0 w h d bin j o
"""
OF_RELION_5 = """
    binned_angpix Fc ctf skip_wiener ctf_intact_first_peak fourier lambda generate_split_tomograms
    tiltangle_offset do_proj centre_proj thickness_proj only_do_unfinished bfactor_per_edose
"""
OF_ALL = "pipeline_control theme job relion-version"


def parsed(line):
    return parse(line.split(), OPTIONS)


@pytest.mark.parametrize("name", sorted((OF_THE_MANUAL + OF_RELION_5 + OF_ALL).split()))
def test_every_option_of_both_generations_is_known_and_explained(name, capsys):
    run(["tomo_reconstruct_tomogram", "--help"])

    known = [option for option in OPTIONS if name in option.names.split()]
    assert len(known) == 1
    assert known[0].text
    assert re.search(rf"^  --{name}\b", capsys.readouterr().out, re.MULTILINE)


def test_the_word_after_a_name_is_its_value_whatever_it_looks_like():
    line = parsed("--x0 -6 --o --t --keep_mean --SNR 1e3")

    assert line.number("x0") == -6
    assert line.text("o") == "--t"
    assert line.has("keep_mean")
    assert line.positive("SNR") == 1000


def test_the_first_of_two_counts(caplog):
    assert parsed("--bin 2 --bin 4").number("bin") == 2
    assert "--bin is given twice: the first counts" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--no_weigth", r"--no_weigth is no option .*: is it --no_weight\?"),
        ("tomograms.star", "'tomograms.star' stands by itself"),
        ("--bin", "--bin needs a value: FACTOR"),
    ],
)
def test_what_is_not_known_or_lacks_its_value_is_an_error(words, said):
    with pytest.raises(UserError, match=said):
        parsed(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--SNR 0", "--SNR 0: it must be above 0"),
        ("--SNR -3", "--SNR -3: it must be above 0"),
        ("--SNR high", "--SNR high: a number is expected"),
        ("--ctf --noctf", "--ctf and --noctf exclude each other"),
    ],
)
def test_values_without_sense_are_told(words, said):
    with pytest.raises(UserError, match=said):
        weights_of(parsed(words), 4)


@pytest.mark.parametrize(
    "name",
    [
        "tomo_reconstruct_tomogram",
        "relion_tomo_reconstruct_tomogram",
        "relion_tomo_reconstruct_tomogram_mpi",
        "/opt/relion/bin/relion_tomo_reconstruct_tomogram",
    ],
)
def test_a_programs_name_is_taken_with_and_without_relion_and_mpi(name, capsys):
    run([name, "--help"])

    assert "RELION's command lines." in capsys.readouterr().out


def test_programs_that_are_not_known_are_told():
    with pytest.raises(UserError, match=r"relion_tomo_reconstruct_tomo isn't .* Is it tomo_recon"):
        run(["relion_tomo_reconstruct_tomo"])


def test_the_lines_of_the_docs_are_understood():
    page = Path(__file__).resolve().parents[2] / "docs" / "relion.md"
    lines = re.findall(r"^vitreous relion (?:relion_)?tomo_reconstruct_tomogram (.*)$",
                       page.read_text(), re.MULTILINE)  # fmt: skip

    assert len(lines) >= 3
    for line in lines:
        parsed(line)


# -- which version's defaults ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "version", "weights"),
    [
        ("", 4, ("wiener", "house", "multiply", False, True)),
        ("", 5, ("wiener", "relion", None, None, None)),
        ("--noctf", 4, ("wiener", "relion", None, None, None)),
        ("--ctf", 5, ("wiener", "house", "multiply", True, False)),
        ("--no_weight", 4, ("none", None, "multiply", False, True)),
        ("--no_weight --noctf", 4, ("none", None, None, None, None)),
        ("--no_weight", 5, ("none", None, None, None, None)),
        ("--pre_weight", 4, ("overlap", None, "multiply", False, True)),
        ("--pre_weight", 5, ("overlap", None, None, None, None)),
        ("--pre_weight --ctf", 5, ("wiener", "house", "multiply", True, False)),
        ("--pre_weight --skip_wiener", 5, ("overlap", None, "multiply", True, False)),
        ("--skip_wiener", 5, ("none", None, "multiply", True, False)),
    ],
)
def test_weights_and_ctf_are_what_the_manual_says_of_either_version(line, version, weights):
    found = weights_of(parsed(line), version)

    names = ("weighting", "wiener_formula", "ctf", "ctf_intact_first_peak", "ctf_damping")
    assert tuple(found.get(name) for name in names) == weights


def test_the_defaults_of_binning_differ():
    assert binning_of(parsed(""), 4, 5.0) == 8
    assert binning_of(parsed(""), 5, 5.0) == 1
    assert binning_of(parsed("--bin 2 --binned_angpix 12.5"), 5, 5.0) == 2.5
    assert binning_of(parsed("--binned_angpix -1"), 5, 5.0) == 1
    assert binning_of(parsed("--bin 1.004"), 4, 5.0) == 1
    with pytest.raises(UserError, match=r"voxels of 2 A are smaller than the images' pixels"):
        binning_of(parsed("--binned_angpix 2"), 5, 5.0)


def test_tomograms_are_named_or_all():
    assert names_asked(parsed("--tn TS_1,TS_2"), 4) == ["TS_1", "TS_2"]
    assert names_asked(parsed("--tn *"), 4) is None
    assert names_asked(parsed(""), 5) is None
    with pytest.raises(UserError, match="--tn is needed"):
        names_asked(parsed(""), 4)


def test_the_output_is_a_file_how_paths_begin_or_a_folder():
    products = {"halves": False, "has_sum": True, "has_manifest": False}

    def volume(line, version, is_one, part="volumes"):
        made = output_of(parsed(line), version, is_one).products("TS_1", **products)
        return str(getattr(made, part)[""])

    assert volume("--o a/b.mrc", 4, True) == "a/b.mrc"
    assert volume("--o a/b.mrc", 4, True, "sums") == "a/b_proj.mrc"
    assert volume("--o out/x_", 5, True) == "out/x_tomograms/rec_TS_1.mrc"
    assert volume("--o out", 5, False) == "out/tomograms/rec_TS_1.mrc"
    assert volume("--o out/", 5, False, "sums") == "out/projections/rec_TS_1.mrc"


@pytest.mark.parametrize(
    ("read_from", "written"),
    [
        ("tilt_series/TS_1.star", "out/tilt_series/TS_1.star"),
        ("AlignTiltSeries/job012/tilt_series/TS_1.star", "out/tilt_series/TS_1.star"),
        ("/data/x/External/job3/a/TS_1.star", "out/a/TS_1.star"),
        ("/data/x/TS_1.star", "out/tilt_series/TS_1.star"),
    ],
)
def test_tables_of_tilts_go_where_relion_puts_them(read_from, written):
    assert str(output_of(parsed("--o out"), 5, False).series(read_from)) == written


# -- job.star -------------------------------------------------------------------------------------


def test_a_real_job_becomes_a_command_line(shared):
    path = shared / "data" / "parsers" / "star" / "CryoBoost__10__job.star"

    line = with_job(parsed(f"--job {path} --j 2"))

    assert version_of(line) == 5
    assert names_asked(line, 5) is None
    assert line.text("t") == "Schemes/relion_tomo_prep/aligntilts/aligned_tilt_series.star"
    assert [line.whole(name) for name in "whd"] == [4096, 4096, 2048]
    assert line.number("binned_angpix") == 11.8
    assert line.whole("j") == 2
    assert line.has("fourier")
    assert not line.has("generate_split_tomograms")
    assert (line.whole("centre_proj"), line.whole("thickness_proj")) == (0, 10)
    assert line.text("o") == f"{path.parent}/"


def job_file(folder, label=LABEL, continued="0", **options):
    rows = "".join(f'{name} "{value}"\n' for name, value in options.items())
    text = f"data_job\n_rlnJobTypeLabel {label}\n_rlnJobIsContinue {continued}\n"
    text += "data_joboptions_values\nloop_\n_rlnJobOptionVariable #1\n_rlnJobOptionValue #2\n"
    path = folder / "job.star"
    path.write_text(text + rows)
    return path


def test_further_arguments_and_going_on_are_part_of_a_job(tmp_path):
    path = job_file(
        tmp_path,
        continued="1",
        in_tiltseries="a.star",
        tomo_name="TS_3",
        other_args="--ctf --SNR 5",
    )

    line = with_job(parsed(f"--job {path} --relion-version 5"))

    assert line.has("only_do_unfinished")
    assert line.has("ctf")
    assert line.number("SNR") == 5
    assert names_asked(line, 5) == ["TS_3"]


def test_a_job_of_another_type_is_told(tmp_path):
    path = job_file(tmp_path, label="relion.ctffind.ctffind4", x="1")

    with pytest.raises(
        UserError, match=r"a job of the type relion.ctffind.ctffind4, not relion.re"
    ):
        read_job(path, LABEL)


# -- the scheduler --------------------------------------------------------------------------------


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_success_and_failure_are_left_in_the_jobs_folder(tmp_path):
    control = Control(tmp_path)

    with pytest.raises(UserError), control.reported():
        raise UserError("no")
    assert left(tmp_path) == ["RELION_JOB_EXIT_FAILURE"]
    with pytest.raises(KeyboardInterrupt), control.reported():
        raise KeyboardInterrupt
    assert left(tmp_path) == ["RELION_JOB_EXIT_ABORTED"]
    with control.reported():
        pass
    assert left(tmp_path) == ["RELION_JOB_EXIT_SUCCESS"]


def test_a_job_stops_where_it_is_told_to(tmp_path):
    progress = Control(tmp_path).watched(lambda done, total: None)

    progress(1, 4)
    (tmp_path / ABORT).touch()

    with pytest.raises(KeyboardInterrupt, match=r"stopped: .*RELION_JOB_ABORT_NOW was there"):
        progress(2, 4)
    assert left(tmp_path) == []


def test_options_of_all_programs_are_taken_out():
    words = "--t a.star --pipeline_control job/ --theme dark --j 2"

    control, others = controlled(words.split())

    assert str(control.folder) == "job"
    assert others == ["--t", "a.star", "--j", "2"]


def test_a_command_that_fails_leaves_word(tmp_path, capsys):
    words = ["relion", "tomo_reconstruct_tomogram", "--t", f"{tmp_path}/no.star", "--tn", "TS_1"]
    words += ["--o", f"{tmp_path}/x.mrc", "--pipeline_control", f"{tmp_path}/job/"]

    assert main(words) == 1
    assert "no.star: there is no such file" in capsys.readouterr().err
    assert left(tmp_path / "job") == ["RELION_JOB_EXIT_FAILURE"]
