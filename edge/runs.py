"""Under which ids the events of one outbox file go out: each start of the agent numbers anew, in a generation of its own.

So a disk that was copied or put back can never give one id to two events: what it held before is the same in every copy,
and what comes after bears the generation of the start that saw it.  In the file events keep one sequence, `seq`; an id's
number is that seq less the `base` of its run.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from broker_config.messages import EdgeAck

Range = tuple[int, int]
FAR = 1 << 62


@dataclass(frozen=True, slots=True)
class Run:
    """The events above `base`, up to the next run's."""

    base: int
    generation: str


@dataclass(frozen=True, slots=True)
class Place:
    """A range of ids."""

    generation: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Word:
    """What the server has said of this file, in its own seqs.

    Args:
        upto: it holds everything up to here.
        held: above that, it holds these ranges.
        missing: it named these as missing in its last word.
    """

    upto: int
    held: tuple[Range, ...] = ()
    missing: tuple[Range, ...] = ()


class Runs:
    """The runs of a file, and how far the server is with each.

    Args:
        runs: ascending, at least one.
        acked_upto: what the file remembers of the server's word.
    """

    def __init__(self, runs: Sequence[Run], acked_upto: int) -> None:
        self._runs = list(runs)
        self._bases = [run.base for run in runs]
        self._index = {run.generation: index for index, run in enumerate(runs)}
        self._heard: dict[int, Word] = {}
        self._acked_upto = acked_upto

    @property
    def current(self) -> Run:
        """The run that new events belong to."""
        return self._runs[-1]

    @property
    def generations(self) -> tuple[str, ...]:
        """Those of which the file may hold events, the newest last."""
        return tuple(run.generation for run in self._runs)

    def places(self, first: int, last: int) -> list[Place]:
        """The ids of a range of seqs, a range for each run it touches."""
        found: list[Place] = []
        index = max(bisect_left(self._bases, first) - 1, 0)
        for number, run in enumerate(self._runs[index:], index):
            if run.base >= last:
                break
            end = min(last, self._end(number, last))
            found.append(Place(run.generation, max(first, run.base + 1) - run.base, end - run.base))
        return found

    def take(self, ack: EdgeAck, last_seq: int) -> Word | None:
        """All that the server has said up to this word; None where it speaks of another file.

        What it claims above the run's end was given by a copy of this file, and is not ours.
        """
        index = self._index.get(ack.generation)
        if index is None:
            return None
        base, end = self._bases[index], self._end(index, last_seq)
        missing = [(low + base, min(high + base, end)) for low, high in ack.missing if low + base <= end]
        upto = max(0, min([ack.upto, *(low - 1 for low, _ in ack.missing)])) + base
        held = _between(upto, missing, min(ack.highest + base, end))
        self._heard[index] = Word(min(upto, end), held)
        self._acked_upto = self._contiguous(last_seq)
        above = [span for word in self._heard.values() for span in word.held if span[1] > self._acked_upto]
        whole = [
            (self._bases[i] + 1, w.upto)
            for i, w in self._heard.items()
            if w.upto > max(self._acked_upto, self._bases[i])
        ]
        return Word(self._acked_upto, tuple(sorted([*above, *whole])), tuple(missing))

    def _contiguous(self, last_seq: int) -> int:
        """How far the server holds everything, over all runs; what was not heard since the start is as the file remembers."""
        for index in range(len(self._runs)):
            end = self._end(index, last_seq)
            heard = self._heard.get(index)
            upto = heard.upto if heard is not None else max(min(self._acked_upto, end), self._bases[index])
            if upto < end:
                return upto
        return last_seq

    def _end(self, index: int, last_seq: int) -> int:
        return self._bases[index + 1] if index + 1 < len(self._bases) else last_seq


def index_of(seq: int, ranges: Sequence[Range]) -> int | None:
    """Which of the sorted ranges holds `seq`."""
    index = bisect_right(ranges, (seq, FAR)) - 1
    return index if index >= 0 and ranges[index][1] >= seq else None


def _between(upto: int, missing: Iterable[Range], highest: int) -> tuple[Range, ...]:
    """What is above `upto`, not above `highest`, and not missing."""
    held: list[Range] = []
    low = upto + 1
    for first, last in missing:
        if first > low:
            held.append((low, min(first - 1, highest)))
        low = max(low, last + 1)
    if low <= highest:
        held.append((low, highest))
    return tuple(span for span in held if span[0] <= span[1])
