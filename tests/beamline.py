"""A simulated beamline for tests: real processes, ports of this test process, prefixes of each test."""

import itertools
import json
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rig import IN_CHAMBER
from intercalate.config import EXAMPLES, Config
from intercalate.services import Service, ServiceList
from intercalate.simulation import simulation_services, start_simulation

_numbers = itertools.count(1)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


# Channel Access reads its addresses once per process: all beamlines of a test process share them.
(
    CYCLER_PORT,
    DIFFRACTOMETER_PORT,
    REPEATER_PORT,
    CATALOG_PORT,
    BEAM_PORT,
    LABORATORY_PORT,
    VESSEL_PORT,
    VACUUM_PORT,
    TRANSMISSION_PORT,
    QUEUE_CONTROL_PORT,
    QUEUE_INFO_PORT,
    QUEUE_REDIS_PORT,
) = free_ports(12)


@dataclass
class Beamline:
    """A running simulated beamline.

    Attributes
    ----------
    folder
        Holds `simulated.toml`, `simulation.toml` and the storage folder.
    config
        The configuration of a session on it.
    """

    folder: Path
    config: Config

    @property
    def config_file(self) -> Path:
        """For commands."""
        return self.folder / "simulated.toml"

    @property
    def services(self) -> ServiceList:
        """Its processes."""
        return simulation_services(self.config)

    def service(self, name: str) -> Service:
        """One of its processes."""
        return next(one for one in self.services.read() if one.name == name)

    def kill(self, name: str) -> None:
        """End one process without warning."""
        process = self.service(name).process
        assert process is not None, f"{name} does not run"
        process.kill()
        process.wait(10)

    def restart(self, name: str) -> None:
        """Start a process again that was killed."""
        self.services.restart(name)

    def truth(self, of: str = "truth") -> list[dict]:
        """The simulator's sidecar: what was really in the beam, one entry per frame."""
        path = self.config.stored(f"simulator/{of}.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


PARTS = {
    "raman": "\n# Raman: ",
    "vacuum": "\n# Vacuum: ",
    "transmission": "\n# Transmission: ",
    "ex_situ": "\n# Ex situ: ",
}
"""Begin the last parts of both files: spectrometer; chamber; microscope; transfer vessel and laboratory."""


def start_beamline(
    folder: Path,
    *,
    rate: float = 1000.0,
    cell_model: str | None = None,
    raman: bool = False,
    vacuum: bool = False,
    transmission: bool = False,
    ex_situ: bool = False,
    replaced: Mapping[str, str] | None = None,
) -> Beamline:
    """Start world, cycler, beam and diffractometer; if asked, what else there is.

    Parameters
    ----------
    replaced
        Words of the simulator's settings, each there once, by others.
    """
    wanted = {"raman": raman, "vacuum": vacuum, "transmission": transmission, "ex_situ": ex_situ}
    prefix = f"T{next(_numbers)}:"
    for name in ("simulated.toml", "simulation.toml"):
        text = (EXAMPLES / "config" / name).read_text()
        text = "".join(_parts(text, wanted))
        for old, new in (replaced or {}).items() if name == "simulation.toml" else ():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        text = text.replace("SIM:", prefix)
        text = text.replace("15064", str(CYCLER_PORT)).replace("15065", str(DIFFRACTOMETER_PORT))
        text = text.replace("15066", str(REPEATER_PORT)).replace("15067", str(BEAM_PORT))
        text = text.replace("15068", str(LABORATORY_PORT)).replace("15069", str(VESSEL_PORT))
        text = text.replace("15070", str(VACUUM_PORT)).replace("15071", str(TRANSMISSION_PORT))
        text = text.replace("15072", str(QUEUE_CONTROL_PORT)).replace("15073", str(QUEUE_INFO_PORT))
        text = text.replace("15074", str(QUEUE_REDIS_PORT))
        text = text.replace("8410", str(CATALOG_PORT)).replace(
            "intercalate-simulated", f"test-{CATALOG_PORT}"
        )
        tomllib.loads(text)
        (folder / name).write_text(text)
    config = Config.from_file(folder / "simulated.toml")
    start_simulation(config, settings=folder / "simulation.toml", rate=rate, cell_model=cell_model)
    return Beamline(folder, config)


def _parts(text: str, wanted: dict[str, bool]) -> list[str]:
    """What a file always has, and the parts that are wanted."""
    for start in PARTS.values():
        assert text.count(start) == 1, start
    found = []
    for name, start in reversed(PARTS.items()):
        text, part = text.split(start)
        found += [start + part] if wanted[name] else []
    if not wanted["vacuum"]:
        for words in IN_CHAMBER:
            text = text.replace(words, "")
    return [text, *reversed(found)]


__all__ = ["BEAM_PORT", "CATALOG_PORT", "Beamline", "free_ports", "start_beamline"]
