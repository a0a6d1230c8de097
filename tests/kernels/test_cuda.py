"""The CUDA source held to the CPU's kernels and their twins, without a GPU.

The very source that a GPU compiles is built by g++ behind cuda_shim.h and run with the launches
(grid, block, arguments) that CuPy would be handed. Another test compiles it with NVRTC.
"""

import ctypes
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from tests.kernels.twins import (
    backproject_cubic_slowly,
    backproject_linear_slowly,
    backproject_uneven_slowly,
    lagrange_six,
)
from vitreous.kernels import cpu
from vitreous.kernels.cuda import launches
from vitreous.kernels.cuda.run import source
from vitreous.kernels.shear import shear_of
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.volume import Grid

KERNELS = (
    "backproject_cubic",
    "backproject_linear",
    "backproject_uneven",
    "correct_linear",
    "project_linear",
    "level_lines",
    "sheared_lines",
    "coverage",
)
# even, odd, minimal; more planes and tilts than a thread makes, more columns than a block has
SIZES = [
    ((8, 4, 16), 17),
    ((9, 5, 15), 9),
    ((1, 1, 1), 1),
    ((17, 2, 131), 3),
]


def names_of(text):
    return re.findall(r'extern "C" __global__ void (\w+)\(', text)


def build(folder):
    """shear.cu as a library for this CPU, an entry run_NAME for each kernel."""
    if shutil.which("g++") is None:
        pytest.skip("g++, which builds the CUDA source for this CPU, is not installed")
    text = source()
    (folder / "shear.cu").write_text(text)
    entries = "\n".join(f"ENTRY({name})" for name in names_of(text))
    (folder / "entries.cpp").write_text(f'#include "cuda_shim.h"\n#include "shear.cu"\n{entries}\n')
    shim = Path(__file__).parent
    flags = [
        "-O2",
        "-fPIC",
        "-shared",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unknown-pragmas",
        "-fwrapv",
    ]
    command = ["g++", *flags, *launches.OPTIONS, f"-I{shim}", "-o", "kernels.so", "entries.cpp"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "kernels.so"))


def c_value(argument):
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    kinds = {np.int32: ctypes.c_int, np.float32: ctypes.c_float, np.float64: ctypes.c_double}
    return kinds[type(argument)](argument)


def run(library, launch):
    """Call a kernel for every thread of its launch, as cuLaunchKernel would."""
    values = [c_value(argument) for argument in launch.arguments]
    sizes = (ctypes.c_int * len(values))(*map(ctypes.sizeof, values))
    addresses = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
    three = ctypes.c_int * 3
    entry = getattr(library, f"run_{launch.kernel}")
    wrong = entry(three(*launch.grid), three(*launch.block), len(values), sizes, addresses)
    assert wrong == 0, f"{launch.kernel} doesn't expect argument {wrong} like this"


@pytest.fixture(scope="module")
def cuda(tmp_path_factory):
    """The kernels of the CUDA source, run on this CPU: signatures of `vitreous.kernels.cpu`."""
    library = build(tmp_path_factory.mktemp("cuda"))

    def on_this_cpu(name):
        def kernel(*arguments):
            for launch in getattr(launches, name)(*arguments):
                run(library, launch)

        return kernel

    return SimpleNamespace(**{name: on_this_cpu(name) for name in KERNELS})


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def problem(rng, shape, n):
    """Planes, column positions of a series to +-60 degrees, and an empty volume."""
    planes = rng.normal(size=(n, shape[1] + 10, shape[2] + 60)).astype(np.float32)
    slope = np.tan(np.deg2rad(np.linspace(-60, 57, n)))
    positions = 30 + (np.arange(shape[0]) - (shape[0] - 1) / 2)[:, None] * slope
    return planes, positions, np.zeros(shape, np.float32)


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_cubic_backprojection_agrees_with_its_twin(cuda, shape, n, rng):
    planes, positions, volume = problem(rng, shape, n)
    sixteenths = np.rint(positions * 16).astype(np.int64)
    first = rng.integers(0, 10, shape[0])

    cuda.backproject_cubic(planes, sixteenths, first, volume)

    expected = backproject_cubic_slowly(planes, sixteenths, first, shape)
    assert relative(volume, expected) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
@pytest.mark.parametrize("a_line", [8, 32])
def test_uneven_backprojection_agrees_with_its_twin(cuda, shape, n, a_line, rng):
    planes, positions, volume = problem(rng, shape, n)
    higher = rng.integers(-12, 13, positions.shape)
    first = rng.integers(4, 6, shape[0])

    cuda.backproject_uneven(planes, positions, higher, first, volume, a_line)

    expected = backproject_uneven_slowly(planes, positions, higher, first, shape, a_line)
    assert relative(volume, expected) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_linear_backprojection_agrees_with_its_twin(cuda, shape, n, rng):
    planes, positions, volume = problem(rng, shape, n)
    planes = np.ascontiguousarray(planes[:, : shape[1]])

    cuda.backproject_linear(planes, positions, volume)

    assert relative(volume, backproject_linear_slowly(planes, positions, shape)) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_a_correction_agrees_with_its_twin(cuda, shape, n, rng):
    planes, positions, _ = problem(rng, shape, n)
    planes = np.ascontiguousarray(planes[:, : shape[1]])
    volume, weight = rng.normal(size=(2, *shape)).astype(np.float32)
    expected = volume + weight * backproject_linear_slowly(planes, positions, shape)

    cuda.correct_linear(planes, positions, weight, np.float32(-0.5), volume)

    assert relative(volume, np.maximum(expected, -0.5)) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_projection_is_the_transpose_of_linear_backprojection(cuda, shape, n, rng):
    planes, positions, volume = problem(rng, shape, n)
    planes = np.ascontiguousarray(planes[:, : shape[1]])
    other, projected = rng.normal(size=shape).astype(np.float32), np.zeros_like(planes)

    cuda.backproject_linear(planes, positions, volume)
    cuda.project_linear(other, positions, projected)

    left, right = np.vdot(volume, other.astype(float)), np.vdot(planes, projected.astype(float))
    assert abs(left - right) < 1e-6 * np.linalg.norm(volume) * np.linalg.norm(other)


def test_sums_are_added_to_what_is_there(cuda, rng):
    planes, positions, volume = problem(rng, (9, 5, 15), 9)
    planes = np.ascontiguousarray(planes[:, :5])
    sixteenths = np.rint(positions * 16).astype(np.int64)
    level = np.zeros(9, np.int64)
    results = []

    for kernels in (cpu, cuda):
        found, projected = np.full_like(volume, 3), np.full_like(planes, 7)
        kernels.backproject_cubic(planes, sixteenths, level, found)
        kernels.backproject_uneven(planes, positions, 0 * sixteenths, level, found)
        kernels.backproject_linear(planes, positions, found)
        kernels.project_linear(found, positions, projected)
        results.append(projected)

    assert relative(results[1], results[0]) < 1e-6


def test_places_beyond_32_bits_are_reached(cuda, tmp_path):
    """As a stack of 41 x 4096 x 6000 has them; a file with holes stands for the memory."""
    planes = np.memmap(tmp_path / "planes", np.float32, "w+", shape=(3, 1, 2**30))
    planes[:, 0, 31:40] = np.arange(9)
    volume = np.zeros((1, 1, 4), np.float32)
    table = np.array([[32, 32, 32]])

    cuda.backproject_linear(planes, table + 0.5, volume)
    cuda.backproject_cubic(planes, table * 16 + 8, np.zeros(1, np.int64), volume)
    cuda.backproject_uneven(planes, table + 0.5, table * 0, np.zeros(1, np.int64), volume)

    np.testing.assert_allclose(volume[0, 0], 3 * 3 * (np.arange(4) + 1.5), rtol=1e-6)


def test_lines_are_levelled_by_six_point_interpolation(cuda, rng):
    lines = rng.normal(size=(3, 20, 131)).astype(np.float32)
    first, fraction = np.array([2, 3, 5]), np.array([0, 0.25, 0.8], np.float32)
    out = np.empty((3, 8, 131), np.float32)

    cuda.level_lines(lines, first, fraction, out)

    expected = [
        [lagrange_six(lines[z], first[z] + r + float(fraction[z])) for r in range(8)]
        for z in range(3)
    ]
    assert relative(out, np.array(expected)) < 1e-6


def sampling(rng, axis, image_size):
    """Coefficients of smooth images with their border, and the shear of a grid seen in them."""
    columns, rows = image_size
    images = ndimage.gaussian_filter(rng.normal(size=(3, rows + 4, columns + 4)), (0, 1, 1))
    alignment = alignment_from_angles(
        axes_degrees=axis,
        tilts_degrees=np.array([-50.0, 2, 60]),
        x_tilts_degrees=3.0,
        shifts=rng.normal(size=(3, 2)) * 4,
        magnifications=1.01,
        image_size=image_size,
        pixel_size=2.0,
    )
    grid = Grid((columns - 3, rows - 2, 9), 2.0, (columns // 2, rows // 2, 4))
    return images.astype(np.float32), shear_of(alignment, grid, image_size, 2.0)


@pytest.mark.parametrize("axis", [0.0, 30.0, 85.3, -170.0])
@pytest.mark.parametrize("image_size", [(52, 41), (300, 33), (1200, 12)])
@pytest.mark.parametrize("as_coefficients", [False, True])
def test_sheared_lines_agree_with_the_cpu(cuda, axis, image_size, as_coefficients, rng):
    images, shear = sampling(rng, axis, image_size)
    empty = np.zeros((3, 2, 0, 0), np.float32)
    call = shear.linear, shear.middle_origin, float(-shear.margin), 5.0, empty, 1.0
    found, expected = np.full((2, 3, 6, shear.width), np.nan, np.float32)

    cuda.sheared_lines(images, *call, as_coefficients, found)
    cpu.sheared_lines(images, *call, as_coefficients, expected)

    assert np.abs(expected).max() > 0.1
    assert relative(found, expected) < 1e-6
    if not as_coefficients:
        assert np.array_equal(found == 0, expected == 0)  # the same points lie in the image


@pytest.mark.parametrize("as_coefficients", [False, True])
def test_displaced_lines_agree_with_the_cpu(cuda, as_coefficients, rng):
    images, shear = sampling(rng, 20.0, (70, 51))
    field = rng.normal(size=(3, 2, 8, 11)).astype(np.float32)
    call = shear.linear, shear.middle_origin, float(-shear.margin), 5.0, field, 7.5
    found, expected = np.full((2, 3, 30, shear.width), np.nan, np.float32)

    cuda.sheared_lines(images, *call, as_coefficients, found)
    cpu.sheared_lines(images, *call, as_coefficients, expected)

    assert relative(found, expected) < 1e-6


@pytest.mark.parametrize("nx", [1, 40, 1100])
def test_coverage_agrees_with_the_cpu(cuda, nx, rng):
    _, shear = sampling(rng, np.array([20.0, 0, 88]), (30, 24))
    tables = shear.linear, shear.slope, shear.origin, np.array([30, 24]), np.array([1.0, 2, 4.5])
    found, expected = np.full((2, 7, 21, nx), np.nan, np.float32)

    cuda.coverage(*tables, 3.0, found)
    cpu.coverage(*tables, 3.0, expected)

    np.testing.assert_array_equal(found, expected)


def test_arrays_that_a_kernel_would_misread_are_refused(rng):
    planes, positions, volume = problem(rng, (9, 5, 15), 9)

    with pytest.raises(TypeError, match="contiguous float32"):
        launches.backproject_linear(planes[:, :5], positions, volume)
    with pytest.raises(TypeError, match="float64"):
        launches.backproject_linear(planes, positions, volume.astype(float))


@pytest.mark.parametrize("target", ["sm_80", "sm_90"])
def test_nvrtc_compiles_the_source_without_spills(target):
    nvrtc = pytest.importorskip(
        "cuda.bindings.nvrtc", reason="cuda-bindings, which compile CUDA offline, aren't installed"
    )
    try:
        error, program = nvrtc.nvrtcCreateProgram(source().encode(), b"shear.cu", 0, [], [])
    except RuntimeError as missing:
        pytest.skip(f"NVRTC is not installed: {missing}")
    options = [f"--gpu-architecture={target}", "--ptxas-options=-v", *launches.OPTIONS]

    (error,) = nvrtc.nvrtcCompileProgram(program, len(options), [o.encode() for o in options])

    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = bytearray(size)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert error == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode()
    assert "warning" not in log.decode()
    assert log.decode().count(" 0 bytes spill stores") == len(names_of(source()))


def test_the_gpu_agrees_with_the_cpu(rng):
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
    if not cupy.is_available():
        pytest.skip("no CUDA device that CuPy can use")
    from vitreous.kernels import cuda

    planes, positions, volume = problem(rng, (17, 2, 131), 17)
    planes = np.ascontiguousarray(planes[:, :2])
    sixteenths = np.rint(positions * 16).astype(np.int64)
    level = np.zeros(17, np.int64)
    images, shear = sampling(rng, 30.0, (300, 33))
    call = shear.linear, shear.middle_origin, float(-shear.margin), 5.0
    empty = np.zeros((3, 2, 0, 0), np.float32)
    tables = shear.linear, shear.slope, shear.origin, np.array([300, 33]), np.ones(3)
    results = []

    for kernels, on in ((cpu, np.array), (cuda, cupy.array)):
        back, lines = on(volume), on(np.zeros((3, 6, shear.width), np.float32))
        projected, shown = on(np.zeros_like(planes)), on(np.zeros((7, 9, 131), np.float32))
        levelled = on(np.zeros((3, 1, shear.width), np.float32))
        kernels.backproject_cubic(on(planes), sixteenths, level, back)
        kernels.backproject_uneven(on(planes), positions, 0 * sixteenths, level, back)
        kernels.backproject_linear(on(planes), positions, back)
        kernels.correct_linear(on(planes), positions, back.copy(), np.float32(-1), back)
        kernels.project_linear(back, positions, projected)
        kernels.sheared_lines(on(images), *call, empty, 1.0, True, lines)
        kernels.level_lines(lines, np.full(3, 2), np.full(3, 0.3, np.float32), levelled)
        kernels.coverage(*tables, 3.0, shown)
        results.append([back, projected, lines, levelled, shown])

    for expected, found in zip(*results, strict=True):
        assert relative(cupy.asnumpy(found), expected) < 1e-6
