import numpy as np
import pytest
from PIL import Image

from vitreous.report.frames import FramesOnTheWay, contrasted, windows, write_frames


def frames_of(volume, voxel_size, rows=7):
    """The frames of a volume (z, y, x) that passes in slabs of some rows."""
    nz, ny, nx = volume.shape
    passing = FramesOnTheWay((nx, ny, nz), voxel_size)
    for row in range(0, ny, rows):
        passing.add(row, volume[:, row : row + rows])
    return passing


def test_frames_are_means_of_the_voxels_they_name(rng):
    volume = rng.normal(size=(40, 50, 60)).astype(np.float32)

    frames = frames_of(volume, 20.0)

    assert frames.binning == 1
    for seen, axis in ((frames.xy, 0), (frames.xz, 1), (frames.zy, 2)):
        assert len(seen.data) == len(seen.voxels) == 31
        assert (seen.voxels[0][0], seen.voxels[-1][1]) == (0, volume.shape[axis])
        for frame, (first, last) in zip(seen.data, seen.voxels, strict=True):
            assert last - first == 5  # 100 angstrom
            mean = volume.take(range(first, last), axis).mean(axis)
            np.testing.assert_allclose(frame, mean.T if axis == 2 else mean, atol=1e-6)


def test_a_large_volume_is_binned_and_slabs_may_end_anywhere(rng):
    volume = rng.normal(size=(7, 1100, 9)).astype(np.float32)

    frames = frames_of(volume, 5.0, rows=50)

    assert frames.binning == 3
    assert frames.xy.data.shape == (7, 366, 3)
    assert frames.xz.data.shape == (31, 2, 3)
    assert frames.zy.data.shape == (9, 366, 2)
    binned = volume[:6, :1098].reshape(2, 3, 366, 3, 3, 3).mean((1, 3, 5))
    np.testing.assert_allclose(
        frames.zy.data.mean(0), binned.mean(2).T, atol=0.2
    )  # their windows don't divide x evenly
    first, last = frames.xy.voxels[3]
    expected = volume[first:last, :1098].mean(0).reshape(366, 3, 3, 3).mean((1, 3))
    np.testing.assert_allclose(frames.xy.data[3], expected, atol=1e-5)


@pytest.mark.parametrize(("n", "thick", "count"), [(1, 20, 31), (10, 20, 31), (250, 10, 41)])
def test_windows_are_within_and_spread(n, thick, count):
    found = windows(n, thick, count)

    assert len(found) == min(n, count)
    assert all(0 <= first < last <= n for first, last in found)
    assert list(found) == sorted(found)


def test_a_sheet_holds_its_frames_side_by_side_upside_up(rng, tmp_path):
    volume = np.zeros((40, 50, 60), np.float32)
    volume[18:22, 40:, 50:] = 1  # the far corner, in the middle of z

    frames = frames_of(volume, 20.0)
    greys = contrasted(frames.xy, frames.pixel_size)
    laid = write_frames(greys, tmp_path / "xy.jpg")

    assert laid == {"count": 31, "across": 8, "width": 60, "height": 50}
    with Image.open(tmp_path / "xy.jpg") as picture:
        page = np.asarray(picture)
    assert page.shape == (4 * 50, 8 * 60)
    middle = page[50:100, 7 * 60 : 8 * 60]  # frame 15 in the second row
    assert middle[:8, 52:].mean() > 200
    assert middle[15:, :40].mean() < 20
    assert page[:50, :60].mean() < 20
