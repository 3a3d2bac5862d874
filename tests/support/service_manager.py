"""A service manager as a program sees it: a datagram socket on which it says how it is."""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.patience import WAIT_S


class ServiceManager:
    """Hears what is sent to its socket.

    Args:
        address: for NOTIFY_SOCKET.
    """

    def __init__(self, link: socket.socket, address: str) -> None:
        self._link, self.address = link, address

    def environment(self, watchdog_s: float | None = None) -> dict[str, str]:
        """The environment of a program it starts."""
        watchdog = {} if watchdog_s is None else {"WATCHDOG_USEC": str(round(watchdog_s * 1e6))}
        return {**os.environ, "NOTIFY_SOCKET": self.address, **watchdog}

    async def hear(self) -> list[str]:
        """The lines of the next datagram."""
        return (await asyncio.get_running_loop().sock_recv(self._link, 4096)).decode().splitlines()

    async def until(self, line: str, within_s: float = WAIT_S) -> list[list[str]]:
        """Every datagram up to the one that has `line`."""
        heard: list[list[str]] = []
        async with asyncio.timeout(within_s):
            while not heard or line not in heard[-1]:
                heard.append(await self.hear())
        return heard


@contextmanager
def service_manager(folder: Path | None = None) -> Iterator[ServiceManager]:
    """One that listens in `folder`, or under an abstract name."""
    address = f"@tacet-{secrets.token_hex(8)}" if folder is None else str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind("\0" + address[1:] if folder is None else address)
        link.setblocking(False)
        yield ServiceManager(link, address)
