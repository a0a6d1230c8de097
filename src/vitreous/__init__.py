"""vitreous: cryo-electron tomography, from the microscope's images to tomograms and maps.

The names below load on first use, so that `import vitreous` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from vitreous.version import __version__ as __version__

if TYPE_CHECKING:
    from vitreous.average.particle_settings import AverageSettings as AverageSettings
    from vitreous.average.particles import Averages as Averages
    from vitreous.average.particles import average_particles as average_particles
    from vitreous.average.projection_settings import ProjectionSettings as ProjectionSettings
    from vitreous.average.projections import Projections as Projections
    from vitreous.average.projections import reconstruct_projections as reconstruct_projections
    from vitreous.average.tilted import TiltedParticles as TiltedParticles
    from vitreous.ctf.optics import Optics as Optics
    from vitreous.ctf.series import SeriesCtf as SeriesCtf
    from vitreous.ctf.series import estimate_series as estimate_series
    from vitreous.ctf.settings import CtfSettings as CtfSettings
    from vitreous.formats.alignments import read_alignment as read_alignment
    from vitreous.formats.alignments import write_alignment as write_alignment
    from vitreous.formats.images import open_images as open_images
    from vitreous.formats.mrc import read_volume as read_volume
    from vitreous.kernels.fsc import ShellCorrelation as ShellCorrelation
    from vitreous.kernels.fsc import fourier_shell_correlation as fourier_shell_correlation
    from vitreous.kernels.machine import Share as Share
    from vitreous.motion.movie import correct_motion as correct_motion
    from vitreous.motion.settings import MotionSettings as MotionSettings
    from vitreous.pipeline.tomogram import write_tomogram as write_tomogram
    from vitreous.reconstruct.reproject import reproject as reproject
    from vitreous.reconstruct.settings import ReconstructSettings as ReconstructSettings
    from vitreous.reconstruct.tomogram import Reconstruction as Reconstruction
    from vitreous.reconstruct.tomogram import reconstruct_tomogram as reconstruct_tomogram
    from vitreous.records.alignment import Alignment as Alignment
    from vitreous.records.alignment import alignment_from_angles as alignment_from_angles
    from vitreous.records.ctf import Ctf as Ctf
    from vitreous.records.images import ArrayStack as ArrayStack
    from vitreous.records.images import StackFacts as StackFacts
    from vitreous.records.images import facts_of as facts_of
    from vitreous.records.motion import Exposure as Exposure
    from vitreous.records.motion import Motion as Motion
    from vitreous.records.particles import Particles as Particles
    from vitreous.records.tilt_series import Tilt as Tilt
    from vitreous.records.tilt_series import TiltSeries as TiltSeries
    from vitreous.records.volume import Grid as Grid
    from vitreous.records.volume import Volume as Volume
    from vitreous.simulate.series import SimulatedSeries as SimulatedSeries
    from vitreous.simulate.series import simulate_series as simulate_series
    from vitreous.simulate.settings import SimulateSettings as SimulateSettings

_HOMES = {
    "Alignment": "vitreous.records.alignment",
    "ArrayStack": "vitreous.records.images",
    "AverageSettings": "vitreous.average.particle_settings",
    "Averages": "vitreous.average.particles",
    "Ctf": "vitreous.records.ctf",
    "CtfSettings": "vitreous.ctf.settings",
    "Exposure": "vitreous.records.motion",
    "Grid": "vitreous.records.volume",
    "Motion": "vitreous.records.motion",
    "MotionSettings": "vitreous.motion.settings",
    "Optics": "vitreous.ctf.optics",
    "Particles": "vitreous.records.particles",
    "ProjectionSettings": "vitreous.average.projection_settings",
    "Projections": "vitreous.average.projections",
    "ReconstructSettings": "vitreous.reconstruct.settings",
    "Reconstruction": "vitreous.reconstruct.tomogram",
    "SeriesCtf": "vitreous.ctf.series",
    "Share": "vitreous.kernels.machine",
    "ShellCorrelation": "vitreous.kernels.fsc",
    "SimulateSettings": "vitreous.simulate.settings",
    "SimulatedSeries": "vitreous.simulate.series",
    "StackFacts": "vitreous.records.images",
    "Tilt": "vitreous.records.tilt_series",
    "TiltSeries": "vitreous.records.tilt_series",
    "TiltedParticles": "vitreous.average.tilted",
    "Volume": "vitreous.records.volume",
    "alignment_from_angles": "vitreous.records.alignment",
    "average_particles": "vitreous.average.particles",
    "correct_motion": "vitreous.motion.movie",
    "estimate_series": "vitreous.ctf.series",
    "facts_of": "vitreous.records.images",
    "fourier_shell_correlation": "vitreous.kernels.fsc",
    "open_images": "vitreous.formats.images",
    "read_alignment": "vitreous.formats.alignments",
    "read_volume": "vitreous.formats.mrc",
    "reconstruct_projections": "vitreous.average.projections",
    "reconstruct_tomogram": "vitreous.reconstruct.tomogram",
    "reproject": "vitreous.reconstruct.reproject",
    "simulate_series": "vitreous.simulate.series",
    "write_alignment": "vitreous.formats.alignments",
    "write_tomogram": "vitreous.pipeline.tomogram",
}

__all__ = [
    "Alignment",
    "ArrayStack",
    "AverageSettings",
    "Averages",
    "Ctf",
    "CtfSettings",
    "Exposure",
    "Grid",
    "Motion",
    "MotionSettings",
    "Optics",
    "Particles",
    "ProjectionSettings",
    "Projections",
    "ReconstructSettings",
    "Reconstruction",
    "SeriesCtf",
    "Share",
    "ShellCorrelation",
    "SimulateSettings",
    "SimulatedSeries",
    "StackFacts",
    "Tilt",
    "TiltSeries",
    "TiltedParticles",
    "Volume",
    "alignment_from_angles",
    "average_particles",
    "correct_motion",
    "estimate_series",
    "facts_of",
    "fourier_shell_correlation",
    "open_images",
    "read_alignment",
    "read_volume",
    "reconstruct_projections",
    "reconstruct_tomogram",
    "reproject",
    "simulate_series",
    "write_alignment",
    "write_tomogram",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'vitreous' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
