import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.simulate.acquisition import exposures
from vitreous.simulate.sample import GOLD_SPREAD, random_sample, region, slab_of
from vitreous.simulate.settings import SimulateSettings

SETTINGS = SimulateSettings(size=(256, 220), pixel_size=10.0, beads=300.0, vesicles=40.0)


@pytest.fixture(scope="module")
def sample():
    return random_sample(SETTINGS, exposures(SETTINGS))


def heights(sample, points):
    return points[:, 2] - sample.slab.middle(points[:, 0], points[:, 1])


def test_molecules_lie_in_the_ice_and_apart(sample):
    places = np.array([particle.position for particle in sample.particles])
    radii = np.array([particle.molecule.radius for particle in sample.particles])

    assert (np.abs(heights(sample, places)) <= 750 - radii + 1e-9).all()
    apart = np.linalg.norm(places[:, None] - places, axis=2) - radii - radii[:, None]
    assert apart[~np.eye(len(radii), dtype=bool)].min() >= 0


def test_molecules_are_in_or_out_of_vesicles_but_not_in_their_walls(sample):
    assert sample.vesicles
    for vesicle in sample.vesicles:
        for particle in sample.particles:
            turned = np.linalg.solve(vesicle.axes, particle.position - vesicle.centre)
            from_surface = abs(np.linalg.norm(turned) - 1) * vesicle.radius
            assert from_surface > particle.molecule.radius * 0.85


def test_the_field_has_as_much_as_asked_for(sample):
    area = 2560 * 2200 / 1e8

    beads = [bead for bead in sample.beads if sample.in_field(bead.position)]
    a = [p for p in sample.particles if p.molecule.name == "A" and sample.in_field(p.position)]

    assert len(beads) == round(300 * area)
    assert len(a) == round(4500 * area * 0.15)


def test_beads_lie_at_the_surfaces_and_are_centred(sample):
    places = np.array([bead.position for bead in sample.beads])
    radii = np.array([bead.radius for bead in sample.beads])
    sides = np.array([bead.side for bead in sample.beads])

    assert (np.abs(sides * heights(sample, places) - 750) <= radii + 1e-9).all()
    assert np.abs(radii / 50 - 1).max() <= GOLD_SPREAD
    assert set(sides) == {-1, 1}
    blobs = sample.gold.positions.reshape(len(radii), -1, 3)
    np.testing.assert_allclose(blobs.mean(1), places, atol=1e-6)
    assert (np.linalg.norm(blobs - places[:, None], axis=2) <= radii[:, None] * 1.2).all()


def test_every_view_is_full(sample):
    tilts = exposures(SETTINGS)

    reach = region(SETTINGS, slab_of(SETTINGS), tilts)

    assert np.abs(sample.matter.positions[:, 0]).max() > 0.9 * reach[0]
    steepest = np.cos(np.deg2rad(60))
    assert reach[0] > 1280 / steepest + 750 * np.tan(np.deg2rad(60))
    assert reach[1] > 1100


def test_one_kind_of_body_shifts_no_other():
    tilts = exposures(SETTINGS)
    bare = random_sample(SETTINGS.model_copy(update={"beads": 0.0}), tilts)
    full = random_sample(SETTINGS, tilts)

    assert [list(p.position) for p in bare.particles] == [list(p.position) for p in full.particles]
    assert [list(v.centre) for v in bare.vesicles] == [list(v.centre) for v in full.vesicles]
    assert len(bare.beads) == 0


def test_too_many_molecules_are_refused():
    crowded = SETTINGS.model_copy(update={"molecules": (80.0, 0.0, 0.0, 0.0)})

    with pytest.raises(UserError, match="no room for another body"):
        random_sample(crowded, exposures(crowded))


def test_ice_that_views_look_along_is_refused():
    steep = SETTINGS.model_copy(update={"pitch_y": 30.0})

    with pytest.raises(UserError, match="at -60 degrees a view looks along ice"):
        random_sample(steep, exposures(steep))
