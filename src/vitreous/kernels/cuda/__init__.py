"""The kernels in CUDA, on CuPy arrays: same names and signatures as `vitreous.kernels.cpu`."""

from vitreous.kernels.cuda.run import (
    backproject_cubic,
    backproject_linear,
    backproject_uneven,
    correct_linear,
    coverage,
    level_lines,
    project_linear,
    sheared_lines,
)

__all__ = [
    "backproject_cubic",
    "backproject_linear",
    "backproject_uneven",
    "correct_linear",
    "coverage",
    "level_lines",
    "project_linear",
    "sheared_lines",
]
