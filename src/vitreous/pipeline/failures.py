"""Why a series failed, and what a user can do, from the error that ended it."""

from vitreous.errors import FormatError, VitreousError

LESS_MEMORY = "allow less with --memory, bin, or use fewer --cpus"


def why_and_what_to_do(error: BaseException) -> tuple[str, str]:
    """Two sentences; the second is empty where the first says it all."""
    match error:
        case FormatError():
            return str(error).removesuffix(error.hint).rstrip(), error.hint
        case MemoryError():
            return f"out of memory ({error})", LESS_MEMORY
        case VitreousError():
            return str(error), ""
        case OSError(filename=str(path)):
            return f"{path}: {error.strerror}", ""
    return f"{type(error).__name__}: {error}", "this is a fault of vitreous: please report it"
