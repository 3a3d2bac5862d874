"""Baseline: SMURF, the adaptive smoothing window.

Per tag and antenna, in epochs: p = the tag's answers of all that the antenna's busiest tag had in the epoch; S = the epochs of
the window in which it was read; p_avg = the mean p of these.  An epoch's window w grows by 2 epochs towards the size
w* = ln(1/delta) / p_avg that sees a tag with probability 1 - delta (delta 0.05), and is halved when S is fewer than chance
explains, S < w p_avg - 2 sqrt(w p_avg (1 - p_avg)).  A tag is there while its window holds a read.  Of several antennas the
one with the most read epochs in its window has it, of equals the strongest mean (the paper's readers do not overlap; the
count is how its authors arbitrate between readers in later work).  The epoch's length, which the paper takes from the reader,
is tuned on the tuning seeds.

Source: S. R. Jeffery, M. Garofalakis, M. J. Franklin, "Adaptive Cleaning for RFID Data Streams", VLDB 2006, section 4
(per-tag cleaning, algorithm 1); S. R. Jeffery, M. J. Franklin, M. Garofalakis, "An adaptive RFID middleware for supporting
metaphysical data independence", VLDB Journal 2008 (several readers).
"""

import math

import numpy as np

from edge.columns import Columns
from edge.presence_model import Layout
from tests.accuracy.engine import Change, rows
from tests.accuracy.naive import KINDS
from tests.accuracy.plan import AWAY
from tests.accuracy.scorer import Limits

DELTA = 0.05
LONGEST = 64
"""Epochs that a window may span; w* asks for more only of tags heard in one answer of twenty."""


class Smurf:
    """All windows at once, as arrays over (tag, antenna) pairs."""

    name = "SMURF"

    def __init__(self, layout: Layout, epoch_s: float) -> None:
        longest_s = LONGEST * epoch_s
        self.limits = Limits(dict.fromkeys(KINDS, longest_s), dict.fromkeys(KINDS, longest_s))
        self._zones = np.array([antenna.zone for antenna in layout.antennas])
        self._epoch_ns = round(epoch_s * 1e9)
        self._epoch_end_ns: int | None = None
        self._number = 0
        self._pairs: dict[tuple[bytes, int], int] = {}
        self._tags: dict[bytes, int] = {}
        self._epcs: list[bytes] = []
        self._place: list[int] = []
        self._answers: dict[int, list[float]] = {}
        self._grow(1024)

    def _grow(self, size: int) -> None:
        old = getattr(self, "_p", np.zeros((0, LONGEST)))
        count = len(old)
        self._p = np.zeros((size, LONGEST))
        self._p[:count] = old
        fills = {"_w": 1, "_tag": 0, "_antenna": 0, "_signal": -200.0}
        for name, fill in fills.items():
            fresh = np.full(size, fill)
            fresh[:count] = getattr(self, name, fresh[:0])
            setattr(self, name, fresh)

    def feed(self, columns: Columns, now_ns: int) -> list[Change]:
        if self._epoch_end_ns is None:
            self._epoch_end_ns = now_ns + self._epoch_ns
        for read in rows(columns):
            self._answers.setdefault(self._pair(read.epc, read.antenna), []).append(read.rssi_dbm)
        return []

    def _pair(self, epc: bytes, antenna: int) -> int:
        pair = self._pairs.setdefault((epc, antenna), len(self._pairs))
        if pair == len(self._w):
            self._grow(2 * pair)
        if epc not in self._tags:
            self._tags[epc] = len(self._epcs)
            self._epcs.append(epc)
            self._place.append(AWAY)
        self._tag[pair], self._antenna[pair] = self._tags[epc], antenna
        return pair

    def tick(self, now_ns: int) -> list[Change]:
        if self._epoch_end_ns is None or now_ns < self._epoch_end_ns:
            return []
        self._epoch_end_ns += self._epoch_ns
        self._number += 1
        self._close_epoch()
        return self._say(now_ns)

    def _close_epoch(self) -> None:
        """Enter the epoch's response rates, and adapt the windows."""
        column = self._number % LONGEST
        self._p[:, column] = 0.0
        most: dict[int, int] = {}
        for pair, signals in self._answers.items():
            antenna = int(self._antenna[pair])
            most[antenna] = max(most.get(antenna, 1), len(signals))
        for pair, signals in self._answers.items():
            self._p[pair, column] = len(signals) / most[int(self._antenna[pair])]
            self._signal[pair] = sum(signals) / len(signals)
        self._answers.clear()
        read, mean = self._windows()
        wanted = np.clip(np.ceil(math.log(1 / DELTA) / np.maximum(mean, 1e-9)), 1, LONGEST)
        expected = self._w * mean
        fewer = read < expected - 2 * np.sqrt(np.maximum(expected * (1 - mean), 0))
        grown = np.where(wanted > self._w, np.minimum(self._w + 2, wanted), self._w)
        halved = np.maximum(np.minimum(self._w // 2, wanted), 1)
        self._w = np.where(read == 0, 1, np.where(fewer, halved, grown)).astype(np.int64)

    def _windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Per pair: epochs read in its window, and the mean response rate of these."""
        age = (self._number - np.arange(LONGEST)) % LONGEST
        inside = np.where(age < self._w[:, None], self._p, 0.0)
        read = (inside > 0).sum(axis=1)
        return read, inside.sum(axis=1) / np.maximum(read, 1)

    def _say(self, now_ns: int) -> list[Change]:
        read, _ = self._windows()
        there = np.flatnonzero(read)
        order = there[np.lexsort((self._signal[there], read[there], self._tag[there]))]
        best = dict(zip(self._tag[order].tolist(), self._zones[self._antenna[order].astype(int)].tolist(), strict=True))
        changes = []
        for tag, before in enumerate(self._place):
            zone = best.get(tag, AWAY)
            if zone != before:
                self._place[tag] = zone
                changes.append(Change(self._epcs[tag], now_ns, zone))
        return changes

    def cover(self, reader_id: str, covered: bool, now_ns: int) -> list[Change]:
        return []
