"""`vitreous fsc` on maps whose curve is known."""

import json

import numpy as np
import pytest
from PIL import Image

from vitreous.formats import volumes
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.star import read_star
from vitreous.pipeline import fsc
from vitreous.pipeline.fsc import quality_of

VOXEL = 4.0
SHAPE = (40, 48, 44)
FADES = 0.1  # cycles a voxel: where the signal's amplitude has fallen to 1/e


def write_map(path, values, voxel_size=VOXEL):
    with MrcWriter(path, values.shape, voxel_size) as writer:
        writer.write((0, 0, 0), np.asarray(values, np.float32))
    return path


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    """half1, half2, truth, mask: SNR of a half 16 exp(-2 (k / FADES)^2)."""
    folder, rng = tmp_path_factory.mktemp("maps"), np.random.default_rng(12)
    k = np.sqrt(sum(np.meshgrid(*(np.fft.fftfreq(n) ** 2 for n in SHAPE), indexing="ij")))
    signal = np.fft.ifftn(np.fft.fftn(rng.normal(size=SHAPE)) * 4 * np.exp(-((k / FADES) ** 2)))
    for name in ("half1", "half2"):
        write_map(folder / f"{name}.mrc", signal.real + rng.normal(size=SHAPE))
    write_map(folder / "truth.mrc", signal.real)
    radius = np.sqrt(
        sum(grid**2 for grid in np.indices(SHAPE) - np.reshape(SHAPE, (3, 1, 1, 1)) / 2)
    )
    write_map(folder / "mask.mrc", np.exp(-((radius / 30) ** 2)))  # too soft to smear the curve
    return folder


def frequency_where(correlation, halves=2):
    """Where signal / (signal + noise), the noise of `halves` maps' mean, is worth that much."""
    power = 16 * halves / 2 / (correlation / (1 - correlation))
    return FADES * np.sqrt(np.log(power) / 2) / VOXEL


def test_the_resolution_of_half_maps_is_the_known_one(vitreous, maps):
    ended = vitreous("-q", "fsc", maps / "half1.mrc", maps / "half2.mrc")

    assert (ended.code, ended.said) == (0, "")
    name, at_half, at_0143 = (
        ended.shown.replace(",", "").rsplit(" at ", 2)[0],
        *[float(part.split()[0]) for part in ended.shown.replace(",", "").split(" at ")[1:]],
    )
    assert name.startswith("half maps")
    assert at_half == pytest.approx(1 / frequency_where(0.5), rel=0.05)
    assert at_0143 == pytest.approx(1 / frequency_where(0.143), rel=0.1)


def test_the_mean_of_both_halves_is_held_against_the_truth(maps):
    """sqrt(S / (S + N / 2)): the square of the correlation is worth signal against noise."""
    quality = quality_of([maps / "half1.mrc", maps / "half2.mrc"], against=maps / "truth.mrc")

    curve = quality.curves["reference"]
    k = curve.frequency[2:] * VOXEL
    power = 16 * np.exp(-2 * (k / FADES) ** 2)
    known = np.sqrt(power / (power + 0.5))
    few = 1 / np.sqrt(curve.count[2:])
    assert (np.abs(curve.correlation[2:] - known) < 5 * few + 0.01).all()
    assert list(quality.curves) == ["half maps", "reference"]


def test_tables_and_plot_hold_the_curves_of_a_masked_run(vitreous, maps, tmp_path):
    outputs = [tmp_path / f"fsc.{ending}" for ending in ("star", "csv", "json", "png")]
    words = (maps / "half1.mrc", maps / "half2.mrc", "--mask", maps / "mask.mrc")

    ended = vitreous("-q", "fsc", *words, "--output", *outputs)

    assert (ended.code, ended.said) == (0, "")
    assert [line.split()[0] for line in ended.shown.splitlines()] == [
        "corrected", "masked", "unmasked",
    ]  # fmt: skip
    general, table = read_star(outputs[0])
    held = json.loads(outputs[2].read_text())
    corrected = "rlnFourierShellCorrelationCorrected"
    random = "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"
    for label in (
        corrected, random, "rlnFourierShellCorrelationMaskedMaps",
        "rlnFourierShellCorrelationUnmaskedMaps",
    ):  # fmt: skip
        stands = [float(text) for text in table.texts(label)]
        np.testing.assert_allclose(stands, held[label], atol=1e-6)
    assert float(general.texts("rlnFinalResolution")[0]) == pytest.approx(
        1 / frequency_where(0.143), rel=0.1
    )
    assert outputs[1].read_text().count("\n") == len(held[corrected]) + 1
    with Image.open(outputs[3]) as picture:
        assert picture.width == 900


def test_maps_that_memory_cant_hold_are_summed_over_boxes(vitreous, maps, monkeypatch):
    monkeypatch.setattr(fsc, "BYTES", 10**12)  # a voxel
    monkeypatch.setattr(volumes, "LARGEST_BOX", 24)

    ended = vitreous("fsc", maps / "half1.mrc", maps / "half2.mrc")
    refused = vitreous(
        "-q", "fsc", maps / "half1.mrc", maps / "half2.mrc", "--mask", maps / "mask.mrc"
    )

    assert "summed over boxes" in ended.said
    at_half = float(ended.shown.split(" at ")[1].partition(" ")[0])
    assert at_half == pytest.approx(1 / frequency_where(0.5), rel=0.1)
    assert refused.code == 1
    assert "bin the volumes, or cut them" in refused.said


def test_one_map_against_another(vitreous, maps):
    ended = vitreous("-q", "fsc", maps / "half1.mrc", "--against", maps / "half2.mrc")

    halves = vitreous("-q", "fsc", maps / "half1.mrc", maps / "half2.mrc")
    assert ended.code == 0
    assert ended.shown.split(None, 1) == ["maps", halves.shown.split(None, 2)[2]]


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["half1.mrc"], "of a map and another (--against)"),
        (["half1.mrc", "half2.mrc", "truth.mrc"], "of two half maps"),
        (["half1.mrc", "small.mrc"], "small.mrc has 8 x 8 x 8 voxels"),
        (["half1.mrc", "coarse.mrc"], "coarse.mrc has voxels of 8 A"),
        (["half1.mrc", "holes.mrc"], "no finite numbers"),
        (["half1.mrc", "half2.mrc", "--mask", "half1.mrc"], "a mask has 0 to 1"),
        (["half1.mrc", "half2.mrc", "--mask", "small.mrc"], "small.mrc has 8 x 8 x 8 voxels"),
        (["half1.mrc", "half2.mrc", "--output", "fsc.pdf"], "curves are written as"),
        (["half1.mrc", "none.mrc"], "none.mrc can't be read"),
    ],
)
def test_what_cant_be_correlated_is_said_in_one_line(vitreous, maps, monkeypatch, words, said):
    monkeypatch.chdir(maps)
    write_map(maps / "small.mrc", np.ones((8, 8, 8)))
    write_map(maps / "coarse.mrc", np.ones(SHAPE), 2 * VOXEL)
    write_map(maps / "holes.mrc", np.full(SHAPE, np.nan))

    ended = vitreous("-q", "fsc", *words)

    assert ended.code == 1
    assert said in ended.said
    assert len(ended.said.splitlines()) == 1


def test_a_pixel_size_that_is_given_goes_before_the_headers(vitreous, maps):
    words = (maps / "half1.mrc", maps / "half2.mrc")

    finer = vitreous("-q", "fsc", *words, "--pixel", VOXEL / 2)

    at = float(vitreous("-q", "fsc", *words).shown.split(" at ")[1].split()[0])
    assert float(finer.shown.split(" at ")[1].split()[0]) == pytest.approx(at / 2, rel=5e-3)
