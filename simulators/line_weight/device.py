"""Firmware of a board that prints its weight as text, over and over, and hears nothing.

Shapes: `bare` a number; `label` "Reading: " and the number on the next line; `named` "Weight: 12.3"; `channels` raw counts
of several cells like JSON; `indicator` "wn  0.123kg".  Opening the port resets a board by DTR: it starts anew with its boot
text, and whatever it was printing breaks off.  The amplifier gives 24 bits in two's complement, 10 or 80 times a second;
one that does not answer is told by "HX711 not found.".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

NS_PER_S = 1_000_000_000
HIGHEST, LOWEST = 2**23 - 1, -(2**23)
Shape = Literal["bare", "label", "named", "channels", "indicator"]


class Reading(Protocol):
    """What the load cell says."""

    @property
    def grams(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Board:
    """One make of the board.

    Args:
        counts_per_g, zero_counts: of the load cell, for raw counts.
        boot_text: what it prints when it starts.
        boot_s: how long it then prints nothing.
        amplifier_missing: nothing answers where the HX711 should be.
        cell_missing: a wire of the load cell is off, which drives the amplifier to its limit.
    """

    baud: int = 9600
    shape: Shape = "bare"
    repeat_s: float = 0.1
    counts_per_g: float = 400.0
    zero_counts: int = 8000
    boot_text: str = "HX711 scale\r\nTare done...\r\n"
    boot_s: float = 0.0
    amplifier_missing: bool = False
    cell_missing: bool = False


class LineWeightDevice:
    """One board on its line.  `weigh` is asked for the load at a time in UTC ns."""

    def __init__(self, weigh: Callable[[int], Reading], *, board: Board | None = None) -> None:
        self.board = board or Board()
        self.baud = self.board.baud
        self._weigh = weigh
        self._next_ns: int | None = None

    def reset(self) -> None:
        """DTR went down and up: the host opened the port."""
        self._next_ns = None

    def feed(self, _data: bytes, _now_ns: int) -> bytes:
        """It hears nothing."""
        return b""

    def tick(self, now_ns: int) -> bytes:
        """The lines that are due by now."""
        if self._next_ns is None:
            self._next_ns = now_ns + int(self.board.boot_s * NS_PER_S)
            return self.board.boot_text.encode("ascii")
        if now_ns < self._next_ns:
            return b""
        self._next_ns = max(self._next_ns + int(self.board.repeat_s * NS_PER_S), now_ns)
        return self._text(now_ns).encode("ascii")

    def _text(self, now_ns: int) -> str:
        if self.board.amplifier_missing:
            return "HX711 not found.\r\n"
        grams = self._weigh(now_ns).grams
        counts = max(LOWEST, min(HIGHEST, round(self.board.zero_counts + grams * self.board.counts_per_g)))
        if self.board.cell_missing:
            counts, grams = HIGHEST, (HIGHEST - self.board.zero_counts) / self.board.counts_per_g
        match self.board.shape:
            case "bare":
                return f"{grams:.2f}\r\n"
            case "label":
                return f"Reading: \r\n{grams:.2f}\r\n"
            case "named":
                return f"Weight: {grams:.1f}\r\n"
            case "channels":
                return f'{{"ch1": {self.board.zero_counts}, "ch2": {counts}}}\r\n'
        return f"wn{grams / 1000:7.3f}kg\r\n"
