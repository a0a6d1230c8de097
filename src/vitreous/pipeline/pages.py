"""The report of a project: what its folders hold, as pages. Nothing is computed for them."""

from pathlib import Path
from typing import Any

from vitreous.formats.products import write_text
from vitreous.pipeline.movie_pages import gain_of, moved_of, transfer_of
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.state import SeriesState, StepState, state_of, state_of_series
from vitreous.report.facts import (
    Aligned,
    File,
    Plane,
    Series,
    Sheet,
    Slab,
    Step,
    Tilt,
    Tomogram,
)
from vitreous.report.pages import project_page, series_page

PAGE = "report.html"
LAST_LINES = 12  # of the log of a step that failed
AXES = {"xy": ("z", ("x", "y")), "xz": ("y", ("x", "z")), "zy": ("x", ("z", "y"))}
FOR_PAGES = ("key", "tiles", *AXES)  # products that are in the pages, and not listed there
LINKED = ("motion",)  # steps whose products the page links to tilt by tilt


def write_series_page(project: Path, name: str) -> Path:
    """Write PROJECT/NAME/report.html, from what the steps of the series left."""
    page = project / name / PAGE
    series = series_of(project, state_of_series(project, name), frames=True)
    write_text(page, series_page(series, _name_of(project)))
    return page


def write_project_page(project: Path) -> Path:
    """Write PROJECT/report.html, from what all series left."""
    page = project / PAGE
    all_series = [series_of(project, state, frames=False) for state in state_of(project)]
    write_text(page, project_page(all_series, _name_of(project)))
    return page


def _name_of(project: Path) -> str:
    return project.absolute().name or str(project)


def series_of(project: Path, state: SeriesState, *, frames: bool) -> Series:
    """The facts of one series; without frames none but the small picture of it are read."""
    align, reconstruct = state.step("align"), state.step("reconstruct")
    ctf = state.step("ctf")
    return Series(
        name=state.name,
        how=state.how,
        steps=tuple(step_of(project, state.name, step) for step in state.steps),
        warnings=tuple(state.warnings),
        aligned=aligned_of(align.manifest),
        tomogram=tomogram_of(reconstruct.manifest),
        hand=hand_of(ctf) or reconstruct.manifest.get("hand") or align.manifest.get("hand", ""),
        tiles=sheet_of(align, "tiles", align.manifest.get("tiles")) if frames else None,
        planes=planes_of(reconstruct) if frames else (),
        key=reconstruct.products["key"].read_bytes() if "key" in reconstruct.products else None,
        files=files_of(project / state.name, state),
        gain=gain_of(state.step("gain")) if frames else None,
        moved=moved_of(state.step("motion").manifest) if frames else (),
        transfer=transfer_of(ctf) if frames else None,
    )


def hand_of(ctf: StepState) -> str:
    """The hand that the images tell by their defocus; '' where they don't."""
    if not ctf.manifest.get("hand"):
        return ""
    return f"{ctf.manifest['hand_in_words']}, by the defocus across the tilted images"


def step_of(project: Path, name: str, state: StepState) -> Step:
    """How a step stands and what it cost."""
    folder, manifest = StepFolder(project, name, state.step), state.manifest
    cost = manifest.get("cost", {})
    return Step(
        name=state.step,
        how=state.how,
        why=state.why,
        hint=state.hint,
        wall_seconds=cost.get("wall_seconds"),
        cpu_seconds=cost.get("cpu_seconds"),
        peak_memory_bytes=cost.get("peak_memory_bytes"),
        changed=manifest.get("settings_changed", {}),
        finished=manifest.get("finished", "").replace("T", " ").replace("+00:00", " UTC"),
        versions=tuple(
            f"{what} {manifest[key]}"
            for what, key in (("vitreous", "vitreous"), ("Python", "python"))
            if key in manifest
        ),
        last_lines=last_lines(folder.log) if state.how in ("failed", "interrupted") else "",
    )


def last_lines(log: Path) -> str:
    """The end of a log; nothing where there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-LAST_LINES:])


def aligned_of(manifest: dict[str, Any]) -> Aligned | None:
    """What the manifest of an alignment says; None where there is none of ours."""
    if "tilts" not in manifest:
        return None
    slab = manifest["slab"]
    return Aligned(
        axis_degrees=manifest["axis_degrees"],
        nominal_axis_degrees=manifest["nominal_axis_degrees"],
        nominal_axis_source=manifest.get("nominal_axis_source", ""),
        score=manifest["score"],
        trusted=manifest["trusted"],
        tilts=tuple(tilt_of(facts) for facts in manifest["tilts"]),
        axis_curve=tuple((axis, agreement) for axis, agreement in manifest["axis_curve"]),
        slab=Slab(**{**slab, "profile": tuple((z, value) for z, value in slab["profile"])}),
    )


def tilt_of(facts: dict[str, Any]) -> Tilt:
    """One tilt."""
    x_and_y = facts.get("shift_angstrom")
    others = {key: value for key, value in facts.items() if key not in ("tilt", "shift_angstrom")}
    return Tilt(number=facts["tilt"], shift_angstrom=x_and_y and tuple(x_and_y), **others)


def tomogram_of(manifest: dict[str, Any]) -> Tomogram | None:
    """What the manifest of a reconstruction says; None where there is none."""
    if "grid" not in manifest:
        return None
    x, y, z = manifest["grid"]["size"]
    return Tomogram(
        size=(x, y, z),
        voxel_size=manifest["grid"]["voxel_size"],
        used=len(manifest["used_tilts"]),
        left_out=len(manifest["left_out_tilts"]),
        grid=manifest["grid"]["convention"],
        scaling=manifest["scaling"],
        voxels_cut=manifest["voxels_cut"],
    )


def sheet_of(step: StepState, product: str, laid: dict[str, int] | None) -> Sheet | None:
    """A picture of many frames; None where there is none."""
    if product not in step.products or laid is None:
        return None
    return Sheet(step.products[product].read_bytes(), **laid)


def planes_of(step: StepState) -> tuple[Plane, ...]:
    """The slices for the sliders."""
    laid = step.manifest.get("frames", {})
    size = dict(zip("xyz", step.manifest.get("grid", {}).get("size", ()), strict=False))
    planes = []
    for name, (along, axes) in AXES.items():
        how = {key: value for key, value in laid.get(name, {}).items() if key != "voxels"}
        sheet = sheet_of(step, name, how or None)
        if sheet:
            voxels = tuple((first, last) for first, last in laid[name]["voxels"])
            planes.append(Plane(name, along, axes, sheet, voxels, size[along]))
    return tuple(planes)


def files_of(folder: Path, state: SeriesState) -> tuple[File, ...]:
    """The products that are whole, the tomogram first, and the logs."""
    found: list[Path] = []
    for step in reversed(state.steps):
        listed = {} if step.step in LINKED else step.products
        products = [path for name, path in listed.items() if name not in FOR_PAGES]
        place = folder / step.step
        logs = [place / f"{step.step}{ending}" for ending in (".log", ".err")]
        found += [*products, *logs, place / "manifest.json"]
    sizes = {path: path.stat().st_size for path in found if path.exists()}
    return tuple(
        File(path.relative_to(folder).as_posix(), size) for path, size in sizes.items() if size
    )
