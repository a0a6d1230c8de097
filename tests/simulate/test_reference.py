"""Our series with the parameters of the reference series look like them."""

from functools import lru_cache

import numpy as np
import pytest

from tests.simulate.shared_series import NAMES, read_reference, settings_like, shells
from vitreous.simulate.series import simulate_series

MOST_COUNTS = 127  # the reference's stacks are of signed bytes


def compare(reference, views, seed):
    """(ratios of power in shells, ratio of the variances of neighbouring views' differences)."""
    series = simulate_series(settings_like(reference.truth, seed))

    @lru_cache(2)
    def image(view):
        return np.minimum(series.read(view), MOST_COUNTS)

    powers, variances = [], []
    for view in views:
        pair = [image(view), image(view + 1)]
        theirs = reference.stack[view : view + 2]
        powers.append([shells(image) for image in (pair[0], theirs[0])])
        variances.append([(images[1] - images[0]).var() for images in (pair, theirs)])
    ours, their_power = np.mean(powers, 0)
    found, expected = np.mean(variances, 0)
    return ours / their_power, found / expected


@pytest.mark.parametrize("name", NAMES)
def test_some_views_have_the_references_spectrum_and_noise(shared, name):
    ratios, variance = compare(read_reference(shared, name), views=(0, 12, 20, 33), seed=1)

    assert ratios.max() < 1.5
    assert ratios.min() > 1 / 1.5
    assert variance == pytest.approx(1, abs=0.2)


@pytest.mark.accuracy
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_all_views_have_the_references_spectrum_and_noise(shared, name, seed):
    ratios, variance = compare(read_reference(shared, name), views=range(40), seed=seed)

    assert ratios.max() < 1.5
    assert ratios.min() > 1 / 1.5
    assert variance == pytest.approx(1, abs=0.2)
