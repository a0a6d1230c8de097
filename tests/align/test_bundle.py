import numpy as np
import pytest

from vitreous.align.bundle import _solved, adjusted
from vitreous.align.patches import Displacements, patch_centres, patch_size
from vitreous.align.views import Views, nominal_views

TILTS = np.arange(-60, 61, 4.0)
FIELD = 200


@pytest.fixture
def planted(rng) -> Views:
    """Views as they are: axis, tilts, magnifications and shifts off the nominal ones."""
    n = len(TILTS)
    return Views(
        tilts=TILTS + rng.normal(0, 0.07, n),
        axes=-4.0 + rng.normal(0, 0.03, n),
        magnifications=1 + rng.normal(0, 5e-4, n),
        shifts=rng.normal(0, 3, (n, 2)),
        pixel_size=15.0,
    )


def displacements_of(guess, planted, centres, heights, noise):
    """What patches at `centres` of a specimen with such heights would measure."""
    points = np.column_stack([centres, heights])
    seen = planted.shifts[:, None] + np.einsum("nij,pj->npi", planted.maps, points)
    on_plane = np.linalg.solve(guess.in_plane[:, None], (seen - guess.shifts[:, None])[..., None])[
        ..., 0
    ]
    moves = centres - on_plane + noise
    return Displacements(centres, moves, np.full(moves.shape[:2], 12.0))


def error_of(views, planted):
    """RMS px over a grid of points after the best rigid motion of the specimen."""
    size = {"section_count": len(TILTS), "image_size": (FIELD, FIELD), "pixel_size": 15.0}
    one, other = (v.as_alignment(np.arange(len(TILTS)), **size) for v in (views, planted))
    return one.compare(other, thickness_angstrom=1500.0).rms_px


def test_planted_geometry_is_found_from_displacements(planted, rng):
    guess = nominal_views(TILTS, -5.0, 15.0)
    centres = patch_centres((FIELD, FIELD), 60)
    noise = rng.normal(0, 0.1, (len(TILTS), len(centres), 2))
    measured = displacements_of(guess, planted, centres, rng.normal(0, 8, len(centres)), noise)

    found = adjusted(guess, TILTS, measured, FIELD)

    assert error_of(guess, planted) > 2
    assert error_of(found.views, planted) < 0.06
    assert found.views.axes.mean() == pytest.approx(-4.0, abs=0.03)
    assert found.residual_px == pytest.approx(0.1 * np.sqrt(2), rel=0.2)


def test_false_peaks_of_a_fifth_of_the_patches_do_not_matter(planted, rng):
    guess = nominal_views(TILTS, -5.0, 15.0)
    centres = patch_centres((FIELD, FIELD), 60)
    noise = rng.normal(0, 0.1, (len(TILTS), len(centres), 2))
    noise[rng.random(noise.shape[:2]) < 0.2] = rng.uniform(-4, 4, 2)
    measured = displacements_of(guess, planted, centres, rng.normal(0, 8, len(centres)), noise)

    found = adjusted(guess, TILTS, measured, FIELD)

    assert error_of(found.views, planted) < 0.12


def test_without_a_peak_nothing_moves():
    guess = nominal_views(TILTS, 3.0, 15.0)
    centres = patch_centres((FIELD, FIELD), 60)
    nothing = Displacements(
        centres, np.zeros((len(TILTS), len(centres), 2)), np.zeros((len(TILTS), len(centres)))
    )

    found = adjusted(guess, TILTS, nothing, FIELD)

    np.testing.assert_array_equal(found.views.shifts, guess.shifts)
    assert np.isnan(found.per_view_px).all()


def test_eliminating_the_patches_solves_the_same_equations(rng):
    views, patches = 7, 5
    unknowns = 5 * views + 3 * patches + 1
    rows = rng.normal(size=(300, unknowns))
    for row in rows:
        others = np.ones(3 * patches, bool)
        at = 3 * rng.integers(patches)
        others[at : at + 3] = False
        row[5 * views : -1][others] = 0  # a position depends on one patch
    normal, right = rows.T @ rows, rng.normal(size=unknowns)

    np.testing.assert_allclose(
        _solved(normal, right, 5 * views), np.linalg.solve(normal, right), rtol=1e-8
    )


@pytest.mark.parametrize(("field", "size"), [((200, 200), 60), ((600, 400), 100), ((90, 100), 40)])
def test_patches_fill_the_field_and_overlap(field, size):
    assert patch_size(field, 15.0) == size

    centres = patch_centres(field, size)

    for axis, length in enumerate(field):
        along = np.unique(centres[:, axis])
        assert along[0] == pytest.approx(-(length - size) / 2)
        assert along[-1] == pytest.approx((length - size) / 2)
        assert np.diff(along).max() <= size
