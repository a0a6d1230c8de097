"""Numbers as people read them."""

MINUS = "\u2212"


def signed(value: float, digits: int = 1) -> str:
    """-4.25 -> '−4.2', with a true minus sign and no minus zero."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def degrees(value: float, digits: int = 1) -> str:
    """-4.25 -> '−4.2°'."""
    return f"{signed(value, digits)}\u00b0"


def duration(seconds: float) -> str:
    """95.2 -> '1 min 35 s'."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
