"""What is simulated and what reconstructs agree on every sign."""

import numpy as np

from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import reconstruct_tomogram
from vitreous.simulate.scores import dark_centre
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings


def test_a_tomogram_shows_the_beads_where_they_are():
    settings = SimulateSettings(
        size=(144, 128),
        pixel_size=10.0,
        tilt_step=4.0,
        beads=400.0,
        vesicles=0.0,
        tilt_axis=84.0,
        molecules=(0, 0, 0, 0),
    )
    series = simulate_series(settings)
    asked = ReconstructSettings(thickness="180nm", radial_cutoff=0.04, radial_falloff=0.02)

    tomogram = reconstruct_tomogram(series.rendered(), series.alignment, asked)

    beads = [bead.position for bead in series.sample.beads]
    inside = [b for b in beads if np.abs(b[0]) < 500 and np.abs(b[1]) < 500]
    true = tomogram.grid.indices(np.array(inside))
    found = np.array([dark_centre(tomogram.data, bead, 5.0) for bead in true])
    apart = np.abs(found - true)
    assert len(true) >= 3
    assert np.median(apart[:, :2]) < 0.3
    assert np.median(apart[:, 2]) < 0.6

    mirrored = true * [1, 1, -1] + [0, 0, 2 * tomogram.grid.centre[2]]
    values = [tomogram.data[tuple(np.round(b).astype(int)[::-1])] for b in (*true, *mirrored)]
    assert max(values[: len(true)]) < min(values[len(true) :])
