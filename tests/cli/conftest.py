"""Commands called as a user calls them, in this process."""

from dataclasses import dataclass

import pytest

from vitreous.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended, what it said on standard error and showed on standard output."""

    code: int
    said: str
    shown: str = ""


@pytest.fixture
def vitreous(capfd):
    """vitreous("run", stack, ...) -> how it ended."""

    def call(*words):
        capfd.readouterr()
        code = main([str(word) for word in words])
        told = capfd.readouterr()
        return Ended(code, told.err, told.out)

    return call
