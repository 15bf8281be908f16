"""A simulated beamline for a benchmark, on free ports and in a folder that is removed afterwards."""

import itertools
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from intercalate.catalog.journal import journals, read_documents
from intercalate.catalog_services import catalog_services, start_catalog
from intercalate.config import EXAMPLES, Config
from intercalate.own_beamline import SHIPPED_PORTS
from intercalate.services import module_command, single_threaded
from intercalate.simulation import simulation_services, start_simulation

_numbers = itertools.count(1)

CELL_FILE = EXAMPLES / "cells" / "nmc811_graphite_operando.toml"


FEW_INSTRUMENTS = "two channels, a diffractometer"
MANY_INSTRUMENTS = "four channels, ten instruments"
"""Of `first_light`, and as shipped."""

IN_CHAMBER = (
    ', "CH3", "CH4"',
    'CH3 = "C1"\nCH4 = "D1"\n',
    'C1 = "graphite-polymer-li"\nD1 = "lfp-polymer-li"\n',
)
"""What belongs to the vacuum chamber in the files as shipped, besides its section: channels and cells."""


def _as_shipped(name: str, text: str) -> str:
    return text


def first_light(name: str, text: str) -> str:
    """A configuration file without what there is beside the first cells and their diffractometer."""
    text = text.split("\n# Raman: ")[0]
    for words in IN_CHAMBER:
        text = text.replace(words, "")
    return text


@contextmanager
def beamline(
    rate: float, *, catalog: bool = False, edit: Callable[[str, str], str] = _as_shipped
) -> Iterator[Config]:
    """Processes of a simulated beamline at a rate in cell seconds per wall second.

    `edit` is given name and text of each configuration file as shipped, and returns the text to use.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, prefix = Path(name), f"B{next(_numbers)}:"
        for file in ("simulated.toml", "simulation.toml"):
            text = edit(file, (EXAMPLES / "config" / file).read_text())
            text = on_free_ports(text).replace("SIM:", prefix)
            (folder / file).write_text(text.replace("intercalate-simulated", "intercalate-benchmark"))
        config = Config.from_file(folder / "simulated.toml")
        os.environ.update(config.channel_access_environment())
        try:
            start_simulation(config, settings=folder / "simulation.toml", rate=rate)
            if catalog:
                start_catalog(config)
            yield config
        finally:
            catalog_services(config).stop()
            simulation_services(config).stop()


def on_free_ports(text: str) -> str:
    """A configuration file as shipped, with ports that nobody uses."""
    for shipped, free in zip(SHIPPED_PORTS, _ports(), strict=True):
        text = text.replace(shipped, str(free))
    return text


@cache
def _ports() -> tuple[int, ...]:
    """Free ports; Channel Access reads its addresses once per process, so all beamlines share them."""
    sockets = [socket.socket() for _ in range(len(SHIPPED_PORTS))]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return tuple(ports)


def resting(duration_s: float, record_s: float) -> dict[str, Any]:
    """Protocol at open circuit."""
    return {
        "record": {"time_s": record_s},
        "method": [{"step": "open_circuit_voltage", "until_time_s": duration_s}],
    }


@contextmanager
def experiment(
    config: Config, protocol: Mapping[str, Any], *, every_s: float | None = None, exposure_s: float = 10.0
) -> Iterator[subprocess.Popen[bytes]]:
    """`intercalate run` in a process of its own, with frames where `every_s` is given."""
    folder = config.storage.folder.parent
    (folder / "protocol.json").write_text(json.dumps(protocol))
    mode = "cycling" if every_s is None else "operando"
    text = f'mode = "{mode}"\ncell = "{CELL_FILE}"\nprotocol = "protocol.json"\n'
    text += 'on_abort = "rest"\non_client_lost = "rest"\n'
    if every_s is not None:
        text += "[measurements.xrd]\n"
        text += f"when = {{ every = {{ time_s = {every_s} }} }}\nexposure_s = {exposure_s}\n"
        text += 'budget_MGy = "unlimited"\n'
    (folder / "experiment.toml").write_text(text)
    command = module_command("intercalate.cli", "-c", str(folder / "simulated.toml"), "run")
    with running([*command, str(folder / "experiment.toml")], folder, folder / "run.log") as process:
        yield process


@contextmanager
def running(command: list[str], folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a folder, in a process of its own that is killed at the end if it still runs."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={**os.environ, **single_threaded()},
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def said(config: Config) -> str:
    """What the experiment has printed."""
    return (config.storage.folder.parent / "run.log").read_text()


def documents(config: Config) -> list[tuple[str, Any]]:
    """Documents of the latest run, from its journal."""
    found = journals(config.stored("journals"))
    return [(name, doc) for name, doc, _ in read_documents(found[-1])] if found else []


def wait_for(condition: Callable[[], bool], timeout_s: float, what: str, every_s: float = 0.05) -> None:
    """Wait until `condition`.

    Raises
    ------
    TimeoutError
        If it does not come.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(every_s)


def processes(config: Config, session: subprocess.Popen[bytes] | None = None) -> dict[str, psutil.Process]:
    """Every process of a beamline by name, with that of an experiment."""
    services = (*simulation_services(config).running(), *catalog_services(config).running())
    found = {service.name: psutil.Process(service.pid) for service in services}
    return found if session is None else {**found, "session": psutil.Process(session.pid)}


def processor_s(running: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Processor seconds each process has used so far."""
    times = {name: process.cpu_times() for name, process in running.items()}
    return {name: used.user + used.system for name, used in times.items()}


def shares(running: Mapping[str, psutil.Process], duration_s: float) -> dict[str, float]:
    """Percent of one core that each process uses in the next `duration_s`."""
    before, began = processor_s(running), time.monotonic()
    time.sleep(duration_s)
    after, wall_s = processor_s(running), time.monotonic() - began
    return {name: 100 * (after[name] - before[name]) / wall_s for name in running}
