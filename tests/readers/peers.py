"""The far end of a serial line, played by the test over a real pty."""

import asyncio
import os
import pty
import tty
from collections.abc import Callable
from typing import Self

Script = Callable[[bytes], list[bytes]]
"""What to answer to the bytes that have just come."""


class Peer:
    """A device on a pty.  `path` is the port; every chunk the host sends goes through `script`."""

    def __init__(self, script: Script = lambda _: []) -> None:
        self.script = script
        self.heard = bytearray()
        self._heard_more = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._hear)
        return self

    async def __aexit__(self, *_) -> None:
        self.unplug()

    def say(self, data: bytes) -> None:
        assert os.write(self._master, data) == len(data)

    def unplug(self) -> None:
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._slave)
            os.close(self._master)
            self._master = -1

    async def hears(self, data: bytes, within_s: float = 5.0) -> None:
        """Wait until `data` has come."""
        async with asyncio.timeout(within_s):
            while data not in self.heard:
                self._heard_more.clear()
                await self._heard_more.wait()

    def _hear(self) -> None:
        data = os.read(self._master, 65536)
        self.heard += data
        self._heard_more.set()
        for answer in self.script(data):
            self.say(answer)
