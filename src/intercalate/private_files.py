"""Files that nobody but their owner reads: keys, passwords, addresses that hold one."""

import os
import stat
from pathlib import Path


class KeyFileError(RuntimeError):
    """A file with a key cannot be used; the message says why and what to do."""


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, from its first moment on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def read_private(path: Path, remedy: str) -> str:
    """What stands in such a file.

    Parameters
    ----------
    remedy
        What is said to do where it is not there.

    Raises
    ------
    KeyFileError
        If it is not there, or others can read it.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise KeyFileError(f"there is no {path}; {remedy}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(f"{path} can be read by others; `chmod 600 {path}`, or delete it and start anew")
    return path.read_text().strip()
