"""The runs of IMOD's tilt in the oracle I1, as settings of ours, and how each is compared.

Left out: t06 (cubic cosine stretch), t38-t40 (IMOD's filtered SIRT is another algorithm), t34-t36
(Z factors, local alignments: a later part). t20-t22 differ in grey scale only.
"""

import gzip
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.reconstruct.direct import reconstruct_directly
from vitreous.formats import imod
from vitreous.reconstruct.grid import adjusted, tomogram_grid
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import reconstruct_tomogram
from vitreous.reconstruct.weighted import run_out_beyond_arc
from vitreous.records.images import ArrayStack, StackFacts
from vitreous.records.volume import Grid

PIXEL_SIZE = 10.0
USUAL = {"thickness": "60", "radial_cutoff": 0.35, "radial_falloff": 0.05, "rows": (70, 71)}


@dataclass(frozen=True)
class Run:
    """One run: our settings, and what of the input differs from the plain aligned stack."""

    settings: dict = field(default_factory=dict)
    stack: str = "ali"
    x_tilts: bool = False
    order: str = "perpendicular"
    new_style: bool = False


def usual(**settings):
    return Run({**USUAL, **settings})


RUNS = {
    "t01_plain": usual(),
    "t02_no_radial": usual(radial_cutoff=None),
    "t03_radial_02": usual(radial_cutoff=0.2),
    "t04_radial_pixels": usual(radial_cutoff=40, radial_falloff=12),
    "t05_cosinterp0": usual(),
    "t07_densw0": usual(density_neighbours=0),
    "t08_densw1": usual(density_neighbours=1),
    "t09_densw3": usual(density_neighbours=3, density_weights=(1.0, 0.5, 0.25)),
    "t10_exclude": usual(exclude_tilts="3,4,12-14"),
    "t11_offset_angle": usual(tilt_offset=4.0),
    "t12_offset_x": usual(axis_offset="5"),
    "t13_shift_x": usual(shift_x="7"),
    "t14_shift_z": usual(shift_z="-6"),
    "t15_xaxistilt": Run({**USUAL, "x_axis_tilt": 5.0, "rows": (68, 73)}, new_style=True),
    "t16_xaxistilt_old": usual(x_axis_tilt=5.0),
    "t17_xtiltfile": Run(USUAL, x_tilts=True),
    "t18_xtiltfile_and_axis": Run({**USUAL, "x_axis_tilt": -3.0}, x_tilts=True),
    "t19_thick61": usual(thickness="61"),
    "t23_parallel": Run({**USUAL, "thickness": "24", "rows": (68, 73)}, order="parallel"),
    "t24_rotateby90": Run({**USUAL, "thickness": "24", "rows": (68, 73)}, order="rotated"),
    "t25_perp_thin": Run({**USUAL, "thickness": "24", "rows": (68, 73)}),
    "t26_width120": usual(width="120"),
    "t27_width121": usual(width="121"),
    "t28_subset": Run(
        {**USUAL, "rows": (59, 60), "full_image": (160, 144), "subset_start": (7, 11)}, stack="sub"
    ),
    "t29_subset_no_full": Run({**USUAL, "rows": (59, 60)}, stack="sub"),
    "t30_binned": Run({**USUAL, "thickness": "30", "rows": (34, 35)}, stack="bin"),
    "t32_flat1": usual(flat_fraction=1.0),
    "t33_weightfile": usual(view_weights="ali.wgt"),
    "t37_mask": usual(mask_edges=0),
    "t41_fakesirt5": usual(fake_sirt_iterations=5),
    "t42_fakesirt20": usual(fake_sirt_iterations=20),
    "t43_fakesirt50": usual(fake_sirt_iterations=50),
    "t44_hamming02": usual(radial_cutoff=None, hamming_start=0.2),
    "t45_expanded": usual(thickness="80", width="180"),
}


def read_gz(path: Path):
    """Data of a gzipped little-endian MRC as (z, y, x)."""
    raw = gzip.decompress(path.read_bytes())
    nx, ny, nz, mode = np.frombuffer(raw[:16], "<i4")
    start = 1024 + int(np.frombuffer(raw[92:96], "<i4")[0])
    dtype = {0: "i1", 1: "<i2", 2: "<f4"}[int(mode)]
    return np.frombuffer(raw[start:], dtype).reshape(nz, ny, nx)


def binned_by_blocks(stack):
    n, ny, nx = stack.shape
    return stack.reshape(n, ny // 2, 2, nx // 2, 2).mean((2, 4))


class Oracle:
    """The folder of I1."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ali = read_gz(folder / "ali.mrc.gz")
        self.stacks = {
            "ali": ArrayStack(ali, PIXEL_SIZE),
            "sub": ArrayStack(ali[:, 11:131, 7:147], PIXEL_SIZE),
            "bin": ArrayStack(np.rint(binned_by_blocks(ali)), 2 * PIXEL_SIZE),
        }
        self.tilts = np.loadtxt(folder / "ali.tlt")
        self.x_tilts = np.loadtxt(folder / "ali.xtilt")

    def peer(self, name: str):
        """What IMOD made, as the file has it."""
        return read_gz(self.folder / "runs" / f"{name}.rec.gz")

    def inputs(self, run: Run):
        """(stack, alignment, settings, grid) of a run."""
        stack = self.stacks[run.stack]
        n, ny, nx = stack.shape
        told = dict(run.settings)
        if isinstance(told.get("view_weights"), str):
            told["view_weights"] = tuple(np.loadtxt(self.folder / told["view_weights"]))
        settings = ReconstructSettings(combine="imod", grid="imod", **told)
        facts = StackFacts(n, settings.full_image or (nx, ny), stack.pixel_size)
        alignment = imod.to_alignment(
            np.broadcast_to(np.eye(2, 3), (n, 2, 3)),
            self.tilts,
            facts,
            x_tilts_degrees=self.x_tilts if run.x_tilts else 0.0,
        )
        size = tomogram_grid(adjusted(alignment, settings, (nx, ny)), settings).size
        grid = Grid(size, stack.pixel_size, imod.volume_centre(size))
        return stack, alignment, settings, grid

    def ours(self, name: str, direct: bool, **changes):
        """Our volume of a run in IMOD's axis order: by the twin's plain arithmetic, or fast."""
        run = RUNS[name]
        stack, alignment, settings, grid = self.inputs(run)
        settings = settings.model_copy(update=changes)
        if direct and run.new_style:
            return self._tilted_vertical_slices(stack, alignment, settings, grid)
        if direct:
            volume = reconstruct_directly(stack, alignment, settings, grid)
            if settings.mask_edges is not None:
                run_out_beyond_arc(volume, volume.mean(), settings.mask_edges)
        else:
            volume = reconstruct_tomogram(stack, alignment, settings, grid=grid).data
        native = volume.transpose(1, 0, 2)[:, ::-1]  # (row, depth, x)
        if run.order == "parallel":
            return native.transpose(1, 0, 2)
        if run.order == "rotated":
            return native.transpose(1, 0, 2)[::-1]
        return native

    def _tilted_vertical_slices(self, stack, alignment, settings, grid):
        """IMOD's new-style X tilt: vertical slices, from which the tilted ones are interpolated.

        The formulas are those of imod.md 1.7; a = x_axis_tilt.
        """
        a = np.deg2rad(settings.x_axis_tilt)
        thick = grid.size[2]
        first, last = settings.rows
        tall = int(thick / np.cos(a) + 4.5) + 40
        plain = settings.model_copy(
            update={"x_axis_tilt": 0.0, "rows": (first - 6, last + 6), "thickness": str(tall)}
        )
        size = (grid.size[0], grid.size[1], tall)
        upright = reconstruct_directly(
            stack, alignment, plain, Grid(size, grid.voxel_size, imod.volume_centre(size))
        )
        slices = upright.transpose(1, 0, 2)[:, ::-1]
        rows, depth = np.arange(first, last + 1), np.arange(thick) - (thick - 1) / 2
        middle = (stack.shape[1] - 1) / 2
        out = np.empty((len(rows), thick, grid.size[0]))
        for r, row in enumerate(rows):
            at = (row - middle) * np.cos(a) - depth * np.sin(a) + middle - (first - 6)
            down = (row - middle) * np.sin(a) + depth * np.cos(a) + (tall - 1) / 2
            i, j = np.floor(at).astype(int), np.floor(down).astype(int)
            u, v = (at - i)[:, None], (down - j)[:, None]
            out[r] = (1 - u) * ((1 - v) * slices[i, j] + v * slices[i, j + 1]) + u * (
                (1 - v) * slices[i + 1, j] + v * slices[i + 1, j + 1]
            )
        return out


def correlation(one, other):
    """Pearson's, over all voxels."""
    one, other = one - one.mean(dtype=float), other - other.mean(dtype=float)
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))
