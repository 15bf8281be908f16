"""Passwords and keys of the queue: made once, in files that nobody else reads, and never shown."""

import secrets
from pathlib import Path

from intercalate.config import Config
from intercalate.private_files import read_private, write_private


def queue_folder(config: Config) -> Path:
    """Where the queue keeps its keys, logs, held items and the embedded server's data."""
    return config.stored("queue")


def public_key_file(config: Config) -> Path:
    """File with the key by which a client speaks to the manager; whoever reads it can command the queue."""
    return queue_folder(config) / "manager.public_key"


def make_keys(config: Config) -> None:
    """Make what is not there yet.

    Raises
    ------
    KeyFileError
        If one that is there can be read by others.
    """
    from bluesky_queueserver import generate_zmq_keys

    folder = queue_folder(config)
    folder.mkdir(parents=True, exist_ok=True)
    private, public = folder / "manager.private_key", public_key_file(config)
    if not (private.exists() and public.exists()):
        words = generate_zmq_keys()
        for path, text in zip((public, private), words, strict=True):
            path.unlink(missing_ok=True)
            write_private(path, text)
    words_alone = [folder / name for name in ("redis.password", "unlock.key")]
    for path in words_alone:
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32))
    for path in (private, public, *words_alone):
        _read(path)


def private_key(config: Config) -> str:
    """Key of the manager; raises as `read_private`."""
    return _read(queue_folder(config) / "manager.private_key")


def public_key(config: Config) -> str:
    """Key of its clients; raises as `read_private`."""
    return _read(public_key_file(config))


def redis_password(config: Config) -> str:
    """Of the embedded server; raises as `read_private`."""
    return _read(queue_folder(config) / "redis.password")


def lock_key(config: Config) -> str:
    """That opens every lock of the manager; raises as `read_private`."""
    return _read(queue_folder(config) / "unlock.key")


def _read(path: Path) -> str:
    return read_private(path, "`intercalate queue up` makes it where the queue is served")
