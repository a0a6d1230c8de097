"""Maps from projections: against truth, and bad requests."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.average.eman2_runs import made, results, unpacked
from vitreous.average.projection_settings import ProjectionSettings
from vitreous.average.projections import (
    Projections,
    Seed,
    reconstruct_projections,
)
from vitreous.errors import UserError
from vitreous.geometry.symmetry import point_group
from vitreous.kernels.fsc import fourier_shell_correlation
from vitreous.kernels.insertion import WIDTHS
from vitreous.records.images import ArrayStack

KERNELS = [name for name in WIDTHS if name != "gauss_wide"]

HOUSE = {
    "pad": 64,
    "kernel": "trilinear",
    "correction": "kernel",
    "weight_floor": 0.3,
    "conventions": "house",
}


def blobs(rng, n=12, radius=9.0):
    """Centres (n, 3) and heights of Gaussians of sigma 1.6 px."""
    places = rng.normal(size=(n, 3))
    places *= radius * rng.uniform(0, 1, (n, 1)) / np.linalg.norm(places, axis=1)[:, None]
    return places, rng.uniform(0.5, 1.5, n)


def volume_of(places, heights, shape, sigma=1.6):
    z, y, x = (np.arange(n) - n // 2 for n in shape)
    found = np.zeros(shape)
    for (px, py, pz), height in zip(places, heights, strict=True):
        r2 = (x - px) ** 2 + (y[:, None] - py) ** 2 + (z[:, None, None] - pz) ** 2
        found += height * np.exp(-r2 / (2 * sigma**2))
    return found


def projection_of(places, heights, orientation, shape, sigma=1.6):
    y, x = (np.arange(n) - n // 2 for n in shape)
    found = np.zeros(shape)
    for (u, v, _), height in zip(places @ orientation.T, heights, strict=True):
        r2 = (x - u) ** 2 + (y[:, None] - v) ** 2
        found += height * np.sqrt(2 * np.pi) * sigma * np.exp(-r2 / (2 * sigma**2))
    return found


def projections_of(rng, n, shape, places, heights):
    orientations = Rotation.random(n, rng=rng).as_matrix()
    images = np.array([projection_of(places, heights, R, shape) for R in orientations], np.float32)
    return Projections(ArrayStack(images, 1.0), orientations, np.ones(n))


def likeness(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel_gives_the_map_back_in_its_own_grey_values(kernel, rng):
    places, heights = blobs(rng)
    projections = projections_of(rng, 400, (28, 28), places, heights)
    truth = volume_of(places, heights, (28, 28, 28))

    found = reconstruct_projections(projections, ProjectionSettings(kernel=kernel)).volume

    assert likeness(found, truth) > (0.997 if kernel in ("kaiser_7", "gauss_5") else 0.9985)
    assert (found * truth).sum() / (truth**2).sum() == pytest.approx(1.03, abs=0.04)


@pytest.mark.parametrize("shape", [(27, 27), (24, 30), (29, 26)])
@pytest.mark.parametrize("padded", [None, (51, 51), (33, 48)])
def test_odd_and_rectangular_images_are_as_good(shape, padded, rng):
    places, heights = blobs(rng)
    projections = projections_of(rng, 300, shape, places, heights)

    settings = ProjectionSettings(padded=padded, size=(29, 28, 27))
    found = reconstruct_projections(projections, settings).volume

    assert likeness(found, volume_of(places, heights, (27, 28, 29))) > 0.985


def test_a_mirrored_or_inverted_orientation_gives_another_map(rng):
    places, heights = blobs(rng)
    projections = projections_of(rng, 200, (28, 28), places, heights)
    truth = volume_of(places, heights, (28, 28, 28))

    wrong = [
        Projections(projections.stack, turned, projections.weights)
        for turned in (
            projections.orientations.transpose(0, 2, 1),
            projections.orientations @ np.diag([1.0, 1, -1]),
        )
    ]

    for other in wrong:
        found = reconstruct_projections(other, ProjectionSettings()).volume
        assert likeness(found, truth) < 0.9


@pytest.mark.parametrize("name", ["c3", "d2", "oct", "icos2"])
def test_symmetry_brings_back_a_symmetric_object_from_few_views(name, rng):
    group = point_group(name, "eman2")
    places, heights = blobs(rng, n=2)
    symmetric = np.concatenate([places @ S.T for S in group])
    heights = np.tile(heights, len(group))
    projections = projections_of(rng, 300 // len(group) + 4, (28, 28), symmetric, heights)

    settings = ProjectionSettings(symmetry=name, symmetry_axes="eman2")
    found = reconstruct_projections(projections, settings).volume

    assert likeness(found, volume_of(symmetric, heights, (28, 28, 28))) > 0.98


def test_moves_centre_images_that_lie_elsewhere(rng):
    places, heights = blobs(rng)
    projections = projections_of(rng, 200, (32, 32), places, heights)
    shifts = rng.uniform(-3, 3, (200, 2))
    y, x = (np.arange(32) - 16 for _ in range(2))
    images = []
    for R, (dx, dy) in zip(projections.orientations, shifts, strict=True):
        image = np.zeros((32, 32))
        for (u, v, _), height in zip(places @ R.T, heights, strict=True):
            r2 = (x - u + dx) ** 2 + (y[:, None] - v + dy) ** 2
            image += height * np.sqrt(2 * np.pi) * 1.6 * np.exp(-r2 / (2 * 1.6**2))
        images.append(image)
    moves = np.concatenate([np.tile(np.eye(2), (200, 1, 1)), shifts[:, :, None]], 2)
    moved = Projections(
        ArrayStack(np.array(images, np.float32), 1.0), projections.orientations,
        projections.weights, moves,
    )  # fmt: skip

    found = reconstruct_projections(moved, ProjectionSettings()).volume

    assert likeness(found, volume_of(places, heights, (32, 32, 32))) > 0.99


def test_filling_keeps_the_turn_in_the_plane(rng):
    places, heights = blobs(rng)
    projections = projections_of(rng, 60, (28, 28), places, heights)
    truth = volume_of(places, heights, (28, 28, 28))

    found = reconstruct_projections(projections, ProjectionSettings(fill_angle=12)).volume

    assert likeness(found, truth) > 0.9


@pytest.fixture(scope="module")
def noisy_runs(shared, tmp_path_factory):
    """EMAN2's noisy projections: inputs, truth, and how each map tells of it in the object."""
    inputs = unpacked(shared, tmp_path_factory.mktemp("e1"))
    with np.load(inputs / "truth.npz") as stored:
        truth = stored["main"].astype(np.float32)
    axis = np.arange(32) - 16
    radius = np.sqrt(axis**2 + axis[:, None] ** 2 + axis[:, None, None] ** 2)
    mask = np.clip((13 - radius) / 3, 0, 1)

    def curve(volume):
        return fourier_shell_correlation(volume, truth, 1.0, mask=mask).correlation[1:15]

    return inputs, curve, results(shared / "oracles/E1_eman2_make3dpar")


def test_the_default_is_as_good_as_eman2s_padded_modes_in_every_shell(noisy_runs):
    inputs, curve, theirs = noisy_runs

    ours = curve(made(inputs, **HOUSE))

    for mode in ("trilinear", "gauss_2", "gauss_3"):
        assert (ours > curve(theirs[f"mode_{mode}_pad48"]) - 0.01).all(), mode
    assert (ours > curve(theirs["pad48"]) - 0.01).all()


def test_the_iterative_method_is_as_good_as_eman2s_best_single_pass(noisy_runs):
    inputs, curve, theirs = noisy_runs

    ours = curve(made(inputs, iterative=True, **HOUSE))

    for name in (name for name in theirs if name.startswith("mode_")):
        assert ours.mean() > curve(theirs[name]).mean(), name
    assert (ours > curve(theirs["mode_gauss_3_norad"]) - 0.02).all()


def test_a_seed_of_great_weight_is_what_comes_back(rng):
    places, heights = blobs(rng)
    projections = projections_of(rng, 5, (28, 28), places, heights)
    seed = volume_of(*blobs(rng), (28, 28, 28)).astype(np.float32)

    found = reconstruct_projections(
        projections, ProjectionSettings(correction="none"), seed=Seed(seed, 1e5)
    ).volume

    assert likeness(found, seed) > 0.999


def test_an_unknown_symmetry_is_a_users_error(rng):
    projections = projections_of(rng, 2, (16, 16), *blobs(rng))

    with pytest.raises(UserError, match="symmetry 'q5' is not known"):
        reconstruct_projections(projections, ProjectionSettings(symmetry="q5"))


MEASURED = """
import resource, sys
import numpy as np
from vitreous.average.projection_settings import ProjectionSettings
from vitreous.average.projections import Projections, memory, reconstruct_projections
from vitreous.records.images import ArrayStack

symmetry, iterative = sys.argv[1], sys.argv[2] == "iterative"
projections = Projections(
    ArrayStack(np.ones((8, 32, 32), np.float32), 1.0), np.tile(np.eye(3), (8, 1, 1)), np.ones(8)
)
def run(size):
    settings = ProjectionSettings(padded=(size, size), symmetry=symmetry, iterative=iterative)
    reconstruct_projections(projections, settings)
    return memory((8, 32, 32), settings), 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(*run(32), *run(256))
"""


FROM_A_SMALL_PROCESS = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
"""A child's peak begins with that of who started it."""


@pytest.mark.parametrize(
    ("symmetry", "method"), [("C1", "direct"), ("D2", "direct"), ("C1", "iterative")]
)
def test_the_peak_is_what_is_foreseen(symmetry, method):
    measured = [sys.executable, "-c", MEASURED, symmetry, method]
    command = [sys.executable, "-c", FROM_A_SMALL_PROCESS, *measured]

    subprocess.run(command, check=True)  # compiling kernels takes memory of its own
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    least, before, foreseen, peak = map(int, said.split())
    assert 0.7 * foreseen < peak - before + least < 1.1 * foreseen
