"""One small tree of exceptions. Every message says what was found, where, and what to do.

VitreousError
├── UserError               what was asked can't be done: settings that exclude each other
├── FormatError             a file doesn't hold what its kind promises (file, line or byte)
│   └── UnknownFormatError  a file whose kind is not read (yet)
├── OutputError             a product could not be written: disk full, no permission
└── DeviceError             the GPU that was asked for isn't there
"""

from pathlib import Path


class VitreousError(Exception):
    """The root: whoever catches it can print it to a user as it stands."""


class UserError(VitreousError, ValueError):
    """What was asked can't be done; the message names the setting or record and the way out."""


class FormatError(VitreousError, ValueError):
    """A file doesn't hold what its kind promises.

    Reads `file:line: what. hint` (or `file: byte N: what. hint`).
    """

    def __init__(
        self,
        what: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        byte: int | None = None,
        hint: str = "",
    ) -> None:
        self.what, self.path, self.line, self.byte, self.hint = what, path, line, byte, hint
        place = "" if path is None else str(path)
        if line is not None:
            place += f":{line}"
        if byte is not None:
            place += f"{': ' if place else ''}byte {byte}"
        text = f"{place}: {what}" if place else what
        super().__init__(f"{text.rstrip('.')}. {hint}" if hint else text)


class UnknownFormatError(FormatError):
    """The kind of a file is recognised or not, but it isn't read (yet)."""


class OutputError(VitreousError, OSError):
    """A product could not be written; what was there before is untouched."""


class DeviceError(VitreousError, RuntimeError):
    """The device that was asked for can't be used; the message says what is missing."""
