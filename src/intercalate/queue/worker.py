"""What is different where the queue executes plans: its session outlives them all."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intercalate.session import Session

log = logging.getLogger(__name__)


def let_go_between_plans(session: "Session") -> None:
    """Drop the lease of channels after each plan: a person who acknowledges is another client.

    A channel whose program runs on keeps its lease, as `Session.close` does it.
    """
    engine: Any = session.RE
    before: Callable[[Any, Any], None] = engine.state_hook or (lambda new, old: None)

    def hook(new: Any, old: Any) -> None:
        before(new, old)
        if new == "idle" and old is not None:
            for cycler in session.cyclers.values():
                _let_go(cycler)

    engine.state_hook = hook


def _let_go(cycler: Any) -> None:
    from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS
    from intercalate.devices.cycler_errors import CyclerError

    try:
        if not cycler.is_busy:
            cycler.drop_lease()
    except (CyclerError, *CHANNEL_ACCESS_ERRORS) as error:
        log.warning("%s keeps its lease until it ends: %s", cycler.name, error)
