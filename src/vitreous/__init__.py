"""vitreous: cryo-electron tomography, from the microscope's images to tomograms and maps.

The names below load on first use, so that `import vitreous` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitreous.records.alignment import Alignment as Alignment
    from vitreous.records.images import ArrayStack as ArrayStack
    from vitreous.records.images import StackFacts as StackFacts
    from vitreous.records.tilt_series import Tilt as Tilt
    from vitreous.records.tilt_series import TiltSeries as TiltSeries
    from vitreous.records.volume import Grid as Grid
    from vitreous.records.volume import Volume as Volume

__version__ = "0.1.0"

_HOMES = {
    "Alignment": "vitreous.records.alignment",
    "ArrayStack": "vitreous.records.images",
    "Grid": "vitreous.records.volume",
    "StackFacts": "vitreous.records.images",
    "Tilt": "vitreous.records.tilt_series",
    "TiltSeries": "vitreous.records.tilt_series",
    "Volume": "vitreous.records.volume",
}

__all__ = ["Alignment", "ArrayStack", "Grid", "StackFacts", "Tilt", "TiltSeries", "Volume"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'vitreous' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
