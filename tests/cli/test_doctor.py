"""`vitreous doctor` on the machine at hand."""

from pathlib import Path

import pytest

import vitreous
from vitreous.cli import doctor
from vitreous.cli.main import main


def test_doctor_reports_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor"])

    shown = capsys.readouterr().out
    assert code == 0
    assert f"vitreous      {vitreous.__version__}\n" in shown
    for title in ("Software", "Processor", "Numba", "GPU", "Disk"):
        assert f"{title}\n" in shown
    for fact in ("cores", "memory", "vector units", "threads", "cache", "device auto", "scratch"):
        assert f"\n  {fact} " in shown


def test_the_cache_goes_where_numba_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "not made yet"))

    assert doctor.cache_folder() == tmp_path / "not made yet"


def test_a_file_in_the_place_of_the_cache_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))

    assert doctor.cache_folder() is None
    assert "set NUMBA_CACHE_DIR" in dict(doctor.numba_facts())["cache"]
