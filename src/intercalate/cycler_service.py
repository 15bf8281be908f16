"""The cycler server as a process of this machine, on real potentiostats."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from intercalate.config import Config
from intercalate.services import Service, ServiceError, ServiceList, module_command

START_TIMEOUT_S = 60.0
FOLDER = "cycler"
"""In the storage folder: records, ledgers, and the counters of charge."""


def cycler_services(config: Config) -> ServiceList:
    """The process of the cycler server."""
    return ServiceList(config.stored(FOLDER), "cycler")


def start_cycler(config: Config, path: Path) -> list[Service]:
    """Start the cycler server and wait until it serves.

    Parameters
    ----------
    path
        File of the configuration.

    Raises
    ------
    ServiceError
        If the configuration names no potentiostat, it runs already, or does not come up.
    """
    from intercalate.cycler_server.server_environment import server_environment

    if not config.cycler.server.eclab:
        raise ServiceError(
            f"{path} names no potentiostat in [cycler.server] eclab; a simulated cycler comes with "
            "`intercalate simulate up`"
        )
    services = cycler_services(config)
    if services.running():
        raise ServiceError("the cycler server runs already; `intercalate cycler down` ends it")
    ready = config.stored(FOLDER) / "serving"
    ready.unlink(missing_ok=True)
    environment = {**config.channel_access_environment(), **server_environment(config.cycler.server.port)}
    services.start("cycler", module_command("intercalate.cycler_service", str(path.absolute())), environment)
    services.wait(lambda: float(ready.exists()), START_TIMEOUT_S, "the cycler server")
    return services.read()


async def serve_cycler(config: Config, *, rate: float = 1.0) -> None:
    """Serve the channels that the configuration names, until the process is asked to end."""
    from intercalate.cycler_server.eclab import EclabChannel, EclabWiring
    from intercalate.cycler_server.server import CyclerServer
    from intercalate.cycler_server.soft_ioc import serve

    loop, folder, wanted = asyncio.get_running_loop(), config.stored(FOLDER), config.cycler.server
    served = zip(config.cycler.channels, wanted.eclab, wanted.temperature_pvs)
    channels = {
        name: EclabChannel(
            name,
            EclabWiring(prefix, temperature_pv),
            config.site,
            loop.call_soon_threadsafe,
            folder / name / "charge.json",
            rate=rate,
            period_s=wanted.sampling_s,
        )
        for name, prefix, temperature_pv in served
    }
    server = CyclerServer(channels, folder, config.cycler.prefix, config.site)

    async def ready() -> None:
        await server.hear()
        (folder / "serving").touch()

    for one in channels.values():
        one.begin()
    try:
        await serve(server.pvdb, server.tasks(), ready())
    finally:
        for one in channels.values():
            one.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server of a configuration file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--rate", type=float, default=1.0, help="cell seconds per wall second")
    given: Any = parser.parse_args(arguments)
    asyncio.run(serve_cycler(Config.from_file(given.config), rate=given.rate))


if __name__ == "__main__":
    main()
