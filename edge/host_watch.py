"""Whether the server is there at all: its word every few seconds, by whatever broker carries it."""

import asyncio
from collections.abc import Callable

from broker_config.messages import HostState

SILENT_S = 10.0


class HostWatch:
    """Tells once when the server says good-bye, dies, or is not heard for `SILENT_S`.

    Args:
        on_alone: nobody can command us.
        on_there: the server said that it is there.
    """

    def __init__(
        self,
        on_alone: Callable[[], None],
        on_there: Callable[[], None] = lambda: None,
        *,
        silent_s: float = SILENT_S,
    ) -> None:
        self._on_alone, self._on_there, self._silent_s = on_alone, on_there, silent_s
        self._word = asyncio.Event()
        self._alone = False

    def heard(self, said: HostState) -> None:
        """The server's own word, or the broker's about it."""
        if said.state == "ready":
            self._alone = False
            self._word.set()
            self._on_there()
        else:
            self._be_alone()

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            try:
                async with asyncio.timeout(self._silent_s):
                    await self._word.wait()
            except TimeoutError:
                self._be_alone()
            self._word.clear()

    def _be_alone(self) -> None:
        if not self._alone:
            self._alone = True
            self._on_alone()
