import numpy as np
import pytest

from vitreous.kernels.cpu.left_out import left_out_references


def references_slowly(planes, columns, level, nx):
    """The same with whole volumes in float64, view by view."""
    planes = planes.astype(float)
    whole = columns.astype(int)
    rest = (columns - whole).astype(np.float32).astype(float)
    read = whole[:, :, None] + np.arange(nx)
    shares = np.array(
        [
            [
                (1 - rest[z, t]) * planes[t][:, read[z, t]]
                + rest[z, t] * planes[t][:, read[z, t] + 1]
                for t in range(len(planes))
            ]
            for z in range(len(columns))
        ]
    )
    out = np.zeros_like(planes)
    for t in range(len(planes)):
        kept = np.maximum(np.delete(shares, t, 1).sum(1) - level, 0)
        for z in range(len(columns)):
            out[t][:, read[z, t]] += (1 - rest[z, t]) * kept[z]
            out[t][:, read[z, t] + 1] += rest[z, t] * kept[z]
    return out


@pytest.mark.parametrize(("n", "lines", "nx", "nz"), [(7, 3, 20, 9), (4, 2, 33, 1), (2, 1, 16, 6)])
@pytest.mark.parametrize("level", [-50.0, 0.7])
def test_references_agree_with_their_twin(rng, n, lines, nx, nz, level):
    slopes = np.tan(np.deg2rad(np.linspace(-60, 50, n)))
    margin = int(nz * 1.8 / 2) + 3
    planes = rng.normal(size=(n, lines, nx + 2 * margin)).astype(np.float32)
    columns = margin + (np.arange(nz) - (nz - 1) / 2)[:, None] * slopes
    out = np.full_like(planes, np.nan)

    left_out_references(planes, columns, np.float32(level), nx, out)

    due = references_slowly(planes, columns, level, nx)
    np.testing.assert_allclose(out, due, atol=2e-5 * np.abs(due).max())
