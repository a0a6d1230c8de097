"""Rings that are known exactly, looked up in the table."""

import numpy as np
import pytest

from vitreous.ctf.envelope import BANDS, RingHeights, first_envelope, pooled, ring_heights
from vitreous.ctf.fit import Question, fitted
from vitreous.ctf.model import transfer
from vitreous.ctf.noise import with_measured_noise
from vitreous.ctf.optics import Optics
from vitreous.ctf.phase import rings_of
from vitreous.ctf.profile import profiles
from vitreous.ctf.spectra import Projector, Spectra
from vitreous.ctf.table import defocus_grid, tabulated
from vitreous.ctf.tiles import polar_grid
from vitreous.records.alignment import alignment_from_angles

SIDE, PIXEL_SIZE = 400, 2.5
OPTICS = Optics()
GRID = polar_grid(SIDE, PIXEL_SIZE, 35, 5.5)
ENVELOPE = first_envelope(GRID.k, 5.5)
RANGE = (5000.0, 85000.0)
DEFOCUS = defocus_grid(*RANGE)


def question_of(tilt=0.0):
    alignment = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=np.array([tilt]),
        shifts=np.zeros((1, 2)),
        image_size=(1024, 1024),
        pixel_size=PIXEL_SIZE,
    )
    return Question(alignment, np.array([0]), 1500.0, 1500.0)


def spectra_of(*ctfs, seen=None, height=0.3, noise=None, tiles=1):
    """One view whose groups of tiles have these transfers, on a sloping background."""
    ky, kx = np.meshgrid(
        np.fft.fftfreq(SIDE, PIXEL_SIZE), np.fft.rfftfreq(SIDE, PIXEL_SIZE), indexing="ij"
    )
    squared = kx**2 + ky**2
    logs = []
    for ctf in ctfs:
        rings = 1 + height * np.exp(-35 * squared) * (2 * transfer(ctf, kx, ky) ** 2 - 1)
        power = GRID.means((rings * np.exp(3 - 20 * squared)).astype(np.float32))
        logs.append(np.log(power) + (0 if noise is None else noise / np.sqrt(GRID.pixels)))
    count = len(ctfs)
    return Spectra(
        grid=GRID,
        flat=Projector(GRID)(np.array(logs)),
        tiles=np.full(count, float(tiles)),
        seen=np.zeros((count, 2)) if seen is None else np.asarray(seen, float),
        starts=np.array([0, count]),
        noise=1.0,
        masked=np.zeros(1),
    )


@pytest.mark.parametrize(("defocus", "within"), [(12000.0, 35), (32276.0, 25), (48513.0, 25)])
@pytest.mark.parametrize("astigmatism", [0j, 300 - 450j])
def test_exact_rings_have_an_exact_defocus_and_astigmatism(defocus, within, astigmatism):
    spectra = spectra_of(OPTICS.ctf(defocus, astigmatism), tiles=100)

    fit = fitted(tabulated(spectra, OPTICS, ENVELOPE, DEFOCUS), question_of(), 1)

    assert fit.defocus == pytest.approx([defocus], abs=5)
    # a sector of 15 degrees and a ring of one pixel count as one direction and one frequency
    assert abs(fit.astigmatism - astigmatism) < within


@pytest.mark.parametrize("hand", [1, -1])
def test_groups_at_other_heights_have_their_own_defocus(hand):
    tilt, at = 40.0, np.array([-800.0, 0, 800])
    height = -at * np.tan(np.deg2rad(tilt))
    ctf = OPTICS.ctf(30000.0, hand=hand)
    spectra = spectra_of(*(ctf.at_height(h) for h in height), seen=np.stack([at, np.zeros(3)], -1))
    table = tabulated(spectra, OPTICS, ENVELOPE, DEFOCUS)

    right, wrong = (fitted(table, question_of(tilt), sign) for sign in (hand, -hand))

    assert right.defocus == pytest.approx([30000], abs=10)
    assert right.total > 1.5 * wrong.total


@pytest.mark.parametrize("degrees", [0.0, 35.0, 120.0])
def test_rings_at_a_phase_are_a_mixture_of_both_tables(degrees):
    spectra = spectra_of(OPTICS.ctf(20000.0, 0j, degrees))
    rings = rings_of(spectra, OPTICS, ENVELOPE, DEFOCUS, phase_plate=True)

    fit = fitted(rings.at(np.array([np.deg2rad(degrees)])), question_of(), 1)
    other = fitted(rings.at(np.array([np.deg2rad(degrees + 30)])), question_of(), 1)

    assert fit.defocus == pytest.approx([20000], abs=10)
    assert fit.total > other.total


def test_a_look_up_at_one_point_is_that_of_the_curves():
    spectra = spectra_of(OPTICS.ctf(30000.0), OPTICS.ctf(30300.0))
    table = tabulated(spectra, OPTICS, ENVELOPE, DEFOCUS)
    offsets = np.linspace(-700, 900, 24).reshape(2, 12)

    curves = table.curves(offsets)

    for column in (300, 624, 1100):
        at = table.at(offsets, np.array([DEFOCUS[column]]))
        assert at == pytest.approx([curves[0, column]], rel=0.02, abs=0.02)


def test_heights_of_rings_are_measured_and_end_where_they_do(rng):
    ctf = OPTICS.ctf(30000.0)
    spectra = spectra_of(ctf, height=0.3, noise=rng.normal(size=GRID.pixels.shape))
    table = tabulated(spectra, OPTICS, ENVELOPE, DEFOCUS)
    fit = fitted(table, question_of(), 1)

    heights = pooled(ring_heights(spectra, OPTICS, question_of(), fit, np.zeros(1)))

    expected = 0.3 * np.exp(-35 * heights.k**2)
    assert np.abs((heights.height - expected) / heights.error)[1:].max() < 4
    assert len(heights.k) == BANDS


def heights_of(values):
    values = np.array(values, float)
    edges = np.arange(0, 10 * (len(values) + 1), 10)
    return RingHeights(edges, np.arange(len(values)) + 0.5, values, np.ones_like(values))


@pytest.mark.parametrize(
    ("values", "last"),
    [
        ([9, 7, 5, 1, 0, 0], 3),
        ([9, 7, 1, 5, 0, 0], 4),
        ([9, 7, 1, 0, 5, 5], 2),
        ([1, 9, 7, 0, 0, 0], 3),
        ([0, 1, 0, 1, 0, 1], 0),
        ([9, 9, 9, 9, 9, 9], 6),
    ],
)
def test_two_missing_bands_end_the_rings(values, last):
    heights = heights_of(values)

    assert heights.last == last
    envelope = heights.envelope(np.linspace(0.5, 5.5, 60))
    assert (envelope[10 * max(last, 2) :] == 0).all()


def test_noise_that_is_larger_than_in_theory_is_measured(rng):
    noise = 1.5 * rng.normal(size=GRID.pixels.shape)
    spectra = spectra_of(OPTICS.ctf(30000.0), noise=noise)
    table = tabulated(spectra, OPTICS, ENVELOPE, DEFOCUS)
    fit = fitted(table, question_of(), 1)

    measured = with_measured_noise(
        spectra, OPTICS, question_of(), fit, ENVELOPE, RANGE, np.zeros(1)
    )

    assert measured.noise == pytest.approx(1.5**2, rel=0.4)


def test_profiles_bring_all_groups_and_sectors_to_one_defocus():
    at = np.array([-600.0, 0, 600])
    ctf = OPTICS.ctf(30000.0, 500 + 300j)
    height = -at * np.tan(np.deg2rad(30))
    seen = np.stack([at, np.zeros(3)], -1)
    spectra = spectra_of(*(ctf.at_height(h) for h in height), seen=seen)
    question = question_of(30.0)
    fit = fitted(tabulated(spectra, OPTICS, ENVELOPE, DEFOCUS), question, 1)

    curves = profiles(spectra, OPTICS, question, fit, np.zeros(1), ENVELOPE)

    assert curves.score[0] > 0.97
    difference = curves.measured - curves.fitted
    assert np.sqrt(np.mean(difference**2)) < 0.15 * np.sqrt(np.mean(curves.fitted**2))
