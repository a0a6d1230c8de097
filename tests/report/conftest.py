"""A project with a series of every kind, made by `vitreous run` where it can be."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.series import beads_seen, tilts_seen, write_stack
from vitreous.formats.imod import write_angles
from vitreous.pipeline.pages import write_project_page, write_series_page

COMMAND = Path(sys.executable).with_name("vitreous")
ODD = 'a b [1] "ü" #5 50%? & c'
DIES = (
    "import sys; from pathlib import Path; from vitreous.pipeline.project import StepFolder; "
    "folder = StepFolder(Path(sys.argv[1]), 'killed', 'reconstruct'); folder.make(); "
    "folder.log.write_text('begun\\n'); folder.say_running()"
)


def write_raw(folder, name):
    """NAME.mrc and NAME.rawtlt of nine tilts."""
    alignment = tilts_seen(size=(128, 120), count=9)
    write_angles(folder / f"{name}.rawtlt", alignment.tilts_degrees)
    return write_stack(folder / f"{name}.mrc", beads_seen(alignment))


@pytest.fixture(scope="package")
def project(tmp_path_factory):
    """ts is done, without tilt 3; cut failed; killed was killed; given had an alignment.

    And one like ts with an odd name. Their pages are written, by the run itself where it can be.
    """
    folder = tmp_path_factory.mktemp("report")
    raw, cut, odd = (write_raw(folder, name) for name in ("ts", "cut", ODD))
    cut.write_bytes(cut.read_bytes()[:-1000])
    project = folder / "project #1"
    words = ["run", str(raw), str(cut), str(odd), "--project", str(project)]
    options = ["--exclude-tilts", "3", "--thickness", "40nm"]
    ran = subprocess.run([COMMAND, "-q", *words, *options], check=False, stderr=subprocess.PIPE)
    assert ran.returncode == 1, ran.stderr
    assert (project / ODD / "report.html").exists(), ran.stderr

    shutil.copytree(project / "ts" / "align", project / "killed" / "align")
    subprocess.run([sys.executable, "-c", DIES, project], check=True)
    shutil.copytree(project / "ts" / "reconstruct", project / "given" / "reconstruct")
    for name in ("killed", "given"):
        write_series_page(project, name)
    write_project_page(project)
    return project
