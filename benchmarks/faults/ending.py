"""Faults with which an experiment ends: the cell is where its experiment says, or at open circuit."""

import signal
import uuid
from functools import partial

from benchmarks.faults.evidence import cell_charge_ah, cell_time_s, world_state
from benchmarks.faults.experiments import PlanRun, Run
from benchmarks.faults.kinds import Act, Kind, Took, Where
from benchmarks.faults.scene import LEASE_S, Moment
from intercalate.cell import Cell
from intercalate.contract import CyclerState, Fault, OnLoss, StepType, Verb
from intercalate.devices.cycler import Cycler, CyclerError
from intercalate.protocol import Beginning, Protocol, bind

END_S = 120.0
"""Wall seconds within which a session must have ended after its program."""


def rests(act: Act, since: Moment, why: str, *, whole: bool = True) -> Took:
    """The program is interrupted for this reason, and the cell at open circuit to stay."""
    scene = act.scene
    scene.until(lambda: scene.state() is CyclerState.INTERRUPTED and scene.no_current(), "open circuit")
    took = act.took(since, whole=whole)
    info = act.program()
    act.require(why in info["why"], f"it was interrupted because: {info['why']}")
    _require_no_charge(act)
    return took


def faults(act: Act, since: Moment, fault: Fault, *, whole: bool = True) -> Took:
    """The fault is latched, and the cell at open circuit to stay."""
    scene = act.scene
    scene.until(lambda: scene.state() is CyclerState.FAULT and scene.no_current(), "the fault")
    took = act.took(since, whole=whole)
    found = scene.cycler.fault.get(use_monitor=False)
    act.require(found == fault, f"the fault is {found}, not {fault}")
    _require_no_charge(act)
    code, words = act.run.end(END_S)
    act.require(code != 0 and str(fault) in words, f"the session ended with {code}: {words}")
    return took


def completes(act: Act, since: Moment, *, whole: bool = True) -> Took:
    """The program goes on, to its own end."""
    act.require_cycling()
    took = act.took(since, whole=whole)
    act.scene.until(lambda: act.scene.state() is CyclerState.COMPLETE, "the program's own end", END_S)
    act.require(act.program()["status"] == "complete", f"the program is {act.program()['status']}")
    return took


def _require_no_charge(act: Act) -> None:
    """None flows while the world goes on."""
    before = world_state(act.scene.config)
    until_s = cell_time_s(before) + 100.0
    act.scene.until(lambda: cell_time_s(world_state(act.scene.config)) >= until_s, "cell time goes on")
    passed_ah = cell_charge_ah(world_state(act.scene.config)) - cell_charge_ah(before)
    act.require(passed_ah == 0.0, f"{passed_ah:g} Ah flowed at open circuit")


# The RunEngine


def _ended_by_hand(act: Act, verb: str) -> Took:
    act.plan.pause()
    act.require_goes_on()
    since = act.scene.now()
    act.plan.go_on(verb)
    return _as_on_abort_says(act, since)


def _as_on_abort_says(act: Act, since: Moment) -> Took:
    if act.on_abort is OnLoss.REST:
        took = rests(act, since, "the plan was aborted")
        act.run.end(END_S)
        return took
    act.run.end(END_S)
    return completes(act, since, whole=False)


def halt(act: Act) -> Took:
    """Halted, a plan cleans up nothing: what was said for a lost client holds."""
    act.plan.pause()
    since = act.scene.now()
    act.plan.go_on("halt")
    act.run.end(END_S)
    return _as_on_client_lost_says(act, since)


def _as_on_client_lost_says(act: Act, since: Moment) -> Took:
    if act.on_client_lost is OnLoss.REST:
        return rests(act, since, "its client was lost", whole=False)
    return completes(act, since, whole=False)


def mistake(act: Act) -> Took:
    """An exception in the plan."""
    since = act.scene.now()
    act.plan.mistake = KeyError("a mistake in the plan")
    took = _as_on_abort_says(act, since)
    code, words = act.run.end(END_S)
    act.require(code != 0 and "a mistake in the plan" in words, f"the plan ended with {code}: {words}")
    (stop,) = act.run.documents().of("stop")
    act.require("a mistake in the plan" in stop["reason"], f"the run ended because {stop['reason']}")
    return took


# The session


def ctrl_c(act: Act) -> Took:
    """Ctrl-C twice at the terminal."""
    process = act.process.process
    since = act.scene.now()
    process.send_signal(signal.SIGINT)
    act.scene.pass_time(0.3, 0.8)
    process.send_signal(signal.SIGINT)
    code, words = act.run.end(END_S)
    act.require(code != 0, f"the session ended as if nothing had been, and said {words}")
    act.require("Traceback" not in words, f"a person reads: {words}")
    act.require(act.run.documents().of("stop"), "the run was left open")
    if act.on_abort is OnLoss.REST:
        return rests(act, since, "the plan was aborted")
    return _as_on_client_lost_says(act, since)


def kill_session(act: Act) -> Took:
    """kill -9."""
    since = act.scene.now()
    act.process.kill()
    return _as_on_client_lost_says(act, since)


def take_up(act: Act) -> Took:
    """kill -9, and another session that goes on."""
    since = act.scene.now()
    act.process.kill()
    again = Run(act.scene.config, "resume")
    act.runs.append(again)
    again.wait_for_frames(1)
    took = act.took(since)
    code, words = again.end(END_S)
    act.require(code == 0, f"the session that took up ended with {code}: {words}")
    act.require(act.program()["status"] == "complete", f"the program is {act.program()['status']}")
    (before,), (start,) = (run.documents().of("start") for run in act.runs)
    act.require(start.get("continues") == before["uid"], "the run does not name the one before")
    return took


def go_on(act: Act) -> Took:
    """kill -9 of the cycler server, and a person who asks for what is left; then kill -9 of the session."""
    kill_cycler(act)
    since = act.scene.now()
    again = Run(act.scene.config, "resume", "--go-on")
    act.runs.append(again)
    again.wait_for_frames(1)
    took = act.took(since, whole=False)
    (before,), (start,) = (run.documents().of("start") for run in act.runs)
    act.require(start.get("continues") == before["uid"], "the run does not name the one before")
    act.require(start["begin"]["program_id"] == act.program_id, "it goes on with another program")
    act.program_id = start["program_id"]
    act.require_cycling()
    again.kill()
    rests(act, act.scene.now(), "its client was lost", whole=False)
    return took


def silent_session(act: Act) -> Took:
    """The session shows no sign of life for longer than the lease, and comes back."""
    process = act.process.process
    since = act.scene.now()
    process.send_signal(signal.SIGSTOP)
    try:
        act.scene.pass_time(LEASE_S + 1, LEASE_S + 2)
        if act.on_client_lost is OnLoss.REST:
            took = rests(act, since, "its client was lost")
        else:
            act.require_cycling()
            took = act.took(since)
    finally:
        process.send_signal(signal.SIGCONT)
    code, words = act.run.end(END_S)
    if act.on_client_lost is OnLoss.REST:
        act.require(code != 0 and "its client was lost" in words, f"it came back and said {words}")
    else:
        act.require(code == 0, f"it came back and said {words}")
    return took


# Servers


def kill_cycler(act: Act) -> Took:
    """kill -9 of the cycler server, and a restart."""
    scene = act.scene
    since = scene.now()
    scene.kill("cycler")
    scene.until(scene.no_current, "open circuit")
    took = act.took(since, whole=False)
    _require_no_charge(act)
    scene.restart("cycler")
    rests(act, since, "the cycler server ended")
    code, words = act.run.end(END_S)
    act.require(code != 0, f"the session ended well: {words}")
    return took


def kill_world(act: Act) -> Took:
    """kill -9 of the world: for the cycler server the channel is gone."""
    scene = act.scene
    since = scene.now()
    scene.kill("world")
    scene.until(lambda: scene.state() is CyclerState.FAULT, "the fault")
    took = act.took(since)
    scene.restart("world")
    faults(act, since, Fault.CHANNEL_LOST)
    return took


def hung_cycler(act: Act) -> Took:
    """The cycler server falls silent, and does not come back within lease and patience of the hardware."""
    scene = act.scene
    since = scene.now()
    scene.freeze("cycler")
    try:
        scene.until(scene.no_current, "the hardware cuts a silent server off")
        took = act.took(since, whole=False)
        _require_no_charge(act)
    finally:
        scene.thaw("cycler")
    # By what it hears first: that its channel is gone, or that a session has given it up.
    latched = (CyclerState.FAULT, CyclerState.INTERRUPTED)
    scene.until(lambda: scene.state() in latched and scene.no_current(), "something is latched")
    _require_no_charge(act)
    code, words = act.run.end(END_S)
    act.require(code != 0, f"the session ended well: {words}")
    return took


def full_disk(act: Act) -> Took:
    """No record can be kept any more."""
    scene = act.scene
    size = scene.config.stored("simulator/cycler/CH1/records.f8").stat().st_size
    since = scene.now()
    scene.let_files_grow("cycler", size + 1000)
    try:
        return faults(act, since, Fault.STORAGE)
    finally:
        scene.let_files_grow("cycler", None)


# The channel


def _trips(knob: str, value: float, fault: Fault, act: Act) -> Took:
    if fault is Fault.STALE_READING:
        _wait_for_current(act)
    since = act.scene.now()
    act.scene.turn(act.scene.channel_knob(knob), value)
    return faults(act, since, fault)


def _wait_for_current(act: Act) -> None:
    """A reading that is stuck before the current flows is a missing contact: wait for a step to begin."""
    cycler = act.scene.cycler
    step = int(cycler.step_id.get(use_monitor=False))

    def flows() -> bool:
        is_current = cycler.step_type.get(use_monitor=False) == StepType.CONSTANT_CURRENT
        return is_current and int(cycler.step_id.get(use_monitor=False)) != step

    act.scene.until(flows, "a step with a current")
    act.scene.pass_time(0.05, 0.5)


def start_again(act: Act) -> Took:
    """Something is latched, though its cause is gone, and somebody starts a program: the same, or another."""
    scene = act.scene
    # A reading that is stuck shows a current, with which no account is closed.
    scene.turn_back()
    # A plan in this process leaves its session with the lease.
    client = scene.cycler if isinstance(act.run, PlanRun) else scene.second
    free = ("", client.owner)
    scene.until(lambda: scene.cycler.lease_owner.get(use_monitor=False) in free, "the lease is free")
    scene.until(lambda: act.program()["settled"], "the account of the program is closed")
    before, entry = scene.state(), act.program()
    since = scene.now()
    client.take_lease()
    try:
        _require_refused(act, client, scene.rng.choice((act.program_id, uuid.uuid4().hex)))
    finally:
        client.drop_lease()
    took = act.took(since)
    act.require(scene.state() is before, f"the state was {before}, and is {scene.state()}")
    act.require(scene.cycler.program_info() == entry, "the account of the program has changed")
    _require_no_charge(act)
    return took


def _require_refused(act: Act, client: Cycler, program_id: str) -> None:
    (start,) = act.run.documents().of("start")
    protocol, cell = Protocol.from_dict(start["protocol"]), Cell.model_validate(start["cell"])
    program = bind(protocol, cell, act.scene.config.site)
    if start["begin"] is not None:
        program = program.rest(Beginning.model_validate(start["begin"]))
    text = program.to_json()
    try:
        client.send(Verb.LOAD, program_id=program_id, program=text, on_client_lost=OnLoss.CONTINUE)
        client.send(Verb.START, program_id=program_id)
    except CyclerError as error:
        known = ("acknowledge that id first", "is not repeated", "then clear the fault")
        act.require(any(words in str(error) for words in known), f"refused for another reason: {error}")
        return
    act.require(False, "a program was started though nobody had acknowledged the last one")


REST, CONTINUE = OnLoss.REST, OnLoss.CONTINUE
ABORTED = "as `on_abort` says: open circuit, or on to the program's end"
ON = "on to the program's end"
LATCHED = "fault latched, open circuit"
ABORT, LOST = "on_abort", "on_client_lost"

BY_HAND = (
    Kind("stop", ABORTED, partial(_ended_by_hand, verb="stop"), 3, Where.PLAN, goes_on_if=(ABORT,)),
    Kind("abort", ABORTED, partial(_ended_by_hand, verb="abort"), 4, Where.PLAN, goes_on_if=(ABORT,)),
    Kind("halt", "as `on_client_lost` says", halt, 3, Where.PLAN, goes_on_if=(LOST,)),
    Kind("exception in a plan", ABORTED, mistake, 4, Where.PLAN, goes_on_if=(ABORT,)),
    Kind(
        "Ctrl-C twice",
        f"{ABORTED}, then as `on_client_lost` says",
        ctrl_c,
        4,
        Where.PROCESS,
        goes_on_if=(ABORT, LOST),
    ),
)
SESSIONS = (
    Kind(
        "session killed, `rest`",
        "open circuit after the lease",
        kill_session,
        3,
        Where.PROCESS,
        on_client_lost=REST,
    ),
    Kind(
        "session killed, `continue`",
        ON,
        kill_session,
        3,
        Where.PROCESS,
        on_client_lost=CONTINUE,
        goes_on_if=(LOST,),
    ),
    Kind(
        "session killed and taken up",
        f"{ON}; a frame of the next session",
        take_up,
        4,
        Where.PROCESS,
        on_client_lost=CONTINUE,
        goes_on_if=(LOST,),
        lasts_s=30_000.0,
    ),
    Kind(
        "cycler server killed, what is left asked for",
        "a frame of what is left, which is executed once",
        go_on,
        2,
        Where.PROCESS,
        on_client_lost=REST,
    ),
    Kind(
        "session silent beyond its lease",
        "as `on_client_lost` says",
        silent_session,
        2,
        Where.PROCESS,
        goes_on_if=(LOST,),
        lasts_s=25_000.0,
    ),
)
SERVERS = (
    Kind("cycler server killed", "open circuit; interrupted after the restart", kill_cycler, 4),
    Kind("world killed", "fault latched; open circuit after the restart", kill_world, 3),
    Kind("cycler server silent beyond the lease", "open circuit, then latched", hung_cycler, 1),
    Kind("disk full", LATCHED, full_disk, 2),
)
CHANNEL_FAULTS = tuple(
    Kind(name, LATCHED, partial(_trips, knob, value, fault), 2)
    for name, knob, value, fault in (
        ("over-temperature", "OverTemperature", 50.0, Fault.OVER_TEMPERATURE),
        ("contact lost", "ContactLoss", 1, Fault.NO_CONTACT),
        ("reading stuck", "StuckReading", 1, Fault.STALE_READING),
        ("thermometer reads NaN", "SensorNaN", 1, Fault.INVALID_READING),
        ("cut-off never noticed", "LateCompletion", 100_000.0, Fault.STEP_WATCHDOG),
        ("reply lost", "LostReply", 1, Fault.CHANNEL_LOST),
    )
)
ENDING = (*BY_HAND, *SESSIONS, *SERVERS, *CHANNEL_FAULTS)

STARTED_AGAIN = Kind("started again, not acknowledged", "refused, still latched", start_again, 6)
