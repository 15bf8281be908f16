"""Faults after which the experiment goes on: the cell never waits, and measuring is taken up again."""

import uuid

from ophyd import Signal

from benchmarks.faults.kinds import Act, Kind, Took, Where
from intercalate.contract import Verb
from intercalate.devices.cycler import CyclerError

CATCH_UP_S = 240.0
"""Wall seconds within which every run under way, and every lost one, must be in the catalog again."""

GOES_ON = "the cell goes on meanwhile; the next frame"


def pause(act: Act) -> Took:
    """Pause at once, and resume."""
    act.plan.pause()
    act.require_goes_on()
    act.scene.pass_time(0.1, 0.8)
    act.require_cycling()
    since = act.scene.now()
    act.plan.go_on("resume")
    act.next_frame()
    return act.took(since)


def suspend(act: Act) -> Took:
    """A suspender that trips, and is content again."""
    from bluesky.suspenders import SuspendBoolHigh

    engine, alarm = act.scene.session.RE, Signal(name="alarm", value=0)
    suspender = SuspendBoolHigh(alarm)
    engine.install_suspender(suspender)
    try:
        alarm.put(1)
        act.scene.until(lambda: suspender.tripped, "the RunEngine is suspended")
        act.require_goes_on()
        before = act.frames()
        act.scene.pass_time(0.3, 0.8)
        act.require(act.frames() == before, "frames were taken while the plan was suspended")
        act.require_cycling()
        since = act.scene.now()
        alarm.put(0)
        act.next_frame()
        return act.took(since)
    finally:
        engine.clear_suspenders()


def second_client(act: Act) -> Took:
    """Another client commands while the first holds the lease."""
    verb = act.scene.rng.choice(
        (Verb.TAKE_LEASE, Verb.HOLD, Verb.RESUME, Verb.RELEASE, Verb.LOAD, Verb.START)
    )
    arguments = {
        Verb.TAKE_LEASE: {"duration_s": 60.0},
        Verb.LOAD: {"program_id": uuid.uuid4().hex, "program": "{}", "on_client_lost": "continue"},
        Verb.START: {"program_id": act.program_id},
    }
    since = act.scene.now()
    try:
        act.scene.second.send(verb, **arguments.get(verb, {}))
    except CyclerError as error:
        act.require("lease" in str(error), f"{verb} was refused for another reason: {error}")
    else:
        act.require(False, f"{verb} of a second client was obeyed")
    took = act.took(since)
    act.require_cycling()
    act.require_goes_on()
    return took


def repeated_start(act: Act) -> Took:
    """The program that runs is started once more, as a rewound plan does."""
    cycler, first_record = act.scene.cycler, act.program()["first_record"]
    since = act.scene.now()
    answer = cycler.send(Verb.START, program_id=act.program_id)
    took = act.took(since)
    act.require(answer == "running", f"the repeated start was answered with {answer}")
    act.require(act.program()["first_record"] == first_record, "the program began anew")
    act.require_goes_on()
    return took


def beam_dump(act: Act) -> Took:
    """The storage ring loses its beam for a while."""
    duration_s = act.scene.rng.uniform(600, 1500)
    since = act.scene.now()
    act.scene.turn(f"{act.scene.config.beam.prefix}Knob:Dump", duration_s)
    act.scene.until(lambda: act.scene.now().cell_s > since.cell_s + duration_s, "the dump ends")
    before = act.frames()
    act.require_cycling()
    return _frame_with_beam(act, before)


def _frame_with_beam(act: Act, before: int) -> Took:
    """The time until a frame with beam, among those that come after `before`."""
    since = act.scene.now()

    def there() -> bool:
        events = act.run.documents().events("xrd")[before:]
        return any(event["data"]["monitors_quality"] == "valid" for event in events)

    act.scene.until(there, "a frame with beam")
    return act.took(since)


def stuck_shutter(act: Act) -> Took:
    """The shutter in front of the sample does not move."""
    knob = f"{act.scene.config.shutter.prefix}Knob:ShutterStuck"
    act.scene.turn(knob, 1)
    act.next_frame()
    act.scene.pass_time(0.1, 0.5)
    before = act.frames()
    act.scene.turn(knob, 0)
    act.require_cycling()
    return _frame_with_beam(act, before)


def _dies(act: Act, name: str) -> Took:
    act.spare_frames += 1
    act.scene.kill(name)
    act.require_goes_on()
    act.scene.pass_time(0.1, 1.0)
    act.require_cycling()
    since = act.scene.now()
    act.scene.restart(name)
    act.next_frame()
    return act.took(since)


def kill_diffractometer(act: Act) -> Took:
    """kill -9, and a restart."""
    return _dies(act, "diffractometer")


def kill_beam(act: Act) -> Took:
    """kill -9, and a restart: while nobody knows what the beam is, no dose can be reckoned."""
    return _dies(act, "beam")


def _falls_silent(act: Act, name: str, least_s: float, most_s: float) -> Took:
    act.spare_frames += 1
    act.scene.freeze(name)
    try:
        act.scene.pass_time(least_s, most_s)
    finally:
        since = act.scene.now()
        act.scene.thaw(name)
    act.next_frame()
    took = act.took(since)
    act.require_cycling()
    return took


def silent_diffractometer(act: Act) -> Took:
    """It does not answer for a while, without having ended."""
    return _falls_silent(act, "diffractometer", 0.5, 3.0)


def hung_diffractometer(act: Act) -> Took:
    """It holds the world's clock for longer than anybody may."""
    return _falls_silent(act, "diffractometer", 12.0, 14.0)


def silent_cycler(act: Act) -> Took:
    """The cycler server does not answer for a while, within the lease."""
    return _falls_silent(act, "cycler", 0.5, 2.0)


def _catalog_part_dies(act: Act, name: str) -> Took:
    act.scene.kill(name)
    act.scene.pass_time(0.2, 1.0)
    act.require_cycling()
    act.next_frame()
    (start,) = act.run.documents().of("start")
    wanted = act.frames()
    since = act.scene.now()
    act.scene.restart(name)
    act.scene.until(
        lambda: act.scene.stored_rows(start["uid"], "xrd") >= wanted,
        "the catalog catches up",
        CATCH_UP_S,
        every_s=0.5,
    )
    return act.took(since)


def kill_catalog(act: Act) -> Took:
    """kill -9 of the Tiled server, and a restart."""
    return _catalog_part_dies(act, "catalog")


def kill_forwarder(act: Act) -> Took:
    """kill -9 of the forwarder, and a restart."""
    return _catalog_part_dies(act, "forwarder")


def late_completion(act: Act) -> Took:
    """The channel notices a cut-off late, by less than the watchdog allows."""
    scene = act.scene
    since, step = scene.now(), int(scene.cycler.step_id.get(use_monitor=False))
    scene.turn(scene.channel_knob("LateCompletion"), 20.0)
    scene.until(lambda: int(scene.cycler.step_id.get(use_monitor=False)) != step, "the next step")
    took = act.took(since)
    scene.turn(scene.channel_knob("LateCompletion"), 0)
    act.require_cycling()
    return took


CAUGHT_UP = "the cell goes on; after the restart the catalog has all"

PASSING = (
    Kind("pause and resume", GOES_ON, pause, 8, Where.PLAN),
    Kind("suspend and resume", GOES_ON, suspend, 5, Where.PLAN),
    Kind("second client commands", "refused, the cell goes on", second_client, 6),
    Kind("the same program started again", "attached, not repeated", repeated_start, 5, Where.PLAN),
    Kind("beam dump", "the cell goes on; after its end a frame with beam", beam_dump, 4),
    Kind("shutter stuck", "the cell goes on; once free a frame with beam", stuck_shutter, 4),
    Kind("diffractometer killed", f"{GOES_ON} after the restart", kill_diffractometer, 4),
    Kind("beam IOC killed", f"{GOES_ON} after the restart", kill_beam, 3),
    Kind("diffractometer silent for up to 3 s", f"{GOES_ON} afterwards", silent_diffractometer, 3),
    Kind("diffractometer silent for 12 s", f"{GOES_ON} afterwards", hung_diffractometer, 1),
    Kind("cycler server silent for up to 2 s", "goes on; the next frame afterwards", silent_cycler, 3),
    Kind("catalog server killed", CAUGHT_UP, kill_catalog, 2),
    Kind("forwarder killed", CAUGHT_UP, kill_forwarder, 3),
    Kind("cut-off noticed 20 s late", "the next step, late", late_completion, 3),
)
