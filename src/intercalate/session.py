"""Assembles a session: devices, RunEngine and journal, as one configuration file says."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intercalate.config import Config, find_config

if TYPE_CHECKING:
    from bluesky import RunEngine

    from intercalate.catalog.journal import Journal
    from intercalate.devices.clocks import ClockComparison
    from intercalate.devices.cycler import Cycler
    from intercalate.devices.diffractometer import Diffractometer, Shutter
    from intercalate.devices.stage import SampleStage
    from intercalate.experiment import Experiment


class SessionError(RuntimeError):
    """The session could not be brought up; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Session:
    """Everything an experiment needs, ready to use."""

    config: Config
    RE: "RunEngine"
    journal: "Journal"
    cycler: "Cycler"
    diffractometer: "Diffractometer"
    shutter: "Shutter"
    stage: "SampleStage"
    clocks: "ClockComparison"

    def plan(self, experiment: "Experiment") -> Any:
        """The plan that an experiment file asks for."""
        from intercalate_plans import charge_discharge, operando

        common: dict[str, Any] = {
            "on_abort": str(experiment.on_abort),
            "on_client_lost": str(experiment.on_client_lost),
            "initial_soc": experiment.initial_soc,
        }
        if experiment.xrd is None:
            return charge_discharge(self.cycler, experiment.cell, experiment.protocol, **common)
        return operando(
            self.cycler,
            self.diffractometer,
            self.shutter,
            self.clocks,
            experiment.cell,
            experiment.protocol,
            experiment.xrd.every.model_dump(exclude_none=True),
            experiment.xrd.exposure_s,
            **common,
        )

    def close(self) -> None:
        """Write out what is left, and let others command the cycler."""
        self.journal.close()
        if not self.cycler.is_busy:
            self.cycler.drop_lease()


def open_session(
    config: Config | str | Path | None = None, *, on_document: Callable[[str, Any], None] | None = None
) -> Session:
    """Connect to the configured instruments and make a RunEngine that keeps every document.

    Parameters
    ----------
    config
        Configuration, its file, or None for the one `find_config` finds.
    on_document
        Called with every document, after the journal has it.

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
    from bluesky import RunEngine

    from intercalate.catalog.journal import Journal
    from intercalate.devices.channel_access import print_to_log
    from intercalate.devices.clocks import ClockComparison
    from intercalate.devices.diffractometer import Diffractometer, Shutter
    from intercalate.devices.stage import SampleStage

    ophyd.set_cl("pyepics")
    print_to_log()
    cycler = _cycler(settings)
    diffractometer = Diffractometer(
        settings.diffractometer.prefix,
        name="diffractometer",
        frames_folder=settings.stored(settings.diffractometer.frames_folder),
        rate=lambda: float(cycler.rate.get()),
    )
    shutter = Shutter(settings.shutter.prefix, name="shutter")
    stage = SampleStage(settings.stage.prefix, name="stage")
    clocks = ClockComparison(
        name="clocks", cycler_clock=cycler.unix_time_s, instrument_clock=diffractometer.clock_unix_s
    )
    _connect([cycler, diffractometer, shutter, stage], settings.channel_access.connect_timeout_s)
    engine = RunEngine(metadata)
    journal = Journal(settings.stored("journals"))
    engine.subscribe(journal)
    if on_document is not None:
        engine.subscribe(on_document)
    return Session(settings, engine, journal, cycler, diffractometer, shutter, stage, clocks)


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

    ophyd.set_cl("pyepics")
    cycler = _cycler(config)
    _connect([cycler], config.channel_access.connect_timeout_s)
    found: list[str] = []
    cycler.take_lease()
    try:
        if cycler.state.get(use_monitor=False) == CyclerState.FAULT:
            found.append(f"fault {cycler.fault.get(use_monitor=False)}: {cycler.fault_message.get()}")
            cycler.send(Verb.CLEAR_FAULT)
        program = cycler.program_info()
        if program.get("status") == "interrupted":
            found.append(f"program {program['program_id']} was interrupted: {program['why']}")
            cycler.send(Verb.ACKNOWLEDGE, program_id=program["program_id"])
    finally:
        cycler.drop_lease()
    return found


def _cycler(config: Config) -> "Cycler":
    from intercalate.devices.cycler import Cycler

    return Cycler(
        config.cycler.prefix,
        name="cycler",
        site=config.site,
        on_abort=config.cycler.on_abort,
        on_client_lost=config.cycler.on_client_lost,
        lease_s=config.cycler.lease_s,
    )


def _connect(devices: list[Any], timeout_s: float) -> None:
    """Wait for what a measurement uses; the rest of an area detector's PVs connect when needed."""
    missing: list[str] = []
    for device in devices:
        try:
            device.wait_for_connection(timeout=timeout_s)
        except TimeoutError:
            missing.append(f"{device.name} ({device.prefix})")
    if missing:
        raise SessionError(
            f"no answer from {', '.join(missing)} within {timeout_s:g} s; is the IOC running "
            "(`intercalate simulate status`), and do prefix and servers in the configuration agree with it?"
        )
