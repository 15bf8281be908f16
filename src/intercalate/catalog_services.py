"""Starts the catalog's two processes: the Tiled server, and the forwarder that fills it."""

import socket
from typing import Any

from intercalate.config import Config
from intercalate.services import Service, ServiceError, ServiceList, module_command

START_TIMEOUT_S = 90.0


def catalog_services(config: Config) -> ServiceList:
    """The processes of the catalog."""
    return ServiceList(config.stored("catalog"), "catalog")


def start_catalog(config: Config) -> list[Service]:
    """Start server and forwarder and wait until the catalog answers.

    Raises
    ------
    ServiceError
        If they run already, or do not come up.
    """
    services = begin_catalog(config)
    services.wait(lambda: catalog_answers(config), START_TIMEOUT_S, "the catalog")
    return services.read()


def begin_catalog(config: Config) -> ServiceList:
    """Start server and forwarder without waiting for them.

    Raises
    ------
    ServiceError
        If they run already.
    """
    services = catalog_services(config)
    if services.running():
        names = ", ".join(service.name for service in services.running())
        raise ServiceError(f"{names} run already; `intercalate catalog down` ends them")
    folder, port = config.stored("catalog"), config.catalog.port
    journals = config.stored("journals")
    journals.mkdir(parents=True, exist_ok=True)
    services.start(
        "catalog",
        module_command(
            "intercalate.catalog.server",
            *("--folder", str(folder), "--port", str(port), "--profile", config.catalog.profile),
            *("--readable", str(config.storage.folder.absolute())),
        ),
    )
    services.start(
        "forwarder",
        module_command(
            "intercalate.catalog.forwarder", "--journals", str(journals), "--catalog", str(folder)
        ),
    )
    return services


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
    from intercalate.catalog import open_catalog

    if not catalog_answers(config):
        raise ServiceError(
            f"no catalog answers on port {config.catalog.port}; `intercalate catalog up` starts it "
            "(runs are kept in the journal meanwhile)"
        )
    return open_catalog(profile=config.catalog.profile)
