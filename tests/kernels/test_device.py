"""The choice of a device."""

import logging

import numpy as np
import pytest

from vitreous.errors import DeviceError, UserError
from vitreous.kernels.device import Device, array_module, choose, require_gpu


def has_gpu() -> bool:
    try:
        require_gpu(0)
    except DeviceError:
        return False
    return True


def test_the_processor_can_always_be_had() -> None:
    assert choose("cpu") == Device("cpu")
    assert str(choose("cpu")) == "cpu"


@pytest.mark.parametrize("device", ["GPU", "gpu:", "gpu:x", "gpu:-1", "cuda", "", "cpu:1"])
def test_an_unknown_device_names_the_known_ones(device: str) -> None:
    with pytest.raises(UserError, match="give auto, cpu, gpu or gpu:N"):
        choose(device)


def test_a_gpu_beyond_the_last_is_refused() -> None:
    with pytest.raises(DeviceError):
        choose("gpu:99")


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU that can be used")
def test_without_a_gpu_the_error_says_what_is_missing() -> None:
    with pytest.raises(DeviceError, match=r"driver|CuPy"):
        choose("gpu")


@pytest.mark.skipif(has_gpu(), reason="this machine has a GPU that can be used")
def test_auto_falls_back_to_the_processor_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        device = choose("auto")

    assert device == Device("cpu")
    assert "working on the CPU" in caplog.text


@pytest.mark.skipif(not has_gpu(), reason="this machine has no GPU that can be used")
def test_auto_takes_the_first_gpu() -> None:
    assert choose("auto") == Device("gpu", 0)


def test_a_numpy_array_is_worked_on_with_numpy() -> None:
    assert array_module(np.zeros(3)) is np
