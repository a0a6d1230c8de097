"""AreTomo3's form for many series: its layout, -Cmd, -Resume after failures, -Serial."""

import json
import threading
import time

import numpy as np
import pytest

from tests.align.blobs import blob_series
from tests.ctf.ice import Slab, ice_series
from tests.faces.test_aretomo import (
    BEADS,
    PIXEL_SIZE,
    SIZE,
    THICK,
    TILTS,
    aretomo_run,
    as_xyz,
    peak_near,
    places,
    planted,
)
from tests.series import volume_of, write_stack
from vitreous.cli.simulate import simulate
from vitreous.errors import UserError
from vitreous.formats import aretomo
from vitreous.formats.aretomo_layout import METRICS
from vitreous.formats.ctf_tables import ARETOMO_COLUMNS
from vitreous.formats.imod import write_angles
from vitreous.records.images import StackFacts
from vitreous.simulate.settings import SimulateSettings

LINE = f"-InPrefix @ts -InSuffix .mrc -OutDir @out -VolZ {THICK} -AtBin 2 -Wbp 1 -FlipVol 1"
SLAB = Slab(size=512, tilts=tuple(np.arange(-48.0, 49.0, 12.0)), axis=10.0, ice=0.15)


@pytest.fixture
def session(tmp_path):
    """session(2) -> a folder with ts1.mrc, ts2.mrc, ..., their angles and out/ts1.aln, ..."""

    def write(count=1):
        alignment, images = planted()
        (tmp_path / "out").mkdir(exist_ok=True)
        for name in [f"ts{k + 1}" for k in range(count)]:
            write_stack(tmp_path / f"{name}.mrc", images, PIXEL_SIZE)
            write_angles(tmp_path / f"{name}.rawtlt", TILTS)
            aretomo.write(alignment, tmp_path / "out" / f"{name}.aln", kernel="3")
        return tmp_path

    return write


def when(path):
    return path.stat().st_mtime_ns


def names(path):
    return path.read_text().split()


# -- the volume -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [0, 1])
def test_beads_lie_where_aretomo3_puts_them(session, flip):
    folder = session()

    aretomo_run(folder, f"{LINE} -Cmd 2".replace("-FlipVol 1", f"-FlipVol {flip}"))

    volume, voxel_size, _ = volume_of(folder / "out" / "ts1_Vol.mrc")
    volume = volume if flip else as_xyz(volume)
    assert volume.shape == (THICK // 2, SIZE[1] // 2, SIZE[0] // 2)
    assert voxel_size == 2 * PIXEL_SIZE
    middle = np.array([SIZE[0], SIZE[1] - 1, THICK]) / 2
    off = [peak_near(volume, place) - place for place in places(middle, 2)]
    assert np.abs(np.mean(off, 0)).max() < 0.1
    assert np.abs(off).max() < 0.25


def test_cmd_4_turns_the_axis_and_gives_the_other_hand(session):
    folder = session()
    before = aretomo.read_aln(folder / "out" / "ts1.aln")

    aretomo_run(folder, f"{LINE} -Cmd 4")

    after = aretomo.read_aln(folder / "out" / "ts1.aln")
    assert np.abs(after.rotations - before.rotations) == pytest.approx(np.full(31, 180.0))
    assert np.linalg.norm(after.shifts - before.shifts, axis=1) == pytest.approx(
        np.ones(31), abs=1e-4
    )
    np.testing.assert_array_equal(after.tilts, before.tilts)
    volume = volume_of(folder / "out" / "ts1_Vol.mrc")[0]
    # turned by 180 degrees about z, and z reversed: the images stay, the hand doesn't
    middle = np.array([SIZE[0], SIZE[1] - 1, THICK]) / 2
    expected = [(middle - bead / PIXEL_SIZE) / 2 for bead in BEADS]
    off = [peak_near(volume, place) - place for place in expected]
    assert np.abs(np.mean(off, 0)).max() < 0.1
    assert np.abs(off).max() < 0.25


def test_cmd_4_is_not_undone_by_resume(session):
    folder = session()
    aretomo_run(folder, f"{LINE} -Cmd 4")
    turned = (folder / "out" / "ts1.aln").read_bytes()
    made = when(folder / "out" / "ts1_Vol.mrc")

    aretomo_run(folder, f"{LINE} -Cmd 4 -Resume 1")

    assert (folder / "out" / "ts1.aln").read_bytes() == turned
    assert when(folder / "out" / "ts1_Vol.mrc") == made


# -- the layout -----------------------------------------------------------------------------------


def test_stacks_are_aligned_and_laid_out_as_aretomo3_does(tmp_path):
    tilts = np.arange(-60, 61, 6.0)
    blobs = blob_series(seed=3, tilts=tilts, size=96, count=250, thickness=500.0, spread=2.0)
    write_stack(tmp_path / "ts1.mrc", blobs.images, 15.0)
    for other in ("_EVN", "_override"):  # half a pair, a name to be skipped
        write_stack(tmp_path / f"ts1{other}.mrc", blobs.images, 15.0)
    order = np.argsort(np.argsort(np.abs(tilts), kind="stable")) + 1
    np.savetxt(tmp_path / "ts1_TLT.txt", np.column_stack([tilts, order, 3.1 * tilts**0]))

    aretomo_run(
        tmp_path,
        "-InPrefix @ -InSuffix .mrc -InSkips override,foo -OutDir @out -Cmd 1 -VolZ -1 -ExtZ 30 "
        "-AtBin 2 3 0 -Wbp 1 -TiltAxis -4.3 -1 -OutImod 1 -Kv 300 -Cs 2.7 -FlipVol 1",
    )

    out = tmp_path / "out"
    found = aretomo.read(out / "ts1.aln", StackFacts(21, (96, 96), 15.0), kernel="3")
    assert found.compare(blobs.truth).rms_px < 0.6
    thickness = round(found.thickness_angstrom / 15) + 30
    shapes = {"": (thickness // 2 // 2 * 2, 48, 48), "_2ND": (thickness // 3 // 2 * 2, 32, 32)}
    for also, shape in shapes.items():
        assert volume_of(out / f"ts1{also}_Vol.mrc")[0].shape == shape
    assert {path.name for path in out.glob("*_Vol.mrc")} == {"ts1_Vol.mrc", "ts1_2ND_Vol.mrc"}
    listed = aretomo.read_tlt_txt(out / "ts1_TLT.txt")
    np.testing.assert_array_equal(listed.order, order)
    assert listed.dose == pytest.approx(np.full(21, 3.1))
    head, row = (out / "TiltSeries_Metrics.csv").read_text().splitlines()
    told = dict(zip(METRICS.split(","), row.split(","), strict=True))
    assert head == METRICS
    assert (told["Tilt_Series"], told["Defocus(A)"]) == ("ts1", "nan")
    assert float(told["Kv"]) == 300
    assert float(told["Pix_Size(A)"]) == 15
    assert float(told["Tilt_Axis"]) == pytest.approx(-4.3, abs=1.0)
    rows = np.loadtxt(out / "ts1_Log" / "ts1_AT_GL.csv")
    np.testing.assert_array_equal(rows[:, 1], order)
    assert (out / "ts1_Imod" / "ts1_st.xf").exists()
    assert names(out / "MdocFound.txt") == names(out / "MdocDone.txt") == ["ts1"]
    given = json.loads((out / "AreTomo3_Session.json").read_text())["parameters"]
    assert given["tiltaxis"] == ["-4.3", "-1"]
    assert (out / "vitreous" / "report.html").exists()
    assert (out / "ts1_Log" / "ts1.log").read_text()


def test_no_volume_is_made_without_thickness(session):
    folder = session()

    aretomo_run(folder, f"{LINE} -Cmd 2".replace(f"-VolZ {THICK}", "-VolZ 0"))

    assert not list((folder / "out").glob("*_Vol.mrc"))
    assert names(folder / "out" / "MdocDone.txt") == ["ts1"]


# -- failures, resuming ---------------------------------------------------------------------------


def test_resume_makes_what_failed_and_leaves_what_is_done(session, caplog):
    folder = session(2)
    out, stack = folder / "out", folder / "ts2.mrc"
    whole = stack.read_bytes()
    stack.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(UserError, match=r"1 of 2 series failed: ts2; "):
        aretomo_run(folder, f"{LINE} -Cmd 2")

    assert names(out / "MdocFound.txt") == ["ts1", "ts2"]
    assert names(out / "MdocDone.txt") == ["ts1"]
    assert not (out / "ts2_Vol.mrc").exists()
    assert "ts2 failed: " in caplog.text
    assert "ends in section" in (out / "ts2_Log" / "ts2.err").read_text()
    made = when(out / "ts1_Vol.mrc")

    stack.write_bytes(whole)
    aretomo_run(folder, f"{LINE} -Cmd 2 -Resume 1")

    assert when(out / "ts1_Vol.mrc") == made
    assert (out / "ts2_Vol.mrc").exists()
    assert names(out / "MdocDone.txt") == ["ts1", "ts2"]


def test_resume_believes_no_list_and_no_file_without_a_manifest(session):
    folder = session()
    out = folder / "out"
    (out / "MdocDone.txt").write_text("ts1\n")
    (out / "ts1_Vol.mrc").write_bytes(b"left by a killed run")

    aretomo_run(folder, f"{LINE} -Cmd 2 -Resume 1")

    assert volume_of(out / "ts1_Vol.mrc")[0].shape == (THICK // 2, SIZE[1] // 2, SIZE[0] // 2)


def test_resume_makes_again_what_other_settings_or_a_lost_volume_ask_for(session):
    folder = session()
    out = folder / "out"
    aretomo_run(folder, f"{LINE} -Cmd 2")
    first = when(out / "ts1_Vol.mrc")

    aretomo_run(folder, f"{LINE} -Cmd 2 -Resume 1 -FlipInt 1")
    second = when(out / "ts1_Vol.mrc")
    (out / "ts1_Vol.mrc").unlink()
    aretomo_run(folder, f"{LINE} -Cmd 2 -Resume 1 -FlipInt 1")

    assert second > first
    assert when(out / "ts1_Vol.mrc") == second


def test_volumes_are_corrected_for_the_ctf_that_is_there(session, caplog):
    folder = session()
    out = folder / "out"
    aretomo_run(folder, f"{LINE} -Cmd 2 -CorrCTF 2")
    plain = volume_of(out / "ts1_Vol.mrc")[0]
    assert "volumes are not corrected for the CTF: -Kv isn't given" in caplog.text
    rows = [f"{k + 1:4d} 30000.0 29500.0 15.0 0.0 0.1 9.0 -1" for k in range(len(TILTS))]
    (out / "ts1_CTF.txt").write_text("\n".join([ARETOMO_COLUMNS, *rows]) + "\n")

    aretomo_run(folder, f"{LINE} -Cmd 2 -CorrCTF 2 -Kv 300")

    assert not np.array_equal(volume_of(out / "ts1_Vol.mrc")[0], plain)


def test_without_resume_all_is_made_again(session):
    folder = session()
    aretomo_run(folder, f"{LINE} -Cmd 2")
    first = when(folder / "out" / "ts1_Vol.mrc")

    aretomo_run(folder, f"{LINE} -Cmd 2")

    assert when(folder / "out" / "ts1_Vol.mrc") > first


def test_a_series_that_fails_now_is_no_longer_done(session, caplog):
    folder = session()
    aretomo_run(folder, f"{LINE} -Cmd 2")
    (folder / "out" / "ts1.aln").unlink()

    with pytest.raises(UserError, match="1 of 1 series failed"):
        aretomo_run(folder, f"{LINE} -Cmd 2 -Resume 1")

    assert "ts1.aln isn't there: -Cmd 1 makes it" in caplog.text
    assert names(folder / "out" / "MdocDone.txt") == []


def test_of_an_mdoc_the_stack_lies_in_the_folder_of_results(session, caplog):
    folder = session()
    (folder / "ts1.mrc").rename(folder / "out" / "ts1.mrc")
    (folder / "ts1.rawtlt").rename(folder / "out" / "ts1_TLT.txt")
    (folder / "in").mkdir()
    (folder / "in" / "ts1.mdoc").write_text("")
    (folder / "in" / "ts2.mdoc").write_text("")
    line = LINE.replace("@ts", "@in").replace(".mrc", ".mdoc")

    with pytest.raises(UserError, match="1 of 2 series failed: ts2"):
        aretomo_run(folder, f"{line} -Cmd 2")

    assert "ts2.mrc isn't there: the stack of ts2.mdoc" in caplog.text
    assert (folder / "out" / "ts1_Vol.mrc").exists()


def test_where_there_is_no_series_that_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no series: nothing begins with"):
        aretomo_run(tmp_path, f"{LINE} -Cmd 1")
    with pytest.raises(UserError, match="there is no folder"):
        aretomo_run(tmp_path, f"{LINE} -Cmd 1".replace("@ts", "@no/ts"))


# -- waiting --------------------------------------------------------------------------------------


def test_serial_takes_series_that_come_later_when_they_are_whole(session):
    folder = session(2)
    whole = (folder / "ts2.mrc").read_bytes()
    (folder / "ts2.mrc").unlink()

    def come():
        time.sleep(0.5)
        with (folder / "ts2.mrc").open("wb") as file:
            for part in range(4):
                quarter = len(whole) // 4 + 1
                file.write(whole[part * quarter : (part + 1) * quarter])
                file.flush()
                time.sleep(0.4)

    writer = threading.Thread(target=come)
    writer.start()
    aretomo_run(folder, f"{LINE} -Cmd 2 -Serial 2.5")
    writer.join()

    assert names(folder / "out" / "MdocDone.txt") == ["ts1", "ts2"]
    assert (folder / "out" / "ts2_Vol.mrc").exists()


# -- movies, CTF ----------------------------------------------------------------------------------


def test_cmd_0_of_movies_makes_stack_alignment_and_volumes(tmp_path):
    session = tmp_path / "session"
    settings = SimulateSettings(
        size=(128, 128), pixel_size=10.0, max_tilt=48.0, tilt_step=8.0, frames=4, beads=400.0
    )
    simulate(output=session, name="TS_1", settings=settings, cpus=2)
    (session / "TS_1.mrc").rename(tmp_path / "true.mrc")
    (session / "TS_1.rawtlt").unlink()
    line = (
        "-InPrefix @session/ -InSuffix .mdoc -OutDir @out -Gain @session/frames/TS_1_gain.mrc "
        "-VolZ 160 -AtBin 2 -Wbp 1"
    )

    aretomo_run(tmp_path, line)

    out = tmp_path / "out"
    images = volume_of(out / "TS_1.mrc")[0]
    true = volume_of(tmp_path / "true.mrc")[0]
    middle = (slice(30, -30), slice(30, -30))
    alike = [np.corrcoef(a[middle].ravel(), b[middle].ravel())[0, 1]
             for a, b in zip(images, true, strict=True)]  # fmt: skip
    assert np.median(alike) > 0.4
    assert len(aretomo.read_tlt_txt(out / "TS_1_TLT.txt").order) == 13
    assert len(aretomo.read_aln(out / "TS_1.aln").sections) >= 11
    for also in ("", "_EVN", "_ODD"):
        assert volume_of(out / f"TS_1{also}_Vol.mrc")[0].shape == (64, 80, 64)
    rows = np.loadtxt(out / "TS_1_Log" / "TS_1_MC_GL.csv")
    assert rows[:4, 0].tolist() == [0, 1, 2, 3]
    true_tilts = json.loads((session / "truth.json").read_text())["tilts"]
    for k, tilt in enumerate(true_tilts):
        mine, moved = rows[4 * k : 4 * k + 4], np.array(tilt["motion_px"])
        assert mine[0, 1] == tilt["acquired"] + 1
        np.testing.assert_allclose(mine[:, 4:], moved[0] - moved, atol=0.5)  # moved back
    assert not (out / "TS_1_CTF.txt").exists()
    assert "no -Kv: no CTF is estimated" in (out / "TS_1_Log" / "TS_1.log").read_text()
    made = when(out / "TS_1_Vol.mrc")

    aretomo_run(tmp_path, f"{line} -Resume 1")

    assert when(out / "TS_1_Vol.mrc") == made


def test_cmd_3_estimates_the_ctf_and_cmd_4_turns_its_hand(tmp_path):
    ice = ice_series(SLAB)
    (tmp_path / "out").mkdir()
    write_stack(tmp_path / "ts1.mrc", ice.stack.data, SLAB.pixel_size)
    write_angles(tmp_path / "ts1.rawtlt", np.array(SLAB.tilts))
    aretomo.write(ice.alignment, tmp_path / "out" / "ts1.aln", kernel="3")
    line = "-InPrefix @ts -InSuffix .mrc -OutDir @out -VolZ 0 -kV 300"
    out = tmp_path / "out"

    aretomo_run(tmp_path, f"{line} -Cmd 3")

    rows = np.loadtxt(out / "ts1_CTF.txt")
    assert np.median(np.abs(rows[:, 1:3].mean(1) - ice.defocus)) < 300
    told = dict(
        zip(
            METRICS.split(","),
            (out / "TiltSeries_Metrics.csv").read_text().splitlines()[1].split(","),
            strict=True,
        )
    )
    assert float(told["Defocus(A)"]) == pytest.approx(rows[4, 1:3].mean(), abs=0.1)
    assert not list(out.glob("*_Vol.mrc"))
    made = when(out / "ts1_CTF.txt")
    aretomo_run(tmp_path, f"{line} -Cmd 3 -Resume 1")
    assert when(out / "ts1_CTF.txt") == made

    aretomo_run(tmp_path, f"{line} -Cmd 4")

    aretomo_run(tmp_path, f"{line} -Cmd 4 -Resume 1")
    row = (out / "TiltSeries_Metrics.csv").read_text().splitlines()[1].split(",")
    assert float(dict(zip(METRICS.split(","), row, strict=True))["DF_Hand"]) == -rows[4, -1]
    np.testing.assert_array_equal(np.loadtxt(out / "ts1_CTF.txt")[:, -1], -rows[:, -1])
    np.testing.assert_array_equal(np.loadtxt(out / "ts1_CTF.txt")[:, :-1], rows[:, :-1])
    flags = [int(path.read_text().split()[0]) for path in (
        out / "vitreous" / "ts1" / "ctf" / "ts1.defocus", out / "ts1_CTF_Imod.txt")]  # fmt: skip
    assert flags[0] ^ flags[1] == 16


def test_one_stack_gets_a_ctf_with_voltage_and_aberration(tmp_path):
    ice = ice_series(SLAB)
    write_stack(tmp_path / "ts.mrc", ice.stack.data, SLAB.pixel_size)
    write_angles(tmp_path / "ts.rawtlt", np.array(SLAB.tilts))
    aretomo.write(ice.alignment, tmp_path / "ts.aln")
    line = "-InMrc @ts.mrc -OutMrc @v.mrc -AlnFile @ts.aln -VolZ 0 -OutBin 4 -Kv 300"

    aretomo_run(tmp_path, line)
    assert not (tmp_path / "v_CTF.txt").exists()
    aretomo_run(tmp_path, f"{line} -Cs 2.7")

    rows = np.loadtxt(tmp_path / "v_CTF.txt")
    assert np.median(np.abs(rows[:, 1:3].mean(1) - ice.defocus)) < 300
