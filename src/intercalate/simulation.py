"""Starts the simulated beamline as processes; knows nothing of what they are made of."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from intercalate.config import EXAMPLES, Config
from intercalate.services import Service, ServiceError, ServiceList, module_command

START_TIMEOUT_S = 90.0
"""Wall seconds: the first start on a machine compiles the cell model."""


def simulation_services(config: Config) -> ServiceList:
    """The processes of the simulated beamline."""
    return ServiceList(config.stored("simulator"), "simulation")


def start_simulation(
    config: Config,
    *,
    settings: Path | None = None,
    rate: float | None = None,
    cell_model: str | None = None,
    fresh: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Service]:
    """Start world, cycler and instruments, and wait until they serve.

    Parameters
    ----------
    settings
        `simulation.toml`; None for the one in this folder, or the one shipped.
    rate, cell_model
        In place of what the settings say.
    fresh
        Remove the cells' saved state first, with the cycler's records of them.
    progress
        Told the share of servers that answer.

    Raises
    ------
    ServiceError
        If it runs already, or a process does not come up.
    """
    services = simulation_services(config)
    if services.running():
        names = ", ".join(service.name for service in services.running())
        raise ServiceError(f"{names} run already; `intercalate simulate down` ends them")
    folder = config.stored("simulator")
    if fresh and folder.exists():
        shutil.rmtree(folder)
    (folder / "world.json").unlink(missing_ok=True)
    try:
        started = services.start_copies(
            _command(config, folder, settings or _default_settings(), rate, cell_model)
        )
    except ServiceError as error:
        raise ServiceError(f"the simulation's settings were refused:\n{error}") from None
    ports = [int(port) for one in started if (port := one.environment.get("EPICS_CA_SERVER_PORT"))]

    def ready() -> float:
        parts = [(folder / "world.json").exists(), *(_listens(port) for port in ports)]
        return sum(parts) / len(parts)

    try:
        services.wait(ready, START_TIMEOUT_S, "the simulated beamline", progress)
    except ServiceError:
        services.stop()
        raise
    return services.read()


def _default_settings() -> Path:
    here = Path("simulation.toml")
    return here if here.exists() else EXAMPLES / "config" / "simulation.toml"


def _command(
    config: Config, folder: Path, settings: Path, rate: float | None, cell_model: str | None
) -> list[str]:
    arguments = ["up", "--folder", str(folder), "--settings", str(settings)]
    arguments += ["--site", config.site.model_dump_json()]
    arguments += [] if rate is None else ["--rate", str(rate)]
    arguments += [] if cell_model is None else ["--cell-model", cell_model]
    return module_command("intercalate_sims.run", *arguments)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
