"""Connections that ask for nothing: closed after a while, and the oldest first where there are too many.

A server that waits politely for every request line can be filled up by somebody who sends them letter by letter.
"""

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_WITHIN_S = 10.0
MOST_WAITING = 256


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP, with a limit on how long and on how many a request's head is waited for.

    Whoever has something to ask is done within moments; so whoever waits longest is given up for somebody new.
    """

    head_within_s: ClassVar[float] = HEAD_WITHIN_S
    most_waiting: ClassVar[int] = MOST_WAITING
    waiting: ClassVar["dict[PatientProtocol, None]"]
    """Oldest first; of the connections whose request is waited for, all those of one server."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has come, and has said nothing yet."""
        super().connection_made(transport)
        self._give_up: asyncio.TimerHandle | None = None
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Some more of a request."""
        if self._give_up is None and self._is_between():
            self._await_head()
        super().data_received(data)
        if not self._is_between():
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """A WebSocket from here on: its own limits hold."""
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def _is_between(self) -> bool:
        """No request is being served."""
        return self.cycle is None or self.cycle.response_complete

    def _await_head(self) -> None:
        self.waiting[self] = None
        self._give_up = self.loop.call_later(self.head_within_s, self.end)
        if len(self.waiting) > self.most_waiting:
            next(iter(self.waiting)).end()

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._give_up is not None:
            self._give_up.cancel()
            self._give_up = None

    def end(self) -> None:
        """Give this one up."""
        self._stop_waiting()
        self.transport.abort()


def patient_protocol() -> type[PatientProtocol]:
    """The protocol of one server, with its own list of those who wait."""
    return type("OwnPatientProtocol", (PatientProtocol,), {"waiting": {}})
