"""What the outbox holds: rows, and the ranges of those it had to drop."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from broker_config.messages import MAX_PAYLOAD_BYTES

EventClass = Literal["A", "B", "C"]
"""A: members, transactions, results of commands.  B: goods and shelves.  C: health.  When space runs out, C goes first."""


CLASSES: tuple[EventClass, ...] = ("A", "B", "C")
"""The best first."""


MAX_EVENT_BYTES = MAX_PAYLOAD_BYTES - 1024
"""Less than any receiver takes: what must be known of our clock is added at each sending."""


@dataclass(frozen=True, slots=True)
class EventId:
    """Which event of which run: `gateway.generation.seq` as text; this seq counts from the run's start."""

    gateway: str
    generation: str
    seq: int

    def __str__(self) -> str:
        return f"{self.gateway}.{self.generation}.{self.seq}"


@dataclass(frozen=True, slots=True)
class PendingEvent:
    """An event that has no seq yet.

    Args:
        payload: builds the message once the id is known (the id is sealed into some).
    """

    topic: str
    event_class: EventClass
    payload: Callable[[EventId], bytes]


class Row(msgspec.Struct, frozen=True):
    """One event as it will be published.  A Struct, since thousands are made each second: a dataclass takes eight times as long."""

    seq: int
    event_class: EventClass
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class DropRange:
    """Seqs that will never be sent, all of one class."""

    first: int
    last: int
    event_class: EventClass

    def __len__(self) -> int:
        return self.last - self.first + 1


def fits(row: Row) -> bool:
    """Whether a message holds it; a longer one ends the connection of whoever sends it, and so is given up."""
    return len(row.payload) <= MAX_EVENT_BYTES


def as_ranges(rows: Iterable[Row]) -> list[DropRange]:
    """Rows in the order of seq as the fewest ranges of one class each."""
    return join_ranges(DropRange(row.seq, row.seq, row.event_class) for row in rows)


def join_ranges(ranges: Iterable[DropRange]) -> list[DropRange]:
    """Ranges in order, neighbours of one class made one."""
    joined: list[DropRange] = []
    for each in ranges:
        if joined and (joined[-1].last, joined[-1].event_class) == (each.first - 1, each.event_class):
            joined[-1] = DropRange(joined[-1].first, each.last, each.event_class)
        else:
            joined.append(each)
    return joined


def join_touching(ranges: Iterable[DropRange]) -> list[DropRange]:
    """Ranges in order, neighbours of whichever class made one, under the better class."""
    joined: list[DropRange] = []
    for each in ranges:
        if joined and joined[-1].last == each.first - 1:
            joined[-1] = DropRange(joined[-1].first, each.last, min(joined[-1].event_class, each.event_class))
        else:
            joined.append(each)
    return joined
