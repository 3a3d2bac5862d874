"""Files of secrets: readable by their owner only, on the disk when the writing returns, and never half there."""

import os
import tempfile
from pathlib import Path

from broker_config.errors import ConfigError


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all, also when others write it at the same time.

    When this returns, it stays, whatever happens to the power: what is encrypted with a key must not outlive the key.
    """
    write_part(path, content).replace(path)
    sync(path.parent)


def write_part(path: Path, content: bytes) -> Path:
    """The content on the disk beside `path`, under a name that no other program uses; mode 0600."""
    descriptor, name = tempfile.mkstemp(prefix=path.name + ".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        Path(name).unlink()
        raise
    return Path(name)


def sync(path: Path) -> None:
    """A file's content on the disk, or a folder's names: without these a power cut may take a new file away again."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_readable(path: Path, what: str = "secret") -> None:
    """Return if nobody but its owner can read it.

    Raises:
        ConfigError: others can; says what to run.
        OSError: it cannot be looked at.
    """
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: other users can read this {what}; run: chmod 600 {path}")
