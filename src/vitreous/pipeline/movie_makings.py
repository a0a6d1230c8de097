"""What decides the products of the steps before a stack: gain, motion, newstack; and of ctf."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vitreous.ctf.settings import CtfSettings
from vitreous.formats.movie_settings import MovieSettings
from vitreous.motion.gain_settings import GainSettings
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline.fingerprints import Making, file_facts, record_digest
from vitreous.pipeline.movie_series import MovieOfTilt, MovieSeries
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.records.alignment import Alignment
from vitreous.records.tilt_series import TiltSeries

# Another as soon as the same inputs and settings give other products.
GAIN_VERSION = 2
MOTION_VERSION = 2
NEWSTACK_VERSION = 1
CTF_VERSION = 1


def gain_of(
    reference: Path,
    defects: Path | None,
    movies: Sequence[Path],
    settings: GainSettings,
    reading: MovieSettings,
) -> Making:
    """What decides a gain reference: what is stored of it, and the movies it is held against."""
    return Making(
        version=GAIN_VERSION,
        inputs={
            "reference": file_facts(reference),
            "defects": None if defects is None else file_facts(defects),
            **{f"movie {path.name}": file_facts(path) for path in movies},
            **grouping_of(reading),
        },
        settings={**settings.model_dump(), **numbers_of(reading)},
        changed=changed(settings, reading),
    )


def movie_of(
    movie: MovieOfTilt,
    series: MovieSeries,
    gain: str,
    settings: MotionSettings,
    reading: MovieSettings,
) -> Making:
    """What decides the average of one movie; gain: fingerprint of the gain reference."""
    return Making(
        version=MOTION_VERSION,
        inputs={
            "movie": file_facts(movie.path),
            "frames": movie.frames,
            "gain": gain,
            "pixel_size": series.pixel_size,
            "voltage_kv": series.voltage_kv,
            "dose": movie.tilt.dose,
            "pre_exposure": movie.tilt.pre_exposure,
            **grouping_of(reading),
        },
        settings={**settings.model_dump(), **numbers_of(reading)},
        changed=changed(settings, reading),
    )


def motion_of(
    series: MovieSeries, gain: str, settings: MotionSettings, reading: MovieSettings
) -> Making:
    """What decides the averages of a series."""
    makings = {m.path.name: movie_of(m, series, gain, settings, reading) for m in series.movies}
    return Making(
        version=MOTION_VERSION,
        inputs={name: making.fingerprint for name, making in makings.items()},
        settings={**settings.model_dump(), **numbers_of(reading)},
        changed=changed(settings, reading),
    )


def newstack_of(series: MovieSeries, motion: dict[str, Any], settings: NewstackSettings) -> Making:
    """What decides a stack: the averages, by what the manifest of their step says, and angles."""
    tilts = series.series.tilts
    return Making(
        version=NEWSTACK_VERSION,
        inputs={
            "motion": motion.get("fingerprint"),
            "averages": sorted(motion.get("averages", {})),
            "nominal_axis_degrees": series.series.nominal_axis_degrees,
            "tilts_degrees": [tilt.nominal_tilt_degrees for tilt in tilts],
            "order": [tilt.exposure_index for tilt in tilts],
            "voltage_kv": series.series.voltage_kv,
        },
        settings=settings.model_dump(),
        changed=changed(settings),
    )


def ctf_of(
    stack_path: Path, series: TiltSeries, alignment: Alignment, settings: CtfSettings
) -> Making:
    """What decides the contrast transfer: the stack, its alignment, optics, order, settings."""
    return Making(
        version=CTF_VERSION,
        inputs={
            "stack": file_facts(stack_path),
            "pixel_size": series.pixel_size,
            "alignment": record_digest(alignment),
            "order": [tilt.exposure_index for tilt in series.tilts],
            "voltage_kv": series.voltage_kv,
            "spherical_aberration_mm": series.spherical_aberration_mm,
            "amplitude_contrast": series.amplitude_contrast,
        },
        settings=settings.model_dump(),
        changed=changed(settings),
    )


def grouping_of(reading: MovieSettings) -> dict[str, Any]:
    """The list of frames that are summed, where one is given: by what it says."""
    path = reading.fm_int_file
    return {} if path is None else {"fm_int_file": file_facts(path)}


def numbers_of(reading: MovieSettings) -> dict[str, Any]:
    """The settings of reading, less the path of that list."""
    return reading.model_dump(exclude={"fm_int_file"})


def changed(*models: Any) -> dict[str, Any]:
    """The settings that differ from the defaults."""
    every: dict[str, Any] = {}
    for model in models:
        every |= model.model_dump(exclude_defaults=True)
    return every
