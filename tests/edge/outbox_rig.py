"""A small outbox, and what is put into it."""

from pathlib import Path

from broker_config.messages import EdgeAck
from edge.outbox import Outbox
from edge.outbox_rows import PendingEvent
from tests.support.edge import ManualClock

MB = 1 << 20


def event(text: str = "x") -> PendingEvent:
    return PendingEvent(f"t/{text}", "A", lambda event_id: f"{event_id} {text}".encode())


def make(folder: Path, clock: ManualClock) -> Outbox:
    return Outbox(folder / "outbox.sqlite", "gw-1", quota_bytes=MB, clock_ns=clock)


def ack(outbox: Outbox, upto: int, *missing: tuple[int, int]) -> EdgeAck:
    return EdgeAck(generation=outbox.generation, upto=upto, missing=missing)
