"""tomo_subtomo through the command: RELION's own files, and the sets it leaves."""

from pathlib import Path

import numpy as np
import pytest

from tests.average.relion_particles import run as stored
from tests.average.test_extract import without_nyquist
from tests.average.test_relion_oracle import apart
from tests.faces.test_relion_particle import oracle, project, volume  # noqa: F401
from vitreous.cli.main import main
from vitreous.formats.relion_particles import read_optimisation_set
from vitreous.formats.star import read_star

CHOSEN = ("TS_1/1", "TS_1/30", "TS_2/6")
COMMON = "--p particles3.star --t tomograms.star --crop 32 --b 40"


@pytest.fixture
def subtomo(capfd):
    def call(line):
        capfd.readouterr()
        code = main(["relion", "relion_tomo_subtomo", *line.split()])
        return code, capfd.readouterr().err

    return call


def columns_agree(ours, theirs, folder):
    """Column by column: texts as they are, numbers to what the program rounds to."""
    assert list(ours.columns) == list(theirs.columns)
    for label, words in theirs.columns.items():
        for own, word in zip(ours.texts(label), words, strict=True):
            try:
                # angles that differ by a turn are the same
                apart_by = (float(own) - float(word) + 180) % 360 - 180
                assert abs(apart_by) < 2e-3, label
            except ValueError:
                assert own == word.replace(folder, "out/x"), label


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("sub2d", f"{COMMON} --stack2d"),
        ("sub2d_orient_maxdose", f"{COMMON} --stack2d --apply_orientations --max_dose 20"),
        ("sub3d", COMMON),
    ],
)
def test_files_and_sets_are_the_programs(project, oracle, subtomo, name, line):  # noqa: F811
    code, said = subtomo(f"{line} --o out/x/")

    assert code == 0, said
    kinds = ("data", "weights") if name == "sub3d" else ("stack2d",)
    for chosen in CHOSEN:
        for kind in kinds:
            ending = "mrcs" if kind == "stack2d" else "mrc"
            ours = volume(f"out/x/Subtomograms/{chosen}_{kind}.{ending}")
            theirs = stored(oracle, f"{name}/{chosen}_{kind}")
            if kind == "weights":
                ours, theirs = without_nyquist(ours), without_nyquist(theirs)
            most = 0.05 if kind == "weights" else 0.015
            assert apart(np.squeeze(ours), np.squeeze(theirs)) < most
    tables = {table.name: table for table in read_star(Path("out/x/particles.star"))}
    wanted = {t.name: t for t in read_star(oracle / "star" / f"out_{name}_particles.star")}
    assert list(tables) == list(wanted)
    for table in wanted:
        columns_agree(tables[table], wanted[table], f"out/{name}")
    files = read_optimisation_set(Path("out/x/optimisation_set.star"))
    assert files.particles == Path("out/x/particles.star")


def test_what_was_extracted_averages_to_the_same_map(project, subtomo):  # noqa: F811
    """The way round: stacks cut out, then averaged, give what the tilt images give."""
    assert subtomo("--i optimisation_set.star --b 36 --stack2d --o out/cut")[0] == 0
    line = ["-q", "average", "--box", "36", "--processes", "1", "--output"]

    assert main([*line, "out/tilts", "optimisation_set.star"]) == 0
    assert main([*line, "out/stacks", "--images", "stacks", "out/cut/optimisation_set.star"]) == 0

    ours, wanted = volume("out/stacks/merged.mrc"), volume("out/tilts/merged.mrc")
    assert np.corrcoef(ours.ravel(), wanted.ravel())[0, 1] > 0.97


def test_particles_with_too_few_tilts_are_left_out_and_said(project, subtomo):  # noqa: F811
    code, said = subtomo(f"{COMMON} --stack2d --min_frames 9 --o out/few")

    assert code == 0
    assert "1 particles are left out" in said
    (particles,) = [t for t in read_star(Path("out/few/particles.star")) if t.name == "particles"]
    assert particles.texts("rlnTomoParticleName") == ["TS_1/1", "TS_1/30"]


def test_a_crop_larger_than_the_box_is_told(project, subtomo):  # noqa: F811
    code, said = subtomo("--i optimisation_set.star --b 32 --crop 36 --o out/y")

    assert code == 1
    assert "larger than the box" in said
