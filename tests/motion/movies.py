"""Movies whose motion is known: molecules and ice that move together, CTF, counted electrons.

A frame shows at x what the specimen has at x - d(x). In contrast to `vitreous simulate` the motion
differs across the field.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import fft, ndimage

from vitreous.ctf.model import transfer
from vitreous.motion.movie import measure_motion
from vitreous.motion.settings import MotionSettings
from vitreous.records.ctf import Ctf
from vitreous.records.images import ArrayStack
from vitreous.records.motion import Exposure

INTERACTION = 6.526e-4  # rad/(V A) at 300 kV
MEAN_FREE_PATH = 3100.0  # A
MARGIN = 64  # px


@dataclass(frozen=True)
class Scene:
    """size px; dose e/A^2 of all frames; crowd: complexes per (3888 A)^2; ice: structure factor.

    drift: px of the settling motion; walk: px per frame; local: px, of the terms of local motion;
    gain_error: of a pattern that stays with the detector; beam: how much darker the edges are.
    """

    seed: int = 1
    size: int = 1024
    pixel_size: float = 2.5
    frames: int = 8
    dose: float = 3.0
    crowd: float = 500
    ice: float = 0.07
    thickness: float = 1500.0
    drift: float = 8.0
    walk: float = 0.35
    local: float = 0.0
    gain_error: float = 0.0
    beam: float = 0.08


class TrueMotion:
    """Displacement of the specimen in each frame, px; its mean over the frames is 0."""

    def __init__(self, scene):
        rng = np.random.default_rng([scene.seed, 2])
        t = np.arange(scene.frames) * 8 / scene.frames
        turn = rng.uniform(0, 2 * np.pi)
        path = np.outer(1 - np.exp(-t / 1.5), [np.cos(turn), np.sin(turn)]) * scene.drift
        steps = rng.normal(size=path.shape) * scene.walk * np.sqrt(8 / scene.frames)
        path += np.cumsum(steps, 0)
        self.path = path - path.mean(0)
        settling = 1 - np.exp(-t / 3)
        self.time = settling - settling.mean()
        self.terms = rng.normal(size=(2, 5)) * scene.local * [1.1, 1.1, 0.85, 0.85, 0.85]
        self.size = scene.size

    def at(self, x, y, frame):
        """(..., 2) at pixels x, y."""
        u, v = ((c - (self.size - 1) / 2) / (self.size / 2) for c in (x, y))
        terms = np.stack([u, v, u * u, u * v, v * v], -1)
        return self.path[frame] + self.time[frame] * (terms @ self.terms.T)

    def over_field(self, points):
        """(frames, m, 2) at points (m, 2), px."""
        return np.array([self.at(*points.T, frame) for frame in range(len(self.path))])


def still_contrast(scene):
    """Relative contrast of the specimen at rest, with a margin all round."""
    rng = np.random.default_rng([scene.seed, 1])
    n, pixel = scene.size + 2 * MARGIN, scene.pixel_size
    phase = np.zeros((n, n))
    for _ in range(rng.poisson(scene.crowd * (n * pixel / 3888) ** 2)):
        mass = rng.choice([350, 750, 900, 2500])  # kDa
        radius = 55 * (mass / 750) ** (1 / 3) / pixel
        blobs = int(mass / 2.7)
        lumps = rng.normal(size=(8, 2)) * radius * 0.5
        at = rng.uniform(0, n, 2) + lumps[rng.integers(8, size=blobs)]
        at += rng.normal(size=(blobs, 2)) * radius * 0.3
        np.add.at(phase, tuple(np.rint(at).astype(int).T % n), mass * 1212 * 1.8 / blobs)
    phase *= INTERACTION / pixel**2
    ky, kx = fft.fftfreq(n, pixel)[:, None], fft.rfftfreq(n, pixel)
    squared = ky**2 + kx**2
    spectrum = fft.rfft2(phase) * np.exp(-2 * np.pi**2 * 4.5**2 * squared)
    ice = scene.ice * 0.0314 * scene.thickness * (143 * INTERACTION / pixel) ** 2
    spectrum += fft.rfft2(rng.normal(size=(n, n)) * np.sqrt(ice))
    seen = -2 * transfer(Ctf(30000.0, 30000.0), kx, ky)
    falloff = 0.6 ** (squared * (2 * pixel) ** 2) * np.exp(-80 * squared / 4)
    return fft.irfft2(spectrum * seen * falloff, s=(n, n))


def made(scene):
    """(frames as a stack of counts, its motion, the still contrast (y, x))."""
    still, motion = still_contrast(scene), TrueMotion(scene)
    rng = np.random.default_rng([scene.seed, 3])
    n = scene.size
    y, x = np.indices((n, n), float)
    u, v = 2 * x / n - 1, 2 * y / n - 1
    beam = 1 - scene.beam * ((u - 0.2) ** 2 + (v + 0.1) ** 2) / 2
    gain = 1 + scene.gain_error * rng.normal(size=(n, n))
    electrons = scene.dose / scene.frames * scene.pixel_size**2 * 0.85
    electrons *= np.exp(-scene.thickness / MEAN_FREE_PATH)
    counts = np.empty((scene.frames, n, n), np.uint8)
    for frame, moved in enumerate(moved_frames(still, motion, scene)):
        mean = np.maximum(electrons * beam * (1 + moved), 0) * gain
        counts[frame] = rng.poisson(mean).clip(0, 255)
    inner = slice(MARGIN, MARGIN + n)
    return ArrayStack(counts, scene.pixel_size), motion, still[inner, inner]


def moved_frames(still, motion, scene):
    """The still image as each frame shows it."""
    n = scene.size
    y, x = np.indices((n, n), float)
    if not motion.terms.any():
        spectrum = fft.rfft2(still)
        ky, kx = fft.fftfreq(len(still))[:, None], fft.rfftfreq(len(still))
        for dx, dy in motion.path:
            moved = fft.irfft2(spectrum * np.exp(-2j * np.pi * (kx * dx + ky * dy)), s=still.shape)
            yield moved[MARGIN : MARGIN + n, MARGIN : MARGIN + n]
        return
    spline = ndimage.spline_filter(still, 5, mode="grid-wrap")
    for frame in range(scene.frames):
        d = motion.at(x, y, frame)
        places = [y - d[..., 1] + MARGIN, x - d[..., 0] + MARGIN]
        yield ndimage.map_coordinates(spline, places, order=5, prefilter=False, mode="grid-wrap")


def field_points(size):
    """(144, 2) points spread over the field, px."""
    axis = np.linspace(0.06, 0.94, 12) * size
    return np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)


def rms(vectors):
    """RMS length of vectors (..., 2)."""
    return float(np.sqrt((np.asarray(vectors) ** 2).sum(-1).mean()))


def errors_px(found, truth, scene):
    """(whole motion, field by whole motion alone, field by all of it): RMS errors, px.

    The mean over the frames, free at each place, is taken out; whole motion is the field's mean.
    """
    points = field_points(scene.size)
    true = truth.over_field(points)
    true = true - true.mean(0)
    whole = found.displacements / scene.pixel_size
    all_of_it = found.at(points) / scene.pixel_size
    return (
        rms(whole - true.mean(1)),
        rms(whole[:, None] - true),
        rms(all_of_it - true),
    )


TWENTY = range(1, 21)


def scene_of(seed):
    """One of twenty movies: 1024 x 1024 at 2.5 A, 3 e/A^2 in 8 frames; a third moves rigidly."""
    return Scene(seed=seed, local=[0.0, 0.7, 0.35][seed % 3])


def measured(seed):
    """(whole motion's error, field's by whole motion, field's by all, whole / claimed): px."""
    found, errors = found_and_errors(seed)
    return *errors, errors[0] / (found.standard_error / scene_of(seed).pixel_size)


@cache
def found_and_errors(seed):
    """(the motion found in one of the twenty, `errors_px`)."""
    scene = scene_of(seed)
    movie, truth, _ = made(scene)
    found = measure_motion(movie, MotionSettings(), Exposure(scene.dose / scene.frames))
    return found, errors_px(found, truth, scene)
