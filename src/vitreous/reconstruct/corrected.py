"""Images corrected for their contrast transfer, where tilted in strips along the axis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.reconstruct.filters import named_views
from vitreous.reconstruct.sampling import Sampling, Spectrum
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.transfer import Strips, correction, strip_step, strips_of
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """The corrections of all views: CTFs and strips (n,), on spectra of one sampling.

    kx, ky: of its spectra, 1/A.
    """

    ctfs: tuple[Ctf, ...]
    in_strips: tuple[Strips, ...]
    settings: ReconstructSettings
    sampling: Sampling
    kx: Array
    ky: Array

    @property
    def voltage_kv(self) -> float:
        """Of the microscope."""
        return self.ctfs[0].voltage_kv

    def strips(self, view: int) -> int:
        """How many."""
        return len(self.in_strips[view].heights)

    def factor(self, view: int, strip: int) -> Floats:
        """(y, x // 2 + 1) of the spectrum, for one strip."""
        at_height = self.ctfs[view].at_height(float(self.in_strips[view].heights[strip]))
        return correction(at_height, self.settings, self.kx, self.ky)

    def gain(self, view: int) -> float:
        """The factor of the image's mean."""
        nought = np.zeros(1)
        return float(correction(self.ctfs[view], self.settings, nought, nought)[0])

    def image(self, view: int, spectrum: Spectrum, threads: int = 1) -> Floats:
        """The binned image of a spectrum, each pixel corrected for its own height."""
        columns, rows = self.sampling.size
        values = np.zeros((rows, columns), np.float32)
        for strip in range(self.strips(view)):
            corrected = self.sampling.image(spectrum * self.factor(view, strip), threads=threads)
            values += corrected * self.in_strips[view].share(strip, (rows, columns))
        return values


def ctfs_of(
    alignment: Alignment, settings: ReconstructSettings, ctfs: Sequence[Ctf | None] | None
) -> tuple[Ctf, ...]:
    """The CTF of every view; ctfs by section of the stack. Raises `UserError` where one lacks."""
    known = [None if ctfs is None else ctfs[int(section)] for section in alignment.sections]
    missing = [view for view, ctf in enumerate(known) if ctf is None]
    if missing:
        what = f"ctf {settings.ctf}" if settings.ctf != "none" else "deconvolve"
        raise UserError(
            f"{what} needs the CTF of every tilt; it isn't known of "
            f"{named_views(alignment, missing)}"
        )
    return tuple(ctf for ctf in known if ctf is not None)


def correction_of(
    alignment: Alignment,
    settings: ReconstructSettings,
    sampling: Sampling,
    ctfs: Sequence[Ctf | None] | None,
) -> Correction | None:
    """The corrections that the settings ask for; ctfs by section of the stack."""
    if settings.ctf == "none":
        return None
    found = ctfs_of(alignment, settings, ctfs)
    pixel_size = alignment.pixel_size
    spacing = sampling.spacing[0] * pixel_size, sampling.spacing[1] * pixel_size
    strips = tuple(
        strips_of(
            alignment,
            view,
            sampling.size,
            sampling.centre,
            spacing,
            strip_step(ctf, settings, 0.5 / max(spacing)),
        )
        for view, ctf in enumerate(found)
    )
    kx, ky = sampling.frequencies(pixel_size)
    return Correction(found, strips, settings, sampling, kx, ky)
