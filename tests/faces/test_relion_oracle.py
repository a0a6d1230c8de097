"""RELION's own runs (oracle R1) repeated through `vitreous relion`, each held to what RELION made.

The slow twin of the kernel is held to the same runs in tests/reconstruct; here it is the command.
"""

import numpy as np
import pytest

from tests.reconstruct.imod_runs import correlation
from tests.relion_oracle import read_runs, write_inputs
from vitreous.cli.main import main
from vitreous.formats.mrc import open_stack

WHOLE = "--w 104 --h 88 --d 36"
PLAIN = f"{WHOLE} --bin 2 --no_weight"

UNWEIGHTED = {
    "r5_noweight": PLAIN,
    "r5_noweight_angpix10": f"{WHOLE} --binned_angpix 10 --no_weight",
    "r5_noweight_keepmean": f"{PLAIN} --keep_mean",
    "r5_noweight_x0": f"{PLAIN} --x0 10 --y0 -6 --z0 4",
    "r5_noweight_bin1": f"{WHOLE} --bin 1 --no_weight",
    "r5_noweight_bin4": f"{WHOLE} --bin 4 --no_weight",
    "r5_noweight_bin2p5": f"{WHOLE} --bin 2.5 --no_weight",
    "r5_noweight_Fc": f"{PLAIN} --Fc",
    "r5_noweight_odd": "--w 103 --h 87 --d 35 --bin 2 --no_weight",
    "r5_noweight_offset5": f"{PLAIN} --tiltangle_offset 5",
    "r5_noweight_sub": "--w 60 --h 52 --d 24 --bin 2 --no_weight",
    "r5_ctf_skipwiener": f"{WHOLE} --bin 2 --ctf --skip_wiener",
    "r4_noctf_noweight": "--bin 2 --noctf --no_weight",
    "r4_noctf_noweight_x0zero": "--bin 2 --noctf --no_weight --x0 0 --y0 0 --z0 0",
    "r4_bin8default": "--noctf --no_weight",
    "r5_readr4_noweight": f"--t tomograms_r4.star {PLAIN}",
}
WEIGHTED = {
    "r5_default": f"{WHOLE} --bin 2",
    "r5_preweight": f"{WHOLE} --bin 2 --pre_weight",
    "r5_preweight_skipwiener": f"{WHOLE} --bin 2 --skip_wiener --pre_weight",
    "r5_SNR0p5": f"{WHOLE} --bin 2 --SNR 0.5",
    "r5_SNR1000": f"{WHOLE} --bin 2 --SNR 1000",
    "r4_noctf": "--bin 2 --noctf",
    "r4_noctf_preweight": "--bin 2 --noctf --pre_weight",
}
SAME = {
    "r5_noweight_angpix10": "r5_noweight",
    "r5_readr4_noweight": "r5_noweight",
    "r4_noctf": "r5_default",
    "r4_noctf_noweight": "r5_noweight",
    "r4_noctf_preweight": "r5_preweight",
}
"""Runs of the oracle that gave the same file."""


@pytest.fixture(scope="module")
def oracle(shared):
    return shared / "oracles" / "R1_relion_tomogram"


@pytest.fixture(scope="module")
def relions(oracle):
    return read_runs(oracle)


@pytest.fixture(scope="module")
def folder(oracle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("r1")
    write_inputs(oracle, folder)
    return folder


@pytest.fixture
def made(folder, monkeypatch, capfd):
    """made(run, line, ending) -> the volume that the command writes."""

    def call(run, line, ending="tomograms/rec_TS_1.mrc"):
        monkeypatch.chdir(folder)
        version = run[1]
        star = "tomograms_r4.star" if version == "4" else "tilt_series.star"
        output = f"out/{run}.mrc" if version == "4" else f"out/{run}_"
        words = ["relion_tomo_reconstruct_tomogram", "--relion-version", version, "--tn", "TS_1"]
        words += [*line.split(), "--o", output, *([] if "--t " in line else ["--t", star])]
        assert main(["relion", *words]) == 0, capfd.readouterr().err
        with open_stack(folder / (output if version == "4" else output + ending)) as stack:
            return np.array([stack.read(k) for k in range(stack.shape[0])], np.float64)

    return call


def is_nearest(ours, run, relions):
    """Whether a volume is nearer to its own run than to any other of its size."""
    own = correlation(ours, relions[run])
    rivals = [peer for name, peer in relions.items() if name != run and peer.shape == ours.shape]
    return all(own > correlation(ours, rival) for rival in rivals)


@pytest.mark.parametrize("run", UNWEIGHTED)
def test_unweighted_runs_are_reproduced(run, made, relions):
    own = SAME.get(run, run)

    ours = made(run, UNWEIGHTED[run])

    assert ours.shape == relions[own].shape
    assert correlation(ours, relions[own]) >= 0.98
    assert is_nearest(ours, own, relions)


@pytest.mark.parametrize("run", WEIGHTED)
def test_weighted_runs_are_reproduced(run, made, relions):
    own = SAME.get(run, run)

    ours = made(run, WEIGHTED[run])

    assert correlation(ours, relions[own]) >= 0.97
    assert is_nearest(ours, own, relions)


def test_a_mean_is_kept_by_value(made, relions):
    own = relions["r5_noweight_keepmean"]

    ours = made("r5_noweight_keepmean", UNWEIGHTED["r5_noweight_keepmean"])

    seen = own != 0
    assert ours[seen].mean() == pytest.approx(own[seen].mean(), abs=0.01)
    assert np.abs(ours - own)[seen].mean() < 0.1  # the densities' own standard deviation is 0.3


def test_half_sets_are_those_of_even_and_odd_frames(made, relions):
    line = f"{PLAIN} --generate_split_tomograms"

    for part, ending in (("a", "half1"), ("b", "half2")):
        ours = made("r5_noweight_split", line, f"tomograms/rec_TS_1_{ending}.mrc")

        assert correlation(ours, relions[f"r5_noweight_split_{part}"]) >= 0.98
        assert is_nearest(ours, f"r5_noweight_split_{part}", relions)


def test_the_projection_is_the_sum_of_the_sections_in_the_middle(made, relions):
    line = f"{PLAIN} --do_proj --centre_proj 2 --thickness_proj 6"

    ours = made("r5_noweight_proj", line, "projections/rec_TS_1.mrc")

    assert correlation(ours[0], relions["r5_noweight_proj_b"].squeeze()) >= 0.99


@pytest.mark.parametrize("run", ["r5_noweight_bin1", "r5_noweight"])
def test_beads_lie_within_two_hundredths_of_a_pixel_of_relions(run, made, relions, oracle):
    beads = np.load(oracle / "input.npz")["pos"][:6]
    ours, own = made(run, UNWEIGHTED[run]), relions[run]

    binning = 104 / own.shape[2]
    apart = [place(ours, bead / binning) - place(own, bead / binning) for bead in beads]

    assert np.abs(np.mean(apart, 0)).max() <= 0.02


def place(volume, near):
    """Where the darkest point near (x, y, z) lies: the centre of what is dark round it."""
    x, y, z = np.rint(near).astype(int)
    box = volume[z - 3 : z + 4, y - 3 : y + 4, x - 3 : x + 4]
    depth = np.clip(np.median(box) - box - 0.3 * np.ptp(box), 0, None)
    indices = np.indices(box.shape).reshape(3, -1)
    return (indices * depth.ravel()).sum(1)[::-1] / depth.sum()


@pytest.mark.parametrize(
    ("run", "option", "bound"),
    [
        ("r5_fourier", "", 0.999),
        ("r5_fourier_lambda1000", "--lambda 1000", 0.999),
        ("r5_fourier_intact", "--ctf_intact_first_peak", 0.99),
    ],
)
def test_fourier_inversion_is_reproduced(run, option, bound, made, relions):
    ours = made(run, f"{WHOLE} --binned_angpix 10 --fourier {option}")

    assert correlation(ours, relions[run]) >= bound
    assert is_nearest(ours, run, relions)


def test_a_job_of_relions_window_runs_as_it_is(folder, relions, monkeypatch, capfd):
    """What a job.star holds, and what RELION adds to its command lines."""
    monkeypatch.chdir(folder)
    job = folder / "Tomograms" / "job010"
    job.mkdir(parents=True)
    (job / "job.star").write_text(JOB)

    words = ["--job", "Tomograms/job010/job.star", "--pipeline_control", "Tomograms/job010/"]
    assert main(["relion", "relion_tomo_reconstruct_tomogram_mpi", *words]) == 0, capfd.readouterr()

    assert (job / "RELION_JOB_EXIT_SUCCESS").exists()
    assert (job / "tomograms.star").exists()
    with open_stack(job / "tomograms" / "rec_TS_1.mrc") as stack:
        ours = np.array([stack.read(k) for k in range(stack.shape[0])], np.float64)
    assert correlation(ours, relions["r5_fourier"]) >= 0.999


JOB = """
# version 50001
data_job
_rlnJobTypeLabel             relion.reconstructtomograms
_rlnJobIsContinue                       0
_rlnJobIsTomo                           1

data_joboptions_values
loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
in_tiltseries tilt_series.star
xdim 104
ydim 88
zdim 36
binned_angpix 10
do_fourier Yes
ctf_intact_first_peak No
generate_split_tomograms No
tiltangle_offset 0
tomo_name ""
do_proj Yes
centre_proj 0
thickness_proj 10
nr_mpi 2
nr_threads 2
do_queue No
other_args ""
"""


# -- where RELION is wrong ------------------------------------------------------------------------


def test_relion_4s_no_weight_and_pre_weight_hold_with_the_ctf_on(made, relions):
    """Its --SNR 1 comes out as the CTF-multiplied, unweighted volume."""
    unweighted = made("r4_noweight", "--bin 2 --no_weight")
    weighted = made("r4_preweight", "--bin 2 --pre_weight")

    assert correlation(unweighted, relions["r4_SNR1"]) >= 0.98
    assert unweighted.std() < 0.3 * relions["r4_default"].std()  # not times SNR
    assert correlation(weighted, relions["r4_preweight"]) >= 0.97


def specimen(oracle):
    """The planted objects on the grid of the runs at binning 2."""
    told = np.load(oracle / "input.npz")
    z, y, x = np.indices((18, 44, 52)) * 2.0
    truth = np.zeros((18, 44, 52))
    for (px, py, pz), sigma, amplitude in zip(
        *(told[k] for k in ("pos", "sig", "amp")), strict=True
    ):
        apart = (x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2
        truth += amplitude * np.exp(-apart / (2 * sigma**2))
    return truth


@pytest.mark.parametrize(
    ("run", "line"),
    [
        ("r4_default", "--bin 2"),
        ("r4_SNR1", "--bin 2 --SNR 1"),
        ("r5_ctf", f"{WHOLE} --bin 2 --ctf"),
        ("r5_ctf_SNR1", f"{WHOLE} --bin 2 --ctf --SNR 1"),
        ("r5_preweight_ctf", f"{WHOLE} --bin 2 --ctf --pre_weight"),
    ],
)
def test_dividing_by_the_ctf_brings_the_volume_nearer_to_the_specimen(
    run, line, made, relions, oracle
):
    truth = specimen(oracle)

    ours = made(run, line)

    assert correlation(ours, truth) > correlation(relions[run], truth) + 0.01
