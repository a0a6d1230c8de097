"""The launches, run through CuPy on the GPU that holds the arrays."""

from collections.abc import Callable
from functools import cache, wraps
from importlib.resources import files
from typing import Any, ParamSpec

import numpy as np

from vitreous.kernels.cuda import launches
from vitreous.kernels.cuda.launches import OPTIONS, Launch

P = ParamSpec("P")


def source() -> str:
    """The text of shear.cu."""
    return files("vitreous.kernels.cuda").joinpath("shear.cu").read_text(encoding="utf-8")


@cache
def _module() -> Any:
    import cupy

    return cupy.RawModule(code=source(), options=OPTIONS)


def _run(launch: Launch) -> None:
    """Queue a launch on the current stream; tables that are still NumPy's are copied over."""
    import cupy

    arguments = tuple(cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in launch.arguments)
    _module().get_function(launch.kernel)(launch.grid, launch.block, arguments)


def _on_the_gpu(launches_of: Callable[P, list[Launch]]) -> Callable[P, None]:
    @wraps(launches_of)
    def kernel(*arguments: P.args, **named: P.kwargs) -> None:
        for launch in launches_of(*arguments, **named):
            _run(launch)

    return kernel


backproject_cubic = _on_the_gpu(launches.backproject_cubic)
backproject_linear = _on_the_gpu(launches.backproject_linear)
backproject_uneven = _on_the_gpu(launches.backproject_uneven)
correct_linear = _on_the_gpu(launches.correct_linear)
project_linear = _on_the_gpu(launches.project_linear)
level_lines = _on_the_gpu(launches.level_lines)
sheared_lines = _on_the_gpu(launches.sheared_lines)
coverage = _on_the_gpu(launches.coverage)
