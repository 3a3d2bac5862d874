"""What every engine under test looks like, and how one is run over a recording."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from edge.columns import Columns
from tests.accuracy.radio import START_NS, Outage, Recording
from tests.accuracy.scorer import Limits
from tests.accuracy.world import CARD_HEADER, ITEM_PREFIX, MEMBERS

EPC_BYTES = 12
BATCH_NS = 100_000_000
"""How often the host hands on what it has: finer than any figure of the report."""


class Change(NamedTuple):
    """An engine's word: from `at_ns` on the tag is in `zone`, or AWAY."""

    epc: bytes
    at_ns: int
    zone: int


class Row(NamedTuple):
    """One read, for engines that take reads one by one."""

    t_ns: int
    epc: bytes
    antenna: int
    rssi_dbm: float


class Engine(Protocol):
    """A presence engine.  All times come from its callers."""

    name: str
    limits: Limits

    def feed(self, columns: Columns, now_ns: int) -> list[Change]:
        """What these reads change; `now_ns` is when the host has them."""

    def tick(self, now_ns: int) -> list[Change]:
        """What the passing of time changes."""

    def cover(self, reader_id: str, covered: bool, now_ns: int) -> list[Change]:
        """A reader was lost, or is back.  Most published engines have no such notion and do nothing."""


def rows(columns: Columns) -> Iterator[Row]:
    """The reads of a batch, one by one."""
    width = 8 * columns.epc.shape[1]
    epcs = columns.epc.tobytes()
    signals = (columns.rssi_cdbm / 100).tolist()
    for number, (t_ns, antenna, dbm) in enumerate(
        zip(columns.t_ns.tolist(), columns.antenna.tolist(), signals, strict=True)
    ):
        yield Row(t_ns, epcs[number * width : number * width + EPC_BYTES], antenna, dbm)


def is_person(epc: bytes) -> bool:
    """Whether an EPC is a card that was given out (perhaps by a flipped bit of another)."""
    return epc.startswith(CARD_HEADER) and int.from_bytes(epc[5:], "big") < MEMBERS


def known(recording: Recording) -> np.ndarray:
    """Rows whose EPC is a member's card or the store's own goods.

    Every engine is given only these: which tags are nobody's business is a list that any of them could hold.  What bit
    errors make of a known EPC mostly stays known.
    """
    epcs = recording.columns.epc_bytes
    item = (epcs[:, :5] == np.frombuffer(ITEM_PREFIX, np.uint8)).all(axis=1)
    card = (epcs[:, :5] == np.frombuffer(CARD_HEADER, np.uint8)).all(axis=1)
    serial = epcs[:, 5:12].astype(np.int64) @ (256 ** np.arange(6, -1, -1, dtype=np.int64))
    return item | (card & (serial < MEMBERS))


def run(engine: Engine, recording: Recording) -> dict[bytes, list[tuple[float, int]]]:
    """Play a recording; what the engine said of each EPC, (s since the start, zone), in order."""
    keep = known(recording)
    columns, delivered = _rows_of(recording.columns, keep), recording.delivered_ns[keep]
    said: dict[bytes, list[tuple[float, int]]] = {}
    times = range(START_NS + BATCH_NS, recording.end_ns + BATCH_NS, BATCH_NS)
    cuts = np.searchsorted(delivered, np.array(times))
    before = 0
    for now_ns, after in zip(times, cuts.tolist(), strict=True):
        changes = engine.feed(columns.part(before, after), now_ns) if after > before else []
        for outage in recording.outages:
            changes += _cover(engine, outage, now_ns)
        for change in changes + engine.tick(now_ns):
            said.setdefault(change.epc, []).append(((change.at_ns - START_NS) / 1e9, change.zone))
        before = after
    return said


def _cover(engine: Engine, outage: Outage, now_ns: int) -> list[Change]:
    changes: list[Change] = []
    for at_s, covered in ((outage.start_s, False), (outage.stop_s, True)):
        at_ns = START_NS + round(at_s * 1e9)
        if now_ns - BATCH_NS < at_ns <= now_ns:
            changes += engine.cover(f"reader-{outage.reader}", covered, now_ns)
    return changes


def _rows_of(columns: Columns, keep: np.ndarray) -> Columns:
    return Columns(
        columns.t_ns[keep], columns.antenna[keep], columns.epc[keep], columns.epc_len[keep], columns.rssi_cdbm[keep],
        columns.crc_ok[keep],
    )  # fmt: skip
