"""What the tests share: the reference data beside the checkout, and random numbers."""

from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference data and oracles; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (folder 'shared' beside the checkout) is not here")
    return SHARED


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261124)
