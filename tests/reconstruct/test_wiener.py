"""Inversion by the point spread: the house's formula, and RELION's as its program has it."""

import numpy as np
import pytest

from tests.reconstruct.direct import reconstruct_directly
from tests.reconstruct.imod_runs import correlation
from vitreous.errors import UserError
from vitreous.formats.alignments import read_alignment
from vitreous.kernels.machine import Share
from vitreous.pipeline.grids import output_grid
from vitreous.reconstruct.filters import filters_of
from vitreous.reconstruct.sampling import sampling_of
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import Reconstruction, plan, reconstruct_tomogram
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.ctf import Ctf
from vitreous.records.images import ArrayStack, StackFacts

SNR = {"r5_default": 10.0, "r5_SNR0p5": 0.5, "r5_SNR1000": 1000.0}
CTF_RUNS = ["r4_default", "r4_SNR1", "r4_preweight", "r5_ctf", "r5_ctf_SNR1", "r5_preweight_ctf"]


@pytest.fixture(scope="module")
def given(shared):
    return np.load(shared / "oracles" / "R1_relion_tomogram" / "input.npz")


@pytest.fixture(scope="module")
def series(shared, given):
    stack = ArrayStack(given["even"].astype(np.float32) + given["odd"].astype(np.float32), 5.0)
    place = shared / "oracles" / "R1_relion_tomogram" / "star" / "tilt_series.star"
    return stack, read_alignment(place, StackFacts(17, (112, 96), 5.0))


@pytest.fixture(scope="module")
def ctfs(given):
    optics = zip(given["dU"], given["ang"], given["yt"], strict=True)
    return [
        Ctf(u, u - 600, angle, amplitude_contrast=0.1, scale=float(np.cos(np.deg2rad(tilt))))
        for u, angle, tilt in optics
    ]


@pytest.fixture(scope="module")
def peers(shared):
    stored = np.load(shared / "oracles" / "R1_relion_tomogram" / "output.npz")
    names = [name for name in stored.files if not name.endswith("__sc")]
    return {n: stored[n] * stored[f"{n}__sc"][0] + stored[f"{n}__sc"][1] for n in names}


@pytest.fixture(scope="module")
def truth(given):
    """The specimen of R1 in voxels of 10 A: Gaussian beads and blobs."""
    z, y, x = np.indices((36, 88, 104), float)
    volume = np.zeros((36, 88, 104))
    for (px, py, pz), sigma, height in zip(given["pos"], given["sig"], given["amp"], strict=True):
        squared = (x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2
        volume += height * np.exp(-squared / (2 * sigma**2))
    return volume.reshape(18, 2, 44, 2, 52, 2).mean((1, 3, 5))


def relion_settings(**changed):
    as_there = {
        "thickness": "36",
        "width": "104",
        "height": "88",
        "binning": 2,
        "combine": "mean",
        "density_neighbours": 0,
        "grid": "relion",
        "downsample": "relion",
        "weighting": "wiener",
    }
    return ReconstructSettings(**(as_there | changed))


def made(series, settings, **given):
    stack, alignment = series
    grid = output_grid(alignment, settings, (112, 96))
    return reconstruct_tomogram(stack, alignment, settings, grid=grid, **given).data


# -- RELION's formula -----------------------------------------------------------------------------


def relions_weight(volume, alignment, size, snr):
    """RELION's division in float64: unitary transforms, nothing padded, point spread in space."""
    z, y, x = np.indices(volume.shape).astype(float)
    z, y, x = z - volume.shape[0] // 2, y - volume.shape[1] // 2, x - volume.shape[2] // 2
    spread = np.zeros(volume.shape)
    for a, b in alignment.projections:
        u, v = a[0] * x + a[1] * y + a[2] * z, b[0] * x + b[1] * y + b[2] * z
        spread += np.clip(1 - abs(u), 0, None) * np.clip(1 - abs(v), 0, None)
    unitary = np.sqrt(volume.size)
    divisor = abs(np.fft.rfftn(spread)) / unitary + 1 / snr
    return np.fft.irfftn(np.fft.rfftn(volume) / divisor, s=volume.shape, axes=(0, 1, 2))


@pytest.mark.parametrize("direct", [True, False], ids=["twin", "fast"])
@pytest.mark.parametrize("name", SNR)
def test_relions_weighting_without_ctf_is_relions(name, direct, series, peers):
    settings = relion_settings(wiener_formula="relion", snr=SNR[name])

    if direct:
        plain = settings.model_copy(update={"weighting": "none"})
        grid = output_grid(series[1], settings, (112, 96))
        volume = reconstruct_directly(*series, plain, grid)
        ours = relions_weight(volume, series[1], grid.size, SNR[name])
    else:
        ours = made(series, settings)

    rivals = [p for n, p in peers.items() if n != name and p.shape == ours.shape]
    assert all(correlation(ours, peers[name]) > correlation(ours, rival) for rival in rivals)
    assert correlation(ours, peers[name]) >= (0.9999 if direct else 0.97)


def test_a_volume_weighed_in_a_scratch_file_is_the_one_weighed_in_memory(series, tmp_path):
    settings = relion_settings(wiener_formula="relion", add=3.0, multiply=2.0)
    stack, alignment = series
    needed = plan(alignment, settings, (112, 96)).memory_bytes
    share = Share(memory_bytes=needed - 100_000, scratch=tmp_path)

    with Reconstruction(stack, alignment, settings, share=share) as tomogram:
        assert tomogram.plan.spectrum_on_disk
        slabs = [slab.copy() for _, slab in tomogram.slabs()]

    whole = reconstruct_tomogram(stack, alignment, settings).data
    np.testing.assert_allclose(np.concatenate(slabs, 1), whole, atol=1e-5 * whole.std())


def test_many_rows_of_the_point_spread_are_weighed_like_few(series, monkeypatch):
    settings = relion_settings(wiener_formula="relion")
    few = made(series, settings)
    monkeypatch.setattr("vitreous.reconstruct.point_spread.FEW_ROWS", 0)

    many = made(series, settings)

    np.testing.assert_allclose(many, few, atol=1e-5 * few.std())


def test_a_slab_of_a_weighed_volume_does_not_depend_on_the_others(series):
    settings = relion_settings(wiener_formula="relion")

    with Reconstruction(*series, settings) as tomogram:
        thin = tomogram.slab(20, 3).copy()
        thick = tomogram.slab(10, 30)

    np.testing.assert_allclose(thin, thick[:, 10:13], atol=1e-5 * thick.std())


# -- the house's formula --------------------------------------------------------------------------


def divided_slowly(alignment, settings, ctfs, view, kx, ky, thickness):
    """Q(k) + R / SNR at one frequency (1/A) of a view, from vectors in space."""
    k = alignment.rotations[view].T @ [kx, ky, 0]
    told = full = 0.0
    for rotation, ctf in zip(alignment.rotations, ctfs, strict=True):
        x, y, along = rotation @ k
        squared = x * x + y * y
        wave = 12.2643247 / np.sqrt(3e5 * (1 + 3e5 * 0.978466e-6))
        azimuth = np.arctan2(y, x) - np.deg2rad(ctf.astigmatism_degrees)
        defocus = ctf.defocus + ctf.astigmatism / 2 * np.cos(2 * azimuth)
        chi = np.pi * wave * squared * defocus - np.pi / 2 * wave**3 * 2.7e7 * squared**2
        c = ctf.scale * np.sin(chi + np.arcsin(0.1))
        told += c**2 * max(0.0, 1 - abs(thickness * along))
        full += ctf.scale**2
    return told + full / settings.snr


def test_divisors_agree_with_their_twin(series, ctfs, rng):
    settings = relion_settings(ctf="multiply", ctf_strip_defocus=0.0, snr=7.0)
    alignment = series[1]
    sampling = sampling_of(alignment.image_size, settings)
    inversion = filters_of(alignment, settings, sampling, None, 300.0, tuple(ctfs)).inversion
    kx, ky = sampling.frequencies(alignment.pixel_size)

    for view in rng.integers(0, 17, 6):
        found = inversion.divisor(view)
        for row, column in zip(rng.integers(0, 48, 12), rng.integers(0, 29, 12), strict=True):
            expected = divided_slowly(
                alignment, settings, ctfs, view, kx[0, column], ky[row, 0], 36 * 5.0
            )
            assert found[row, column] == pytest.approx(expected, rel=1e-4)
        assert inversion.mean_divisor(view) == pytest.approx(float(found[0, 0]), rel=1e-5)


def test_the_ctf_is_inverted_where_relion_only_multiplies(series, ctfs, truth, peers):
    settings = relion_settings(ctf="multiply", ctf_strip_defocus=0.0, snr=30.0)

    ours = made(series, settings, ctfs=ctfs)

    assert correlation(ours, truth) > 0.62
    assert max(correlation(peers[name], truth) for name in CTF_RUNS) < 0.62


@pytest.mark.parametrize("ctf", ["none", "multiply", "flip"])
def test_weighting_brings_the_volume_nearer_to_the_specimen(ctf, series, ctfs, truth):
    settings = relion_settings(ctf=ctf, ctf_strip_defocus=0.0)
    plain = settings.model_copy(update={"weighting": "none"})

    gain = correlation(made(series, settings, ctfs=ctfs), truth)

    assert gain > correlation(made(series, plain, ctfs=ctfs), truth) + 0.04


def test_voxels_do_not_depend_on_the_volume_they_are_in(series, ctfs):
    whole = relion_settings(ctf="multiply", specimen_thickness="180A", grid="house", width="96")
    part = whole.model_copy(update={"width": "48", "thickness": "20", "rows": (30, 61)})

    large = made(series, whole, ctfs=ctfs)
    small = made(series, part, ctfs=ctfs)

    inner = large[4:14, 15:31, 12:36]
    assert np.abs(small - inner).max() < 1e-3 * inner.std()


def test_snr_means_the_same_for_any_grey_scale_and_number_of_tilts(series, ctfs):
    stack, alignment = series
    settings = relion_settings(ctf="multiply", grid="house", snr=3.0)
    images = np.stack([stack.read(index) for index in range(17)])
    twice = ArrayStack(5 * np.concatenate([images, images]), 5.0)
    tilts = np.tile(alignment.tilts_degrees, 2)
    both = alignment_from_angles(
        axes_degrees=85.0,
        tilts_degrees=tilts,
        shifts=np.zeros((34, 2)),
        image_size=(112, 96),
        pixel_size=5.0,
    )
    once = both.without(range(17))

    doubled = reconstruct_tomogram(twice, both, settings, ctfs=ctfs + ctfs).data
    single = reconstruct_tomogram(twice, once, settings, ctfs=ctfs + ctfs).data
    fainter = reconstruct_tomogram(
        ArrayStack(np.concatenate([images, images]), 5.0), once, settings, ctfs=ctfs + ctfs
    ).data

    np.testing.assert_allclose(doubled, single, atol=1e-4 * single.std())
    np.testing.assert_allclose(single, 5 * fainter, atol=1e-4 * single.std())


def test_nothing_wraps_round_to_the_other_side():
    alignment = alignment_from_angles(
        axes_degrees=90.0,
        tilts_degrees=np.arange(-60, 61, 3.0),
        shifts=np.zeros((41, 2)),
        image_size=(128, 128),
        pixel_size=10.0,
    )
    images = np.zeros((41, 128, 128), np.float32)
    images[:, 64, 4] = 1  # a point near the end of the tilt axis

    volume = reconstruct_tomogram(
        ArrayStack(images, 10.0), alignment, ReconstructSettings(thickness="40", weighting="wiener")
    ).data

    rows = np.abs(volume).max((0, 2))
    assert rows.argmax() == 124
    assert rows[:116].max() < 1e-4 * rows.max()


def test_what_contradicts_the_inversion_is_refused():
    with pytest.raises(ValueError, match="divides by the CTF already"):
        ReconstructSettings(weighting="wiener", ctf="wiener")
    with pytest.raises(ValueError, match="knows of no CTF"):
        ReconstructSettings(weighting="wiener", wiener_formula="relion", ctf="multiply")
    alignment = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=[0.0],
        shifts=np.zeros((1, 2)),
        image_size=(16, 16),
        pixel_size=10.0,
    )
    settings = ReconstructSettings(weighting="wiener", specimen_thickness="0", thickness="8")
    with pytest.raises(UserError, match="specimen_thickness must be above 0"):
        reconstruct_tomogram(
            ArrayStack(np.zeros((1, 16, 16), np.float32), 10.0), alignment, settings
        )


def test_the_plan_counts_a_volume_that_is_weighed_as_a_whole():
    alignment = alignment_from_angles(
        axes_degrees=85.3,
        tilts_degrees=np.arange(-60, 61, 3.0),
        shifts=np.zeros((41, 2)),
        image_size=(928, 960),
        pixel_size=10.0,
    )
    settings = ReconstructSettings(
        thickness="300", weighting="wiener", wiener_formula="relion", combine="mean"
    )

    in_memory = plan(alignment, settings, (928, 960))
    on_disk = plan(alignment, settings, (928, 960), share=Share(memory_bytes=1_000_000_000))

    volume = 4 * 960 * 928 * 300
    assert volume < in_memory.spectrum_bytes < 1.01 * volume
    assert in_memory.memory_bytes < 2.9e9
    assert on_disk.spectrum_on_disk
    assert on_disk.memory_bytes < 1e9
