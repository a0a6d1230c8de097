"""`vitreous reproject`: what the tilts of an alignment would show of a volume."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.cli.options import DeviceOption
from vitreous.pipeline.inputs import AlignmentInput


def reproject(
    volume: Path,
    /,
    *,
    output: Path,
    stack: Annotated[Path, Parameter(help="The stack that was aligned: sizes are taken from it.")],
    given: Annotated[AlignmentInput, Parameter(name="*")],
    device: DeviceOption = "auto",
    cpus: Annotated[int | None, Parameter(help="Threads. Default: all cores it may use.")] = None,
) -> None:
    """Project VOLUME (MRC, order xyz) into every tilt of an alignment, as a stack.

    The volume's rotation centre is voxel size // 2; beyond its sides its mean goes on.

      vitreous reproject ts_rec.mrc --stack ts.mrc --alignment ts.xf --output ts_reprojected.mrc
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.formats.mrc import MrcWriter, read_volume
    from vitreous.kernels import machine
    from vitreous.kernels.device import choose
    from vitreous.pipeline.inputs import opened, require_apart
    from vitreous.reconstruct.reproject import reproject as project
    from vitreous.reconstruct.settings import ReconstructSettings

    require_apart(output, volume, stack, given.alignment)
    _, alignment = opened(stack, given, ReconstructSettings())
    density = read_volume(volume)
    with progress_bar(f"projecting {volume.name}") as progress:
        images = project(
            density,
            alignment,
            outside=float(density.data.mean(dtype=float)),
            device=choose(device),
            threads=cpus or machine.cores(),
            progress=progress,
        )
    with MrcWriter(
        output,
        images.shape,
        images.pixel_size,
        is_stack=True,
        tilt_angles=alignment.tilts_degrees,
        labels=[f"projections of {volume.name}"],
    ) as writer:
        writer.write((0, 0, 0), images.data)
