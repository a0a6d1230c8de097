"""What commands that compute have in common: the machine's share, and a dry run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from vitreous.kernels.machine import Share


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

    def share(self) -> "Share":
        """The same for a step."""
        from vitreous.kernels import machine
        from vitreous.kernels.device import choose

        memory = machine.memory() * 0.8 if self.memory is None else self.memory * 1e9
        cores = machine.cores()
        threads = min(self.cpus or cores, cores)
        return machine.Share(choose(self.device), threads, int(memory), self.scratch)


DryRun = Annotated[
    bool,
    Parameter(
        name="--dry-run", negative="", help="Say what would be made, its size and needs; stop."
    ),
]
