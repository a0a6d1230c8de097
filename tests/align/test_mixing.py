import numpy as np

from vitreous.align.mixing import Mixing


def test_slow_shared_modes_are_found_in_a_few_steps(rng):
    rate = np.linspace(0.0, 0.9, 30)  # of what is wrong a step leaves this share
    basis = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    solution = rng.normal(size=30)

    def step(x):
        return solution + basis @ (rate * (basis.T @ (x - solution)))

    mixing = Mixing(longest=100.0)
    plain = mixed = np.zeros(30)
    for _ in range(12):
        plain = step(plain)
        mixed = mixing.next(mixed, step(mixed))

    assert np.linalg.norm(mixed - solution) < 0.1 * np.linalg.norm(plain - solution)


def test_a_step_is_never_longer_than_allowed():
    mixing = Mixing(longest=0.5)
    mixing.next(np.zeros(3), np.array([1.0, 0, 0]))

    ahead = mixing.next(np.array([1.0, 0, 0]), np.array([1.999, 0, 0]))

    np.testing.assert_allclose(ahead, [2.499, 0, 0])
