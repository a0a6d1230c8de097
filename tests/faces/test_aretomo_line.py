"""The grammar of AreTomo's command lines; every option of its parsers is known."""

import pytest

from vitreous.errors import UserError
from vitreous.faces.aretomo import run
from vitreous.faces.aretomo_line import help_page, parse
from vitreous.faces.aretomo_options import OPTIONS

ONE_STACK = """
    InMrc OutMrc AngFile AlnFile TiltRange TiltAxis AlignZ VolZ OutBin TiltCor Gpu ReconRange
    PixSize Kv ImgDose Cs AmpContrast ExtPhase FlipVol FlipInt Sart Wbp Patch RoiFile CropVol
    TiltScheme OutXF OutImod Align DarkTol Bft IntpCor TmpFile LogFile
"""
MANY_SERIES = """
    InPrefix InMdoc InSuffix InSkips OutDir TmpDir LogDir PixSize kV Cs FmDose SplitSum Cmd Resume
    Serial Gpu TotalDose TiltAxis AlignZ VolZ ExtZ AtBin TiltCor ReconRange AmpContrast ExtPhase
    FlipVol FlipInt Sart Wbp AtPatch OutXF Align CropVol OutImod DarkTol IntpCor CorrCTF Bft
"""
MOVIES = """
    Gain Dark DefectFile McPatch McIter McTol McBin Throw FmInt Group FmRef RotGain FlipGain InvGain
    Mag InFmMotion EerSampling TiffOrder CorrInterp
"""


def parsed(line):
    return parse(line.split())


@pytest.mark.parametrize("name", sorted(set((ONE_STACK + MANY_SERIES + MOVIES).split())))
def test_every_option_of_both_generations_is_known_and_explained(name):
    known = [o for o in OPTIONS if name.lower() in o.names.lower().split()]

    assert len(known) == 1
    assert f"-{known[0].name} " in help_page()
    assert known[0].text


def test_names_may_be_small_or_capital_and_of_either_generation():
    line = parsed("-inmrc a.mrc -KV 300 -outbin 4 -ATPATCH 4 4 -InMdoc x")

    assert line.text("InMrc") == "a.mrc"
    assert line.number("Kv", 0) == 300
    assert line.whole("AtBin", 1) == 4
    assert line.numbers("AtPatch", (0, 0)) == (4, 4)
    assert line.text("InPrefix") == "x"


def test_negative_numbers_are_values_and_whole_numbers_may_have_commas():
    line = parsed("-TiltAxis -85.3 -1 -TiltRange -60 .5 -Patch 4,5 -Gpu 0 1 2")

    assert line.numbers("TiltAxis", (0, 1)) == (-85.3, -1)
    assert line.numbers("TiltRange", ()) == (-60, 0.5)
    assert line.numbers("AtPatch", (0, 0)) == (4, 5)
    assert line.numbers("Gpu", ()) == (0, 1, 2)


def test_values_that_lack_are_the_defaults():
    assert parse(["-Sart", "30"]).numbers("Sart", (20, 5)) == (30, 5)


def test_the_first_of_two_counts(caplog):
    line = parsed("-VolZ 300 -VolZ 500 -Wbp 1")

    assert (line.whole("VolZ", 0), line.whole("Wbp", 0)) == (300, 1)
    assert "-VolZ is given twice: the first counts" in caplog.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-FmInfFile a", "-FmInfFile is no option of AreTomo's"),
        ("-TiltAxes 80", "is it -TiltAxis?"),
        ("a.mrc", "'a.mrc' stands before any option"),
        ("-VolZ", "-VolZ needs a value: PIXELS"),
        ("-VolZ 300 400", "-VolZ 300 400: 1 value expected"),
        ("-Patch 4,4,4", "2 values expected"),
        ("-RoiFile a.txt", "-RoiFile a.txt: not done"),
        ("-CropVol 512 512", "the whole field is made"),
        ("-TiltScheme 0 3 3", "into the second column of -AngFile"),
        ("-Dark a.mrc", "no dark reference is subtracted"),
        ("-TiffOrder -1", "-TiffOrder -1: -1 is not done"),
        ("-Mag 1.01 1.0 30", "distortions of magnification"),
    ],
)
def test_what_is_not_known_too_much_or_not_done_is_an_error(words, said):
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        parse(words.split())


@pytest.mark.parametrize("words", ["-CropVol 0 0", "-TiffOrder 1", "-Mag 1.0 1.0 0"])
def test_options_that_are_not_done_may_ask_for_nothing(words):
    parse(words.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-VolZ many", "-VolZ many: numbers are expected"),
        ("-FlipVol 2", r"-FlipVol 2: 0\|1 is expected.*2 is refused, the mirror image of 1"),
        ("-Cmd 5", r"-Cmd 5: 0\.\.4 is expected"),
        ("-DarkTol 1.5", r"-DarkTol 1.5: 0\.\.1 is expected"),
        ("-Gpu one", "-Gpu one: numbers are expected"),
    ],
)
def test_values_are_of_the_right_kind(words, said):
    with pytest.raises(UserError, match=said):
        parse(words.split())


@pytest.mark.parametrize(
    "change",
    [
        "-VolZ 30.5",
        "-OutBin 2.5",
        "-OutBin 0",
        "-AtBin 4 2.5 0",
        "-TiltAxis 80 2",
        "-FlipInt 7",
        "-TiltRange -60",
    ],
)
@pytest.mark.parametrize("form", ["-InMrc a -OutMrc b", "-InPrefix a -OutDir b"])
def test_values_without_sense_end_it_before_the_work_begins(tmp_path, monkeypatch, form, change):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b"")

    with pytest.raises(UserError, match=f"{change.split()[0]}|-AtBin"):
        run([*form.split(), *change.split()])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-InMrc a -OutDir b", "-InMrc and -OutDir don't go together"),
        ("-VolZ 300", "-InMrc and -OutMrc are needed for one stack"),
        ("-InMrc a.mrc", "-OutMrc is needed"),
        ("-InPrefix a", "-OutDir is needed"),
        ("-InPrefix a -InSuffix .mrc -OutDir b", "no series: nothing begins with a"),
        ("-InPrefix a -InSuffix .mrc -OutDir b -Cmd 5", r"-Cmd 5: 0\.\.4 is expected"),
    ],
)
def test_a_line_is_of_one_form_and_asks_for_what_is_done_here(tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=said):
        run(words.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [[], ["--help"], ["-Help"], ["-VolZ", "3", "-h"]])
def test_help_lists_all_options(words, capsys):
    run(words)

    printed = capsys.readouterr().out
    assert all(f"-{option.name} " in printed for option in OPTIONS)
