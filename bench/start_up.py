"""What a fresh process spends before it computes: imports, and loading of cached kernels.

`start_up_section` starts this file as such a process.
"""

import sys
import time
from pathlib import Path

from measure import cheapest, table

SIDE = 32


def start_up_section() -> str:
    """CPU seconds of imports, and of the first call of every kernel once they are cached."""
    imports, kernels = map(float, cheapest([sys.executable, Path(__file__)]).output.split())
    rows = [
        ["imports of the kernels (numpy, numba)", f"{imports:.2f}"],
        ["first call of every kernel, compiled code loaded from the cache", f"{kernels:.2f}"],
    ]
    return table(["a fresh process", "CPU s"], rows)


def main() -> None:
    """Print the two figures of this process."""
    import numpy as np
    from kernels import Case, Size, linear_rates, reconstruct

    imports = time.process_time()
    size = Size(3, (SIDE, SIDE), (SIDE, SIDE, SIDE))
    for case in (Case("", 0.0, 5.0), Case("", 0.0, np.array([-5.0, 0, 5]))):
        reconstruct(case, size, repeats=1)
    linear_rates(size)
    print(imports, time.process_time() - imports)


if __name__ == "__main__":
    main()
