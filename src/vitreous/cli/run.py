"""`vitreous run`: the main job."""

import logging
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.cli.inputs import AlignmentInput, Computing
from vitreous.reconstruct.settings import ReconstructSettings

log = logging.getLogger(__name__)

ALIGNMENTS = (".xf", ".aln", ".star", ".xml", ".json", ".tlt")


def run(
    inputs: list[Path],
    /,
    *,
    project: Path,
    given: Annotated[AlignmentInput, Parameter(name="*")],
    settings: Annotated[
        ReconstructSettings, Parameter(name="*")
    ] = ReconstructSettings.model_construct(),  # noqa: B008
    computing: Annotated[Computing, Parameter(name="*")] = Computing.model_construct(),  # noqa: B008
) -> None:
    """Make tomograms of tilt series: INPUTS are stacks whose alignment is given.

    Each series gets a folder in --project with the tomogram, three orthogonal slices as a picture,
    a log and a manifest. For one input --alignment is a file; for several a folder that holds one
    for each, named like the stack. A series that fails doesn't stop the others.

      vitreous run TS_03.mrc --project demo --alignment TS_03.xf --thickness 300nm
    """
    from vitreous.errors import UserError, VitreousError

    failed = []
    for stack in inputs:
        try:
            alignment = alignment_for(stack, given.alignment, alone=len(inputs) == 1)
            of_series = given.model_copy(update={"alignment": alignment})
            run_series(stack, project, of_series, settings, computing)
        except VitreousError as error:
            failed.append((stack, error))
            if len(inputs) > 1:
                log.error("%s failed: %s", series_name(stack), error)
    if len(inputs) == 1 and failed:
        raise failed[0][1]
    if failed:
        names = ", ".join(series_name(stack) for stack, _ in failed)
        raise UserError(f"{len(failed)} of {len(inputs)} series failed: {names}")
    log.info("done: %d series in %s", len(inputs), project)


def series_name(stack: Path) -> str:
    """TS_03.mrc.gz -> TS_03."""
    name = stack.name.removesuffix(".gz").removesuffix(".bz2")
    return Path(name).stem


def alignment_for(stack: Path, given: Path, *, alone: bool) -> Path:
    """The alignment file of a stack: the file given, or the one named like it in the folder."""
    from vitreous.errors import UserError

    if not given.is_dir():
        if not alone:
            raise UserError(
                f"{given} is one alignment, but there are several inputs: give the folder with an "
                "alignment for each"
            )
        return given
    found = [given / f"{series_name(stack)}{suffix}" for suffix in ALIGNMENTS]
    there = [path for path in found if path.exists()]
    if not there:
        raise UserError(f"{given} holds no alignment for {stack.name}: {found[0].name} or the like")
    return there[0]


def run_series(
    stack_path: Path,
    project: Path,
    given: AlignmentInput,
    settings: ReconstructSettings,
    computing: Computing,
) -> None:
    """One series: reconstruct, show, and write down what was done."""
    import mrcfile

    from vitreous.cli.inputs import opened
    from vitreous.cli.messages import log_to
    from vitreous.cli.progress import progress_bar
    from vitreous.pipeline.project import StepFolder, fingerprint
    from vitreous.pipeline.tomogram import write_tomogram
    from vitreous.report.slices import write_slices

    folder = StepFolder(project, series_name(stack_path), "reconstruct")
    with log_to(folder.log):
        changed = settings.model_dump(exclude_defaults=True)
        log.debug("settings that differ from the defaults: %s", changed or "none")
        stack, alignment = opened(stack_path, given, settings)
        if settings.thickness is None and alignment.thickness_angstrom is None:
            log.info("no thickness is given or known: 3000 A are taken")
        with progress_bar(f"reconstructing {folder.series}") as progress:
            written = write_tomogram(
                stack,
                alignment,
                settings,
                folder.product(".mrc"),
                progress=progress,
                **computing.arguments(),
            )
        picture = folder.product("_slices.png")
        with mrcfile.mmap(written.path, permissive=True) as file:
            volume = file.data
            if settings.axis_order == "xzy":
                volume = volume.transpose(1, 0, 2)[::-1]
            write_slices(volume, picture, written.grid.voxel_size)
        log.info("wrote %s", picture)
        folder.write_manifest(
            {
                "inputs": {
                    "stack": fingerprint(stack_path),
                    "alignment": fingerprint(given.alignment),
                },
                "settings": settings.model_dump(),
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
                "hand": "undetermined; x' = x cos(tilt) + z sin(tilt)",
            }
        )
