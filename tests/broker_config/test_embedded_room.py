"""Who goes when there are too many connections to the embedded broker, or too much waits for one."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from amqtt.errors import MQTTError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from broker_config.access import Access
from broker_config.embedded import broker as embedded
from broker_config.embedded.broker import EmbeddedBroker
from broker_config.embedded.connection import MAX_UNTAKEN_BYTES, MAX_UNTAKEN_MESSAGES, Handler
from tests.support.brokers import DEMO_SITE


@dataclass
class Line:
    """As much of a transport as is asked."""

    closing: bool = False
    aborted: bool = False

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.parametrize(
    ("known", "strangers", "put_out"),
    [(0, 2, False), (0, 3, True), (3, 1, False), (4, 1, True), (5, 0, False), (1, 2, False), (3, 2, True)],
)
async def test_the_oldest_stranger_goes_and_only_where_there_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: int, strangers: int, put_out: bool
) -> None:
    monkeypatch.setattr(embedded, "MAX_UNKNOWN", 3)
    monkeypatch.setattr(embedded, "MAX_CONNECTIONS", 5)
    lines = [Line() for _ in range(known + strangers)]
    sessions = [Session()] * known + [None] * strangers
    there = {
        n: embedded.Connection(None, line, said) for n, (line, said) in enumerate(zip(lines, sessions, strict=True))
    }  # type: ignore[arg-type]
    broker = EmbeddedBroker("127.0.0.1", 0, Access(DEMO_SITE, tmp_path))
    broker._connections = there
    broker._make_room()
    assert [line.aborted for line in lines] == [False] * known + [put_out, False, False][:strangers]
    if put_out:
        lines[known].closing, lines[known].aborted = True, False
        broker._make_room()
        assert not lines[known].aborted, "it is going already"


class Cut:
    """As much of a writer as is asked."""

    was_cut = False

    def cut(self) -> None:
        self.was_cut = True


@pytest.mark.parametrize(
    ("messages", "size", "is_cut"),
    [
        (0, MAX_UNTAKEN_BYTES - 4, False),
        (0, MAX_UNTAKEN_BYTES - 3, True),
        (MAX_UNTAKEN_MESSAGES - 1, 0, False),
        (MAX_UNTAKEN_MESSAGES, 0, True),
    ],
)
async def test_a_client_that_takes_nothing_is_cut_off_at_so_many_messages_and_so_many_bytes(
    monkeypatch: pytest.MonkeyPatch, messages: int, size: int, is_cut: bool
) -> None:
    async def sent(*_: object) -> str:
        assert (handler._untaken, handler._untaken_bytes) == (messages + 1, size + 4)
        return "sent"

    monkeypatch.setattr(BrokerProtocolHandler, "mqtt_publish", sent)
    handler, line = Handler.__new__(Handler), Cut()
    handler.writer, handler.session = line, None
    handler._untaken, handler._untaken_bytes = messages, size
    with pytest.raises(MQTTError, match="too much waits") if is_cut else nullcontext():
        assert await handler.mqtt_publish("a", b"four", 1, False) == "sent"
    assert line.was_cut == is_cut
    assert (handler._untaken, handler._untaken_bytes) == (messages, size)
