"""A stack whose images are weighted by the dose that the specimen had taken (AreTomo's way)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from vitreous.kernels.dose import remaining_amplitude
from vitreous.records.images import ImageStack


@dataclass(frozen=True, slots=True, eq=False)
class DoseWeighted:
    """Images times what each dose leaves of the amplitudes, over the RMS of all sections' weights.

    doses: e/A^2 that the specimen had taken when an image was finished, of each section.
    """

    stack: ImageStack
    doses: Sequence[float]
    voltage_kv: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sections, y, x)."""
        return self.stack.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """float32, whatever the stack holds."""
        return np.dtype(np.float32)

    @property
    def pixel_size(self) -> float:
        """A/px."""
        return self.stack.pixel_size

    def read(self, index: int) -> NDArray[np.generic]:
        """Section `index` (y, x), weighted; NaN and infinite pixels as the image's mean."""
        image = self.stack.read(index).astype(np.float32)
        good = np.isfinite(image)
        if not good.all():
            image[~good] = image[good].mean() if good.any() else 0
        spectrum = fft.rfft2(image)
        spectrum *= self._weights(self.doses[index])
        weighted: NDArray[np.generic] = fft.irfft2(spectrum, image.shape)
        return weighted

    def _weights(self, dose: float) -> NDArray[np.float32]:
        """(y, x // 2 + 1) factors of the spectrum, from a table over all frequencies."""
        _, rows, columns = self.shape
        k = np.linspace(0, np.sqrt(0.5) / self.pixel_size, 2048)
        every = [remaining_amplitude(k, each, self.voltage_kv) ** 2 for each in self.doses]
        table = remaining_amplitude(k, dose, self.voltage_kv) / np.sqrt(np.mean(every, 0))
        frequency = np.hypot(fft.fftfreq(rows)[:, None], fft.rfftfreq(columns)) / self.pixel_size
        return np.interp(frequency, k, table).astype(np.float32)
