"""When Python looks for garbage, and when not."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def nothing_collected(*, for_good: bool = False) -> Iterator[None]:
    """Collect no garbage meanwhile.

    What imports and devices make stays; looking through it again and again is a sixth of the opening of a
    session.

    Parameters
    ----------
    for_good
        What there is at the end is never looked through again: it lives as long as the process.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if for_good:
            gc.freeze()
        if was_enabled:
            gc.enable()
