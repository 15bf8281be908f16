"""A simulated beamline of one's own: configured in a folder, started, and stopped afterwards."""

import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from intercalate.catalog_services import (
    begin_catalog,
    catalog_services,
    finish_catalog,
    open_configured_catalog,
)
from intercalate.config import EXAMPLES, Config
from intercalate.interrupts import unwound_by_requests_to_end
from intercalate.services import ServiceError
from intercalate.simulation import simulation_services, start_simulation
from intercalate.views.progress import bar, task

CATCH_UP_S = 60.0
FIRST_PLACE = "H1"
"""Where the cell of the first channel is."""

SHIPPED_PORTS = (*(str(port) for port in range(15064, 15075)), "8410")


def configure(
    folder: Path,
    what: str,
    simulation: Callable[[str], str] = lambda text: text,
    beamline: Callable[[str], str] = lambda text: text,
) -> Config:
    """Empty the folder and write configuration files with ports that are free.

    Parameters
    ----------
    folder
        Made anew; what ran in it is stopped.
    what
        It is for: `demo`. Only a folder of the same kind is emptied.
    simulation, beamline
        Given the text of `simulation.toml` or `simulated.toml` as shipped, returns the one to use.

    Raises
    ------
    ServiceError
        If the folder holds something else.
    """
    mark = folder / f".intercalate-{what}"
    if folder.exists():
        if any(folder.iterdir()) and not mark.exists():
            raise ServiceError(f"{folder} holds something else than a {what}; name another folder")
        if (folder / "simulated.toml").exists():
            stop(Config.from_file(folder / "simulated.toml"))
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    mark.touch()
    with _free_ports(len(SHIPPED_PORTS)) as ports:
        for name, edit in (("simulated.toml", beamline), ("simulation.toml", simulation)):
            text = edit((EXAMPLES / "config" / name).read_text())
            for shipped, free in zip(SHIPPED_PORTS, ports, strict=True):
                text = text.replace(shipped, str(free))
            (folder / name).write_text(text.replace("intercalate-simulated", f"intercalate-{what}"))
    return Config.from_file(folder / "simulated.toml")


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    yield [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()


@contextmanager
def running(
    config: Config, folder: Path, *, rate: float, cell_model: str | None, console: Console
) -> Iterator[None]:
    """Start catalog and simulators, and stop them whatever ends the work, a request to end included.

    Raises
    ------
    ServiceError
        If a process does not come up.
    """
    with unwound_by_requests_to_end():
        try:
            _start(config, folder, rate=rate, cell_model=cell_model, console=console)
            yield
        finally:
            stop(config)


def _start(config: Config, folder: Path, *, rate: float, cell_model: str | None, console: Console) -> None:
    """Start catalog and simulators side by side.

    Raises
    ------
    ServiceError
        If a process does not come up.
    """
    with bar(console) as progress, task(progress, "starting the beamline", 2.0) as update:
        begin_catalog(config)
        start_simulation(
            config,
            settings=folder / "simulation.toml",
            rate=rate,
            cell_model=cell_model,
            progress=update,
        )
        finish_catalog(config, lambda share: update(1 + share))


def stop(config: Config) -> None:
    """End all its processes."""
    simulation_services(config).stop()
    catalog_services(config).stop()


def stored_run(config: Config, uid: str) -> Any:
    """The run in the catalog, once the forwarder has brought all of it."""
    from intercalate.catalog.client import CatalogError, find_run

    catalog = open_configured_catalog(config)

    def is_stored() -> bool:
        try:
            return bool(find_run(catalog, uid).metadata.get("stop"))
        except CatalogError:
            return False

    catalog_services(config).wait(is_stored, CATCH_UP_S, f"run {uid} (kept in the journal)")
    return find_run(catalog, uid)
