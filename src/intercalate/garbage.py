"""When Python looks for garbage, and when not."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def nothing_collected() -> Iterator[None]:
    """Collect no garbage meanwhile.

    What imports and devices make stays; looking through it again and again is a sixth of the opening of a
    session.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
