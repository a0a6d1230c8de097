"""How far a step is, as other programs' command lines tell it: in their logs."""

import logging

log = logging.getLogger(__name__)


class Quarters:
    """A progress callback that tells every quarter in the log."""

    def __init__(self, what: str) -> None:
        self.what, self.quarter = what, 0

    def __call__(self, done: int, total: int) -> None:
        quarter = 4 * done // max(total, 1)
        if quarter > self.quarter:
            self.quarter = quarter
            log.info("%s: %d %%", self.what, 25 * quarter)
