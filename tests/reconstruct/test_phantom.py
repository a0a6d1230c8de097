"""Reconstructions held to truth: a phantom whose projections are known in closed form."""

import itertools

import numpy as np
import pytest

from tests.phantom import densities, ellipsoid, gaussian, mirrored, projections
from tests.reconstruct.correlation import correlation_in, tilt_wedge
from tests.reconstruct.direct import reconstruct_directly
from vitreous.reconstruct.reproject import reproject
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import plan, reconstruct_tomogram
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.images import ArrayStack
from vitreous.simulate.scores import dark_centre

PIXEL_SIZE = 2.0
IMAGE_SIZE = (128, 120)
BEADS = PIXEL_SIZE * np.array(
    [(-30, 12, -11), (25.3, -20.4, 9.7), (5.5, 28, 14.2), (-14.1, -27.3, -3.6), (31.2, 24.9, -8.4)]
)
GEOMETRIES = {
    "upright": {"axes_degrees": 0.0},
    "axis 45": {"axes_degrees": 45.0},
    "axis 85.3": {"axes_degrees": 85.3},
    "axis -170": {"axes_degrees": -170.0},
    "x tilt": {"axes_degrees": 85.3, "x_tilts_degrees": 2.5},
    "magnification": {"axes_degrees": 85.3, "magnifications": 1.02},
    "all of it": {
        "axes_degrees": np.linspace(84.6, 86.0, 41),
        "x_tilts_degrees": -3.0,
        "magnifications": np.linspace(0.99, 1.005, 41),
    },
}


def views(rng, count=41, **geometry):
    """Tilts from -60 to 60 degrees with shifts of some pixels."""
    return alignment_from_angles(
        tilts_degrees=np.linspace(-60, 60, count),
        shifts=rng.normal(0, 4 * PIXEL_SIZE, (count, 2)),
        image_size=IMAGE_SIZE,
        pixel_size=PIXEL_SIZE,
        **({"axes_degrees": 85.3} | geometry),
    )


def seen(bodies, alignment, noise=0.0, rng=None):
    images = projections(bodies, alignment)
    if noise:
        images += rng.normal(0, noise, images.shape).astype(np.float32)
    return ArrayStack(images, PIXEL_SIZE)


def bead_distances(rng, **geometry):
    """(n, 3) voxels: where dark beads of sigma 2 px are found, less where they were put."""
    alignment = views(rng, **geometry)
    beads = [gaussian(bead, 2 * PIXEL_SIZE, -1.0) for bead in BEADS]
    volume = reconstruct_tomogram(
        seen(beads, alignment), alignment, ReconstructSettings(thickness="60")
    )
    true = volume.grid.indices(BEADS)
    return np.array([dark_centre(volume.data, bead, 5) for bead in true]) - true


@pytest.mark.parametrize("name", GEOMETRIES)
def test_beads_come_back_where_they_were(name, rng):
    apart = bead_distances(rng, **GEOMETRIES[name])

    assert np.linalg.norm(apart, axis=1).max() < 0.05
    assert np.abs(apart.mean(0)).max() < 0.02  # no offset common to all


# -- grey values ----------------------------------------------------------------------------------


def density_share(sigma_px, rng):
    """What the fast kernel and its twin give at the centre of a Gaussian blob of density 1."""
    alignment = views(rng)
    stack = seen([gaussian((0, 0, 0), sigma_px * PIXEL_SIZE)], alignment)
    settings = ReconstructSettings(thickness="24", rows=(60, 66), width="40")
    fast = reconstruct_tomogram(stack, alignment, settings)
    slow = reconstruct_directly(stack, alignment, settings)
    x, y, z = fast.grid.indices(np.zeros(3)).astype(int)
    return float(fast.data[z, y, x]), float(slow[z, y, x])


def test_a_blob_comes_back_with_the_share_of_its_density_that_the_tilts_see(rng):
    fast, _ = density_share(2.0, rng)

    # a ball's transform is isotropic: 41 tilts of 3 degrees see 123 of its 180 degrees
    assert fast == pytest.approx(123 / 180, rel=0.005)


def test_the_density_is_the_twins(rng):
    fast, slow = density_share(8.0, rng)

    assert fast == pytest.approx(slow, rel=0.005)
    assert fast == pytest.approx(123 / 180, rel=0.03)  # a wide blob feels the filter's k = 0


# -- hand and order of axes -----------------------------------------------------------------------

BODIES = (
    ellipsoid((-12, 6, 3), (56, 32, 16)),
    gaussian((44, -30, -12), 8, 1.5),
    gaussian((-48, -44, 14), (6, 4, 9), 2.0),
    gaussian((20, 46, 18), 6, 2.5),
)


@pytest.mark.parametrize("method", ["wbp", "sirt"])
def test_only_the_object_itself_fits_not_its_mirror_images_nor_swapped_axes(method, rng):
    alignment = views(rng)
    settings = ReconstructSettings(thickness="48", width="120", height="120", method=method)

    volume = reconstruct_tomogram(seen(BODIES, alignment), alignment, settings)

    wedge = tilt_wedge(volume.grid.shape, 60, finest_px=5)

    def score(truth):
        return correlation_in(wedge, volume.data, truth)

    others = [
        densities(mirrored(BODIES, signs), volume.grid)
        for signs in itertools.product([1, -1], repeat=3)
        if signs != (1, 1, 1)
    ]
    itself = densities(BODIES, volume.grid)
    others.append(itself.swapaxes(1, 2))
    assert score(itself) > 0.95
    assert max(score(other) for other in others) < score(itself) - 0.15


# -- iterations -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def noisy():
    """(alignment, stack, truth, mask) of 21 noisy tilts."""
    rng = np.random.default_rng(21)
    alignment = views(rng, count=21)
    stack = seen(BODIES, alignment, noise=3.0, rng=rng)
    grid = plan(alignment, iterative("sirt", 1), IMAGE_SIZE).grid
    mask = densities([ellipsoid((0, 0, 0), (90, 90, 34))], grid)
    return alignment, stack, densities(BODIES, grid), mask


def iterative(method, iterations, **options):
    return ReconstructSettings(
        method=method, iterations=iterations, thickness="36", keep_mean=True, **options
    )


def error(volume, truth, mask):
    """Distance to truth inside the mask, as a share of the truth."""
    inside = mask > 0
    return np.linalg.norm((volume.data - truth)[inside]) / np.linalg.norm(truth[inside])


def residual(volume, alignment, stack):
    """Distance of the reprojections from the images, as a share of these."""
    inner = (slice(None), slice(20, -20), slice(20, -20))
    apart = (reproject(volume, alignment).data - stack.data)[inner]
    return np.linalg.norm(apart) / np.linalg.norm(stack.data[inner])


@pytest.fixture(scope="module")
def solved(noisy):
    """{(method, iterations): volume}."""
    alignment, stack, _, mask = noisy
    return {
        (method, count): reconstruct_tomogram(stack, alignment, iterative(method, count), mask=mask)
        for method, count in [("sirt", n) for n in (1, 2, 4, 8, 16)] + [("os-sart", 2)]
    }


def test_the_residual_of_sirt_falls_with_every_iteration(noisy, solved):
    alignment, stack, _, _ = noisy

    residuals = [residual(solved["sirt", n], alignment, stack) for n in (1, 2, 4, 8, 16)]

    assert (np.diff(residuals) < 0).all()
    assert residuals[-1] < 0.6 * residuals[0]


def test_sirt_is_nearer_to_truth_than_weighted_back_projection(noisy, solved):
    alignment, stack, truth, mask = noisy
    weighted = reconstruct_tomogram(stack, alignment, ReconstructSettings(thickness="36"))

    assert error(solved["sirt", 16], truth, mask) < 0.9 * error(weighted, truth, mask)
    assert not solved["sirt", 16].data[mask == 0].any()


def test_two_rounds_of_os_sart_are_worth_eight_of_sirt(noisy, solved):
    alignment, stack, truth, mask = noisy

    quick, slow = solved["os-sart", 2], solved["sirt", 8]

    assert residual(quick, alignment, stack) < residual(slow, alignment, stack)
    assert error(quick, truth, mask) < error(slow, truth, mask)


def test_less_relaxation_goes_slower(noisy, solved):
    alignment, stack, _, mask = noisy
    gentle = reconstruct_tomogram(stack, alignment, iterative("sirt", 4, relaxation=0.3), mask=mask)

    assert residual(gentle, alignment, stack) > residual(solved["sirt", 4], alignment, stack)


def test_positive_iterations_hold_no_negative_density(noisy):
    alignment, stack, truth, mask = noisy

    free = reconstruct_tomogram(stack, alignment, iterative("sirt", 6), mask=mask)
    positive = reconstruct_tomogram(
        stack, alignment, iterative("sirt", 6, positive=True), mask=mask
    )

    assert free.data.min() < 0
    assert positive.data.min() == 0
    assert error(positive, truth, mask) < error(free, truth, mask)


# -- half sets ------------------------------------------------------------------------------------


def halves(stack, alignment):
    settings = ReconstructSettings(thickness="48")
    found = [settings.model_copy(update={"half": half}) for half in ("odd", "even")]
    sections = [plan(alignment, half, IMAGE_SIZE).alignment.sections for half in found]
    return sections, [reconstruct_tomogram(stack, alignment, half).data for half in found]


def test_half_sets_share_the_object_and_not_the_noise(rng):
    alignment = views(rng)
    whole = reconstruct_tomogram(
        seen(BODIES, alignment), alignment, ReconstructSettings(thickness="48")
    ).data

    (odd, even), clean = halves(seen(BODIES, alignment), alignment)
    _, noise = halves(seen((), alignment, noise=3.0, rng=rng), alignment)

    assert sorted([*odd, *even]) == list(range(41))
    assert np.array_equal(odd, np.arange(0, 41, 2))  # every other one in order of angle
    inner = (slice(None), slice(20, -20), slice(20, -20))
    middle = np.mean(clean, axis=0)[inner]
    assert np.corrcoef(middle.ravel(), whole[inner].ravel())[0, 1] > 0.995
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.01
