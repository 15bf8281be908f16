"""Programs that a session has left behind: taken up if they run, gone on with if they were interrupted."""

import math
import time
import uuid
from typing import Any

import bluesky.plan_stubs as bps
from bluesky.utils import MsgGenerator

from intercalate.contract import CyclerState, Verb
from intercalate.devices.roles import CyclesCells
from intercalate.orchestration.waiting import in_thread
from intercalate.protocol import Beginning, BoundProgram

QUEUE_ORDER = "queue_order"
"""Key of a plan's metadata under which the queue names what a person has ordered once."""

LEASE_MARGIN_S = 1.0
"""Wall seconds after the end of a lease at which it can surely be taken."""

NOT_STARTED = ("loaded", "unloaded")
"""States of a program, by its server, in which it may still be started."""

SETTLING_S = 30.0
"""Wall seconds within which a channel at open circuit closes the account of a program."""


class TakeUpError(RuntimeError):
    """There is no program on the channel that could be taken up."""


def program_id_for(
    cycler: CyclesCells, program: BoundProgram, take_up: bool, order: str | None = None
) -> MsgGenerator[str]:
    """Id under which a program is started: a new one, or that of the same program left behind.

    Parameters
    ----------
    take_up
        Whether a session that is gone has started this very program, which runs or has ended well. Its lease
        is waited for.
    order
        Of a person, which is executed once: the server knows the program by it, whoever asks again.

    Raises
    ------
    TakeUpError
        If the channel's last program is another, or ended early: then nothing is repeated. If the program of
        this order has been started before.
    CyclerError
        If the server does not answer, or a session that is not gone holds the lease.
    """
    if not take_up:
        return uuid.uuid4().hex if order is None else _id_of_order(cycler, order)
    _left_behind(cycler, program)
    yield from _inherit_lease(cycler)
    # With the lease of the session that is gone, its program may have ended too.
    return _left_behind(cycler, program)


def _id_of_order(cycler: CyclesCells, order: str) -> str:
    """Id of the program of an order, which was not started yet."""
    program_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{order} {cycler.channel}").hex
    info = cycler.program_info()
    if info.get("program_id") == program_id and info["status"] not in NOT_STARTED:
        why = f" ({info['why']})" if info["why"] else ""
        raise TakeUpError(
            f"{cycler.channel} has executed what was ordered here: its program is {info['status']}{why} and "
            "is not repeated; `intercalate resume` goes on with it, and to have it done once more, take it "
            "out of the queue and order it anew"
        )
    return program_id


def interrupted_rest(cycler: CyclesCells, program: BoundProgram) -> MsgGenerator[BoundProgram | None]:
    """What is left of this program after an interruption, which is acknowledged.

    To be used only where a person has asked for it: what is left charges.

    Returns
    -------
    BoundProgram or None
        None where it was not interrupted.

    Raises
    ------
    TakeUpError
        If the channel has another program or a fault, or does not know where this one ended.
    CyclerError
        If the server does not answer, or a session that is not gone holds the lease.
    """
    if not _is_interrupted(_last_of(cycler, program)):
        return None
    yield from _inherit_lease(cycler)
    if cycler.state.get(use_monitor=False) == CyclerState.FAULT:
        raise TakeUpError(
            f"{cycler.channel} has a fault, {cycler.fault_message.get(use_monitor=False)}; find the cause, "
            "`intercalate acknowledge`, then ask again"
        )
    info = yield from _settled(cycler, program)
    if info["left"] is None:
        raise TakeUpError(
            f"{cycler.channel} does not know where program {info['program_id']} ended; start what is left as "
            "a new protocol"
        )
    rest = program.rest(Beginning.model_validate(info["left"]))
    if info["status"] == "interrupted":
        yield from in_thread(lambda: cycler.send(Verb.ACKNOWLEDGE, program_id=info["program_id"]))
    return rest


def _settled(cycler: CyclesCells, program: BoundProgram) -> MsgGenerator[dict[str, Any]]:
    """What the server knows of it when the current has ceased."""
    end_s = time.monotonic() + SETTLING_S
    while not (info := _last_of(cycler, program))["settled"]:
        if time.monotonic() > end_s:
            raise TakeUpError(
                f"current flows on {cycler.channel}, where no program runs; find out why before going on"
            )
        yield from bps.sleep(LEASE_MARGIN_S / 2)
    return info


def _last_of(cycler: CyclesCells, program: BoundProgram) -> dict[str, Any]:
    """What the server knows of its last program, which must be this one."""
    info = cycler.program_info()
    if info.get("sha256") != program.sha256:
        raise TakeUpError(
            f"{cycler.channel} has no program like this to take up: its last is "
            f"{info.get('program_id', 'none')}, another one; see that cell, protocol and limits are those "
            "of the run that ended, or start anew without taking up"
        )
    return info


def _is_interrupted(info: dict[str, Any]) -> bool:
    return info["status"] not in ("running", "complete")


def _left_behind(cycler: CyclesCells, program: BoundProgram) -> str:
    """Id of a program that may be taken up."""
    info = _last_of(cycler, program)
    if _is_interrupted(info):
        raise TakeUpError(
            f"the program on {cycler.channel} is {info['status']} ({info['why'] or 'no reason given'}) and "
            "is not repeated; see that the cell is well, then `intercalate resume --go-on` does what is left"
        )
    return str(info["program_id"])


def _inherit_lease(cycler: CyclesCells) -> MsgGenerator[None]:
    """Take the lease; where another client has it, when it ends, unless it is renewed."""
    end_s = math.inf
    while True:
        try:
            cycler.take_lease()
            return
        except RuntimeError:
            end_s = min(end_s, time.monotonic() + float(cycler.lease_remaining_s.get()) + LEASE_MARGIN_S)
            if time.monotonic() > end_s:
                raise
        yield from bps.sleep(LEASE_MARGIN_S / 2)
