"""What decides the products of each step; light to import, since a second run asks for no more."""

from pathlib import Path

from vitreous.align.settings import AlignSettings
from vitreous.pipeline.fingerprints import Making, file_facts, record_digest
from vitreous.pipeline.transfers import Transfers
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.tilt_series import TiltSeries

# Another as soon as the same inputs and settings give other products.
ALIGN_VERSION = 2
RECONSTRUCT_VERSION = 1


def alignment_of(stack_path: Path, series: TiltSeries, settings: AlignSettings) -> Making:
    """What decides an alignment and what its files say: the stack, its tilts, optics, settings."""
    return Making(
        version=ALIGN_VERSION,
        inputs={
            "stack": file_facts(stack_path),
            "pixel_size": series.pixel_size,
            "tilts_degrees": series.nominal_tilts_degrees.tolist(),
            "nominal_axis_degrees": series.nominal_axis_degrees,
            "voltage_kv": series.voltage_kv,
            "spherical_aberration_mm": series.spherical_aberration_mm,
            "amplitude_contrast": series.amplitude_contrast,
            "doses": [tilt.dose for tilt in series.tilts],
            "pre_exposures": [tilt.pre_exposure for tilt in series.tilts],
        },
        settings=settings.model_dump(),
        changed=settings.model_dump(exclude_defaults=True),
    )


def reconstruction_of(
    stack_path: Path,
    alignment_path: Path,
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    transfers: Transfers,
) -> Making:
    """What decides a tomogram: the stack, what its alignment says in whatever file, settings.

    Of the transfers what it needs: the CTFs' numbers, the doses.
    """
    of_alignment = {"path": str(alignment_path), "bytes": alignment_path.stat().st_size}
    return Making(
        version=RECONSTRUCT_VERSION,
        inputs={
            "stack": file_facts(stack_path),
            "pixel_size": stack.pixel_size,
            "alignment": {**of_alignment, "numbers": record_digest(alignment)},
            "ctfs": None if transfers.ctfs is None else record_digest(transfers.ctfs),
            "doses": transfers.doses,
        },
        settings=settings.model_dump(),
        changed=settings.model_dump(exclude_defaults=True),
    )
