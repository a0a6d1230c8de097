"""What `import vitreous` gives, and what it costs."""

import subprocess
import sys

import pytest

import vitreous


def test_importing_the_package_loads_none_of_its_libraries() -> None:
    report = subprocess.run(
        [sys.executable, "-c", "import sys, vitreous; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = {name.partition(".")[0] for name in report.stdout.split()}
    assert not loaded & {"numpy", "scipy", "numba", "pydantic", "mrcfile", "tifffile", "gemmi"}


@pytest.mark.parametrize("name", vitreous.__all__)
def test_every_public_name_loads_on_first_use(name: str) -> None:
    assert getattr(vitreous, name).__name__ == name
    assert name in dir(vitreous)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Tomogramm'"):
        vitreous.Tomogramm  # noqa: B018
