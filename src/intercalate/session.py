"""Assembles a session: devices, RunEngine and journal, as one configuration file says."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercalate.config import Config, find_config
from intercalate.contract import CYCLER_NAMES
from intercalate.garbage import nothing_collected
from intercalate.scan_numbers import SCAN_NUMBER, ScanNumbers
from intercalate.shift_log import ShiftLog
from intercalate.user_plans import load_user_plans

if TYPE_CHECKING:
    from bluesky import RunEngine

    from intercalate.catalog.journal import Journal
    from intercalate.devices.archive import Archive
    from intercalate.devices.cycler import Cycler
    from intercalate.devices.logbook import Logbook
    from intercalate.devices.station import Station
    from intercalate.devices.transfer_vessel import TransferVessel
    from intercalate.experiment import Experiment


log = logging.getLogger(__name__)


class SessionError(RuntimeError):
    """The session could not be brought up; the message says what is missing and what to do."""


@dataclass(frozen=True, repr=False)
class Session:
    """Everything an experiment needs, ready to use.

    Attributes
    ----------
    cyclers
        By channel, as the configuration lists them.
    stations
        Instruments by the names under which measurements know them.
    logbook
        Writes to the shift log: `logbook.add("...")`.
    archive
        Knows the runs.
    transfer_vessel
        In which cells are carried; None where the configuration has none.
    missing
        What did not answer, with its prefix: it is not among the others, nor is an instrument of which it is
        a part.
    """

    config: Config
    RE: "RunEngine"
    journal: "Journal"
    cyclers: "dict[str, Cycler]"
    stations: "dict[str, Station]"
    logbook: "Logbook"
    archive: "Archive"
    transfer_vessel: "TransferVessel | None" = None
    missing: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Session({', '.join((*(one.name for one in self.cyclers.values()), *self.stations))})"

    @property
    def cycler(self) -> "Cycler":
        """The first channel."""
        return next(iter(self.cyclers.values()))

    @property
    def xrd(self) -> "Station":
        """The diffractometer at the beamline."""
        return self.stations["xrd"]

    @property
    def laboratory_xrd(self) -> "Station | None":
        """The diffractometer to which cells are carried, if there is one."""
        return self.stations.get("laboratory_xrd")

    @property
    def raman(self) -> "Station | None":
        """The Raman spectrometer, if there is one."""
        return self.stations.get("raman")

    @property
    def devices(self) -> dict[str, Any]:
        """All devices by the names under which plans and people know them."""
        found: list[Any] = [*self.cyclers.values(), self.logbook, self.archive]
        for station in self.stations.values():
            found += [station, *station.devices]
        if self.transfer_vessel is not None:
            found.append(self.transfer_vessel)
        return {one.name: one for one in found}

    def plan(self, experiment: "Experiment", md: dict[str, Any] | None = None) -> Any:
        """The plan that an experiment file asks for; `md` is added to the start document of every run."""
        from intercalate_plans import ex_situ, in_situ, operando_cells

        if experiment.mode == "ex_situ":
            if self.transfer_vessel is None:
                raise SessionError(
                    "the mode ex_situ needs a transfer vessel; add [transfer_vessel] to the configuration, "
                    "and the instrument to which the cell is carried"
                )
            assert experiment.transfer is not None
            return ex_situ(
                list(self.cyclers.values()),
                list(self.stations.values()),
                self.transfer_vessel,
                experiment.cells[0].task(),
                experiment.transfer.given(),
                on_abort=str(experiment.on_abort),
                on_client_lost=str(experiment.on_client_lost),
                md=md,
            )
        plan = in_situ if experiment.mode == "in_situ" else operando_cells
        return plan(
            list(self.cyclers.values()),
            list(self.stations.values()),
            [one.task() for one in experiment.cells],
            on_abort=str(experiment.on_abort),
            on_client_lost=str(experiment.on_client_lost),
            md=md,
        )

    def preflights(self, experiment: "Experiment", overrides: dict[str, str] | None = None) -> list[Any]:
        """Plans that check every cell before the start, with each instrument that measures it.

        Raises
        ------
        SessionError
            If a cell has no place on the sample changer by which its channel is known, or is measured with an
            instrument that is not there.
        """
        from intercalate_plans import preflight

        plans = []
        for one in experiment.cells:
            for name in dict.fromkeys(task.instrument for task in one.measurements) or [None]:
                mine = [task for task in one.measurements if task.instrument == name]
                periods_s = [task.when.period_s for task in mine if task.when.period_s is not None]
                station = self._station_of(one.place) if name is None else self._station(name)
                place = one.place or station.changer.find(channel=self.cycler.channel)
                plans.append(
                    preflight(
                        list(self.cyclers.values()),
                        station,
                        place,
                        one.cell,
                        one.executed,
                        max((task.exposure_s for task in mine), default=None),
                        min(periods_s, default=None),
                        overrides,
                        initial_soc=one.initial_soc,
                    )
                )
        return plans

    def _station(self, name: str) -> "Station":
        """An instrument that an experiment names."""
        if name not in self.stations:
            raise SessionError(f"there is no instrument {name!r} here; there are {', '.join(self.stations)}")
        return self.stations[name]

    def _station_of(self, place: str | None) -> "Station":
        """An instrument whose sample changer has a place; else that of the beamline."""
        found = (one for one in self.stations.values() if place in one.changer.places)
        return next(found, self.xrd)

    def close(self) -> None:
        """Write out what is left, let others command the cycler, hot stages go to rest, and PVs be forgotten.

        A channel whose program runs keeps its lease, which is renewed as long as this process lives.
        """
        from ophyd.ophydobj import OphydObject

        self.journal.close()
        busy = [one for one in self.cyclers.values() if one.is_busy]
        for cycler in self.cyclers.values():
            if cycler not in busy:
                cycler.drop_lease()
        for station in self.stations.values():
            if station.chamber is not None:
                station.chamber.temperature_c.let_go()
        for device in self.devices.values():
            if isinstance(device, OphydObject) and device not in busy:
                device.destroy()


@nothing_collected()
def open_session(
    config: Config | str | Path | None = None,
    *,
    on_document: Callable[[str, Any], None] | None = None,
    without_missing: bool = False,
    reads_user_plans: bool = True,
) -> Session:
    """Connect to the configured instruments and make a RunEngine that keeps every document.

    Parameters
    ----------
    config
        Configuration, its file, or None for the one `find_config` finds.
    on_document
        Called with every document, after the journal has it.
    without_missing
        Do with what answers, as long as one channel of the cycler is there.
    reads_user_plans
        Execute the user's own plan files, whose functions experiments may name; False where the caller does.

    Raises
    ------
    ConfigError
        If the configuration is refused.
    SessionError
        If a device does not answer.
    """
    settings = config if isinstance(config, Config) else Config.from_file(find_config(config))
    metadata = settings.run_metadata()
    os.environ.update(settings.channel_access_environment())

    import ophyd

    from intercalate.devices.channel_access import print_to_log
    from intercalate.devices.connecting import no_answer, with_prefix, without_answer
    from intercalate.instruments import make_stations

    ophyd.set_cl("pyepics")
    print_to_log()
    cyclers = _made({channel: partial(_cycler, settings, channel) for channel in settings.cycler.channels})
    first = next(iter(cyclers.values()))
    stations: Any = _made({"stations": partial(make_stations, settings, first)})["stations"]
    # Devices connect while the rest is imported.
    from bluesky import RunEngine

    from intercalate.catalog.journal import Journal, last_start_of
    from intercalate.devices.archive import Archive
    from intercalate.devices.logbook import Logbook
    from intercalate.interrupts import HearsSignals
    from intercalate.orchestration.continuing import linked_to_what_they_continue
    from intercalate.orchestration.dosing import with_dose_accounts
    from intercalate.orchestration.metadata import LiveMetadata

    if reads_user_plans:
        for name, why in load_user_plans(settings.plans_folder).refused.items():
            log.warning("%s is left out: %s", settings.plans_folder / name, why)
    # Clocks, calibrations and doses have no PVs of their own, or connect when they are needed.
    parts = {one.name: [device for device in one.devices if device.prefix] for one in stations.values()}
    vessel = None if settings.transfer_vessel is None else _vessel(settings, first)
    all_parts = [*cyclers.values(), *(one for several in parts.values() for one in several)]
    missing = without_answer(
        [*all_parts, *([] if vessel is None else [vessel])], settings.channel_access.connect_timeout_s
    )
    gone = {id(one) for one in missing}
    cyclers = {channel: one for channel, one in cyclers.items() if id(one) not in gone}
    if missing and not (without_missing and cyclers):
        raise SessionError(no_answer(missing, settings.channel_access.connect_timeout_s))
    stations = {
        name: one for name, one in stations.items() if not any(id(part) in gone for part in parts[name])
    }
    vessel = None if id(vessel) in gone else vessel
    live: Any = LiveMetadata(metadata, {name: one.calibrations.store for name, one in stations.items()})
    engine = RunEngine(
        live,
        during_task=HearsSignals(),
        scan_id_source=ScanNumbers(settings.stored(SCAN_NUMBER)),
    )
    engine.state_hook = left_alone_when_halted(cyclers.values())
    journal = Journal(settings.journals_folder)
    engine.preprocessors.append(
        linked_to_what_they_continue(lambda program_id: last_start_of(journal.folder, program_id))
    )
    engine.preprocessors.append(with_dose_accounts(stations.values()))
    logbook = Logbook(name="logbook", shift_log=ShiftLog.of(settings))
    engine.subscribe(journal)
    if on_document is not None:
        engine.subscribe(on_document)
    archive = Archive(name="archive", folder=journal.folder)
    return Session(
        settings,
        engine,
        journal,
        cyclers,
        stations,
        logbook,
        archive,
        vessel,
        tuple(with_prefix(one) for one in missing),
    )


def acknowledge(config: Config) -> list[str]:
    """Say to the cycler that somebody knows what it has latched, so that it takes programs again.

    Clears a fault whose cause is gone, and acknowledges a program that was interrupted. Needs no
    instrument but the cycler.

    Returns
    -------
    list of str
        What was latched; empty where nothing was.

    Raises
    ------
    SessionError
        If the cycler does not answer.
    CyclerError
        If it refuses: another client holds it, or the cause of the fault lasts.
    """
    os.environ.update(config.channel_access_environment())

    import ophyd

    from intercalate.contract import CyclerState, Verb
    from intercalate.devices.connecting import no_answer, without_answer

    ophyd.set_cl("pyepics")
    cyclers = {channel: _cycler(config, channel) for channel in config.cycler.channels}
    timeout_s = config.channel_access.connect_timeout_s
    if missing := without_answer(list(cyclers.values()), timeout_s):
        raise SessionError(no_answer(missing, timeout_s))
    found: list[str] = []
    for channel, cycler in cyclers.items():
        is_faulty = cycler.state.get(use_monitor=False) == CyclerState.FAULT
        program = cycler.program_info()
        if not is_faulty and program.get("status") != "interrupted":
            continue
        cycler.take_lease()
        try:
            if is_faulty:
                fault = cycler.fault.get(use_monitor=False)
                found.append(f"{channel}: fault {fault}: {cycler.fault_message.get()}")
                cycler.send(Verb.CLEAR_FAULT)
            if program.get("status") == "interrupted":
                why = program["why"]
                found.append(f"{channel}: program {program['program_id']} was interrupted: {why}")
                cycler.send(Verb.ACKNOWLEDGE, program_id=program["program_id"])
        finally:
            cycler.drop_lease()
    return found


def left_alone_when_halted(cyclers: "Iterable[Cycler]") -> Any:
    """Hook of the RunEngine's state: a halted plan says nothing of its cells, as a session that died."""

    def hook(new: Any, old: Any) -> None:
        if new in ("halting", "panicked"):
            for cycler in cyclers:
                cycler.fall_silent()

    return hook


def _cycler(config: Config, channel: str) -> "Cycler":
    from intercalate.devices.cycler import Cycler

    return Cycler(
        config.cycler.channel_prefix(channel),
        name=CYCLER_NAMES[config.cycler.channels.index(channel)],
        site=config.site,
        on_abort=config.cycler.on_abort,
        on_client_lost=config.cycler.on_client_lost,
        lease_s=config.cycler.lease_s,
    )


def _vessel(config: Config, cycler: "Cycler") -> "TransferVessel":
    from intercalate.devices.transfer_vessel import TransferVessel

    assert config.transfer_vessel is not None
    return TransferVessel(
        config.transfer_vessel.prefix, name="transfer_vessel", rate=lambda: float(cycler.rate.get())
    )


def _made(makers: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Make devices; those of a server that goes away in the middle of an answer are made once more.

    ophyd asks for values while it makes a device, where the server is there already.
    """
    from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS

    found: dict[str, Any] = {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except CHANNEL_ACCESS_ERRORS as lost:
            log.warning("%s: %s; once more", name, lost)
            try:
                found[name] = make()
            except CHANNEL_ACCESS_ERRORS as error:
                raise SessionError(
                    f"{name}: a server goes away in the middle of its answers ({error}); see its log, and "
                    "whether it is restarted again and again"
                ) from error
    return found
