"""What the pages of a report show of gain, motion and contrast transfer, from the manifests."""

from io import BytesIO
from pathlib import Path
from typing import Any

from vitreous.pipeline.state import StepState
from vitreous.report.movie_facts import Defocus, Gain, Moved, Transfer

WIDEST = 1400  # px of a picture in a page
QUALITY = 82


def gain_of(step: StepState) -> Gain | None:
    """What the manifest of a gain reference says; None where there is none."""
    manifest = step.manifest
    if "orientation" not in manifest or "picture" not in step.products:
        return None
    check = manifest.get("check", {})
    correlations: dict[str, float] = check.get("correlations", {})
    return Gain(
        reference=Path(manifest["reference"]).name,
        orientation=manifest["orientation"],
        defects=manifest["defects"],
        fits=check.get("fits", ""),
        lead=check.get("lead"),
        is_sure=check.get("is_sure"),
        correlations=tuple(sorted(correlations.items(), key=lambda pair: -abs(pair[1]))),
        picture=as_jpeg(step.products["picture"]),
    )


def moved_of(manifest: dict[str, Any]) -> tuple[Moved, ...]:
    """What the manifest of a motion correction says of each tilt."""
    return tuple(
        Moved(
            number=number,
            degrees=facts["degrees"],
            movie=facts["movie"],
            track=tuple((x, y) for x, y in facts.get("track_angstrom", ())),
            path_angstrom=facts.get("path_angstrom"),
            standard_error_angstrom=facts.get("standard_error_angstrom"),
            is_local=facts.get("local", False),
            left_out=facts.get("left_out", ""),
        )
        for number, facts in enumerate(manifest.get("movies", ()), 1)
    )


def transfer_of(step: StepState) -> Transfer | None:
    """What the manifest of a CTF estimation says; None where there is none."""
    manifest = step.manifest
    picture = next((p for p in step.products.values() if p.name.endswith("_ctf.png")), None)
    if "views" not in manifest or picture is None:
        return None
    first = manifest["views"][0]["ctf"]
    u, v = first["defocus_u"], first["defocus_v"]
    return Transfer(
        tilts=tuple(defocus_of(view) for view in manifest["views"]),
        hand=manifest["hand_in_words"],
        astigmatism=u - v,
        astigmatism_degrees=first["astigmatism_degrees"],
        resolution=manifest["resolution"],
        has_rings=manifest["has_rings"],
        picture=as_jpeg(picture),
    )


def defocus_of(view: dict[str, Any]) -> Defocus:
    """One tilt."""
    ctf = view["ctf"]
    return Defocus(
        number=view["section"] + 1,
        degrees=view["tilt_degrees"],
        defocus=(ctf["defocus_u"] + ctf["defocus_v"]) / 2,
        deviation=view["deviation"],
        resolution=view["resolution"],
        score=view["score"],
        has_rings=view["has_rings"],
    )


def as_jpeg(path: Path) -> bytes:
    """A picture small enough for a page."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((WIDEST, 10 * WIDEST))
    out = BytesIO()
    small.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
