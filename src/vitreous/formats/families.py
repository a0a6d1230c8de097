"""Names of the families of alignments. Imports nothing, so that a command's help may have them."""

from typing import Literal, get_args

Family = Literal["imod", "aretomo", "relion5", "relion4", "warp", "eman"]
FAMILIES: tuple[Family, ...] = get_args(Family)

AretomoKernel = Literal["2", "3"]
"""AreTomo's generation: 3 from AreTomo3 2.1.4 on."""
