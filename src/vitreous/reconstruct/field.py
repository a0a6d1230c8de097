"""The displacement of an alignment, sampled for the resampling kernel."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.device import Device
from vitreous.reconstruct.images import Prepared
from vitreous.records.alignment import Alignment

Floats = NDArray[np.float32]

NODES_EVERY_PX = 8  # bilinear between nodes: a bend of 1e-3 a pixel errs by less than 0.01 px


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """values (n, 2, gy, gx): px by which an image point is moved, nodes every `step` px."""

    values: Floats
    step: float
    _there: dict[str, Floats] = field(default_factory=dict)

    def arguments(self, device: Device) -> dict[str, Any]:
        """For `kernels.shear.sheared_lines`."""
        key = str(device)
        if key not in self._there:
            self._there[key] = device.put(self.values)
        return {"field": self._there[key], "field_step": self.step}


def field_of(alignment: Alignment, images: Prepared) -> Field | None:
    """The alignment's displacement on a grid of image pixels; None where there is none."""
    if alignment.displacement is None:
        return None
    columns, rows = images.image_size[::-1] if images.transposed else images.image_size
    x = np.arange(0, columns + NODES_EVERY_PX, NODES_EVERY_PX, dtype=np.float64)
    y = np.arange(0, rows + NODES_EVERY_PX, NODES_EVERY_PX, dtype=np.float64)
    pixels = np.stack(np.meshgrid(x, y), -1)
    centre = np.array(images.centre[::-1] if images.transposed else images.centre)
    spacing = np.array(images.spacing[::-1] if images.transposed else images.spacing)
    points = ((pixels - centre) * spacing).reshape(1, -1, 2)
    moved = alignment.displacement(np.broadcast_to(points, (len(alignment), *points.shape[1:])))
    values = moved.reshape(len(alignment), len(y), len(x), 2) / spacing
    values = np.moveaxis(values, -1, 1)
    if images.transposed:
        values = values[:, ::-1].swapaxes(2, 3)
    return Field(np.ascontiguousarray(values, np.float32), NODES_EVERY_PX)
