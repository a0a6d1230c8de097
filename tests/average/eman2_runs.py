"""EMAN2's own runs of e2make3dpar, as the engine is asked for them: inputs, settings, results."""

import json
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from vitreous.average.projection_settings import ProjectionSettings
from vitreous.average.projections import Projections, Seed, reconstruct_projections
from vitreous.formats.eman_hdf import HdfImages, read_hdf_volume
from vitreous.geometry.euler import eman2_matrix
from vitreous.records.images import ArrayStack

MAIN, NOQUAL, SHIFT, TILT = "main.hdf", "noqual.hdf", "shift.hdf", "tilt.hdf"
MODES = {"nearest_neighbor": "nearest"}


def unpacked(shared: Path, folder: Path) -> Path:
    """The runs' input files in `folder`."""
    if not (folder / "input").is_dir():
        with tarfile.open(shared / "oracles/E1_eman2_make3dpar/input.tar.gz") as packed:
            packed.extractall(folder, filter="data")
    return folder / "input"


@cache
def results(oracle: Path) -> dict[str, np.ndarray]:
    """EMAN2's maps (z, y, x)."""
    scales = json.loads((oracle / "volume_scales.json").read_text())
    with np.load(oracle / "volumes.npz") as stored:
        return {name: stored[name] * scales[name] for name in stored.files}


def edge_mean(image: np.ndarray) -> float:
    edges = image[0].sum() + image[-1].sum() + image[:, 0].sum() + image[:, -1].sum()
    return edges / (2 * sum(image.shape))


@dataclass
class Image:
    """An image as the face hands it over, with what its header says."""

    pixels: np.ndarray
    orientation: np.ndarray
    move: np.ndarray
    weight: float
    quality: float
    ssnr: np.ndarray | None


@cache
def images_of(path: Path, tilts: Path | None = None) -> tuple[Image, ...]:
    angles = None if tilts is None else np.loadtxt(tilts)
    found = []
    with HdfImages(path) as stack:
        for i in range(stack.count):
            header = stack.header(i)
            pixels = stack.read(i).astype(np.float64)
            pixels -= edge_mean(pixels)
            move = np.eye(2, 3)
            weight = 1.0
            if angles is not None:
                orientation = eman2_matrix(90, angles[i], -90)
            else:
                placed = header["xform.projection"]
                orientation = placed[:, :3].copy()
                move[:, 2] = placed[:2, 3]
                if np.linalg.det(orientation) < 0:
                    orientation[0] *= -1
                    move[0, 0] = -1
                weight = float(header.get("ptcl_repr", 1.0))
            quality = float(header.get("class_qual", 1 / (weight + 1e-5)))
            curve = header.get("class_ssnr")
            ssnr = None if curve is None else np.asarray(curve, float)
            found.append(Image(pixels, orientation, move, weight, quality, ssnr))
    return tuple(found)


def kept(images, how):
    if how is None:
        return list(images)
    kind, share = how
    quality = np.array([image.quality for image in images])
    if kind == "share":
        limit = np.sort(quality)[int(len(quality) * share)]
    else:
        limit = quality.mean() + share * quality.std()
    return [image for image in images if image.quality <= limit]


WEIGHTS = {"as it is": lambda w: w, "root": np.sqrt, "one": lambda w: 1.0}


def made(
    inputs: Path, file=MAIN, tlt=None, keep=None, weight="as it is", use_ssnr=False, before=None,
    seed=None, seed_weight=1.0, mask=None, out=32, pad=None, **settings,
):  # fmt: skip
    """The engine's map for a run."""
    images = kept(images_of(inputs / file, None if tlt is None else inputs / tlt), keep)
    pixels = np.array([image.pixels for image in images], np.float32)
    if before is not None:
        pixels = np.array([before(image) for image in pixels], np.float32)
    moves = np.array([image.move for image in images])
    x = max(pixels.shape[1:]) if pad is None else pad
    padded = (x, x) if np.isscalar(x) else x
    projections = Projections(
        ArrayStack(pixels, 1.0),
        np.array([image.orientation for image in images]),
        np.array([WEIGHTS[weight](image.weight) for image in images]),
        moves if (moves != np.eye(2, 3)).any() else None,
        tuple(image.ssnr for image in images) if use_ssnr else None,
    )
    given = {
        "kernel": "gauss_var", "padded": padded, "size": (out,) * 3 if np.isscalar(out) else out,
        "symmetry_axes": "eman2", "correction": "eman2", "weight_floor": 0.0,
        "conventions": "eman2",
    }  # fmt: skip
    start = None if seed is None else Seed(read_hdf_volume(inputs / seed)[0], seed_weight)
    masked = None if mask is None else read_hdf_volume(inputs / mask)[0]
    return reconstruct_projections(
        projections, ProjectionSettings(**{**given, **settings}), seed=start, mask=masked
    ).volume


def same_sd(image):
    return image / image.std(ddof=1)  # its edge mean is 0 already


TILTED = {"file": TILT, "tlt": "tilt.tlt", "out": 40}
RUNS = {
    "mode_nearest_neighbor": {"kernel": "nearest"},
    "mode_trilinear": {"kernel": "trilinear"},
    "mode_gauss_2": {"kernel": "gauss_2"},
    "mode_gauss_var": {},
    "mode_gauss_2_norad": {"kernel": "gauss_2", "correction": "none"},
    "mode_gauss_3_norad": {"kernel": "gauss_3", "correction": "none"},
    "mode_gauss_5_norad": {"kernel": "gauss_5", "correction": "none"},
    "mode_trilinear_pad48": {"kernel": "trilinear", "pad": 48},
    "mode_gauss_2_pad48": {"kernel": "gauss_2", "pad": 48},
    "mode_gauss_3_pad48": {"kernel": "gauss_3", "pad": 48},
    **{
        f"sym_{name}": {"kernel": "trilinear", "pad": 40, "symmetry": name}
        for name in ("c3", "d2", "d3", "tet", "oct", "icos")
    },
    "sym_c3_var": {"pad": 48, "symmetry": "c3"},
    "pad48": {"pad": 48},
    "padneg": {"pad": 40},
    "pad_rect": {"pad": (48, 40)},
    "padvol48": {"pad": 40, "padvol": (48, 48, 48)},
    "padvol_small": {"pad": 48, "padvol": (40, 40, 40)},
    "padvol_aniso": {"pad": 48, "padvol": (48, 48, 36)},
    "pad40_padvol60": {"pad": 40, "padvol": (60, 60, 60), "kernel": "trilinear"},
    "outsize24": {"pad": 48, "out": 24},
    "outsize_rect": {"pad": 48, "out": (32, 28, 20)},
    "outsize40": {"pad": 48, "out": 40},
    "outsize_odd": {"pad": 48, "out": 31},
    "keep50": {"keep": ("share", 0.5)},
    "keep80": {"keep": ("share", 0.8)},
    "keepsig1": {"keep": ("sigma", 1)},
    "keepsig0": {"keep": ("sigma", 0)},
    "noqual_default": {"file": NOQUAL},
    "noqual_keep70": {"file": NOQUAL, "keep": ("share", 0.7)},
    "no_wt": {"weight": "one"},
    "sqrt_wt": {"weight": "root"},
    "usessnr": {"use_ssnr": True},
    "usessnr_pad": {"use_ssnr": True, "pad": 48},
    "usessnr_c3": {"use_ssnr": True, "pad": 48, "symmetry": "c3", "kernel": "trilinear"},
    "iterative": {"iterative": True},
    "iterative_itermask": {"iterative": True, "mask": "sphere.hdf"},
    "iterative_pad": {"iterative": True, "pad": 48, "symmetry": "c3"},
    "seed_iterative": {"file": NOQUAL, "iterative": True, "seed": "seed.hdf"},
    "sym_d2_iterative": {"iterative": True, "pad": 40, "symmetry": "d2"},
    "tlt_iterative": dict(iterative=True, pad=48, **TILTED),
    "seed": {"file": NOQUAL, "seed": "seed.hdf"},
    "seed_w20": {"file": NOQUAL, "seed": "seed.hdf", "seed_weight": 20.0},
    "seed_pad": {"file": NOQUAL, "seed": "seed.hdf", "seed_weight": 5.0, "pad": 48},
    "seed_tri": {"file": NOQUAL, "seed": "seed.hdf", "seed_weight": 20.0, "kernel": "trilinear"},
    "useseedasref": {"file": NOQUAL, "seed": "seed.hdf", "seed_as_reference": True},
    "useseedasref_w": {
        "file": NOQUAL,
        "seed": "seed.hdf",
        "seed_weight": 0.001,
        "seed_as_reference": True,
        "pad": 48,
    },
    "pre_edgemean": {"before": same_sd},
    "shift": {"file": SHIFT},
    "shift_c3": {"file": SHIFT, "symmetry": "c3", "pad": 48, "kernel": "gauss_2"},
    "rect": {"file": "rect.hdf"},
    "rect_pad": {"file": "rect.hdf", "pad": 48},
    "odd_pad48": {"file": "odd.hdf", "pad": 48, "out": 33},
    "tlt": dict(kernel="trilinear", **TILTED),
    "tlt_var_pad": dict(pad=52, **TILTED),
    "tlt_thin": dict(pad=48, kernel="trilinear", **{**TILTED, "out": (40, 40, 16)}),
}
