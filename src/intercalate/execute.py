"""Runs an experiment file in this process, showing progress."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bluesky.utils import FailedStatus, MsgGenerator, RunEngineInterrupted
from rich.console import Console
from rich.progress import Progress

from intercalate.config import Config
from intercalate.contract import DIAMOND_ANVIL_CELL, STATION_NAMES
from intercalate.devices.cycler import CyclerError
from intercalate.experiment import Experiment
from intercalate.orchestration.cells import CellsFailedError
from intercalate.orchestration.continuing import what_is_left
from intercalate.orchestration.taking_up import TakeUpError
from intercalate.protocol import bind
from intercalate.session import Session, SessionError, open_session
from intercalate.views.progress import RunProgress, bar, expected_duration_s, task

if TYPE_CHECKING:
    from intercalate.pressed import CheckedScan

WHAT_NEXT = (
    "What was measured is kept. `intercalate doctor` says what answers; when the cause is found, "
    "`intercalate acknowledge` lets the cycler take the next program."
)


@dataclass(frozen=True)
class Outcome:
    """What an experiment left behind.

    Attributes
    ----------
    uids
        Of the runs, one for each cell; empty if they never opened.
    documents
        Number of documents by name; rows of event pages count as events.
    programs
        The cycler's own account of each cell's program: status, records, charge.
    records_lost
        Records that the server no longer had when they were asked for.
    """

    uids: tuple[str, ...]
    documents: dict[str, int]
    programs: tuple[dict[str, Any], ...]
    records_lost: int


Preparation = tuple[str, Callable[[Session], Any]]
"""What it is called, and what makes its plan."""


FLAT_S = 300.0
"""Exposure of the flat field, in cell seconds: even light is faint."""


def calibration_plans(
    exposures_s: Sequence[float],
    places: Sequence[str],
    calibrant: str = "LaB6",
    station: str = STATION_NAMES[0],
) -> list[Preparation]:
    """What a beamtime begins with, in this order.

    Parameters
    ----------
    exposures_s
        Of the frames to come; geometry and background are taken with the longest.
    places
        Of the cells on the sample changer, which are aligned.
    station
        Instrument, as the session names it.
    """
    from intercalate_plans import calibrate_geometry, take_background, take_darks, take_flat

    exposure_s, all_s = max(exposures_s), sorted({*exposures_s, FLAT_S})
    plans: list[tuple[str, Callable[[Any], Any]]] = [
        ("dark frames", lambda at: take_darks(at, all_s)),
        (f"rings of {calibrant}", lambda at: calibrate_geometry(at, calibrant, exposure_s)),
        ("flat field", lambda at: take_flat(at, FLAT_S)),
        ("empty cell", lambda at: take_background(at, exposure_s)),
    ]
    plans += [(f"aligning {one}", lambda at, place=one: _aligning(at, place)) for one in places]
    return [(what, lambda session, made=plan: made(session.stations[station])) for what, plan in plans]


HOLE_MM = 0.8, 0.05
"""Half range and step by which the hole in a gasket is looked for: a window is ten times wider."""


def _aligning(station: Any, place: str) -> Any:
    """The plan that finds what the beam passes through at a place."""
    from intercalate_plans import align_cell

    is_hole = station.changer.places[place].content == DIAMOND_ANVIL_CELL
    return align_cell(station, place, *(HOLE_MM if is_hole else ()))


def raman_calibration_plans(exposures_s: Sequence[float], places: Sequence[str]) -> list[Preparation]:
    """What Raman spectra begin with: power, darks, the axis by silicon, the focus at each place."""
    from intercalate_plans import calibrate_shift, focus_laser, measure_power, take_darks
    from intercalate_plans.raman import SILICON

    plans: list[tuple[str, Callable[[Any], Any]]] = [
        ("power", measure_power),
        ("dark spectra", lambda at: take_darks(at, sorted(exposures_s))),
        ("focus on silicon", lambda at: focus_laser(at, at.changer.find(content=SILICON))),
        ("line of silicon", lambda at: calibrate_shift(at, max(exposures_s))),
    ]
    plans += [(f"focus on {one}", lambda at, place=one: focus_laser(at, place)) for one in places]
    return [(what, lambda session, made=plan: made(session.stations["raman"])) for what, plan in plans]


def optical_calibration_plans() -> list[Preparation]:
    """What colour images begin with: white by silicon."""
    from intercalate_plans import calibrate_colour

    return [("white by silicon", lambda session: calibrate_colour(session.stations["optical"]))]


def xps_calibration_plans() -> list[Preparation]:
    """What photoelectron spectra begin with: the scale by gold and silver."""
    from intercalate_plans import calibrate_energy

    return [("gold and silver", lambda session: calibrate_energy(session.stations["xps"]))]


def sem_calibration_plans(places: Sequence[str]) -> list[Preparation]:
    """What micrographs begin with: the scale by a grid, the current in the cup, the cut at each place."""
    from intercalate_plans import calibrate_scale, find_section, measure_current

    plans: list[tuple[str, Callable[[Any], Any]]] = [
        ("grid", calibrate_scale),
        ("Faraday cup", measure_current),
    ]
    plans += [(f"cut at {one}", lambda at, place=one: find_section(at, place)) for one in places]
    return [(what, lambda session, made=plan: made(session.stations["sem"])) for what, plan in plans]


def eds_calibration_plans() -> list[Preparation]:
    """What spectra of X-rays begin with: energies by copper and cobalt."""
    from intercalate_plans import calibrate_x_ray_energy

    return [("copper and cobalt", lambda session: calibrate_x_ray_energy(session.stations["eds"]))]


def tem_calibration_plans() -> list[Preparation]:
    """What images in transmission begin with: the camera length on gold, the dose rate in a hole."""
    from intercalate_plans import calibrate_camera_length, measure_dose_rate

    plans: list[tuple[str, Callable[[Any], Any]]] = [
        ("rings of gold", calibrate_camera_length),
        ("dose rate", measure_dose_rate),
    ]
    return [(what, lambda session, made=plan: made(session.stations["tem"])) for what, plan in plans]


def eels_calibration_plans() -> list[Preparation]:
    """What electron losses begin with: the zero loss, in a hole, and films of known compounds, if any."""
    from bluesky.plan_stubs import null

    from intercalate_plans import measure_thickness, take_references
    from intercalate_plans.thin_samples import HOLE

    def zero_loss(session: Session) -> Any:
        at = session.stations["eels"]
        return measure_thickness(at, at.changer.find(content=HOLE))

    def films(session: Session) -> Any:
        at = session.stations["eels"]
        return take_references(at) if at.calibrations.on_paper.films else null()

    return [("zero loss", zero_loss), ("films of known compounds", films)]


OWN_CALIBRATIONS: Mapping[str, Callable[[Sequence[float], Sequence[str]], list[Preparation]]] = {
    "raman": raman_calibration_plans,
    "optical": lambda exposures_s, places: optical_calibration_plans(),
    "xps": lambda exposures_s, places: xps_calibration_plans(),
    "sem": lambda exposures_s, places: sem_calibration_plans(places),
    "eds": lambda exposures_s, places: eds_calibration_plans(),
    "tem": lambda exposures_s, places: tem_calibration_plans(),
    "eels": lambda exposures_s, places: eels_calibration_plans(),
}
"""Of instruments that are no diffractometers, given the exposures of their frames and the places of cells."""


def preparations(experiment: "Experiment", places: Sequence[str]) -> list[Preparation]:
    """Calibrations of all instruments that an experiment uses, and its first cell into the beam."""
    from intercalate_plans import align_cell

    plans: list[Preparation] = []
    at_beamline = True
    if exposures_s := experiment.exposures_s("xrd"):
        plans += calibration_plans(exposures_s, places)
    elif experiment.exposures_s("raman") or experiment.exposures_s("optical"):
        # They look at the same changer, and must know where the cells are.
        plans += [
            (f"aligning {one}", lambda session, place=one: align_cell(session.xrd, place)) for one in places
        ]
    else:
        at_beamline = False
    # A face is wherever the stage is; of cells, only a cut has to be found.
    cuts = [place for place, one in zip(places, experiment.cells) if one.cell.exposed_face == "section"]
    for name, make in OWN_CALIBRATIONS.items():
        if exposures_s := experiment.exposures_s(name):
            plans += make(exposures_s, cuts if name == "sem" else places)
    return [*plans, into_the_beam(places[0])] if at_beamline else plans


def pressing(checked: "CheckedScan", uids: list[str], md: dict[str, Any] | None = None) -> Preparation:
    """A pressure scan, whose run goes into `uids`."""
    from intercalate_plans import pressure_scan

    scan = checked.scan

    def plan(session: Session) -> MsgGenerator[None]:
        uids.append(
            (
                yield from pressure_scan(
                    session.xrd,
                    checked.sample.model_dump(mode="json", exclude_none=True),
                    list(scan.pressures_gpa),
                    scan.exposure_s,
                    scan.settle_s,
                    scan.beam_mm,
                    scan.rate_gpa_min,
                    checked.place,
                    md=md,
                )
            )
        )

    return "pressing", plan


def into_the_beam(place: str, station: str = STATION_NAMES[0]) -> Preparation:
    """Move a place of the sample changer into the beam."""
    from bluesky.plan_stubs import mv

    return ("cell into the beam", lambda session: mv(session.stations[station].changer, place))


@contextmanager
def _opened(config: Config, progress: Progress) -> Iterator[Session]:
    """A session, in which what ends a plan early is raised in words."""
    with task(progress, "connecting", 1.0):
        session = open_session(config)
    try:
        yield session
    except (FailedStatus, CyclerError, CellsFailedError, TakeUpError) as error:
        why = error.__cause__ if isinstance(error, FailedStatus) else error
        raise SessionError(f"the experiment ended early: {why}\n{WHAT_NEXT}") from error
    finally:
        session.close()


def _run_all(progress: Progress, session: Session, plans: Sequence[Preparation]) -> None:
    for what, plan in plans:
        with task(progress, what, 1.0):
            run_to_its_end(session, plan(session))


def run_to_its_end(session: Session, plan: Any) -> None:
    """Run a plan; a person who pauses it at a terminal (Ctrl-C twice) wants it ended in good order.

    Raises
    ------
    SessionError
        If it was ended so.
    """
    try:
        session.RE(plan)
    except RunEngineInterrupted:
        session.RE.abort("ended by hand")
        raise SessionError(f"the experiment was ended by hand\n{WHAT_NEXT}") from None


def prepare(config: Config, plans: Sequence[Preparation], console: Console) -> None:
    """Run plans one after the other, in runs of their own.

    Raises
    ------
    SessionError
        If a device does not answer, or fails.
    """
    with bar(console) as progress, _opened(config, progress) as session:
        _run_all(progress, session, plans)


def execute(
    config: Config,
    experiment: Experiment,
    console: Console,
    before: Sequence[Preparation] = (),
    overrides: dict[str, str] | None = None,
    md: dict[str, Any] | None = None,
) -> Outcome:
    """Run an experiment; an error leaves the cells as the experiment's `on_abort` says, and is raised.

    Parameters
    ----------
    before
        Plans that are run first, in runs of their own.
    overrides
        Reasons for which red items of the preflight are accepted.
    md
        Added to the start document of every run.

    Raises
    ------
    SessionError
        If a device does not answer, or the experiment ends before its programs.
    PreflightError
        If the preflight finds something red that is not overridden.
    """
    duration_s = max(expected_duration_s(one.bound(config.site)) for one in experiment.cells)
    with bar(console) as progress, _opened(config, progress) as session:
        _run_all(progress, session, before)
        if experiment.preflight:
            with task(progress, "preflight", 1.0):
                for plan in session.preflights(experiment, overrides):
                    run_to_its_end(session, plan)
        with task(progress, str(experiment.mode), duration_s) as update:
            return _watched(session, session.plan(experiment, md), update)


def resume(
    config: Config, console: Console, uid: str | None = None, *, go_on: bool = False
) -> tuple[Outcome, tuple[str, ...]]:
    """Go on with an experiment whose session is gone; see the plan `continue_experiment`.

    Parameters
    ----------
    uid
        Beginning of the id of the experiment or of one of its runs; None for the latest.
    go_on
        Start what is left of programs that were interrupted.

    Returns
    -------
    Outcome, tuple of str
        Of the runs that went on, and the cells with which nothing was left to be done.

    Raises
    ------
    SessionError
        If a device does not answer, or the experiment ends before its programs.
    ContinueError
        If nothing can be continued.
    """
    from intercalate_plans import continue_experiment

    with bar(console) as progress, _opened(config, progress) as session:
        archive: Any = session.archive
        left = what_is_left(archive, uid)
        programs = [
            bind(one.checked_protocol(), one.checked_cell(), config.site, initial_soc=one.initial_soc)
            for one in left.tasks
        ]
        cyclers, stations = list(session.cyclers.values()), list(session.stations.values())
        plan = continue_experiment(cyclers, stations, archive, uid or "", go_on=go_on)
        with task(progress, left.mode, max(map(expected_duration_s, programs))) as update:
            return _watched(session, plan, update), left.finished


def _watched(session: Session, plan: Any, update: Callable[..., None]) -> Outcome:
    """Run the plan of an experiment, counting what it leaves behind."""
    counts: dict[str, int] = {}
    channels: dict[str, Any] = {}

    def count(name: str, doc: Any) -> None:
        if name == "start":
            channels[doc["uid"]] = session.cyclers.get(doc.get("channel", ""), session.cycler)
        rows = len(doc["seq_num"]) if name == "event_page" else 1
        name = "event" if name == "event_page" else name
        counts[name] = counts.get(name, 0) + rows

    session.RE.subscribe(count)
    session.RE.subscribe(RunProgress(update))
    run_to_its_end(session, plan)
    return Outcome(
        tuple(channels),
        counts,
        tuple(one.program_info() for one in channels.values()),
        sum(one.records_lost for one in channels.values()),
    )
