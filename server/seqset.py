"""Which sequence numbers of one outbox generation have come: a contiguous mark and the ranges above it."""

from bisect import bisect_left
from collections.abc import Iterable

Range = tuple[int, int]


class SeqSet:
    """A growing set of whole numbers from 1, small however it grows.

    Args:
        upto: every number up to here is in.
        above: sorted ranges [first, last] beyond `upto + 1` that are in, disjoint and not touching.
    """

    def __init__(self, upto: int = 0, above: Iterable[Range] = ()) -> None:
        self.upto = upto
        self.above: list[Range] = list(above)

    def __contains__(self, seq: int) -> bool:
        if seq <= self.upto:
            return True
        index = bisect_left(self.above, (seq + 1, 0)) - 1
        return index >= 0 and self.above[index][1] >= seq

    @property
    def highest(self) -> int:
        """The highest number in the set; 0 when it is empty."""
        return self.above[-1][1] if self.above else self.upto

    def add(self, first: int, last: int) -> int:
        """Put a range in; returns how many of its numbers were new.

        Args:
            first, last: 1 <= first <= last.
        """
        first = max(first, self.upto + 1)
        if first > last:
            return 0
        # The stored ranges that overlap or touch [first, last] melt into one with it.
        start = bisect_left([end for _, end in self.above], first - 1)
        stop = start
        covered, low, high = 0, first, last
        while stop < len(self.above) and self.above[stop][0] <= last + 1:
            begin, end = self.above[stop]
            covered += max(0, min(end, last) - max(begin, first) + 1)
            low, high = min(low, begin), max(high, end)
            stop += 1
        self.above[start:stop] = [(low, high)]
        if self.above[0][0] == self.upto + 1:
            self.upto = self.above.pop(0)[1]
        return last - first + 1 - covered

    def missing(self, limit: int) -> tuple[Range, ...]:
        """The gaps between `upto` and the highest number, lowest first, at most `limit` of them."""
        gaps: list[Range] = []
        low = self.upto + 1
        for begin, end in self.above[:limit]:
            gaps.append((low, begin - 1))
            low = end + 1
        return tuple(gaps)

    def missing_count(self) -> int:
        """How many numbers below the highest are not in."""
        return self.highest - self.upto - sum(end - begin + 1 for begin, end in self.above)

    def to_text(self) -> str:
        """The ranges above the mark as `3-5,9-9`."""
        return ",".join(f"{begin}-{end}" for begin, end in self.above)

    @classmethod
    def from_text(cls, upto: int, text: str) -> "SeqSet":
        """The set that `upto` and `to_text` describe."""
        pairs = (part.split("-") for part in text.split(",") if part)
        return cls(upto, [(int(begin), int(end)) for begin, end in pairs])
