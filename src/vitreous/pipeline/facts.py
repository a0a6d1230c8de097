"""What the manifest of a step says of its products: all but the pictures of a report."""

from typing import Any

from vitreous.align.series import Aligned
from vitreous.pipeline.tomogram import Written
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.tilt_series import TiltSeries

HAND = "undetermined; x' = x cos(tilt) + z sin(tilt)"
DIGITS = 3  # after the point, of angstrom and degrees


def facts_of_alignment(found: Aligned, series: TiltSeries) -> dict[str, Any]:
    """Axis, slab, scores, warnings; of every tilt what became of it."""
    return {
        "axis_degrees": found.axis_degrees,
        "nominal_axis_degrees": found.nominal_axis_degrees,
        "nominal_axis_source": series.nominal_axis_source,
        "thickness_angstrom": found.alignment.thickness_angstrom,
        "used_tilts": [int(section) + 1 for section in found.alignment.sections],
        "left_out_tilts": {section + 1: reason for section, reason in found.left_out.items()},
        "score": found.scores.score,
        "scores": found.scores.at_zero.tolist(),
        "trusted": found.scores.is_trusted,
        "warnings": found.warnings,
        "hand": HAND,
        "tilts": facts_of_tilts(found, series),
        "axis_curve": found.axis_curve.round(5).tolist(),
        "slab": {
            "thickness_angstrom": found.extent.thickness,
            "centre_angstrom": found.extent.centre,
            "along_x_degrees": found.extent.along_x,
            "along_y_degrees": found.extent.along_y,
            "profile": [[round(z, 1), float(f"{of:.4g}")] for z, of in found.extent.profile],
        },
    }


def facts_of_tilts(found: Aligned, series: TiltSeries) -> list[dict[str, Any]]:
    """Of each tilt, in the order of the stack: where it is, how it fits, why it is left out."""
    alignment, scores = found.alignment, found.scores
    view_of = {int(section): view for view, section in enumerate(alignment.sections)}
    tilts, axes = alignment.tilts_degrees, alignment.axes_degrees
    told = []
    for section, nominal in enumerate(series.nominal_tilts_degrees.tolist()):
        facts: dict[str, Any] = {"tilt": section + 1, "nominal_degrees": nominal}
        if section in found.repaired:
            repaired = found.repaired[section]
            facts["repaired_pixels"] = repaired.outliers + repaired.hot + repaired.missing
        if section in found.left_out:
            facts["left_out"] = found.left_out[section]
        if section in view_of:
            view = view_of[section]
            facts |= {
                "degrees": round(float(tilts[view]), DIGITS),
                "axis_degrees": round(float(axes[view]), DIGITS),
                "shift_angstrom": alignment.shifts[view].round(DIGITS).tolist(),
                "score": round(float(scores.at_zero[view]), DIGITS),
                "residual_angstrom": finite(scores.residuals_angstrom[view]),
                "trusted": bool(scores.trusted[view]),
            }
        told.append(facts)
    return told


def finite(value: float) -> float | None:
    """A number that JSON can hold; None for infinity, of which nothing was measured."""
    return round(float(value), DIGITS) if abs(value) < float("inf") else None


def facts_of_tomogram(written: Written, settings: ReconstructSettings) -> dict[str, Any]:
    """Its grid, its tilts and its grey values."""
    return {
        "grid": {
            "convention": settings.grid,
            "size": written.grid.size,
            "voxel_size": written.grid.voxel_size,
            "rotation_centre_voxel": written.grid.centre,
        },
        "used_tilts": [int(section) + 1 for section in written.alignment.sections],
        "left_out_tilts": [section + 1 for section in written.alignment.left_out],
        "scaling": written.scaling.said,
        "voxels_cut": written.clipped,
        "hand": HAND,
    }
