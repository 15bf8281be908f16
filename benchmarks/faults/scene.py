"""A simulated beamline on which faults are staged: its processes, clients and clocks."""

import os
import random
import re
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import epics
import httpx
import numpy as np

from benchmarks.faults.evidence import cell_reading, cell_time_s, frame_truth, world_state
from benchmarks.rig import beamline, wait_for
from intercalate.catalog_services import catalog_services, open_configured_catalog
from intercalate.config import LONGEST_SEARCH_S, Config
from intercalate.contract import RECORD_COLUMNS, CyclerState, OnLoss, Verb
from intercalate.services import Service, ServiceList, module_command
from intercalate.simulation import simulation_services

if TYPE_CHECKING:
    from intercalate.devices.cycler import Cycler
    from intercalate.session import Session

RATE = 1000.0
LEASE_S = 10.0
"""Wall seconds: short, so that losing a client is quickly over, and long enough for a busy machine."""

PATIENCE_S = LONGEST_SEARCH_S + 30.0
"""Wall seconds within which anything that is demanded must have come: Channel Access may let so long pass
before it asks again for a channel whose server was away."""

CHANNEL, CELL = "CH1", "A1"


class BrokenPromise(Exception):
    """What was demanded did not come."""


@dataclass(frozen=True)
class Moment:
    """On both clocks."""

    wall_s: float
    cell_s: float


@dataclass
class Scene:
    """What faults are staged on.

    Attributes
    ----------
    session
        In this process; its RunEngine executes plans, its cycler holds the lease while it does.
    second
        Another client of the same channel, which never holds a lease.
    """

    config: Config
    session: "Session"
    second: "Cycler"
    rng: random.Random
    knobs: dict[str, float] = field(default_factory=dict)

    @property
    def cycler(self) -> "Cycler":
        """The session's."""
        return self.session.cycler

    @property
    def folder(self) -> Path:
        """Holds the configuration, and experiments."""
        return self.config.storage.folder.parent

    # Clocks

    def now(self) -> Moment:
        """This moment, by the wall and by the world's own clock."""
        return Moment(time.monotonic(), cell_time_s(world_state(self.config)))

    def pass_time(self, least_s: float, most_s: float) -> None:
        """Let a random time pass, in wall seconds."""
        time.sleep(self.rng.uniform(least_s, most_s))

    def until(
        self, condition: Callable[[], Any], what: str, timeout_s: float = PATIENCE_S, every_s: float = 0.01
    ) -> None:
        """Wait until something demanded has come.

        Raises
        ------
        BrokenPromise
            If it does not.
        """
        try:
            wait_for(lambda: bool(condition()), timeout_s, what, every_s)
        except TimeoutError as error:
            raise BrokenPromise(str(error)) from error

    # Processes

    def services(self) -> dict[str, tuple[ServiceList, Service]]:
        """Every process of the beamline and its catalog by name, with the list that holds it."""
        lists = (simulation_services(self.config), catalog_services(self.config))
        return {service.name: (one, service) for one in lists for service in one.read()}

    def process(self, name: str) -> Any:
        """A process by name, as psutil sees it; None where it does not run."""
        return self.services()[name][1].process

    def kill(self, name: str) -> None:
        """kill -9."""
        process = self.process(name)
        process.kill()
        process.wait(10)

    def restart(self, name: str) -> None:
        """Start what was killed again."""
        self.services()[name][0].restart(name)

    def freeze(self, name: str) -> None:
        """Let a process fall silent without ending."""
        self.process(name).send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        self.process(name).send_signal(signal.SIGCONT)

    def let_files_grow(self, name: str, limit_bytes: int | None) -> None:
        """Allow a process files of so many bytes, as a disk that is full does; None for no limit."""
        unlimited = resource.RLIM_INFINITY
        soft = unlimited if limit_bytes is None else limit_bytes
        resource.prlimit(self.process(name).pid, resource.RLIMIT_FSIZE, (soft, unlimited))

    # Knobs and state

    def turn(self, pv: str, value: float) -> None:
        """Turn a knob of the simulation, as fate does.

        Raises
        ------
        BrokenPromise
            If it does not answer.
        """
        self.knobs[pv] = value
        self.until(lambda: epics.caput(pv, value, wait=True, timeout=5) == 1, f"{pv} answers")

    def channel_knob(self, name: str) -> str:
        """PV of a knob of the cycler's channel."""
        return f"{self.config.cycler.channel_prefix(CHANNEL)}Knob:{name}"

    def state(self) -> CyclerState | None:
        """Of the cycler; None where it does not answer."""
        from intercalate.devices.channel_access import CHANNEL_ACCESS_ERRORS

        try:
            return CyclerState(str(self.cycler.state.get(use_monitor=False, timeout=2, connection_timeout=2)))
        except CHANNEL_ACCESS_ERRORS:
            return None

    def announced(self) -> int:
        """Number of records that the cycler has announced."""
        return int(self.cycler.record_seq.get(use_monitor=False, timeout=10, connection_timeout=10))

    def no_current(self) -> bool:
        """Whether none flows through the cell, by the world's own file."""
        return cell_reading(world_state(self.config), CELL).current_a == 0.0

    def truth(self) -> list[dict[str, Any]]:
        """What was in the beam."""
        return frame_truth(self.config)

    def stored_rows(self, uid: str, stream: str) -> int:
        """Rows of a stream of a run that the catalog has; 0 where it does not answer."""
        from intercalate.catalog.client import CatalogError, find_run

        try:
            catalog = open_configured_catalog(self.config)
            try:
                node = find_run(catalog, uid)[stream].base["internal"]
                return len(node.read(["seq_num"]))
            finally:
                catalog.context.close()
        except (CatalogError, httpx.HTTPError, KeyError, RuntimeError, OSError, AttributeError):
            # Tiled's client knows no better word than the last for a stream that is just being made anew.
            return 0

    def turn_back(self) -> None:
        """Put back every knob that was turned."""
        for pv in [pv for pv, value in self.knobs.items() if value]:
            self.turn(pv, 0)

    def make_ready(self) -> None:
        """Put back what was turned, and let the cycler take the next program, as a person does it.

        Raises
        ------
        BrokenPromise
            If it does not come to that.
        """
        for name in self.services():
            if self.process(name) is None:
                self.restart(name)
            self.thaw(name)
        self.until(lambda: self.state() is not None, "the cycler server answers")
        self.turn_back()
        self.until(self._takes_programs, "the cycler takes programs")
        self.until(self._detector_is_connected, "the detector answers")
        self.until(lambda: not self.session.xrd.beam.unavailable(), "there is beam")

    def _detector_is_connected(self) -> bool:
        """Whether every PV that has been used is there again."""
        return all(walk.item.connected for walk in self.session.xrd.detector.walk_signals(include_lazy=False))

    def _takes_programs(self) -> bool:
        cycler = self.cycler
        try:
            cycler.take_lease()
            if cycler.is_busy:
                cycler.send(Verb.STOP, why="the next experiment is to start")
            cycler.send(Verb.CLEAR_FAULT)
            program = cycler.program_info()
            if program.get("status") == "interrupted":
                cycler.send(Verb.ACKNOWLEDGE, program_id=program["program_id"])
            cycler.drop_lease()
        except RuntimeError:
            # Somebody's lease has not ended, or the cause of a fault lasts.
            time.sleep(0.2)
            return False
        return self.state() in (CyclerState.IDLE, CyclerState.COMPLETE)


@contextmanager
def staged(seed: int) -> Iterator[Scene]:
    """A fresh beamline with its catalog, and clients of it."""
    with (
        beamline(RATE, catalog=True, edit=_adapted) as config,
        on_stage(config, seed) as scene,
    ):
        yield scene


@contextmanager
def on_stage(config: Config, seed: int) -> Iterator[Scene]:
    """A session in this process and a second client, on a beamline that runs."""
    from intercalate.devices.cycler import Cycler
    from intercalate.session import open_session

    session = open_session(config)
    second = Cycler(
        config.cycler.channel_prefix(CHANNEL),
        name="second",
        site=config.site,
        on_abort=OnLoss.CONTINUE,
        on_client_lost=OnLoss.CONTINUE,
    )
    second.wait_for_connection(timeout=PATIENCE_S)
    try:
        yield Scene(config, session, second, random.Random(seed))
    finally:
        session.close()


def _adapted(_: str, text: str) -> str:
    """A lease that is short, and a profile of this process: the catalog is asked all the time."""
    return with_short_lease(text).replace("intercalate-simulated", f"intercalate-faults-{os.getpid()}")


def with_short_lease(text: str) -> str:
    """A configuration file with the lease of `LEASE_S`."""
    return re.sub(r"^lease_s = .*$", f"lease_s = {LEASE_S}", text, flags=re.MULTILINE)


@contextmanager
def observed(config: Config) -> Iterator[Callable[[], np.ndarray]]:
    """A process that observes; what is yielded ends it, and returns the records it was shown."""
    path = config.storage.folder.parent / "observed.f8"
    file = config.storage.folder.parent / "simulated.toml"
    command = module_command("benchmarks.faults.observer", str(file), str(path))
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])

    def end() -> np.ndarray:
        process.terminate()
        process.wait(PATIENCE_S)
        return np.frombuffer(path.read_bytes()).reshape(-1, len(RECORD_COLUMNS))

    try:
        yield end
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
