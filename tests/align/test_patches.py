import numpy as np
import pytest

from tests.align.blobs import PIXEL_SIZE, SIZE, blob_series
from tests.align.test_plane import views_of
from vitreous.align.left_out import references, slab_for
from vitreous.align.match import BAND
from vitreous.align.patches import cut, measured, patch_size, windowed
from vitreous.align.prepare import coefficients, whitened
from vitreous.align.refine import depth_for, refined
from vitreous.align.settings import AlignSettings

TILTS = np.arange(-60, 61, 5.0)
SHAPE = (SIZE, SIZE)


@pytest.fixture(scope="module")
def series():
    return blob_series(tilts=TILTS)


@pytest.fixture(scope="module")
def images(series):
    return np.stack([coefficients(whitened(image, PIXEL_SIZE)) for image in series.images])


@pytest.fixture(scope="module")
def found(series, images):
    """(planes, references, views, slab) at the true geometry."""
    views = views_of(series.truth)
    slab = slab_for(SHAPE, views, 1800.0, 1.5)
    return *references(images, views, slab), views, slab


def peak_slowly(square, reference, weight, cosine, limit, whole):
    """Where within `limit` px the whitened reference fits the square best, whole pixels, float64.

    whole: mean amplitude of the references of all patches.
    """
    size = len(square)
    f, g = np.fft.fft2(reference.astype(float)), np.fft.fft2(square.astype(float))
    k = np.fft.fftfreq(size) / PIXEL_SIZE
    k2 = (k / cosine) ** 2 + k[:, None] ** 2
    weight = np.exp(-k2 * BAND[1] ** 2 / 2) * (1 - np.exp(-k2 * BAND[0] ** 2)) * weight
    correlation = np.fft.ifft2(f * g.conj() * weight / whole).real
    steps = range(-limit, limit + 1)
    return max(((x, y) for y in steps for x in steps), key=lambda at: correlation[at[1], at[0]])


def test_patches_are_found_where_their_twin_finds_them(found):
    planes, there, views, slab = found
    limit = 3

    displacements = measured(planes, there, views, slab, limit * PIXEL_SIZE + 1)

    size, view = patch_size(slab.field, PIXEL_SIZE), 8
    centre = np.array([slab.plane.width // 2, slab.plane.height // 2])
    corners = (displacements.centres + centre - size // 2).astype(int)
    hann = np.hanning(size + 2)[1:-1]
    window = np.sqrt(np.outer(hann, hann)).astype(np.float32)
    squares = windowed(cut(planes[view], corners, size), window)
    wanted = windowed(cut(there[view], corners, size), window)
    mean = np.abs(np.fft.fft2(wanted.astype(float))).mean(0)
    half = mean[:, : size // 2 + 1].astype(np.float32)
    whole = mean + 0.1 * half.mean()
    slow = [
        peak_slowly(squares[p], wanted[p], 1.0, views.cosines[view], limit, whole)
        for p in range(len(corners))
    ]
    np.testing.assert_allclose(displacements.moves[view], slow, atol=0.51)
    assert (displacements.heights[view] > 0).all()


def test_a_displacement_of_the_views_shows_in_all_their_patches(found):
    planes, there, views, slab = found
    before = measured(planes, there, views, slab, 60.0)

    after = measured(np.roll(planes, (1, -2), (1, 2)), there, views, slab, 60.0)

    clear = (before.heights > 8) & (after.heights > 8)
    assert clear.mean() > 0.2
    change = (after.moves - before.moves)[clear]
    np.testing.assert_allclose(np.median(change, axis=0), [2, -1], atol=0.3)


def test_a_patch_beside_the_image_is_not_seen(found):
    planes, there, views, slab = found
    half = planes.copy()
    half[:, : slab.plane.height // 2] = 0

    displacements = measured(half, there, views, slab, 60.0)

    above = displacements.centres[:, 1] < -10
    assert above.any()
    assert (displacements.heights[:, above] == 0).all()
    assert (displacements.heights[:, displacements.centres[:, 1] > 10] > 0).any()


def test_wrong_shifts_and_axis_are_refined(series, images, rng):
    truth = views_of(series.truth)
    guess = truth.turned(1.5).moved_on_plane(rng.normal(0, 2, (len(TILTS), 2)))

    best = refined(images, guess, SHAPE, 1500.0, AlignSettings(rounds=2))

    def apart(views):
        record = views.as_alignment(np.arange(len(TILTS)), len(TILTS), SHAPE, PIXEL_SIZE)
        return record.compare(series.truth, 1200.0).rms_px

    assert apart(guess) > 2
    assert apart(best.views) < 0.5 * apart(guess)
    assert best.extent.thickness == pytest.approx(1200, rel=0.2)
    assert best.extent.middle == pytest.approx(0, abs=1)  # the origin is in the middle of the slab


def test_a_tomogram_is_deeper_than_the_specimen_but_bounded():
    assert depth_for(1000.0) > 1200
    assert depth_for(20000.0) == depth_for(50000.0) < 10000
