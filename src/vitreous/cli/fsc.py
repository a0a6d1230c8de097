"""`vitreous fsc`: how far maps agree, frequency by frequency."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def fsc(
    maps: Annotated[list[Path], Parameter(help="Two half maps, or one map with --against.")],
    /,
    *,
    output: Annotated[
        tuple[Path, ...],
        Parameter(help="Files to write: .star, .csv, .json (curves), .png (plot)."),
    ] = (),
    mask: Annotated[
        Path | None,
        Parameter(help="Mask, 0 to 1 with a soft edge; its own part in the FSC is taken off."),
    ] = None,
    against: Annotated[
        Path | None, Parameter(help="Map to correlate the map, or the halves' mean, with.")
    ] = None,
    pixel_size: Annotated[
        float | None,
        Parameter(
            name=("--pixel-size", "--pixel"), help="Angstrom a voxel, before what the headers have."
        ),
    ] = None,
    seed: Annotated[int, Parameter(help="Of the random phases.")] = 0,
) -> None:
    """Correlate MAPS shell by shell: half maps with one another, or a map with another.

    Prints where each curve falls below 0.5 and 0.143. Within a mask half maps correlate by the
    mask's shape too; how much is measured on halves with random phases, and corrected (Chen et al.
    2013).

      vitreous fsc half1.mrc half2.mrc --mask mask.mrc --output fsc.star fsc.png

      vitreous fsc map.mrc --against reference.mrc
    """
    from vitreous.pipeline.fsc import quality_of, require_known, write_quality
    from vitreous.pipeline.inputs import require_apart

    require_known(output)
    for path in output:
        require_apart(path, *maps, mask, against)
    quality = quality_of(maps, mask=mask, against=against, pixel_size=pixel_size, seed=seed)
    for line in quality.lines():
        print(line)
    write_quality(quality, output)
