"""Our reconstruction held to RELION's tomo_reconstruct_tomogram (oracle R1), unweighted runs."""

import numpy as np
import pytest

from tests.reconstruct.direct import reconstruct_directly
from tests.reconstruct.imod_runs import correlation
from vitreous.formats.alignments import read_alignment
from vitreous.pipeline.grids import output_grid
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import reconstruct_tomogram
from vitreous.records.images import ArrayStack, StackFacts

RUNS = {"r5_noweight_bin1": 1, "r5_noweight_Fc": 2}

# RELION crops the transform of the unpadded image: there each edge rings into the opposite one.
# Ours is padded; at the outermost voxels the two differ by up to 0.4 SD.
MARGIN = {"r5_noweight_bin1": 0, "r5_noweight_Fc": 3}


@pytest.fixture(scope="module")
def oracle(shared):
    return shared / "oracles" / "R1_relion_tomogram"


@pytest.fixture(scope="module")
def inputs(oracle):
    halves = np.load(oracle / "input.npz")
    images = halves["even"].astype(np.float32) + halves["odd"].astype(np.float32)
    stack = ArrayStack(images, 5.0)
    facts = StackFacts(17, (112, 96), 5.0)
    return stack, read_alignment(oracle / "star" / "tilt_series.star", facts)


@pytest.fixture(scope="module")
def peers(oracle):
    stored = np.load(oracle / "output.npz")
    names = [name for name in stored.files if not name.endswith("__sc")]
    return {n: stored[n] * stored[f"{n}__sc"][0] + stored[f"{n}__sc"][1] for n in names}


def settings_for(binning):
    return ReconstructSettings(
        thickness="36",
        width="104",
        height="88",
        binning=binning,
        weighting="none",
        combine="mean",
        density_neighbours=0,
        grid="relion",
    )


@pytest.mark.parametrize("direct", [True, False], ids=["twin", "fast"])
@pytest.mark.parametrize("name", RUNS)
def test_the_unweighted_tomogram_is_relions(name, direct, inputs, peers):
    stack, alignment = inputs
    settings = settings_for(RUNS[name])
    grid = output_grid(alignment, settings, (112, 96))

    if direct:
        ours = reconstruct_directly(stack, alignment, settings, grid, half_open=True)
    else:
        ours = reconstruct_tomogram(stack, alignment, settings, grid=grid).data

    rivals = [p for n, p in peers.items() if n != name and p.shape == ours.shape]
    assert all(correlation(ours, peers[name]) > correlation(ours, rival) for rival in rivals)
    inner = (slice(None), *(2 * [slice(MARGIN[name], -MARGIN[name] or None)]))
    assert correlation(ours[inner], peers[name][inner]) >= (0.9999 if direct else 0.975)


def test_beads_lie_where_they_were_put(inputs, oracle):
    stack, alignment = inputs
    settings = settings_for(1)
    volume = reconstruct_tomogram(
        stack, alignment, settings, grid=output_grid(alignment, settings, (112, 96))
    ).data

    for x, y, z in np.load(oracle / "input.npz")["pos"][:6].round().astype(int):
        box = volume[z - 3 : z + 4, y - 3 : y + 4, x - 3 : x + 4]
        lowest = np.unravel_index(box.argmin(), box.shape)
        assert np.abs(np.array(lowest) - 3).max() <= 1
