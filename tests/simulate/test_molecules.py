import numpy as np
import pytest

from vitreous.geometry.rotations import rotation_z
from vitreous.simulate.chance import random_rotation
from vitreous.simulate.molecules import POTENTIAL, VOLUME, molecules

SPECIES = {molecule.name: molecule for molecule in molecules()}
BLUR = 8.0  # angstrom, of each density that is compared


def overlap(one, other, weights):
    """Correlation integral of two densities whose blobs are Gaussians of sigma BLUR."""
    squared = ((one[:, None] - other) ** 2).sum(-1)
    return weights @ np.exp(-squared / (4 * BLUR**2)) @ weights


def best_correlation(positions, mirrored, weights, rng):
    """The best of many orientations of the mirrored molecule, then of small turns about it."""
    itself = overlap(positions, positions, weights)
    best, turn = 0.0, np.eye(3)
    for step in [None] * 1000 + [0.2] * 100 + [0.07] * 100:
        if step is None:
            tried = random_rotation(rng)
        else:
            a, b, c = rng.normal(0, step, 3)
            skew = np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])
            u, _, vt = np.linalg.svd((np.eye(3) + skew) @ turn)
            tried = u @ vt
        found = overlap(positions, mirrored @ tried.T, weights) / itself
        if found > best:
            best, turn = found, tried
    return best


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_a_molecule_is_no_mirror_image_of_itself(name, rng):
    molecule = SPECIES[name]
    some = rng.permutation(len(molecule.weights))[:90]
    positions, weights = molecule.positions[some], molecule.weights[some]

    turned = best_correlation(positions, positions @ random_rotation(rng).T, weights, rng)
    mirror = best_correlation(positions, positions * [1, 1, -1], weights, rng)

    assert turned > 0.98  # so the search finds what is there
    assert mirror < 0.93


@pytest.mark.parametrize("molecule", molecules(), ids=lambda molecule: molecule.name)
def test_a_molecule_has_the_potential_of_its_mass_about_its_centre(molecule):
    assert molecule.weights.sum() == pytest.approx(POTENTIAL * VOLUME * molecule.kda, rel=1e-4)

    centre = molecule.weights @ molecule.positions / molecule.weights.sum()
    np.testing.assert_allclose(centre, 0, atol=0.01)


def test_d_has_six_equal_parts_about_z():
    d = SPECIES["D"]
    turned = d.positions @ rotation_z(60).T

    apart = np.linalg.norm(turned[:, None] - d.positions, axis=2).min(1)

    assert d.symmetry == 6
    assert apart.max() < 0.03
