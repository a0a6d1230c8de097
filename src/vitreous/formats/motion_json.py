"""Our own record of a movie's motion as JSON: numbers as `records.motion` has them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.errors import FormatError
from vitreous.formats.content import read_text
from vitreous.formats.products import write_text
from vitreous.records.motion import Exposure, LocalMotion, Motion

ABOUT = (
    "Displacements of the specimen (x, y) in angstrom, relative to the mean over the used frames; "
    "a correction is the negative. Local ones: coefficients (frame, x and y, term) of u, v, "
    "u^2-1/3, uv, v^2-1/3, u and v from -1 to 1 across the image. Errors: expected length of the "
    "error vector, RMS."
)


def write(motion: Motion, path: Path, exposure: Exposure | None = None) -> None:
    """Write the record."""
    write_text(path, json.dumps(as_mapping(motion, exposure), indent=1) + "\n")


def as_mapping(motion: Motion, exposure: Exposure | None = None) -> dict[str, Any]:
    """The record as plain numbers."""
    local = motion.local
    return {
        "about": ABOUT,
        "frames": [int(frame) + 1 for frame in motion.frames],
        "frame_count": motion.frame_count,
        "image_size": list(motion.image_size),
        "pixel_size": motion.pixel_size,
        "dose_per_frame": exposure.dose_per_frame if exposure else None,
        "doses": list(exposure.doses) if exposure and exposure.doses else None,
        "pre_exposure": exposure.pre_exposure if exposure else None,
        "voltage_kv": exposure.voltage_kv if exposure else None,
        "group": motion.group,
        "standard_error": motion.standard_error,
        "path_length": motion.path_length,
        "displacements": motion.displacements.round(5).tolist(),
        "local_log_evidence": motion.log_evidence,
        "local_standard_error": local.standard_error if local else None,
        "local": local.coefficients.round(5).tolist() if local else None,
    }


def read(path: Path) -> Motion:
    """Read the record."""
    try:
        said = json.loads(read_text(path))
        local = None
        if said["local"] is not None:
            coefficients = np.array(said["local"], np.float64)
            local = LocalMotion(coefficients, said["local_standard_error"])
        return Motion(
            frames=np.array(said["frames"], np.intp) - 1,
            frame_count=said["frame_count"],
            displacements=np.array(said["displacements"], np.float64).reshape(-1, 2),
            image_size=(said["image_size"][0], said["image_size"][1]),
            pixel_size=said["pixel_size"],
            standard_error=said["standard_error"],
            local=local,
            log_evidence=said["local_log_evidence"],
            group=said["group"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"no record of motion ({error!r})", path=path) from error
