"""Particle sets, held to the positions, turns and trajectories that RELION's oracle was made of."""

import numpy as np
import pytest

from vitreous.errors import FormatError, UserError
from vitreous.formats.relion_particles import (
    OptimisationSet,
    Trajectories,
    particles_of,
    read_optimisation_set,
    read_particle_set,
    visible_of,
    write_optimisation_set,
)
from vitreous.formats.relion_sets import read_tomogram

PIXEL = 4.0


@pytest.fixture
def star(shared):
    return shared / "oracles" / "R2_relion_particle" / "star"


@pytest.fixture
def truth(star):
    return dict(np.load(star.parent / "input.npz"))


@pytest.mark.parametrize("name", ["particles.star", "particles_r4.star"])
def test_positions_and_turns_are_those_the_oracle_was_made_of(star, truth, name):
    found = read_particle_set(star / name)

    for index, tomogram in enumerate(("TS_1", "TS_2")):
        size = tuple(int(n) for n in truth["whd"][index])
        particles = particles_of(found, tomogram, size, PIXEL)

        chosen = truth["tomo"] == index
        voxels = particles.positions / PIXEL + np.array(size) // 2
        np.testing.assert_allclose(voxels, truth["pos"][chosen], atol=2e-3)
        np.testing.assert_allclose(particles.rotations, truth["A"][chosen], atol=1e-5)
        np.testing.assert_array_equal(particles.half_sets, truth["half"][chosen])


def test_centred_coordinates_count_from_the_real_half_of_an_odd_tomogram(star):
    found = read_particle_set(star / "particles.star")

    even = particles_of(found, "TS_1", (136, 112, 40), PIXEL)
    odd = particles_of(found, "TS_1", (137, 112, 40), PIXEL)

    np.testing.assert_allclose(odd.positions - even.positions, [[PIXEL / 2, 0, 0]] * 30)


def test_trajectories_are_found_by_name_and_added(star, truth):
    found = read_particle_set(star / "particles.star")
    particles = particles_of(found, "TS_2", (112, 136, 40), PIXEL)

    tracks = Trajectories(star / "motion.star").of(particles, np.arange(15), 16)

    np.testing.assert_allclose(tracks[:, :15], truth["traj"][truth["tomo"] == 1], atol=1e-3)
    assert not tracks[:, 15].any()


def test_a_trajectory_of_the_wrong_length_is_told(star):
    found = read_particle_set(star / "particles.star")
    particles = particles_of(found, "TS_2", (112, 136, 40), PIXEL)

    with pytest.raises(FormatError, match="15 rows, the tilt series TS_2 has 14 tilts"):
        Trajectories(star / "motion.star").of(particles, np.arange(14), 14)


def test_visible_frames_go_to_the_sections_of_the_stack(star):
    found = read_particle_set(star / "out_sub2d_particles.star")
    particles = particles_of(found, "TS_1", (136, 112, 40), PIXEL)

    visible = visible_of(found, particles, np.arange(15)[::-1], 15)

    assert visible is not None
    assert visible[0].all()
    assert visible[1].tolist() == [True] * 4 + [False] * 6 + [True] * 5


def test_a_set_without_half_sets_says_so(star):
    found = read_particle_set(star / "particles_nohalf.star")

    assert not found.has_half_sets
    assert set(particles_of(found, "TS_1", (136, 112, 40), PIXEL).half_sets) == {0}


def test_real_sets_of_two_dimensional_stacks_are_read(shared):
    folder = shared / "data" / "ribosome70s_particles"
    files = read_optimisation_set(next(folder.glob("*_optimisation_set.star")))

    found = read_particle_set(files.particles)

    assert found.are_stacks
    assert len(found.particles) == 40
    name = found.tomograms[0]
    tomogram = read_tomogram(files.tomograms, name)
    size, pixel_size = tomogram.size, tomogram.pixel_size
    assert size is not None
    assert pixel_size is not None
    assert len(particles_of(found, name, size, pixel_size)) == 10


def test_files_that_are_given_go_before_those_of_the_set(star, tmp_path):
    other = tmp_path / "other.star"
    other.write_text((star / "particles3.star").read_text())

    files = read_optimisation_set(star / "optimisation_set.star", particles=other)

    assert files.particles == other
    assert files.tomograms.name == "tomograms.star"


def test_without_tomograms_it_is_said_what_is_missing(star):
    with pytest.raises(UserError, match="there are no tomograms: no optimisation set was given"):
        read_optimisation_set(None, particles=star / "particles.star")


def test_an_optimisation_set_comes_back_as_written(star, tmp_path):
    files = OptimisationSet(
        star / "particles.star", star / "tomograms.star", half_maps=(star / "TS_1.star",) * 2
    )

    write_optimisation_set(tmp_path / "set.star", files)

    assert read_optimisation_set(tmp_path / "set.star") == files


def test_all_columns_that_are_missing_are_told_at_once(tmp_path):
    bad = tmp_path / "bad.star"
    bad.write_text("data_particles\n\nloop_\n_rlnOriginXAngst\n_rlnAngleRot\n1 2\n")

    with pytest.raises(FormatError) as told:
        read_particle_set(bad)

    for label in ("rlnTomoName", "rlnCoordinateX", "rlnOriginYAngst", "rlnAnglePsi"):
        assert label in str(told.value)


def test_an_unknown_half_set_is_told_with_its_line(star, tmp_path):
    text = (star / "particles.star").read_text().replace("TS_1 TS_1/2 1 1", "TS_1 TS_1/2 1 3")
    bad = tmp_path / "bad.star"
    bad.write_text(text)

    with pytest.raises(FormatError, match=r"bad.star:\d+: rlnRandomSubset: expected 1 or 2"):
        particles_of(read_particle_set(bad), "TS_1", (136, 112, 40), PIXEL)
