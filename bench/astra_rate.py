"""Updates a CPU second of ASTRA's CPU back-projector 'linear' on one slice, printed.

Run by ASTRA's own environment: python astra_rate.py TILTS SLICE_HEIGHT SLICE_WIDTH
"""

import sys
import time

import astra
import numpy as np

SLICES = 8


def main(tilts: int, height: int, width: int) -> None:
    angles = np.deg2rad(np.linspace(-60, 60, tilts))
    geometry = astra.create_proj_geom("parallel", 1.0, width, angles)
    space = astra.create_vol_geom(height, width)
    configuration = astra.astra_dict("BP")
    configuration.update(
        ProjectorId=astra.create_projector("linear", geometry, space),
        ProjectionDataId=astra.data2d.create("-sino", geometry, 1.0),
        ReconstructionDataId=astra.data2d.create("-vol", space, 0.0),
    )
    algorithm = astra.algorithm.create(configuration)
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in range(SLICES):  # `run` takes a number of iterations, which BP ignores
            astra.algorithm.run(algorithm)
        best = min(best, time.process_time() - start)
    print(SLICES * tilts * height * width / best)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
