"""Fourier insertion: slices alone, the law, and whole maps beside EMAN2's e2make3dpar."""

from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from measure import REPEATS, cpu_seconds, table, verdict
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from vitreous.average.projection_settings import ProjectionSettings
from vitreous.average.projections import Projections, reconstruct_projections
from vitreous.geometry.symmetry import point_group
from vitreous.kernels.division import divided, map_of
from vitreous.kernels.insertion import KernelName, SliceGrid, folded, insert
from vitreous.kernels.symmetrise import symmetrised
from vitreous.records.images import ArrayStack

SLICES = 500
KERNELS: tuple[KernelName, ...] = (
    "nearest", "trilinear", "gauss_2", "gauss_3", "kaiser_5", "gauss_5", "gauss_var",
)  # fmt: skip
# CPU seconds of the whole of EMAN2 on the same work, one thread, same kind of machine.
EMAN2: dict[tuple[int, KernelName], float] = {
    (160, "trilinear"): 2.9,
    (160, "gauss_2"): 3.3,
    (160, "gauss_var"): 20.3,
    (320, "trilinear"): 9.1,
    (320, "gauss_2"): 10.2,
    (320, "gauss_var"): 75.5,
}
EMAN2_D7 = 18.7  # trilinear, pad 160
DUE = {"trilinear": 1 / 2, "gauss_2": 1 / 2, "gauss_var": 1 / 8}


def insertion_section(pads: tuple[int, ...], law: tuple[int, ...], law_pad: int) -> str:
    """Slices alone, how cost grows with their number, whole maps; one thread."""
    numba.set_num_threads(1)
    parts = [
        f"{SLICES} slices in random directions, one thread.",
        _alone(pads),
        _law(law, law_pad),
        _whole_maps(pads),
    ]
    return "\n\n".join(parts)


def _directions(count: int) -> NDArray[np.float64]:
    return Rotation.random(count, rng=np.random.default_rng(3)).as_matrix()


def _slices(count: int, pad: int) -> NDArray[np.complex64]:
    random = np.random.default_rng(4)
    shape = (count, pad, pad // 2 + 1)
    values = random.standard_normal((*shape, 2), np.float32)
    return values.view(np.complex64)[..., 0]


def _alone(pads: tuple[int, ...]) -> str:
    rows = []
    for pad in pads:
        count = SLICES * 160**2 // pad**2
        slices, orientations = _slices(count, pad), _directions(count)
        grid = SliceGrid.empty((pad,) * 3)
        points = count * np.pi / 2 * (pad / 2) ** 2
        for kernel in KERNELS:
            work = partial(insert, grid, slices, orientations, kernel, columns=pad)
            seconds = cpu_seconds(work, REPEATS)
            rows.append(
                [
                    kernel,
                    str(pad),
                    f"{seconds * SLICES / count:.2f}",
                    f"{seconds / count * 1e3:.2f}",
                    f"{seconds / points * 1e9:.0f}",
                ]
            )
    head = ["kernel", "padded image", f"{SLICES} slices, CPU s", "ms a slice", "ns a point"]
    return table(head, rows)


def _law(counts: tuple[int, ...], pad: int) -> str:
    """Cost with the number of slices, and what is done once a map."""
    chunk = min(1000, counts[0])
    slices, orientations = _slices(chunk, pad), _directions(chunk)
    grid = SliceGrid.empty((pad,) * 3)
    insert(grid, slices[:1], orientations[:1], columns=pad)
    rows = []
    many = partial(insert, grid, slices, orientations, columns=pad)
    for count in counts:
        seconds = cpu_seconds(partial(_times, many, count // chunk), 1)
        rows.append([f"{count}", f"{seconds:.2f}", f"{seconds / count * 1e3:.3f}"])
    sums = folded(grid)
    group = point_group("d7", "eman2")
    once = {
        "Friedel mates joined": lambda: folded(grid),
        "divided": lambda: divided(sums),
        "transformed back": lambda: map_of(divided(sums), pad),
        "symmetrised, an operator of D7": lambda: symmetrised(sums, group),
    }
    share = {"symmetrised, an operator of D7": len(group)}
    each = [
        f"{name} {cpu_seconds(work, REPEATS) / share.get(name, 1) / pad**3 * 1e9:.1f}"
        for name, work in once.items()
    ]
    lines = [
        f"Trilinear, images padded to {pad}:",
        "",
        table(["slices", "CPU s", "ms a slice"], rows),
        "",
        f"Once a map, ns a voxel: {', '.join(each)}.",
    ]
    return "\n".join(lines)


def _times(work: Callable[[], object], count: int) -> None:
    for _ in range(count):
        work()


def _whole_maps(pads: tuple[int, ...]) -> str:
    """Images in memory to a map in memory, beside the whole of EMAN2."""
    rows, verdicts = [], []
    for pad in pads:
        size = pad * 4 // 5
        random = np.random.default_rng(5)
        images = random.standard_normal((SLICES, size, size), np.float32)
        projections = Projections(ArrayStack(images, 1.0), _directions(SLICES), np.ones(SLICES))
        few = Projections(ArrayStack(images[:2], 1.0), _directions(2), np.ones(2))
        runs = [(name, "c1", EMAN2.get((pad, name))) for name in DUE]
        if pad == 160:
            runs.append(("trilinear", "d7", EMAN2_D7))
        for kernel, symmetry, theirs in runs:
            settings = ProjectionSettings(
                kernel=kernel, padded=(pad, pad), size=(size,) * 3, symmetry=symmetry,
                symmetry_axes="eman2", correction="eman2", weight_floor=0, conventions="eman2",
            )  # fmt: skip
            reconstruct_projections(few, settings)
            work = partial(reconstruct_projections, projections, settings)
            seconds = cpu_seconds(work, 2)
            name = f"{kernel}, {symmetry}, {size} px padded to {pad}"
            rows.append(
                [name, f"{seconds:.2f}"]
                + ([f"{theirs:.1f}", f"{seconds / theirs:.2f}"] if theirs else ["", ""])
            )
            if theirs:
                due = DUE[kernel]
                what = f"{name}: {seconds / theirs:.2f} of EMAN2's CPU s; {due:g} are due"
                verdicts.append(verdict(what, seconds <= due * theirs))
    head = [f"{SLICES} images to a map", "CPU s", "EMAN2, CPU s", "of EMAN2's"]
    note = "EMAN2's figures are for its whole program, files and start-up included."
    return "\n".join([table(head, rows), "", note, "", *verdicts])
