"""`vitreous eman2`: what e2make3dpar does wrongly done right, its files, its bad input."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.projected import SIZE, likeness, matrices, mrcs, phantom, projection, transform
from vitreous.cli.main import main
from vitreous.formats.eman_hdf import HdfImages, read_hdf_volume, write_hdf
from vitreous.formats.mrc import open_stack, read_volume
from vitreous.geometry.euler import eman2_matrix, relion_angles


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stack(here: Path) -> Path:
    """60 projections with orientations, 2.5 A/px."""
    images = [
        (projection(m), {"xform.projection": transform(m), "apix_x": 2.5}) for m in matrices(60)
    ]
    write_hdf(here / "in.hdf", images)
    return here / "in.hdf"


def run(*words: object) -> int:
    return main(["eman2", "e2make3dpar.py", *(str(word) for word in words)])


PADDED = ("--pad", 36, "--mode", "trilinear")


# -- faults of EMAN2 that are put right -----------------------------------------------------------


@pytest.mark.parametrize("size", [25, 33])
@pytest.mark.parametrize("pad", [None, 49, 48])
def test_odd_sizes_are_as_good_as_even_ones(here: Path, size: int, pad: int | None) -> None:
    images = [(projection(m, size=size), {"xform.projection": transform(m)}) for m in matrices(60)]
    write_hdf(here / "odd.hdf", images)

    code = run("--input", "odd.hdf", "--mode", "trilinear", *(("--pad", pad) if pad else ()))

    assert code == 0
    # From an even size to an odd one EMAN2's centre moves by a voxel.
    truth = np.roll(phantom(size), 1, (0, 1, 2)) if pad == 48 else phantom(size)
    assert likeness(here / "threed.hdf", truth) > (0.97 if pad else 0.93)


def test_even_images_padded_to_odd_are_well(stack: Path) -> None:
    assert run("--input", stack, "--pad", 33, "--mode", "trilinear") == 0

    assert likeness(stack.with_name("threed.hdf")) > 0.97


def test_filling_directions_keeps_the_turn_in_the_plane(stack: Path) -> None:
    assert run("--input", stack, "--fillangle", 12, *PADDED) == 0

    assert likeness(stack.with_name("threed.hdf")) > 0.93


def test_images_without_orientation_are_left_out_and_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [
        (projection(m), {"xform.projection": transform(m)} if i % 3 else {})
        for i, m in enumerate(matrices(90))
    ]
    write_hdf(here / "some.hdf", images)

    code = run("--input", "some.hdf", *PADDED)

    said = capsys.readouterr()
    assert code == 0
    assert "Using 60 images" in said.out
    assert "30 images left out" in said.err
    assert "no orientation" in said.err
    assert likeness(here / "threed.hdf") > 0.97


@pytest.mark.parametrize(("sense", "good"), [("auto", True), ("centre", True), ("displace", False)])
def test_a_list_has_the_shifts_of_its_stack(here: Path, sense: str, good: bool) -> None:
    shifts = np.random.default_rng(5).uniform(-3, 3, (60, 2))
    images = [
        (projection(m, (-x, -y)), {"xform.projection": transform(m, (x, y))})
        for m, (x, y) in zip(matrices(60), shifts, strict=True)
    ]
    write_hdf(here / "in.hdf", images)
    lines = "".join(f"{i}\tin.hdf".ljust(39) + "\n" for i in range(60))
    (here / "in.lst").write_text(f"#LSX\n# comment\n# 40\n{lines}")

    assert run("--input", "in.lst", "--lstshift", sense, *PADDED) == 0

    assert (likeness(here / "threed.hdf") > 0.95) == good


def test_seed_weights_are_taken_as_savenorm_writes_them(stack: Path) -> None:
    """Where the images have no weight the seed fills the transform."""
    half = [
        (projection(m), {"xform.projection": transform(m)})
        for m in matrices(400, 3)
        if abs(m[2, 2]) > 0.9
    ]
    write_hdf(stack.with_name("side.hdf"), half[:60])
    write_hdf(stack.with_name("seed.hdf"), [(phantom().astype("f4") * 1.02, {})])
    assert run("--input", "side.hdf", "--savenorm", "norm.hdf", "--mode", "trilinear") == 0
    weights, _ = read_hdf_volume(Path("norm.hdf"))
    missing = (weights == 0).astype(np.float32)
    write_hdf(stack.with_name("weights.hdf"), [(missing, {})])
    without = likeness(stack.with_name("threed.hdf"))

    code = run("--input", "side.hdf", "--mode", "trilinear", "--seedmap", "seed.hdf",
               "--seedweightmap", "weights.hdf")  # fmt: skip

    assert code == 0
    assert weights.shape == (SIZE, SIZE, SIZE // 2 + 1)
    assert likeness(stack.with_name("threed.hdf")) > without + 0.01


def test_ssnr_weights_need_their_curves(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("--input", stack, "--usessnr")

    assert code == 1
    assert "class_ssnr" in capsys.readouterr().err
    assert not Path("threed.hdf").exists()


def test_an_mrc_map_has_the_values_themselves(stack: Path) -> None:
    codes = (
        run("--input", stack, "--output", "a.mrc", *PADDED),
        run("--input", stack, "--output", "a.hdf", "--compressbits", 0, *PADDED),
    )

    assert codes == (0, 0)
    exact, header = read_hdf_volume(Path("a.hdf"))
    found = read_volume(Path("a.mrc"))
    np.testing.assert_array_equal(found.data, exact)
    assert found.voxel_size == header["apix_x"] == 2.5


# -- input of other kinds -------------------------------------------------------------------------


def imagic(folder: Path, count: int) -> Path:
    """classes.img with orientations in its header, as EMAN2 writes it."""
    heads = np.zeros((count, 256), "<i4")
    rng = np.random.default_rng(2)
    angles = np.column_stack(
        [rng.uniform(0, 360, count), np.degrees(np.arccos(rng.uniform(-1, 1, count))),
         rng.uniform(0, 360, count)]
    ).astype("<f4")  # fmt: skip
    heads[:, 0] = np.arange(1, count + 1)
    heads[:, 12] = heads[:, 13] = SIZE
    heads[:, 14] = int.from_bytes(b"REAL", "little")
    heads[:, 64:67] = angles.view("<i4")
    heads[:, 122:125] = np.float32(2.5).view("<i4")
    (folder / "classes.hed").write_bytes(heads.tobytes())
    images = [projection(eman2_matrix(*three.astype(float)))[::-1] for three in angles]
    (folder / "classes.img").write_bytes(np.array(images, "<f4").tobytes())
    return folder / "classes.img"


EXAMPLE = "e2make3d.py --input=classes.img --sym=c3 --output=recon.mrc --pad=128"


@pytest.mark.parametrize(
    "line",
    [
        EXAMPLE,
        f"{EXAMPLE} --keep=1 --recon=fourier --iter=3",
        f"{EXAMPLE} --preprocess=normalize.edgemean",
    ],
)
def test_the_manual_pages_examples_run_as_they_stand(here: Path, line: str) -> None:
    imagic(here, 12)

    assert main(["eman2", *line.split()]) == 0

    found = read_volume(here / "recon.mrc")
    assert found.data.shape == (SIZE,) * 3
    assert found.voxel_size == 2.5
    turned = np.rot90(np.rot90(found.data, axes=(1, 2)), axes=(1, 2))  # 180 degrees isn't in c3
    assert np.corrcoef(found.data[:, 1:, 1:].ravel(), turned[:, :-1, :-1].ravel())[0, 1] < 0.9


def test_an_imagic_stack_gives_the_map(here: Path) -> None:
    imagic(here, 60)

    assert run("--input", "classes.hed", *PADDED) == 0

    assert likeness(here / "threed.hdf") > 0.97


@pytest.mark.parametrize("how", ["star", "star beside", "table"])
def test_an_mrc_stack_takes_its_orientations_from_star_or_table(here: Path, how: str) -> None:
    views = matrices(60)
    shifts = np.random.default_rng(3).uniform(-2, 2, (60, 2))
    mrcs(here / "in.mrcs", views, shifts)
    rot, tilt, psi = relion_angles(np.array(views))
    labels = ["ImageName", "AngleRot", "AngleTilt", "AnglePsi", "OriginXAngst", "OriginYAngst"]
    head = "".join(f"_rln{label}\n" for label in labels)
    rows = "".join(
        f"{i + 1}@in.mrcs {rot[i]} {tilt[i]} {psi[i]} {2.5 * x} {2.5 * y}\n"
        for i, (x, y) in enumerate(shifts)
    )
    (here / "in.star").write_text(f"data_particles\n\nloop_\n{head}{rows}")
    from vitreous.geometry.euler import eman2_angles

    table = np.column_stack([*eman2_angles(np.array(views)), shifts])
    np.savetxt(here / "angles.txt", table)
    given = {
        "star": ["--input", "in.star"],
        "star beside": ["--input", "in.mrcs", "--angles", "in.star"],
        "table": ["--input", "in.mrcs", "--angles", "angles.txt"],
    }[how]

    assert run(*given, *PADDED) == 0

    assert likeness(here / "threed.hdf") > 0.97


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize("parallel", ["thread:2", "mpi:2:scratch"])
def test_worker_processes_give_the_same_map(
    stack: Path, parallel: str, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ("--input", stack, "--compressbits", 0, "--sym", "c2", "--iterative", "--pad", 32)
    assert run(*how, "--output", "one.hdf") == 0

    code = run(*how, "--output", "two.hdf", "--parallel", parallel)

    one, two = (read_hdf_volume(Path(name))[0] for name in ("one.hdf", "two.hdf"))
    assert code == 0
    np.testing.assert_allclose(two, one, atol=1e-4 * np.abs(one).max())
    assert "worker process" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "same"),
    [(("i", "icos", "ICOS", "icos5"), True), (("c4", "C4"), True), (("icos", "icos2"), False)],
)
def test_symmetries_have_eman2s_names(stack: Path, names: tuple[str, ...], same: bool) -> None:
    maps = []
    for name in names:
        assert run("--input", stack, "--sym", name, "--mode", "nearest_neighbor") == 0
        maps.append(read_hdf_volume(Path("threed.hdf"))[0])

    assert all(np.array_equal(maps[0], other) for other in maps[1:]) == same


def test_bits_are_told_by_option_or_name(stack: Path) -> None:
    run("--input", stack, "--output", "a.hdf", "--compressbits", 5)
    run("--input", stack, "--output", "b.hdf:12")
    run("--input", stack, "--output", "c.hdf")

    stored = []
    for name in ("a.hdf", "b.hdf", "c.hdf"):
        with HdfImages(Path(name)) as images:
            stored.append(images.stored_as)
    assert stored == ["5 bits in uint8", "12 bits in uint16", "10 bits in uint16"]


def test_the_map_has_the_attributes_of_eman2s(
    shared: Path, eman_input: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = shared / "oracles" / "E1_eman2_make3dpar" / "files" / "bits10.hdf"
    monkeypatch.chdir(eman_input)

    code = run("--input", "main.hdf", "--pad", 48, "--output", tmp_path / "out.hdf")

    assert code == 0
    changing = {"minimum", "maximum", "mean", "sigma", "square_sum", "mean_nonzero",
                "sigma_nonzero", "stored_rendermin", "stored_rendermax"}  # fmt: skip
    with h5py.File(tmp_path / "out.hdf") as ours, h5py.File(oracle) as theirs:
        a, b = ours["MDF/images/0"], theirs["MDF/images/0"]
        assert a["image"].dtype == b["image"].dtype
        assert a["image"].chunks == b["image"].chunks
        assert set(a.attrs) == set(b.attrs)
        for key in a.attrs:
            assert np.asarray(a.attrs[key]).dtype == np.asarray(b.attrs[key]).dtype, key
            assert a.attrs.get_id(key).shape == b.attrs.get_id(key).shape, key
            if key.removeprefix("EMAN.") not in changing:
                np.testing.assert_array_equal(a.attrs[key], b.attrs[key], err_msg=key)


def test_saved_weights_are_eman2s(
    shared: Path, eman_input: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = np.load(shared / "oracles" / "E1_eman2_make3dpar" / "norms.npz")
    monkeypatch.chdir(eman_input)
    cases = {
        "savenorm": ["--mode", "trilinear"],
        "savenorm_c3": ["--sym", "c3", "--mode", "gauss_2"],
    }

    for name, words in cases.items():
        code = run("--input", "main.hdf", *words, "--savenorm", tmp_path / "norm.hdf",
                   "--output", tmp_path / "out.hdf")  # fmt: skip

        found, _ = read_hdf_volume(tmp_path / "norm.hdf")
        expected = norms[name]
        assert code == 0
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 2e-3 * expected.max(), name


def test_a_tilt_series_may_be_one_volume(here: Path) -> None:
    angles = np.arange(-60, 61, 3.0)
    images = np.array([projection(eman2_matrix(90, a, -90)) for a in angles])
    write_hdf(here / "series.hdf", [(images, {})])
    write_hdf(here / "stack.hdf", [(image, {}) for image in images])
    np.savetxt(here / "in.tlt", angles)

    codes = (
        run("--input", "series.hdf", "--tlt", "in.tlt", "--output", "a.hdf", *PADDED),
        run("--input", "stack.hdf", "--tlt", "in.tlt", "--output", "b.hdf", *PADDED),
    )

    assert codes == (0, 0)
    np.testing.assert_array_equal(*(read_hdf_volume(Path(name))[0] for name in ("a.hdf", "b.hdf")))
    assert likeness(here / "a.hdf") > 0.85


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--input", "missing.hdf"], "missing.hdf"),
        ([], "--input is needed"),
        (["--input", "in.hdf", "--mode", "gauss_4"], "gauss_var"),
        (["--input", "in.hdf", "--sym", "q5"], "icos"),
        (["--input", "in.hdf", "--pad", "abc"], "--pad abc"),
        (["--input", "in.hdf", "--outsize", "20,20"], "--outsize"),
        (["--input", "in.hdf", "--recon", "back_projection"], "vitreous reconstruct"),
        (["--input", "in.hdf", "--preprocess", "normalize.edgemeen"], "normalize.edgemean"),
        (["--input", "in.hdf", "--postprocess", "no.such.processor"], "is not known"),
        (["--input", "in.hdf", "--setsf", "missing.txt"], "missing.txt"),
        (["--input", "in.hdf", "--tlt", "short.tlt"], "2 angles"),
        (["--input", "in.hdf", "--angles", "short.tlt"], "number"),
        (["--input", "in.hdf", "--output", "map.xyz"], ".hdf"),
        (["--input", "in.hdf", "--output", "no/folder/map.hdf"], "folder"),
        (["--input", "in.hdf", "--input_model", "3"], "model_id"),
        (["--input", "in.hdf", "--seedweightmap", "in.hdf"], "--seedmap"),
        (["--input", "in.hdf", "--keep", "0"], "--keep 0"),
        (["--input", "in.hdf", "--keep", "-5", "--keepabs"], "no image"),
        (["--input", "in.hdf", "--compressbits", "20"], "at most 16"),
        (["--input", "in.hdf", "--parallel", "cluster:3"], "thread:N"),
        (["--input", "in.hdf", "--output", "in.hdf"], "is the input"),
        (["--input", "in.hdf", "--lstshift", "left"], "displace"),
        (["--input", "short.tlt"], "projections were expected"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_written(
    stack: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("short.tlt").write_text("1\n2\n")
    before = sorted(path.name for path in stack.parent.iterdir())

    code = run(*words)

    error = capsys.readouterr().err
    assert code in (1, 2)
    assert said in error
    assert len([line for line in error.splitlines() if line.startswith("error")]) == 1
    assert sorted(path.name for path in stack.parent.iterdir()) == before


@pytest.mark.parametrize("fault", ["nan", "size", "flat", "zero", "negative", "scrambled"])
def test_faulty_images_are_named(
    here: Path, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [[projection(m), {"xform.projection": transform(m)}] for m in matrices(6)]
    if fault == "nan":
        images[3][0][2, 2] = np.nan
    elif fault == "size":
        images[3][0] = np.zeros((10, 12), np.float32)
    elif fault == "negative":
        images[3][1]["ptcl_repr"] = -2
    elif fault == "scrambled":
        images[3][1]["xform.projection"] = np.zeros((3, 4))
    else:
        for image in images:
            image[0] = np.full_like(image[0], 4) if fault == "flat" else image[0]
            image[1]["ptcl_repr"] = 0 if fault == "zero" else 1
    write_hdf(here / "in.hdf", [tuple(image) for image in images])

    code = run("--input", "in.hdf")

    said = {"nan": "image 3", "size": "12 x 10", "flat": "the same", "zero": "is 0",
            "negative": "negative", "scrambled": "no rotation"}[fault]  # fmt: skip
    assert code == 1
    assert said in capsys.readouterr().err
    assert not (here / "threed.hdf").exists()


def test_values_that_are_no_numbers_can_be_set(here: Path) -> None:
    images = [(projection(m), {"xform.projection": transform(m)}) for m in matrices(60)]
    images[3][0][2, 2] = np.nan
    write_hdf(here / "in.hdf", images)

    assert run("--input", "in.hdf", "--preprocess", "math.finite:to=0", *PADDED) == 0

    assert likeness(here / "threed.hdf") > 0.97


def test_what_was_there_stays_when_the_input_is_broken(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(stack, "threed.hdf")
    before = Path("threed.hdf").read_bytes()
    stack.write_bytes(stack.read_bytes()[:5000])

    code = run("--input", stack)

    assert code == 1
    assert "in.hdf" in capsys.readouterr().err
    assert Path("threed.hdf").read_bytes() == before


def test_an_unknown_option_is_named(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--input", stack, "--nosuchoption") == 1

    assert "--nosuchoption" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["e2make3dpar", "e2make3dpar.py", "e2make3d", "e2make3d.py"])
def test_help_lists_the_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eman2", name, "--help"]) == 0

    said = capsys.readouterr().out
    assert all(f"--{option}" in said for option in ("seedweightmap", "altedgemask", "setsf"))


def test_an_unknown_program_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eman2", "e2make3dpr.py"]) == 1

    assert "Is it e2make3dpar?" in capsys.readouterr().err


def test_processors_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eman2", "processors", "lowpass"]) == 0

    said = capsys.readouterr().out
    assert "filter.lowpass.gauss:cutoff_abs:cutoff_freq" in said
    assert "mask.sharp" not in said


def test_a_stack_written_for_eman2_is_read_as_it_is(stack: Path) -> None:
    """The fixture's files are what the tests think they are."""
    with HdfImages(stack) as images:
        assert images.count == 60
    assert main(["convert", str(stack), "in.mrcs"]) == 0
    with open_stack(Path("in.mrcs")) as converted:
        assert converted.shape == (60, SIZE, SIZE)
