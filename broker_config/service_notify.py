"""What a program tells the service manager that started it: ready, alive, stopping; one datagram each.

Where nobody asked to be told, nothing is sent.
Source: sd_notify(3), sd_watchdog_enabled(3), systemd 252; no library is needed for it.
"""

import logging
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Self

log = logging.getLogger(__name__)
US_PER_S = 1_000_000
OPEN_S, SLOWEST_BYTES_S = 120.0, 1_000_000  # a damaged file is saved row by row, on the slowest gateway


class ServiceNotifier:
    """The way to the service manager.

    Args:
        address: its datagram socket, a path or an abstract name that begins with `@`; None: nobody asked to be told.
        watchdog_s: it ends us when it has not heard that we are alive for so long; None: it does not watch.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = None if address is None else _to_socket_address(address)

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Self:
        """As the environment says; what it says is taken out of it, since it is not meant for our own children."""
        address = environ.pop("NOTIFY_SOCKET", None)
        watchdog_us, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_for_us = watchdog_us.isdecimal() and int(watchdog_us) > 0 and pid in ("", str(os.getpid()))
        return cls(address or None, int(watchdog_us) / US_PER_S if is_for_us else None)

    def ready(self, status: str) -> None:
        """Everything is started."""
        self._send("READY=1", _status(status))

    def status(self, words: str) -> None:
        """One line on what goes on, for `systemctl status`."""
        self._send(_status(words))

    def starting(self, words: str, within_s: float) -> None:
        """The start goes on, and its next step, or its end, will be told of `within_s` from now."""
        self._send(_status(words), f"EXTEND_TIMEOUT_USEC={round(within_s * US_PER_S)}")

    def opening(self, path: Path) -> None:
        """The start goes on with a database, which is read through and may have to be saved: the larger, the longer."""
        size_bytes = 0
        with suppress(OSError):  # whoever opens it says what is wrong with it
            size_bytes = path.stat().st_size
        self.starting(f"opening {path.name}", OPEN_S + size_bytes / SLOWEST_BYTES_S)

    def alive(self) -> None:
        """The watchdog's question is answered: all is well."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """We were told to stop, and are at it."""
        self._send("STOPPING=1", _status("stopping"))

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.setblocking(False)  # a manager that does not listen must not hold us up
                link.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("the service manager cannot be told %s: %s", lines[0], error)


def _to_socket_address(address: str) -> str:
    return "\0" + address[1:] if address.startswith("@") else address


def _status(words: str) -> str:
    return f"STATUS={' '.join(words.split())}"
