"""Which events a damaged outbox still gives, and where each lies: numbers in columns, since there may be a million of them."""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROW_BYTES = 64
LATER = 1 << 61
"""Rows of the file's own come after those that were saved from an earlier one."""
Int64s = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SalvagedEvent:
    """An event of an earlier file, as it was to be sent."""

    generation: str
    seq: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class LostRange:
    """Events of an earlier file that cannot be read any more."""

    generation: str
    first: int
    last: int


class EventIndex:
    """Events as they are found, in no order, some more than once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._generation, self._seq, self._order, self._place, self._size = (array("q") for _ in range(5))

    def add(self, event: SalvagedEvent, place: int, rowid: int, *, saved_before: bool) -> None:
        """One was found.

        Args:
            place: where to read it again.
            rowid: tells the order within its table.
            saved_before: it is of the table of those that were saved once before.
        """
        self._generation.append(self._numbers.setdefault(event.generation, len(self._numbers)))
        self._seq.append(event.seq)
        self._order.append(rowid if saved_before else rowid | LATER)
        self._place.append(place)
        self._size.append(2 * (len(event.payload) + len(event.topic) + ROW_BYTES))

    def newest(self, room_bytes: int) -> "FoundEvents":
        """Each once, in the order in which they happened; the newest, where there is no room for all."""
        generation, seq, order, place, size = (
            np.frombuffer(each, np.int64) if each else np.empty(0, np.int64)
            for each in (self._generation, self._seq, self._order, self._place, self._size)
        )
        by_id = np.lexsort((order, seq, generation))
        again = np.zeros(len(by_id), bool)
        again[1:] = (np.diff(generation[by_id]) == 0) & (np.diff(seq[by_id]) == 0)
        once = by_id[~again]
        once = once[np.argsort(order[once], kind="stable")]
        room = np.cumsum(size[once][::-1])[::-1] <= room_bytes
        kept = once[room]
        ends = {name: int(seq[generation == number].max()) for name, number in self._numbers.items()}
        return FoundEvents(list(self._numbers), ends, generation[kept], seq[kept], place[kept])


class FoundEvents:
    """The events that are kept.

    Args:
        ends: by generation, the highest number found.
    """

    def __init__(
        self, names: list[str], ends: Mapping[str, int], generation: Int64s, seq: Int64s, place: Int64s
    ) -> None:
        self._names, self._ends = names, ends
        self._generation, self._seq, self._place = generation, seq, place

    def __len__(self) -> int:
        return len(self._place)

    def places(self) -> Iterator[int]:
        """Where to read them, in order."""
        return (int(place) for place in self._place)

    def lost(self, last: Mapping[str, int]) -> list[LostRange]:
        """The gaps of each generation up to the last number that is known to have been given.

        A number that the server holds, or that was declared before, may be among them: there it changes nothing.

        Args:
            last: by generation, as far as the file's own account tells.
        """
        lost: list[LostRange] = []
        for name in sorted({*self._ends, *last}):
            end = max(self._ends.get(name, 0), last.get(name, 0))
            mine = self._generation == (self._names.index(name) if name in self._ends else -1)
            edges = np.concatenate(([0], np.sort(self._seq[mine]), [end + 1]))
            for at in np.flatnonzero(np.diff(edges) > 1):
                lost.append(LostRange(name, int(edges[at]) + 1, int(edges[at + 1]) - 1))
        return lost
