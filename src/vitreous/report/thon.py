"""Thon rings as a page: measured in the left half, fitted in the right; and both as curves.

Below, the defocus of all views against the tilt with its error.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vitreous.ctf.model import phase
from vitreous.ctf.series import SeriesCtf

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Array = NDArray[np.float64]

PANEL, CURVES, GAP, LETTERS = 260, 110, 12, 14  # px
ACROSS, MOST = 5, 15  # panels in a row, and in all
PLOT = 220  # px high
FINEST = 6.0  # angstrom at the edge of a panel
PAPER, INK, PALE = (255, 255, 255), (40, 40, 40), (215, 215, 215)
MEASURED, FITTED = (60, 60, 60), (200, 60, 30)
SHOWN = 2.0  # heights of the rings from grey to white
FLOOR = 0.3  # of the highest rings: lower ones aren't raised to the same height
SMOOTHED = 0.7  # rings (one sigma), of what is measured


def write_thon_page(found: SeriesCtf, path: Path, title: str) -> None:
    """Write the page of a series or of a single image as a PNG."""
    from PIL import Image, ImageDraw

    count = len(found.fits)
    shown = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int)).tolist()
    across = min(ACROSS, len(shown))
    down = -(-len(shown) // across)
    cell = PANEL + CURVES + 3 * LETTERS + GAP
    top = 3 * LETTERS
    width = max(across * (PANEL + GAP) + GAP, 560)
    below = PLOT + 4 * LETTERS if count > 1 else 0
    page = Image.new("RGB", (width, top + down * cell + below + GAP), PAPER)
    draw = ImageDraw.Draw(page)
    _write(draw, (GAP, LETTERS), title)
    for place, view in enumerate(shown):
        left = GAP + place % across * (PANEL + GAP)
        high = top + place // across * cell
        _write(draw, (left, high), _caption(found, view))
        page.paste(_rings(found, view), (left, high + 2 * LETTERS))
        _curves(draw, found, view, (left, high + 2 * LETTERS + PANEL + 4))
    if count > 1:
        _defocus_plot(draw, found, (GAP, top + down * cell), width - 2 * GAP)
    page.save(path, format="PNG", optimize=True)


def _caption(found: SeriesCtf, view: int) -> str:
    fit = found.fits[view]
    if not fit.has_rings:
        return f"{fit.section + 1}: {round(fit.tilt_degrees)} deg, no rings"
    shift = f", {fit.ctf.phase_shift_degrees:.0f} deg" if fit.ctf.phase_shift_degrees else ""
    return (
        f"{fit.section + 1}: {round(fit.tilt_degrees)} deg, "
        f"{fit.ctf.defocus / 1e4:.3f} um{shift}, {fit.resolution:.1f} A"
    )


# -- rings ----------------------------------------------------------------------------------------


def _rings(found: SeriesCtf, view: int) -> "Image.Image":
    """The left half is what all tiles show, meaned in sectors and between them linear."""
    from PIL import Image

    curves = found.profiles
    across = np.linspace(-1 / FINEST, 1 / FINEST, PANEL)
    ky, kx = np.meshgrid(across[::-1], across, indexing="ij")  # y upwards
    ring = np.hypot(kx, ky)
    fitted = -np.cos(2 * phase(found.fits[view].ctf, kx, ky))
    height = _height(curves.fitted[view])
    floored = np.maximum(height, max(FLOOR * float(height.max()), 1e-6))
    place = np.interp(ring, curves.k, np.arange(len(curves.k)))
    sector = (np.arctan2(ky, kx) - curves.azimuth[0]) / (curves.azimuth[1] - curves.azimuth[0])
    smooth = ndimage.gaussian_filter1d(curves.sectors[view], SMOOTHED, axis=-1) / floored
    measured = ndimage.map_coordinates(smooth, [sector, place], order=1, mode="grid-wrap")
    seen = (ring >= curves.k[0]) & (ring <= curves.k[-1])
    measured = np.where(seen, measured, 0)
    fitted *= seen * np.interp(ring, curves.k, height / floored)
    both = np.where(kx < 0, measured, fitted)
    grey = np.clip(127.5 + 127.5 * both / SHOWN, 0, 255).astype(np.uint8)
    return Image.fromarray(grey)


def _height(fitted: Array) -> Array:
    """(ring,) how high the fitted rings stand, smoothed over them."""
    height = ndimage.gaussian_filter1d(np.abs(fitted), 8.0, mode="nearest")
    return np.asarray(height * np.pi / 2, np.float64)


# -- curves ---------------------------------------------------------------------------------------


def _curves(
    draw: "ImageDraw.ImageDraw", found: SeriesCtf, view: int, corner: tuple[int, int]
) -> None:
    """Measured and fitted rings against 1/A; where the rings of this view end."""
    left, top = corner
    k = found.profiles.k
    measured, fitted = found.profiles.measured[view], found.profiles.fitted[view]
    most = max(float(np.percentile(np.abs(measured), 98)), float(np.abs(fitted).max()), 1e-6)
    draw.rectangle((left, top, left + PANEL, top + CURVES), outline=PALE)

    def points(values: Array) -> list[tuple[float, float]]:
        x = left + (k - k[0]) / (k[-1] - k[0]) * PANEL
        y = top + CURVES / 2 * (1 - np.clip(values / most, -1, 1))
        return list(zip(x.tolist(), y.tolist(), strict=True))

    end = found.fits[view].resolution
    if np.isfinite(end):
        x = left + (1 / end - k[0]) / (k[-1] - k[0]) * PANEL
        draw.line([(x, top), (x, top + CURVES)], fill=PALE)
    draw.line(points(measured), fill=MEASURED)
    draw.line(points(fitted), fill=FITTED, width=2)
    _write(draw, (left + 2, top + CURVES - LETTERS - 2), f"{1 / k[0]:.0f} A", PALE)
    _write(draw, (left + PANEL - 42, top + CURVES - LETTERS - 2), f"{1 / k[-1]:.1f} A", PALE)


def _defocus_plot(
    draw: "ImageDraw.ImageDraw", found: SeriesCtf, corner: tuple[int, int], width: int
) -> None:
    """Defocus in micrometres against tilt, with error bars; open circles have no rings."""
    left, top = corner[0] + 50, corner[1] + 2 * LETTERS
    width -= 60
    tilt = np.array([fit.tilt_degrees for fit in found.fits])
    defocus = np.array([fit.ctf.defocus for fit in found.fits]) / 1e4
    error = np.minimum([fit.deviation / 1e4 for fit in found.fits], np.ptp(defocus) + 0.1)
    low, high = (defocus - error).min() - 0.02, (defocus + error).max() + 0.02
    first, last = tilt.min() - 2, tilt.max() + 2
    _write(draw, corner, "defocus, um, against tilt, degrees")
    draw.rectangle((left, top, left + width, top + PLOT), outline=PALE)
    for value in (low + 0.02, high - 0.02):
        y = top + (high - value) / (high - low) * PLOT
        _write(draw, (corner[0], y - LETTERS / 2), f"{value:.2f}")
    for value in (tilt.min(), 0.0, tilt.max()):
        if first <= value <= last:
            x = left + (value - first) / (last - first) * width
            draw.line([(x, top), (x, top + PLOT)], fill=PALE)
            _write(draw, (x - LETTERS, top + PLOT + 2), f"{value:.0f}")
    for fit, at, value, bar in zip(found.fits, tilt, defocus, error, strict=True):
        x = left + (at - first) / (last - first) * width
        y, reach = top + (high - value) / (high - low) * PLOT, bar / (high - low) * PLOT
        draw.line([(x, y - reach), (x, y + reach)], fill=MEASURED)
        fill = FITTED if fit.has_rings else PAPER
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=fill, outline=FITTED)


def _write(
    draw: "ImageDraw.ImageDraw",
    at: tuple[float, float],
    text: str,
    fill: tuple[int, int, int] = INK,
) -> None:
    from PIL import ImageFont

    draw.text(at, text, fill, ImageFont.load_default(LETTERS))
