"""Boxes of particles, held to the same steps in a few obvious lines of float64."""

from dataclasses import replace

import numpy as np
import pytest

from tests.average.relion_particles import PIXEL, tilted, truth
from vitreous.average.boxes import boxes_of, visible
from vitreous.average.tilted import BoxSettings, TiltedParticles
from vitreous.ctf.model import transfer
from vitreous.kernels.dose import remaining_amplitude
from vitreous.records.images import ArrayStack


@pytest.fixture
def oracle(shared):
    return shared / "oracles" / "R2_relion_particle"


def box_slowly(tilted_particles: TiltedParticles, particle: int, section: int, settings):
    """(data, weight) of one particle in one tilt, full complex transform, float64."""
    image = np.asarray(tilted_particles.images.read(section), np.float64)
    alignment = tilted_particles.alignment
    position = tilted_particles.particles.positions_in(section)[[particle]]
    seen = alignment.pixels(position)[section, 0]
    size, big = settings.size, int(settings.binning * settings.size + 0.5)
    corner = np.floor(seen + 0.5).astype(int) - big // 2
    rows, columns = image.shape
    y = np.clip(corner[1] + np.arange(big), 0, rows - 1)
    x = np.clip(corner[0] + np.arange(big), 0, columns - 1)
    box = image[np.ix_(y, x)]
    if settings.circle:
        distance = np.hypot(*np.mgrid[:big, :big] - big // 2)
        fading = 0.5 - 0.5 * np.cos(np.pi * (big // 2 - distance) / 5)
        window = np.select([distance < big // 2 - 5, distance < big // 2], [1, fading], 0)
        box = (box - box[distance > big // 2].mean()) * window
    # the particle's centre, wherever between the pixels, is the origin of the transform
    steps = np.fft.fftfreq(size, 1 / size)
    from_centre = np.arange(big)[None] + corner[:, None] - seen[:, None]
    waves = np.exp(-2j * np.pi * steps[None, :, None] * from_centre[:, None] / (big))
    if big != settings.binning * size:
        # the program crops to `size` steps of 1 / big but counts the remaining shift in 1 / size
        whole = np.arange(big) - big // 2
        rest = (seen - corner) / settings.binning - size // 2
        waves = np.exp(
            -2j * np.pi * steps[None, :, None] * (whole / big)[None, None]
            + 2j * np.pi * (steps[None, :, None] * rest[:, None, None]) / size
        )
    spectrum = waves[1] @ box @ waves[0].T / big / settings.binning
    ctf = tilted_particles.ctfs[section]
    if not settings.ctf:
        return -spectrum[:, : size // 2 + 1], np.ones((size, size // 2 + 1))
    height = alignment.heights(tilted_particles.particles.positions[[particle]])[section, 0]
    k = steps / (size * settings.binning * PIXEL)
    at = ctf.at_height(tilted_particles.defocus_slope * height)
    left = remaining_amplitude(np.hypot(*np.meshgrid(k, k)), tilted_particles.doses[section])
    left[(left <= settings.cutoff) | (np.hypot(*np.meshgrid(steps, steps)) > size / 2)] = 0
    passed = transfer(at, k[None], k[:, None]) * left
    return (-spectrum * passed)[:, : size // 2 + 1], (passed**2)[:, : size // 2 + 1]


@pytest.mark.parametrize(
    "settings",
    [
        BoxSettings(36),
        BoxSettings(36, circle=False),
        BoxSettings(36, ctf=False),
        BoxSettings(36, cutoff=0.3),
        BoxSettings(20, 2.0),
        BoxSettings(24, 1.5),
        BoxSettings(35),
        BoxSettings(21, 1.7),
    ],
    ids=str,
)
def test_boxes_agree_with_their_twin(oracle, settings):
    one = tilted(oracle, slope=3.0)[0]

    for boxes in list(boxes_of(one, settings))[::4]:
        for at in (0, len(boxes.index) // 2):
            data, weights = box_slowly(one, boxes.index[at], boxes.sections[0], settings)

            below = slice(None, settings.size // 2)  # the highest frequency has two signs
            error = np.abs(boxes.data[at] - data)[:, below].max()
            assert error < 2e-5 * np.abs(data).max()
            np.testing.assert_allclose(boxes.weights[at], weights, atol=2e-5)


def test_moving_particles_are_cut_out_where_they_went(oracle):
    one = tilted(oracle, moving=True)[0]
    settings = BoxSettings(36)

    boxes = list(boxes_of(one, settings))[3]
    data, _ = box_slowly(one, boxes.index[5], boxes.sections[0], settings)

    assert np.abs(boxes.data[5] - data)[:18, :18].max() < 2e-5 * np.abs(data).max()


def test_the_matrices_are_those_of_image_and_particle(oracle):
    made_of = truth(oracle)
    one = tilted(oracle)[0]

    for boxes in boxes_of(one, BoxSettings(36)):
        wanted = made_of["P1"][boxes.sections[0]][:3, :3] @ made_of["A"][boxes.index]
        np.testing.assert_allclose(boxes.matrices, wanted, atol=1e-5)


def test_particles_nearer_to_an_edge_than_half_a_box_are_not_seen(oracle):
    one = tilted(oracle)[0]

    narrow, wide = visible(one, BoxSettings(36)), visible(one, BoxSettings(18, 2.0))

    np.testing.assert_array_equal(narrow, wide)  # half a box counts in unbinned pixels
    assert not narrow[:, 27].any()  # one lies outside all tilts
    found = [len(boxes.index) for boxes in boxes_of(one, BoxSettings(36))]
    assert sum(found) == narrow.sum()


def test_whitening_flattens_noise_at_any_binning(oracle, rng):
    """Noise whose power falls with frequency comes out with the same power everywhere."""
    one = tilted(oracle)[0]
    count, rows, columns = one.images.shape
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns)[None])
    spectra = np.fft.rfft2(rng.normal(size=(count, rows, columns))) * np.exp(-4 * frequency)
    noise = ArrayStack(np.fft.irfft2(spectra, s=(rows, columns)).astype(np.float32), PIXEL)
    noisy = replace(one, images=noise)

    for size, binning in ((36, 1.0), (18, 2.0)):
        settings = BoxSettings(size, binning, ctf=False, circle=False, whiten=True)
        found = [np.abs(boxes.data) ** 2 for boxes in boxes_of(noisy, settings)]
        power = np.concatenate(found).mean(0)
        radius = np.hypot(np.fft.fftfreq(size, 1 / size)[:, None], np.arange(size // 2 + 1)[None])
        low, high = (power[(radius > a) & (radius < b)].mean() for a, b in ((3, 6), (6, 9)))
        assert low / high == pytest.approx(1, abs=0.15)
