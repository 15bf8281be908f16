"""Starts the catalog's two processes: the Tiled server, and the forwarder that fills it."""

import json
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from intercalate.config import Config
from intercalate.private_files import write_private
from intercalate.services import Service, ServiceError, ServiceList, module_command

if TYPE_CHECKING:
    from intercalate.catalog.forwarder import Replayed

START_TIMEOUT_S = 90.0
END_TIMEOUT_S = 20.0
FORWARDER = "forwarder"


def catalog_services(config: Config) -> ServiceList:
    """The processes of the catalog."""
    return ServiceList(config.catalog_folder, "catalog")


Progress = Callable[[float], None]


def start_catalog(config: Config, progress: Progress = lambda share: None) -> list[Service]:
    """Start server and forwarder and wait until the catalog answers.

    Raises
    ------
    ServiceError
        If they run already, or do not come up.
    """
    begin_catalog(config)
    return finish_catalog(config, progress)


def begin_catalog(config: Config) -> None:
    """Start the server without waiting for it.

    Raises
    ------
    ServiceError
        If it runs already.
    """
    services = catalog_services(config)
    if services.running():
        names = ", ".join(service.name for service in services.running())
        raise ServiceError(f"{names} run already; `intercalate catalog down` ends them")
    services.start(
        "catalog",
        module_command(
            "intercalate.catalog.server",
            *("--folder", str(config.catalog_folder), "--port", str(config.catalog.port)),
            *("--profile", config.catalog.profile, "--readable", str(config.storage.folder.absolute())),
            *_database(config),
        ),
    )


def _database(config: Config) -> tuple[str, ...]:
    """Where the server finds the address of its database, unless that is in files of its own."""
    if not config.catalog.database:
        return ()
    path = config.catalog_folder / "database.uri"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, config.catalog.database)
    return ("--database-file", str(path))


def finish_catalog(config: Config, progress: Progress = lambda share: None) -> list[Service]:
    """Wait for the server, and start the forwarder.

    Raises
    ------
    ServiceError
        If the server does not come up.
    """
    services, address = catalog_services(config), config.catalog_folder / "server.json"

    def ready() -> float:
        return (address.exists() + catalog_answers(config)) / 2

    services.wait(ready, START_TIMEOUT_S, "the catalog", progress)
    journals = config.journals_folder
    journals.mkdir(parents=True, exist_ok=True)
    uri = json.loads(address.read_text())["uri"]
    services.start(
        FORWARDER,
        module_command("intercalate.catalog.forwarder", "--journals", str(journals), "--uri", uri),
    )
    return services.read()


def replay_into_catalog(config: Config) -> "Replayed":
    """Compare all journals with the catalog and write what it lacks; the forwarder stands aside meanwhile.

    Raises
    ------
    ServiceError
        If the catalog does not answer.
    CatalogUnreachableError, ForwarderError
        If it ends meanwhile, or a forwarder that was not started here works on the journals.
    """
    from intercalate.catalog.forwarder import replay_journals

    if not catalog_answers(config):
        raise ServiceError(
            f"no catalog answers on port {config.catalog.port}; `intercalate catalog up` starts it, and then "
            "writes by itself what it missed"
        )
    services = catalog_services(config)
    stopped = [one.process for one in services.running() if one.name == FORWARDER]
    for process in stopped:
        assert process is not None
        process.terminate()
        process.wait(END_TIMEOUT_S)
    try:
        uri = json.loads((config.catalog_folder / "server.json").read_text())["uri"]
        return replay_journals(config.journals_folder, uri)
    finally:
        if stopped:
            services.restart(FORWARDER)


def catalog_answers(config: Config) -> bool:
    """Whether something listens where the catalog should."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", config.catalog.port)) == 0


def open_configured_catalog(config: Config) -> Any:
    """Client of the configured catalog.

    Raises
    ------
    ServiceError
        If it does not answer.
    """
    from intercalate.catalog.client import open_catalog

    if not catalog_answers(config):
        raise ServiceError(
            f"no catalog answers on port {config.catalog.port}; `intercalate catalog up` starts it "
            "(runs are kept in the journal meanwhile)"
        )
    return open_catalog(config)
