"""The picture of a movie's tracks."""

import numpy as np
import pytest
from PIL import Image

from vitreous.records.motion import LocalMotion, Motion
from vitreous.report.motion import write_motion_picture


def motion_with(local, error=0.4):
    time = np.linspace(-1, 1, 6)
    coefficients = np.zeros((6, 2, 5))
    coefficients[:, 0, 0] = time
    return Motion(
        frames=np.arange(6),
        frame_count=6,
        displacements=np.stack([20 * time, 5 * time**3], -1),
        image_size=(400, 300),
        pixel_size=2.0,
        standard_error=error,
        local=LocalMotion(coefficients, 0.2) if local else None,
        log_evidence=20.0 if local else 1.2,
    )


def ink(path, columns):
    """How many pixels of a range of columns are dark."""
    with Image.open(path) as picture:
        grey = np.asarray(picture.convert("L"))
    return int((grey[40:600, columns] < 120).sum())


@pytest.mark.parametrize("local", [True, False])
def test_both_ways_are_drawn_where_there_are_any(tmp_path, local):
    path = tmp_path / "tracks.png"

    write_motion_picture(path, motion_with(local), "m.tif")

    assert ink(path, slice(40, 590)) > 300
    assert (ink(path, slice(640, 1180)) > 300) == local


def test_a_movie_of_one_frame_has_a_picture_too(tmp_path):
    still = Motion(np.arange(1), 1, np.zeros((1, 2)), (64, 64), 2.0)

    write_motion_picture(tmp_path / "tracks.png", still, "m.tif")

    assert (tmp_path / "tracks.png").exists()
