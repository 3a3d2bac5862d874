"""What a replay prints: JSON lines in bulk, straight from arrays."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.presence_model import Layout
from edge.recording import Recording
from hotpath.json_lines import HUNDREDTHS, MAX_NUMBER_BYTES, OTHER_TEXT, SECONDS, TEXT, WHOLE, Texts, write_lines
from hotpath.key_table import find_all

BLOCK_BYTES = 1 << 20
BATCH_ROWS = 1 << 16
_EVENT_KINDS = ("arrived", "moved", "departed", "returned", "dwelled")  # as hotpath.record.ARRIVED and so on
_REASONS = (None, "timeout", "exit", "withdrawn")  # as hotpath.record.NO_REASON and so on


class LineWriter:
    """Writes lines of one shape.

    Args:
        columns: what stands before each column, and its kind (`hotpath.json_lines`).
        end: what ends a line.
        texts: what columns of kind TEXT are numbers of.
        others: likewise OTHER_TEXT.
    """

    def __init__(self, columns: Sequence[tuple[str, int]], end: str, texts: Sequence[bytes], others: Texts) -> None:
        between = [before.encode() for before, _ in columns]
        self._between = make_texts([*between, end.encode()])
        self._kinds = np.array([kind for _, kind in columns], np.int8)
        self._texts, self._others = make_texts(texts), others
        longest = max(int(np.diff(each.ends).max(initial=MAX_NUMBER_BYTES)) for each in (self._texts, others))
        line_bytes = len(self._between.pool) + len(columns) * longest
        self._out = np.zeros(max(BLOCK_BYTES, line_bytes), np.uint8)

    def blocks(self, columns: Sequence[NDArray[Any]]) -> Iterator[bytes]:
        """The lines for these columns, [n] each, in blocks of many lines."""
        values = np.stack(columns, axis=1).astype(np.int64)
        row = 0
        while row < len(values):
            row, size = write_lines(values, row, self._kinds, self._between, self._texts, self._others, self._out)
            yield self._out[:size].tobytes()


class EventLines:
    """The engine's event rows as lines: event, t, detected_t, epc, zone, from_zone, last_read_t, reads, rssi_dbm, reason."""

    def __init__(self, recording: Recording, layout: Layout) -> None:
        self._tags = recording.tags
        self._confirmed = np.zeros(recording.tag_count, np.bool_)
        zones = [msgspec.json.encode(zone.id) for zone in layout.zones]
        self._first_zone = len(_EVENT_KINDS)
        self._first_reason = self._first_zone + len(zones)
        texts = [*map(msgspec.json.encode, _EVENT_KINDS), *zones, *map(msgspec.json.encode, _REASONS)]
        shape = [
            ('{"event":', TEXT), (',"t":', SECONDS), (',"detected_t":', SECONDS), (',"epc":"', OTHER_TEXT), ('","zone":', TEXT),
            (',"from_zone":', TEXT), (',"last_read_t":', SECONDS), (',"reads":', WHOLE), (',"rssi_dbm":', HUNDREDTHS),
            (',"reason":', TEXT),
        ]  # fmt: skip
        self._writer = LineWriter(shape, "}\n", texts, recording.epc_texts)

    @property
    def confirmed_count(self) -> int:
        """Tags that had an event."""
        return int(self._confirmed.sum())

    def note(self, events: NDArray[np.void]) -> NDArray[np.int64]:
        """The tags of these events, which are confirmed from now on."""
        tags = np.zeros(len(events), np.int64)
        find_all(self._tags, _epc_bytes(events), events["epc_len"].astype(np.uint8), tags)
        self._confirmed[tags] = True
        return tags

    def blocks(self, events: NDArray[np.void], tags: NDArray[np.int64]) -> Iterator[bytes]:
        """The lines of these events, whose tags `note` found."""
        zone, from_zone = events["zone"], events["from_zone"]
        null = self._first_reason  # the reason that is none
        yield from self._writer.blocks(
            [
                events["kind"], events["t_ns"], events["detected_ns"], tags, self._first_zone + zone,
                np.where(from_zone < 0, null, self._first_zone + from_zone), events["last_ns"], events["reads"],
                _hundredths(events["rssi_dbm"]), self._first_reason + events["reason"].astype(np.int64),
            ]
        )  # fmt: skip


def read_lines(recording: Recording, rows: NDArray[np.int64]) -> Iterator[bytes]:
    """These rows of a recording as lines: t, reader, antenna, epc, rssi_dbm; in blocks."""
    texts = [msgspec.json.encode(name.reader) for name in recording.antennas]
    number = np.array([name.number for name in recording.antennas], np.int64)
    shape = [
        ('{"t":', SECONDS), (',"reader":', TEXT), (',"antenna":', WHOLE), (',"epc":"', OTHER_TEXT), ('","rssi_dbm":', HUNDREDTHS),
    ]  # fmt: skip
    writer = LineWriter(shape, "}\n", texts, recording.epc_texts)
    log = recording.rows
    for start in range(0, len(rows), BATCH_ROWS):
        each = rows[start : start + BATCH_ROWS]
        antenna = log.antenna[each]
        yield from writer.blocks([log.t_ns[each], antenna, number[antenna], log.tag[each], log.rssi_cdbm[each]])


def make_texts(texts: Sequence[bytes]) -> Texts:
    """Numbered texts."""
    ends = np.array([0, *accumulate(map(len, texts))], np.int64)
    return Texts(ends, np.frombuffer(bytearray(b"".join(texts)), np.uint8))


def _epc_bytes(events: NDArray[np.void]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(events["epc"]).view(np.uint8).reshape(len(events), -1)


def _hundredths(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Hundredths, rounded as Python rounds to two places: by the exact value of the double, so only near halves are hard."""
    scaled = values.astype(np.float64) * 100
    rounded = np.rint(scaled)
    for row in np.flatnonzero(np.abs(np.abs(scaled - rounded) - 0.5) < 1e-6):
        rounded[row] = round(100 * round(float(values[row]), 2))
    return rounded.astype(np.int64)
