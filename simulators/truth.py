"""The ground truth: what really happened in the simulated store, a JSON line per fact, for the owner's eyes only.

The file names the card of each shopper, which nothing else outside the server may do; it is 0600 and stays beside the run.
"""

import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TypedDict

import msgspec

from simulators.errors import SimulatorError


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("-")


class Fact(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=_kebab):
    """Something that happened; `kind` is the class's name in lower case with hyphens."""

    at: datetime


class By(TypedDict):
    """Who did something, and when."""

    at: datetime
    shopper: int
    card: str | None


class ShopperCame(Fact, frozen=True, kw_only=True):
    """Someone came in; `card` is None for a shopper without one."""

    shopper: int
    card: str | None


class ShopperLeft(Fact, frozen=True, kw_only=True):
    """Someone left, with these items."""

    shopper: int
    card: str | None
    items: tuple[str, ...]


class ZoneEntered(Fact, frozen=True, kw_only=True):
    """Someone stepped into a zone's rectangle."""

    shopper: int
    card: str | None
    zone: str


class ZoneLeft(Fact, frozen=True, kw_only=True):
    """Someone stepped out of a zone's rectangle."""

    shopper: int
    card: str | None
    zone: str
    dwell_s: float


class Pick(Fact, frozen=True, kw_only=True):
    """An item was taken off a shelf."""

    shopper: int
    card: str | None
    shelf: str
    epc: str
    grams: float


class Putback(Pick, frozen=True, kw_only=True):
    """An item was put back on a shelf."""


class Paid(Fact, frozen=True, kw_only=True):
    """Items were paid."""

    shopper: int
    card: str | None
    items: tuple[str, ...]


class Restocked(Fact, frozen=True, kw_only=True):
    """A new item lies on a shelf, put there by nobody the radio sees."""

    shelf: str
    epc: str
    grams: float


class RelaySwitched(Fact, frozen=True, kw_only=True):
    """A relay's contact really changed."""

    relay: str
    channel: int
    on: bool


class CableUnplugged(Fact, frozen=True, kw_only=True):
    """A device's cable was pulled."""

    device: str


class CablePlugged(Fact, frozen=True, kw_only=True):
    """A device's cable was put back."""

    device: str


class ReadsEmitted(Fact, frozen=True, kw_only=True):
    """Answers a reader has got since the start, by class of tag."""

    reader: str
    card: int
    goods: int
    foreign: int


class Summary(Fact, frozen=True, kw_only=True):
    """What a whole run held; the last line of the truth."""

    seconds: float
    seed: int
    shoppers: int
    zone_entrances: int
    picks: int
    putbacks: int
    paid: int
    restocked: int
    relay_switches: int
    reads: dict[str, int]
    lost_bytes: int


Tell = Callable[[Fact], None]


def utc(now_ns: int) -> datetime:
    """UTC ns as an aware datetime."""
    return datetime.fromtimestamp(now_ns / 1e9, UTC)


class TruthFile:
    """Writes facts as JSON lines into a 0600 file and counts them by kind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[type[Fact]] = Counter()
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> "TruthFile":
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise SimulatorError(f"{self.path}: cannot be written: {error.strerror}; give another --out") from error
        os.fchmod(descriptor, 0o600)  # an earlier run's file may be wider
        self._file = os.fdopen(descriptor, "wb")
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def tell(self, fact: Fact) -> None:
        """Write one fact; it is on its way to the disk at once, so that a killed run leaves its truth."""
        self.counts[type(fact)] += 1
        self._file.write(self._encoder.encode(fact) + b"\n")
        self._file.flush()
