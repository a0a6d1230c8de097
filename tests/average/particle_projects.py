"""Projects of particles of any size, as RELION 5 has them: noise with particles on known places."""

from pathlib import Path

import numpy as np

from vitreous.formats.mrc import MrcWriter

OPTICS = """
data_optics

loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnVoltage #3
_rlnSphericalAberration #4
_rlnAmplitudeContrast #5
_rlnTomoTiltSeriesPixelSize #6
1 og1 300.0 2.7 0.1 {pixel}
"""
SERIES_COLUMNS = (
    "rlnMicrographName",
    "rlnTomoXTilt",
    "rlnTomoYTilt",
    "rlnTomoZRot",
    "rlnTomoXShiftAngst",
    "rlnTomoYShiftAngst",
    "rlnDefocusU",
    "rlnDefocusV",
    "rlnDefocusAngle",
    "rlnMicrographPreExposure",
    "rlnCtfScalefactor",
)
GLOBAL_COLUMNS = (
    "rlnTomoName",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnMicrographOriginalPixelSize",
    "rlnTomoHand",
    "rlnOpticsGroupName",
    "rlnTomoTiltSeriesPixelSize",
    "rlnTomoTiltSeriesStarFile",
    "rlnTomoSizeX",
    "rlnTomoSizeY",
    "rlnTomoSizeZ",
)
PARTICLE_COLUMNS = (
    "rlnTomoName",
    "rlnTomoParticleName",
    "rlnOpticsGroup",
    "rlnRandomSubset",
    "rlnCenteredCoordinateXAngst",
    "rlnCenteredCoordinateYAngst",
    "rlnCenteredCoordinateZAngst",
    "rlnAngleRot",
    "rlnAngleTilt",
    "rlnAnglePsi",
)


def loop(name: str, columns, rows) -> str:
    """A table as RELION reads it."""
    labels = [f"_{label} #{i}" for i, label in enumerate(columns, 1)]
    lines = [" ".join(str(value) for value in row) for row in rows]
    return "\n".join(["", f"data_{name}", "", "loop_", *labels, *lines, "", ""])


def write_noise_project(
    folder: Path,
    *,
    tomograms: int = 1,
    tilts: int = 41,
    side: int = 640,
    particles: int = 200,
    pixel_size: float = 2.0,
    spread: float = 0.5,
    seed: int = 7,
) -> Path:
    """Write a project and return its folder: particles within `spread` of the field's middle.

    Images hold noise with a dark blob where each particle is seen at the middle of its box.
    """
    rng = np.random.default_rng(seed)
    rows_global, rows_particles = [], []
    (folder / "tilt_series").mkdir(parents=True, exist_ok=True)
    for t in range(1, tomograms + 1):
        name = f"TS_{t}"
        angles = np.linspace(-60, 60, tilts) if tilts > 1 else np.zeros(1)
        order = np.argsort(np.argsort(np.abs(angles)))
        reach = spread * side * pixel_size / 2
        places = rng.uniform(-reach, reach, (particles, 3)) * [1, 1, 0.2]
        images = rng.normal(size=(tilts, side, side)).astype(np.float32)
        for image, angle in zip(images, np.deg2rad(angles), strict=True):
            seen_x = (places[:, 0] * np.cos(angle) + places[:, 2] * np.sin(angle)) / pixel_size
            for u, v in zip(seen_x + side // 2, places[:, 1] / pixel_size + side // 2, strict=True):
                y, x = np.ogrid[round(v) - 12 : round(v) + 13, round(u) - 12 : round(u) + 13]
                inside = (y >= 0) & (y < side) & (x >= 0) & (x < side)
                blob = np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * 3.0**2)) * inside
                image[np.clip(y, 0, side - 1), np.clip(x, 0, side - 1)] -= blob.astype(np.float32)
        with MrcWriter(folder / f"{name}.mrcs", images.shape, pixel_size, is_stack=True) as writer:
            writer.write((0, 0, 0), images)
        rows = [
            (f"{i + 1:06d}@{name}.mrcs", 0.0, f"{angle:.3f}", 0.0, 0.0, 0.0, 30000.0, 29000.0,
             20.0, 3.0 * order[i], f"{np.cos(np.deg2rad(angle)):.4f}")
            for i, angle in enumerate(angles)
        ]  # fmt: skip
        (folder / "tilt_series" / f"{name}.star").write_text(loop(name, SERIES_COLUMNS, rows))
        rows_global.append(
            (name, 300.0, 2.7, 0.1, pixel_size, -1.0, "og1", pixel_size,
             f"tilt_series/{name}.star", side, side, max(2, side // 4) // 2 * 2)
        )  # fmt: skip
        for i, place in enumerate(places, 1):
            turn = rng.uniform(0, 360, 3) * [1, 0.5, 1]
            rows_particles.append(
                (name, f"{name}/{i}", 1, 1 + i % 2, *np.round(place, 3), *np.round(turn, 3))
            )
    (folder / "tomograms.star").write_text(loop("global", GLOBAL_COLUMNS, rows_global))
    (folder / "particles.star").write_text(
        OPTICS.format(pixel=pixel_size) + loop("particles", PARTICLE_COLUMNS, rows_particles)
    )
    (folder / "optimisation_set.star").write_text(
        "\ndata_\n\n_rlnTomoParticlesFile particles.star\n_rlnTomoTomogramsFile tomograms.star\n"
    )
    return folder
