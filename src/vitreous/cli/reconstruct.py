"""`vitreous reconstruct`: a stack and its alignment become a tomogram."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.cli.inputs import Computing, DryRun
from vitreous.pipeline.inputs import AlignmentInput
from vitreous.pipeline.transfers import TransferInput
from vitreous.reconstruct.settings import ReconstructSettings


def reconstruct(
    stack: Path,
    /,
    *,
    output: Path,
    given: Annotated[AlignmentInput, Parameter(name="*")],
    settings: Annotated[
        ReconstructSettings, Parameter(name="*")
    ] = ReconstructSettings.model_construct(),  # noqa: B008
    transfer: Annotated[TransferInput, Parameter(name="*")] = TransferInput.model_construct(),  # noqa: B008
    mask: Annotated[
        Path | None, Parameter(help="Volume of 0 and 1: where density may be (sirt, os-sart).")
    ] = None,
    computing: Annotated[Computing, Parameter(name="*")] = Computing.model_construct(),  # noqa: B008
    dry_run: DryRun = False,
) -> None:
    """Reconstruct STACK (MRC or TIFF) into the volume --output (MRC, or OME-Zarr: NAME.zarr).

    Lengths are unbinned pixels (1200) or have a unit (300nm), whatever the binning.

      vitreous reconstruct ts.mrc --alignment ts.xf --thickness 300nm --output ts_rec.mrc
      vitreous reconstruct ts.mrc --alignment ts.aln --ctf flip --output ts_rec.mrc
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.formats.mrc import read_volume
    from vitreous.formats.ome_zarr import is_ome_zarr
    from vitreous.formats.products import require_no_folder
    from vitreous.pipeline.inputs import opened, require_apart
    from vitreous.pipeline.tomogram import foresee, write_tomogram
    from vitreous.pipeline.transfers import transfers_of

    if not is_ome_zarr(output):
        require_no_folder(output)
    if settings.half_sets == "frames":
        from vitreous.pipeline.half_sets import halves_beside

        halves_beside(stack)  # before hours are spent on the whole
    require_apart(
        output, stack, given.alignment, given.angles, given.x_tilts, mask, transfer.ctf_file
    )
    images, alignment = opened(stack, given, settings)
    found = transfers_of(stack, images, given, transfer, settings)
    support = None if mask is None else read_volume(mask, images.pixel_size).data.astype("float32")
    if dry_run:
        foresee(
            images,
            alignment,
            settings,
            output,
            ctfs=found.ctfs,
            doses=found.doses,
            mask=support,
            share=computing.share(),
        )
        return
    with progress_bar(f"reconstructing {stack.name}") as progress:
        write_tomogram(
            images,
            alignment,
            settings,
            output,
            ctfs=found.ctfs,
            doses=found.doses,
            mask=support,
            share=computing.share(),
            progress=progress,
        )
    if settings.half_sets != "none":
        from vitreous.pipeline.half_sets import write_half_sets

        with progress_bar(f"half sets of {stack.name}") as progress:
            write_half_sets(
                images,
                stack,
                alignment,
                settings,
                output,
                ctfs=found.ctfs,
                doses=found.doses,
                mask=support,
                share=computing.share(),
                progress=progress,
            )
