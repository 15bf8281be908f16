"""What a session at the instrument, and the worker of the queue, find in their namespace."""

from collections.abc import Callable
from typing import Any

from intercalate.queue.worker import let_go_between_plans
from intercalate.session import Session, open_session
from intercalate.user_plans import UserPlans, load_user_plans


def start(namespace: dict[str, Any]) -> Session:
    """Open a session and fill a namespace with it: `session`, `RE`, devices, plans and those of one's own.

    The queue's worker offers all plans and devices that it finds here to whoever fills the queue.

    Raises
    ------
    ConfigError, SessionError
        As `open_session`.
    """
    from bluesky_queueserver import is_re_worker_active

    import intercalate_plans

    session = open_session()
    namespace.update(session.devices)
    namespace.update({name: getattr(intercalate_plans, name) for name in intercalate_plans.__all__})
    reload_plans = reloading(session, namespace)
    namespace.update(session=session, RE=session.RE, reload_plans=reload_plans)
    if is_re_worker_active():
        # What a function of the queue returns is JSON.
        namespace["reload_plans"] = lambda: reload_plans().describe()
        let_go_between_plans(session)
    reload_plans()
    return session


def reloading(session: Session, namespace: dict[str, Any]) -> Callable[[], UserPlans]:
    """Function that puts the plans of the user's files into a namespace, in place of earlier ones."""
    mine: set[str] = set()

    def reload_plans() -> UserPlans:
        """Read the files of the plans folder anew; what is wrong with one is in `refused`."""
        for name in mine:
            namespace.pop(name, None)
        found = load_user_plans(session.config.plans_folder, taken=namespace.keys())
        mine.clear()
        mine.update(found.plans)
        namespace.update(found.plans)
        return found

    return reload_plans
