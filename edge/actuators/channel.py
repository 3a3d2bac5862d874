"""One channel of a relay board: it is in its safe state before anybody is in charge, and again when nobody is any more."""

from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

from readers.errors import ReaderError


class OwnChannel(ABC):
    """One board on one port, of which one channel is ours.  Entering and leaving put that channel into its safe state.

    Args:
        channel: ours, counted from 1.
        channels: how many the board has.
        safe: the state to be in when nobody is in charge.
    """

    def __init__(self, channel: int, channels: int, safe: Literal["on", "off"]) -> None:
        self._channel, self._channels = channel, channels
        self.safe = safe == "on"
        """The state to be in when nobody is in charge: True is on."""

    async def __aenter__(self) -> Self:
        """Put the channel into its safe state.

        Raises:
            ReaderError: as `set`.
        """
        await self.switch(on=self.safe)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ReaderError):  # it may be the reason why we leave
            await self.switch(on=self.safe)

    @abstractmethod
    async def set(self, channel: int, on: bool) -> None:
        """Put one channel into a state.

        Raises:
            ReaderError: it may not have come to be.
            ValueError: the board has no such channel.
        """

    async def switch(self, *, on: bool) -> None:
        """Put the configured channel into a state.  Raises as `set`."""
        await self.set(self._channel, on)

    def _refuse_unknown(self, channel: int) -> None:
        if not 1 <= channel <= self._channels:
            raise ValueError(f"channel {channel} is not on a board of {self._channels}")
