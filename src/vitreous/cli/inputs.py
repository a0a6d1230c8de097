"""What commands that compute have in common: the alignment of a stack, and the machine's share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.reconstruct.settings import ReconstructSettings
    from vitreous.records.alignment import Alignment


class AlignmentInput(BaseModel):
    """Where the alignment of a stack is, and what its file leaves unsaid."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    alignment: Annotated[
        Path,
        Field(
            description="The alignment: IMOD .xf (angles beside it) or .tlt, AreTomo .aln, RELION "
            "STAR, Warp .xml, EMAN2 .json."
        ),
    ]
    angles: Annotated[
        Path | None, Field(description="Tilt angles (.tlt) where they are not beside the .xf.")
    ] = None
    x_tilts: Annotated[
        Path | None, Field(description="X tilts (.xtilt) where they are not beside the .xf.")
    ] = None
    pixel_size: Annotated[
        float | None,
        Field(gt=0, description="Angstrom a pixel of the stack, where its header is wrong."),
    ] = None
    tomogram: Annotated[
        str | None, Field(description="Which tomogram of a set of many (RELION).")
    ] = None
    aretomo_kernel: Annotated[
        Literal["2", "3"] | None,
        Field(description="AreTomo's generation: 3 from AreTomo3 2.1.4 on, 2 before (default)."),
    ] = None


class Computing(BaseModel):
    """What of this machine a command may use."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    device: Annotated[str, Field(description="Where to compute: auto, cpu, gpu or gpu:N.")] = "auto"
    cpus: Annotated[
        int | None, Field(ge=1, description="Threads. Default: the cores this process may use.")
    ] = None
    memory: Annotated[
        float | None,
        Field(gt=0, description="GB of memory to stay within; what doesn't fit goes to scratch."),
    ] = None
    scratch: Annotated[
        Path | None, Field(description="Folder for scratch files. Default: the system's.")
    ] = None

    def arguments(self) -> dict[str, Any]:
        """For `pipeline.tomogram.write_tomogram`."""
        from vitreous.kernels import machine
        from vitreous.kernels.device import choose

        memory = machine.memory() * 0.8 if self.memory is None else self.memory * 1e9
        return {
            "device": choose(self.device),
            "threads": self.cpus or machine.cores(),
            "memory_bytes": int(memory),
            "scratch": self.scratch,
        }


def opened(
    stack_path: Path, given: AlignmentInput, settings: "ReconstructSettings"
) -> "tuple[MrcStack | TiffStack, Alignment]":
    """A stack and the alignment that belongs to it (or to the larger image it is a part of)."""
    from vitreous.formats.alignments import read_alignment
    from vitreous.formats.images import open_images
    from vitreous.records.images import StackFacts

    stack = open_images(stack_path, given.pixel_size)
    sections, rows, columns = stack.shape
    facts = StackFacts(sections, settings.full_image or (columns, rows), stack.pixel_size)
    alignment = read_alignment(
        given.alignment,
        facts,
        angles=given.angles,
        x_tilts=given.x_tilts,
        tomogram=given.tomogram,
        aretomo_kernel=given.aretomo_kernel,
    )
    return stack, alignment
