"""Passwords and keys of the queue: made once, in files that nobody else reads, and never shown."""

import os
import secrets
import stat
from pathlib import Path

from intercalate.config import Config


class KeyFileError(RuntimeError):
    """A file with a key cannot be used; the message says why and what to do."""


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
        read_private(path)


def private_key(config: Config) -> str:
    """Key of the manager; raises as `read_private`."""
    return read_private(queue_folder(config) / "manager.private_key")


def public_key(config: Config) -> str:
    """Key of its clients; raises as `read_private`."""
    return read_private(public_key_file(config))


def redis_password(config: Config) -> str:
    """Of the embedded server; raises as `read_private`."""
    return read_private(queue_folder(config) / "redis.password")


def lock_key(config: Config) -> str:
    """That opens every lock of the manager; raises as `read_private`."""
    return read_private(queue_folder(config) / "unlock.key")


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, from its first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def read_private(path: Path) -> str:
    """What stands in such a file.

    Raises
    ------
    KeyFileError
        If it is not there, or others can read it.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise KeyFileError(
            f"there is no {path}; `intercalate queue up` makes it where the queue is served"
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(f"{path} can be read by others; `chmod 600 {path}`, or delete it and start anew")
    return path.read_text().strip()
