"""What was found of a simulated session against what is true of it (truth.json)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.formats.alignments import read_alignment
from vitreous.formats.images import open_images
from vitreous.pipeline.manifests import read_facts
from vitreous.pipeline.project import StepFolder
from vitreous.records.alignment import Alignment
from vitreous.records.images import facts_of
from vitreous.simulate.scores import (
    AlignmentError,
    alignment_error,
    places_seen,
    points_in_ice,
)

Array = NDArray[np.float64]
Truth = dict[str, Any]

TRUTH = "truth.json"
STEEP = 30.0  # degrees


def truth_of(name: str, *folders: Path) -> Truth:
    """What is true of a series, as one of the folders has it; empty where none does."""
    found = (read_facts(folder / TRUTH) for folder in folders)
    return next((truth for truth in found if truth.get("name") == name and "tilts" in truth), {})


def table(project: Path, name: str, stack: Path, truth: Truth) -> list[tuple[str, str]]:
    """(what, how far it is from the truth) of a series that is done."""

    def manifest(step: str) -> dict[str, Any]:
        return StepFolder(project, name, step).read_manifest()

    rows = list(of_motion(manifest("motion"), truth))
    found = manifest("align")
    if not found:
        return rows
    opened = open_images(stack)
    alignment = read_alignment(StepFolder(project, name, "align").product(".xf"), facts_of(opened))
    true = tilts_of(alignment, truth)
    rows += of_alignment(alignment, found, true, truth)
    if ctf := manifest("ctf"):
        rows += of_ctf(ctf, alignment, truth)
    return rows


def tilts_of(alignment: Alignment, truth: Truth) -> list[Truth]:
    """The truth of each aligned view, by its angle."""
    return [nearest(angle, truth) for angle in alignment.tilts_degrees]


def nearest(angle: float, truth: Truth) -> Truth:
    """The truth of the tilt nearest to an angle."""
    found: Truth = min(truth["tilts"], key=lambda tilt: abs(tilt["tilt"] - angle))
    return found


# -- motion ----------------------------------------------------------------------------------------


def of_motion(manifest: dict[str, Any], truth: Truth) -> Iterator[tuple[str, str]]:
    """RMS over frames and movies, and the error claimed."""
    errors, claims = motion_errors(manifest, truth)
    if len(errors):
        yield (
            "motion",
            (
                f"rms {rms(errors):.3f} px apart over the frames of {len(errors)} movies (claimed: "
                f"{rms(claims):.3f}); worst movie {errors.max():.3f} px"
            ),
        )


def motion_errors(manifest: dict[str, Any], truth: Truth) -> tuple[Array, Array]:
    """(movie,) RMS error of the displacements and the standard error claimed, px of the movie."""
    errors, claims = [], []
    for movie in manifest.get("movies", ()):
        true = np.array(nearest(movie["degrees"], truth).get("motion_px", ()))
        track = np.array(movie.get("track_angstrom", ())) / truth["pixel"]
        if len(track) == len(true) and len(true):
            errors.append(rms(np.linalg.norm(track - (true - true.mean(0)), axis=1)))
            claims.append((movie["standard_error_angstrom"] or np.nan) / truth["pixel"])
    return np.array(errors), np.array(claims)


def rms(values: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


# -- alignment -------------------------------------------------------------------------------------


def of_alignment(
    alignment: Alignment, manifest: dict[str, Any], true: list[Truth], truth: Truth
) -> Iterator[tuple[str, str]]:
    """Axis, angles, and how far points of the ice are from where they are seen."""
    error = placed(alignment, true, truth)
    axis, true_axis = alignment.axes_degrees.mean(), np.mean([tilt["axis"] for tilt in true])
    tilts = alignment.tilts_degrees - [tilt["tilt"] for tilt in true]
    mirrored = "that of the mirror image: WRONG" if error.mirrored else "right"
    yield (
        "tilt axis",
        f"{axis:.2f} degrees, truth {true_axis:.2f} (nominal {truth['nominal_axis']})",
    )
    yield "tilt angles", f"rms {tilts.std():.2f} degrees apart"
    worst = int(np.argmax(error.per_view_px))
    yield (
        "alignment",
        (
            f"rms {error.rms_px:.2f} px apart over the ice; worst tilt "
            f"{alignment.sections[worst] + 1}: {error.per_view_px[worst]:.2f} px"
        ),
    )
    yield "hand of it", mirrored


def placed(alignment: Alignment, true: list[Truth], truth: Truth) -> AlignmentError:
    """The error of an alignment over a grid in the ice."""
    points = points_in_ice(truth)
    seen = places_seen(truth, true, points)
    return alignment_error(alignment, points, seen * truth["pixel"] / alignment.pixel_size)


# -- contrast transfer -----------------------------------------------------------------------------


def of_ctf(
    manifest: dict[str, Any], alignment: Alignment, truth: Truth
) -> Iterator[tuple[str, str]]:
    """Defocus, astigmatism, and the hand."""
    angles, errors, claims = defocus_errors(manifest, alignment, truth)
    low = np.abs(angles) <= STEEP
    if len(errors):
        flat = np.median(np.abs(errors[low])) if low.any() else np.nan
        yield (
            "defocus",
            (
                f"median {flat:.0f} A apart up to {STEEP:g} degrees, "
                f"{np.median(np.abs(errors)):.0f} A of all, worst {np.abs(errors).max():.0f} A; "
                f"rms of error / claimed {rms(errors / claims):.2f}"
            ),
        )
    yield "astigmatism", f"{astigmatism_error(manifest, truth):.0f} A apart, as a vector"
    true_hand = -truth["defocus_hand"]
    said = "not determined" if manifest["hand"] is None else f"{manifest['hand']:+d}"
    judged = "" if manifest["hand"] in (None, true_hand) else ": WRONG"
    yield "defocus hand", f"{said}, truth {true_hand:+d}{judged}"


def defocus_errors(
    manifest: dict[str, Any], alignment: Alignment, truth: Truth
) -> tuple[Array, Array, Array]:
    """(view,) angle, error and claimed error, angstrom, of the views that show rings.

    True is the defocus of the ice's middle on the ray through the alignment's origin.
    """
    views = [view for view in manifest["views"] if view["has_rings"] and view["deviation"]]
    view_of = {int(section): view for view, section in enumerate(alignment.sections)}
    places = alignment.shifts / alignment.pixel_size + np.array(alignment.image_size) // 2
    told = []
    for found in views:
        true = nearest(found["tilt_degrees"], truth)
        origin = np.array(true["P"])[:2, 3] * truth["pixel"] / alignment.pixel_size
        away = (places[view_of[found["section"]]] - origin) * alignment.pixel_size
        axis, tilt = np.deg2rad(true["axis"]), np.deg2rad(true["tilt"])
        height = -(away @ [np.cos(axis), np.sin(axis)]) * np.tan(tilt)
        expected = (true["defocus_u"] + true["defocus_v"]) / 2 + truth["defocus_hand"] * height
        ctf = found["ctf"]
        value = (ctf["defocus_u"] + ctf["defocus_v"]) / 2
        told.append((found["tilt_degrees"], value - expected, found["deviation"]))
    angles, errors, claims = np.array(told).reshape(-1, 3).T
    return angles, errors, claims


def astigmatism_error(manifest: dict[str, Any], truth: Truth) -> float:
    """Length of the difference of the vectors (U - V) at twice the angle, angstrom.

    One is fitted to all views; true is the mean over them, for it differs from tilt to tilt.
    """
    fits = [view["ctf"] for view in manifest["views"]]
    found = [_astigmatism(ctf, ctf["astigmatism_degrees"]) for ctf in fits]
    tilts = [nearest(view["tilt_degrees"], truth) for view in manifest["views"]]
    true = [_astigmatism(tilt, tilt["astig_angle"]) for tilt in tilts]
    return float(abs(np.mean(found) - np.mean(true)))


def _astigmatism(ctf: dict[str, Any], degrees: float) -> complex:
    return complex((ctf["defocus_u"] - ctf["defocus_v"]) * np.exp(2j * np.deg2rad(degrees)))
