"""The Tiled server of this machine: `python -m intercalate.catalog.server --folder F --port P`."""

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from intercalate.catalog.frames import FRAMES_MIMETYPE

ADDRESS_FILE = "server.json"
KEY_FILE = "api_key"
HOST = "127.0.0.1"


class CatalogServerError(RuntimeError):
    """The server cannot be started as it was asked to."""


def api_key(folder: Path) -> str:
    """Key of the catalog in this folder, made at first use and readable by its owner only."""
    path = folder / KEY_FILE
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    return path.read_text().strip()


def catalog_uri(folder: Path, port: int) -> str:
    """Address of the catalog in this folder, with its key."""
    return f"http://{HOST}:{port}/api/v1?api_key={quote(api_key(folder))}"


def server_config(
    folder: Path, *, readable: Sequence[Path] = (), database: str | None = None, key: str | None = None
) -> dict[str, Any]:
    """Configuration of Tiled.

    Parameters
    ----------
    folder
        Holds the databases, the arrays that documents carry, and the key.
    readable
        Folders with files that documents refer to.
    database
        URI of a PostgreSQL database for catalog and tables, in place of SQLite files in `folder`.
    """
    arrays = folder / "arrays"
    catalog = database or f"sqlite:///{folder / 'catalog.db'}"
    tables = database or f"sqlite:///{folder / 'tables.db'}"
    return {
        "authentication": {"single_user_api_key": key or api_key(folder)},
        "trees": [
            {
                "path": "/",
                "tree": "catalog",
                "args": {
                    "uri": catalog,
                    "writable_storage": [str(arrays), tables],
                    "readable_storage": [str(path) for path in readable],
                    # Tiled wants plain mappings here: it stores them as they are.
                    "specs": [{"name": "CatalogOfBlueskyRuns", "version": "3.0"}],
                    "adapters_by_mimetype": {FRAMES_MIMETYPE: "intercalate.catalog.serving:FramesAdapter"},
                },
            }
        ],
        "media_types": {
            "BlueskyRun": {"application/json-seq": "bluesky_tiled_plugins.exporters:json_seq_exporter"}
        },
        "streaming_cache": {"uri": "memory"},
    }


def prepare_storage(folder: Path, *, database: str | None = None) -> None:
    """Make folders and databases where they are not there, in this process.

    Raises
    ------
    CatalogServerError
        If a database is there that this version of Tiled cannot use.
    """
    from sqlalchemy.ext.asyncio import create_async_engine
    from tiled.alembic_utils import (
        DatabaseUpgradeNeeded,
        UninitializedDatabase,
        UnrecognizedDatabase,
        check_database,
        stamp_head,
    )
    from tiled.catalog.alembic_constants import ALEMBIC_DIR, ALEMBIC_INI_TEMPLATE_PATH
    from tiled.catalog.core import ALL_REVISIONS, REQUIRED_REVISION, initialize_database
    from tiled.utils import ensure_specified_sql_driver

    (folder / "arrays").mkdir(parents=True, exist_ok=True)
    if database is None:
        # Tiled opens files as it finds them; readers and the writer block each other otherwise.
        for name in ("catalog.db", "tables.db"):
            with contextlib.closing(sqlite3.connect(folder / name)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
    uri = ensure_specified_sql_driver(database or f"sqlite:///{folder / 'catalog.db'}")

    async def initialize() -> bool:
        engine = create_async_engine(uri)
        try:
            await check_database(engine, REQUIRED_REVISION, ALL_REVISIONS)
        except UninitializedDatabase:
            await initialize_database(engine)
            return True
        except (DatabaseUpgradeNeeded, UnrecognizedDatabase) as error:
            raise CatalogServerError(
                f"the catalog in {folder} was made by another version of Tiled ({error}); "
                "`tiled catalog upgrade-database` converts it, or name another folder and replay the journals"
            ) from error
        finally:
            await engine.dispose()
        return False

    if asyncio.run(initialize()):
        stamp_head(Path(ALEMBIC_INI_TEMPLATE_PATH), Path(ALEMBIC_DIR), uri)


def profiles_folder() -> Path:
    """Folder of this user's Tiled profiles."""
    from tiled.profiles import paths

    return Path(paths[-1])


def write_profile(name: str, uri: str, *, folder: Path | None = None) -> Path:
    """Write and validate the Tiled profile by which clients find the catalog.

    Returns
    -------
    Path
        The file; readable by its owner only, as it holds the key.

    Raises
    ------
    CatalogServerError
        If Tiled would not accept it, or another file of the folder has a profile of that name.
    """
    import jsonschema
    import yaml
    from tiled.profiles import schema
    from tiled.utils import parse

    content = {"uri": uri}
    try:
        jsonschema.validate(content, schema())
    except jsonschema.ValidationError as error:
        raise CatalogServerError(f"Tiled does not accept the profile {name!r}: {error.message}") from error
    folder = folder or profiles_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yml"
    for other in (*folder.glob("*.yml"), *folder.glob("*.yaml")):
        if other != path and name in (parse(other) or {}):
            raise CatalogServerError(
                f"{other} has a profile named {name!r} too, and Tiled would ignore both; rename one of them"
            )
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump({name: content}, file)
    draft.replace(path)
    return path


@contextlib.contextmanager
def _address_file(folder: Path, uri: str) -> Iterator[None]:
    """Says where the server is, as long as it is there."""
    path = folder / ADDRESS_FILE
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"uri": uri, "pid": os.getpid()}, file)
    draft.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _listen(port: int) -> socket.socket:
    """Take the port before anything slow is done."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise CatalogServerError(
            f"port {port} on {HOST} is taken ({error.strerror}); end the other program, or name another port"
        ) from error
    return listener


def serve(
    folder: Path,
    port: int,
    *,
    readable: Sequence[Path] = (),
    database: str | None = None,
    profile: str | None = None,
) -> None:
    """Serve the catalog until the process is told to end.

    When it is ready, `server.json` in `folder` holds `uri` (with key) and `pid`.

    Raises
    ------
    CatalogServerError
        If the database cannot be used, or the port is taken.
    """
    listener = _listen(port)
    import uvicorn
    from tiled.config import Config
    from tiled.server.app import build_app_from_config

    folder = folder.absolute()
    (folder / ADDRESS_FILE).unlink(missing_ok=True)
    prepare_storage(folder, database=database)
    for path in readable:
        path.mkdir(parents=True, exist_ok=True)
    config = server_config(folder, readable=[path.absolute() for path in readable], database=database)
    app = build_app_from_config(Config.model_validate(config))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    # uvicorn would raise the signal again at the end, and the address file would stay.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    uri = catalog_uri(folder, port)
    if profile is not None:
        write_profile(profile, uri)

    def end() -> None:
        server.should_exit = True

    async def run() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():
            await asyncio.sleep(0.02)
        with _address_file(folder, uri):
            await task

    asyncio.run(run())


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the server."""
    parser = argparse.ArgumentParser(prog="intercalate.catalog.server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="databases, arrays, key and address")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--readable", type=Path, action="append", default=[], help="folder with frames; may be repeated"
    )
    parser.add_argument(
        "--database-file", type=Path, help="file with the URI of a PostgreSQL database, in place of SQLite"
    )
    parser.add_argument("--profile", help="name under which tiled and databroker find the catalog")
    given = parser.parse_args(arguments)
    try:
        # In a file: a command line is shown to everybody on the machine, and the URI may hold a password.
        database = None if given.database_file is None else given.database_file.read_text().strip()
        serve(given.folder, given.port, readable=given.readable, database=database, profile=given.profile)
    except CatalogServerError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
