import json

import numpy as np
import pytest

from vitreous.geometry.euler import relion_angles, relion_matrix


def test_angles_and_matrices_are_those_of_the_simulated_particles(shared):
    truth = json.loads((shared / "data/sim_beads/truth.json").read_text())
    matrices = np.array([particle["R"] for particle in truth["particles"]])
    angles = np.array([particle["rot_tilt_psi"] for particle in truth["particles"]])

    np.testing.assert_allclose(relion_matrix(*angles.T), matrices, atol=2e-7)
    np.testing.assert_allclose(np.stack(relion_angles(matrices), -1), angles, atol=1e-4)


@pytest.mark.parametrize("tilt", [0, 1e-4, 90, 180 - 1e-4, 180])
def test_angles_give_back_their_matrix(tilt, rng):
    rot, psi = rng.uniform(-180, 180, (2, 50))
    matrices = relion_matrix(rot, tilt, psi)

    np.testing.assert_allclose(relion_matrix(*relion_angles(matrices)), matrices, atol=1e-9)
