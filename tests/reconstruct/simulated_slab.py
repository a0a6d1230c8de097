"""A simulated slab of molecules without damage or ice, and the truth in a box of it."""

from functools import cached_property

import numpy as np
from scipy import ndimage

from vitreous.kernels.cpu.splat import add_gaussians
from vitreous.kernels.fourier import inverse
from vitreous.kernels.fsc import fourier_shell_correlation
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import reconstruct_tomogram
from vitreous.records.images import ArrayStack
from vitreous.simulate.molecules import BLOB_SIGMA
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings

PLAIN = {
    "tilt_axis": 0.0,
    "axis_error": 0.0,
    "tilt_error": 0.0,
    "shift_error": 0.0,
    "magnification_drift": 0.0,
    "local_motion": 0.0,
    "pitch_x": 0.0,
    "pitch_y": 0.0,
    "bend": "0",
    "vesicles": 0.0,
    "envelope": 0.0,
}


class Slab:
    """Tilts of a slab, 3 A/px: images of its molecules under each layer's CTF, with white noise.

    size: (x, y) px of an image; snr: of its pixels, infinite without noise.
    """

    def __init__(self, size, thickness, snr=np.inf, **changes) -> None:
        settings = SimulateSettings(
            size=size, thickness=thickness, pixel_size=3.0, defocus=30_000.0, **PLAIN | changes
        )
        self.series = simulate_series(settings)
        self.snr, self.pixel_size = snr, settings.pixel_size
        self.thickness = round(settings.thickness_angstrom / settings.pixel_size)
        self.ctfs = [tilt.ctf for tilt in self.series.tilts]

    @cached_property
    def stack(self):
        """Potential is bright in it, as at low frequencies under our CTF."""
        series, canvas = self.series, self.series.canvas
        images = np.empty(series.shape, np.float32)
        for view, image in enumerate(images):
            image[:] = -canvas.cut(inverse(series.contrast(view).matter, canvas.coarse))
        noise = np.random.default_rng(1).normal(size=images.shape) * images.std()
        return ArrayStack((images + noise / np.sqrt(self.snr)).astype(np.float32), self.pixel_size)

    def box(self, at, side, **settings):
        """The tomogram's part of `side` (x, y) px round (at, 0) px, through all the slab."""
        chosen = ReconstructSettings(
            width=f"{side[0]}",
            height=f"{side[1]}",
            thickness=f"{self.thickness}",
            shift_x=f"{-at}",
            **settings,
        )
        return reconstruct_tomogram(self.stack, self.series.alignment, chosen, ctfs=self.ctfs)

    def truth(self, grid):
        """(z, y, x) the potential of the molecules on a grid."""
        points = self.series.sample.matter.positions / grid.voxel_size + np.array(grid.centre)
        inside = ((points > -8) & (points < np.array(grid.size) + 8)).all(1)
        inside &= (points[:, 2] > 0) & (points[:, 2] < grid.size[2] - 1)
        x, y, z = np.ascontiguousarray(points[inside].T)
        sigma = BLOB_SIGMA / grid.voxel_size
        planes = np.zeros((grid.size[2] + 1, grid.size[1], grid.size[0]), np.float32)
        add_gaussians(planes, x, y, z, self.series.sample.matter.weights[inside], sigma)
        return ndimage.gaussian_filter1d(planes[:-1], sigma, axis=0)

    def shells(self, volume, truth, shells=24):
        """The Fourier shell correlation of a box with the truth, whose sides fade."""
        nx, ny, _ = volume.grid.size
        window = np.outer(np.hanning(ny), np.hanning(nx)).astype(np.float32)
        one, other = (a - a.mean(dtype=np.float64) for a in (volume.data, truth))
        return fourier_shell_correlation(
            (one * window).astype(np.float32), (other * window).astype(np.float32),
            self.pixel_size, shells=shells,
        )  # fmt: skip

    @property
    def first_zero(self):
        """1/A where the mean CTF first vanishes: chi = pi."""
        defocus = np.mean([ctf.defocus for ctf in self.ctfs])
        return float(np.sqrt((1 - 0.07 / np.pi) / (0.0196875 * defocus)))
