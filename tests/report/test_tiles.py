import numpy as np

from vitreous.records.images import ArrayStack
from vitreous.report.tiles import tiles_of


def test_an_empty_tilt_stays_grey_and_hot_pixels_decide_nothing(rng):
    images = rng.normal(10, 2, (5, 400, 352)).astype(np.float32)
    images[:, 100:140, 50:90] -= 20
    images[2] = rng.normal(10, 0.02, (400, 352))
    images[3, 7, 9] = 1e7
    images[4, 200, 200] = np.nan

    tiles = tiles_of(ArrayStack(images, 5.0))
    greys = tiles.greys()

    assert greys.shape == (5, 133, 117)
    assert greys[2].std() < 3
    square = greys[:, 133 - 46 : 133 - 34, 18:29]  # row 0 is at the bottom
    assert (square[[0, 1, 3, 4]] < 40).all()
    assert greys[3].std() > 20


def test_a_stack_without_contrast_makes_tiles(tmp_path):
    tiles = tiles_of(ArrayStack(np.full((3, 20, 30), 7, np.int16), 5.0))

    assert tiles.write(tmp_path / "tiles.jpg") == {
        "count": 3, "across": 3, "width": 30, "height": 20
    }  # fmt: skip
