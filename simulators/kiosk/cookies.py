"""The cookies of paired displays, in one file that only its owner can read."""

import os
from pathlib import Path

import msgspec

from simulators.errors import SimulatorError


class Cookies:
    """Cookie values by display id.  Without a file they live as long as the program.

    Raises:
        SimulatorError: the file is malformed or readable by others.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values: dict[str, str] = {}
        if path is None or not path.exists():
            return
        if path.stat().st_mode & 0o077:
            raise SimulatorError(f"{path}: other users can read these secrets; run: chmod 600 {path}")
        try:
            self._values = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
            raise SimulatorError(f"{path}: {error}; remove it, and the displays ask to be paired again") from error

    def get(self, display: str) -> str | None:
        """The display's cookie, if it has one."""
        return self._values.get(display)

    def keep(self, display: str, value: str) -> None:
        """Remember a cookie."""
        if self._values.get(display) == value:
            return
        self._values[display] = value
        if self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._path.with_name(self._path.name + ".part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self._values))
        part.replace(self._path)
