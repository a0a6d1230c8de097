"""Where arrays are worked on: the processor, or one NVIDIA GPU through CuPy."""

import ctypes
import importlib.util
import logging
import re
from dataclasses import dataclass
from types import ModuleType
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import DeviceError, UserError

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

CACHE_LINE = 64  # NumPy begins on 16 bytes only: 1.4 times slower in loops bound by loads
INSTALL_CUPY = "pip install 'vitreous[cuda12]'"


@dataclass(frozen=True, slots=True)
class Device:
    """The processor, or the GPU `index` as CUDA numbers the visible ones."""

    kind: Literal["cpu", "gpu"]
    index: int = 0

    def __str__(self) -> str:
        return self.kind if self.kind == "cpu" else f"gpu:{self.index}"

    def put(self, array: Floats) -> Floats:
        """The array in this device's memory; the CPU takes it as it is."""
        if self.kind == "cpu":
            return array
        import cupy

        with cupy.cuda.Device(self.index):
            return cast(Floats, cupy.asarray(array))

    def get(self, array: Floats) -> Floats:
        """An array of this device as NumPy's."""
        if self.kind == "cpu":
            return array
        import cupy

        return cast(Floats, cupy.asnumpy(array))

    def zeros(self, shape: tuple[int, ...]) -> Floats:
        """float32 zeros in this device's memory, on the CPU beginning on a cache line."""
        if self.kind == "gpu":
            import cupy

            with cupy.cuda.Device(self.index):
                return cast(Floats, cupy.zeros(shape, np.float32))
        count = int(np.prod(shape))
        raw = np.zeros(count * 4 + CACHE_LINE, np.uint8)
        start = -raw.ctypes.data % CACHE_LINE
        return raw[start : start + count * 4].view(np.float32).reshape(shape)


CPU = Device("cpu")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A visible GPU: its name and memory in bytes."""

    name: str
    memory: int


def choose(device: str) -> Device:
    """The device that `device` (auto, cpu, gpu or gpu:N) means on this machine.

    Raises `DeviceError` where a GPU is asked for and can't be used; 'auto' says so and takes the
    processor instead.
    """
    asked = re.fullmatch(r"auto|cpu|gpu(?::(\d+))?", device)
    if asked is None:
        raise UserError(f"device {device!r} is unknown: give auto, cpu, gpu or gpu:N (N from 0)")
    if device == "cpu":
        return Device("cpu")
    index = int(asked[1] or 0)
    try:
        require_gpu(index)
    except DeviceError as missing:
        if device != "auto":
            raise
        log.info("working on the CPU: %s", missing)
        return Device("cpu")
    return Device("gpu", index)


def require_gpu(index: int) -> None:
    """Raise `DeviceError` that says what is missing if GPU `index` can't be used."""
    found = gpus()
    if index >= len(found):
        raise DeviceError(
            f"there is no GPU {index}: this machine shows GPU 0"
            + (f" to {len(found) - 1}" if len(found) > 1 else " only")
        )
    if importlib.util.find_spec("cupy") is None:
        raise DeviceError(f"CuPy, which runs the GPU's kernels, is not installed: {INSTALL_CUPY}")


def gpus() -> list[Gpu]:
    """The GPUs that NVIDIA's driver shows (CUDA_VISIBLE_DEVICES is honoured).

    Asks the driver's library itself, so that it answers without CuPy. Raises `DeviceError` where
    there is no driver or no device.
    """
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise DeviceError("there is no NVIDIA driver (libcuda.so.1 can't be loaded)") from None

    count = ctypes.c_int(0)
    if cuda.cuInit(0) != 0 or cuda.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        raise DeviceError("NVIDIA's driver is installed, but shows no GPU")
    return [_gpu(cuda, index) for index in range(count.value)]


def _gpu(cuda: ctypes.CDLL, index: int) -> Gpu:
    handle, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
    cuda.cuDeviceGet(ctypes.byref(handle), index)
    cuda.cuDeviceGetName(name, len(name), handle)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
    return Gpu(name.value.decode(), memory.value)


def array_module(array: object) -> ModuleType:
    """numpy for a NumPy array, cupy for one that lies on a GPU."""
    if isinstance(array, np.ndarray):
        return np
    import cupy

    return cupy
