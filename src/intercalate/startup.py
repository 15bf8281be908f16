"""What a session at the instrument, and the worker of the queue, find in their namespace."""

import sys
from collections.abc import Callable
from typing import Any

from intercalate.config import EXAMPLES, Config, find_config
from intercalate.queue.worker import let_go_between_plans
from intercalate.session import Session, open_session
from intercalate.user_plans import UserPlans, load_user_plans


def start(namespace: dict[str, Any]) -> Session:
    """Open a session and fill a namespace with it: `session`, `RE`, devices, plans and those of one's own.

    The queue's worker offers all plans and devices that it finds here to whoever fills the queue, so it gets
    nothing else. For a person at a prompt, what the configuration names is brought up first; then there are
    also stubs, the catalog, magics, a banner, and the status of what runs.

    Raises
    ------
    ConfigError, SessionError, ServiceError
        As `open_session`, or if something does not come up.
    """
    if _in_worker():
        session = open_session(reads_user_plans=False)
        _fill(namespace, session)
        reload_plans = namespace["reload_plans"]
        # What a function of the queue returns is JSON.
        namespace["reload_plans"] = lambda: reload_plans().describe()
        let_go_between_plans(session)
        return session

    from intercalate import console

    path = find_config(None)
    config = Config.from_file(path)
    console.bring_up(config)
    session = open_session(config, without_missing=True, reads_user_plans=False)
    own_plans = _fill(namespace, session)
    namespace.update(_for_people(session))
    console.settle(session, path, namespace, own_plans)
    return session


def _in_worker() -> bool:
    """Whether the queue executes this; its worker has imported it before."""
    queue = sys.modules.get("bluesky_queueserver")
    return queue is not None and queue.is_re_worker_active()


def _fill(namespace: dict[str, Any], session: Session) -> UserPlans:
    import intercalate_plans

    namespace.update(session.devices)
    namespace.update({name: getattr(intercalate_plans, name) for name in intercalate_plans.__all__})
    reload_plans = reloading(session, namespace)
    namespace.update(session=session, RE=session.RE, reload_plans=reload_plans)
    return reload_plans()


def _for_people(session: Session) -> dict[str, Any]:
    """Names by which a person composes steps and reads runs back."""
    import bluesky.plan_stubs as bps

    from intercalate import orchestration
    from intercalate.catalog import client
    from intercalate.catalog.run_table import runs
    from intercalate.cell import Cell
    from intercalate.protocol import Protocol

    stubs = ("charge", "discharge", "rest", "hold_voltage", "cycling_records")
    readers = ("find_run", "frames", "records", "spectra")
    return {
        **{name: getattr(orchestration, name) for name in stubs},
        **{name: getattr(client, name) for name in readers},
        "runs": runs,
        "bps": bps,
        "Cell": Cell,
        "Protocol": Protocol,
        "EXAMPLES": EXAMPLES,
        "config": session.config,
    }


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
