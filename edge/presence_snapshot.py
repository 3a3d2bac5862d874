"""What presence takes over a restart: one block of bytes, with a version and a checksum.

    8 bytes TACETPR1 | u32 length of the header | header, JSON | HOT rows | COLD rows | u64 checksum of all before

The header names zones and antennas, because the numbers in the rows are places in a layout that may be another one after
the restart.  No card's number is in it: persons are kept by their card's keyed hash.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.presence_model import Layout

if TYPE_CHECKING:
    from hotpath.record import State

MAGIC = b"TACETPR1"
WORD_BYTES = 8


class SnapshotError(ValueError):
    """This cannot be restored; the message says why."""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the rows mean: the records' layout, where their zones and antennas are, how many, the engine's time and count."""

    fields: str
    zones: list[str]
    antennas: list[tuple[str, int, str]]
    rows: int
    now_ns: int
    next_serial: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A tag that was present at a place that is no more.

    Args:
        epc: empty for persons.
        zone: its id; another layout may still have it, with other antennas.
    """

    serial: int
    epc: bytes
    zone: str
    last_read_ns: int


@dataclass(frozen=True, slots=True)
class Restored:
    """How many records go on, how many had no place to go on at, and which those are."""

    items: int
    people: int
    dropped: int
    gone: tuple[Gone, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Since:
    """What was said after a snapshot was taken.

    Args:
        items: by EPC, hex, the zone where each was said to be last; None: nowhere.
        left: who left the place that the snapshot has, by serial.
    """

    items: Mapping[str, str | None] = field(default_factory=dict)
    left: Collection[int] = ()


NOTHING_SINCE = Since()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of an engine's records."""

    header: bytes
    hot: NDArray[np.void]
    cold: NDArray[np.void]

    def to_bytes(self) -> bytes:
        """The block of bytes; it may be made in another thread."""
        from hotpath.snapshot import checksum

        head = MAGIC + len(self.header).to_bytes(4, "little") + self.header
        body = b"".join(
            (head.ljust(-(-len(head) // WORD_BYTES) * WORD_BYTES, b" "), self.hot.tobytes(), self.cold.tobytes())
        )
        return body + int(checksum(np.frombuffer(bytearray(body), np.uint64))).to_bytes(WORD_BYTES, "little")


def take_snapshot(state: "State", layout: Layout) -> Snapshot:
    """Copy what is or was present."""
    from hotpath import record
    from hotpath.snapshot import copy_kept

    most = int(state.numbers[record.TAGS])
    hot, cold = np.empty(most, record.HOT), np.empty(most, record.COLD)
    kept = copy_kept(state, hot, cold)
    header = _Header(
        _fields(),
        [zone.id for zone in layout.zones],
        _antennas(layout),
        kept,
        int(state.numbers[record.NOW]),
        int(state.numbers[record.NEXT_SERIAL]),
    )
    return Snapshot(msgspec.json.encode(header), hot[:kept], cold[:kept])


def restore_snapshot(
    state: "State", layout: Layout, data: bytes, now_ns: int, since: Since = NOTHING_SINCE
) -> Restored:
    """Put a snapshot's records into a fresh engine; the caller rebuilds its index.

    Raises:
        SnapshotError: see `edge.presence.Tracker.restore`.
    """
    from hotpath import record
    from hotpath.snapshot import put_back

    header, hot, cold = _parse(data)
    if len(hot) > len(state.hot):
        raise SnapshotError(f"the snapshot's {len(hot)} tags do not fit into a capacity of {len(state.hot)}")
    if state.numbers[record.READS] or state.numbers[record.TAGS]:
        raise SnapshotError("only an engine that has seen nothing can restore a snapshot")
    _depart(header, hot, cold, since, max(now_ns, header.now_ns))
    places = hot["zone"].copy()
    kept = _move_into(layout, header, hot, state.antennas)
    left_ns = np.where(hot["state"] == record.DEPARTED, cold["left_ns"], record.NEVER)
    order = np.lexsort((cold["serial"], left_ns))
    order = order[kept[order]]
    state.numbers[record.NOW], state.numbers[record.NEXT_SERIAL] = header.now_ns, header.next_serial
    state.zones["resumed_ns"] = max(now_ns, header.now_ns)
    put_back(state, hot[order], cold[order])
    people = int(np.count_nonzero(hot["kind"][order] == record.PERSON))
    gone = tuple(_gone(hot[row], cold[row], header.zones[places[row]]) for row in np.flatnonzero(~kept))
    return Restored(len(order) - people, people, len(gone), gone)


def _depart(header: _Header, hot: NDArray[np.void], cold: NDArray[np.void], since: Since, now_ns: int) -> None:
    """Let depart who was said to be elsewhere since: as long as they count as present here, no read here would be told."""
    from hotpath import record

    present = np.isin(hot["state"], (record.PRESENT, record.EXITING))
    elsewhere = present & (hot["kind"] == record.PERSON) & np.isin(cold["serial"], [*since.left])
    for row in np.flatnonzero(present & (hot["kind"] == record.ITEM)) if since.items else ():
        epc = _epc(hot[row], cold[row]).hex()
        elsewhere[row] = epc in since.items and since.items[epc] != header.zones[hot["zone"][row]]
    hot["state"][elsewhere], cold["left_ns"][elsewhere] = record.DEPARTED, now_ns


def _gone(hot: np.void, cold: np.void, zone: str) -> Gone:
    return Gone(int(cold["serial"]), _epc(hot, cold), zone, int(hot["last_ns"]))


def _epc(hot: np.void, cold: np.void) -> bytes:
    return bytes(hot["epc"].tobytes() + cold["tail"].tobytes())[: hot["epc_len"]]


def _parse(data: bytes) -> tuple[_Header, NDArray[np.void], NDArray[np.void]]:
    from hotpath import record
    from hotpath.snapshot import checksum

    if not data.startswith(MAGIC):
        raise SnapshotError("this is no presence snapshot, or of another version")
    if len(data) % WORD_BYTES or len(data) < len(MAGIC) + 2 * WORD_BYTES:
        raise SnapshotError("the snapshot is cut off")
    words = np.frombuffer(bytearray(data), np.uint64)
    if int(checksum(words[:-1])) != int(words[-1]):
        raise SnapshotError("the snapshot is damaged: its checksum is wrong")
    size = int.from_bytes(data[8:12], "little")
    try:
        header = msgspec.json.decode(data[12 : 12 + size], type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SnapshotError(f"the snapshot's header is wrong: {error}") from error
    start = -(-(12 + size) // WORD_BYTES) * WORD_BYTES
    middle, end = start + header.rows * record.HOT.itemsize, len(data) - WORD_BYTES
    if header.fields != _fields() or middle + header.rows * record.COLD.itemsize != end:
        raise SnapshotError("the snapshot is of another version")
    hot = np.frombuffer(data[start:middle], record.HOT).copy()
    if not _is_possible(header, hot):
        raise SnapshotError("the snapshot says what no engine writes")
    return header, hot, np.frombuffer(data[middle:end], record.COLD).copy()


def _is_possible(header: _Header, hot: NDArray[np.void]) -> bool:
    """Whether rows with a right checksum are such that the kernels may take them as their own."""
    from hotpath import record

    present = np.isin(hot["state"], (record.PRESENT, record.EXITING))
    person = hot["kind"] == record.PERSON
    rows_are_possible = (
        (present | (hot["state"] == record.DEPARTED))
        & (person | (hot["kind"] == record.ITEM))
        & (hot["profile"] < record.PROFILES)
        & ((hot["epc_len"] == 0) == person)
        & (hot["epc_len"] <= record.MAX_EPC_BYTES)
        & (~present | (hot["zone"] < len(header.zones)))
    )
    numbers = (header.now_ns, header.next_serial)
    return bool(rows_are_possible.all()) and all(abs(each) <= record.FAR for each in numbers)


def _fields() -> str:
    """The layout of the records: another one must not be restored."""
    from hotpath import record

    return str((record.HOT.descr, record.COLD.descr))


def _antennas(layout: Layout) -> list[tuple[str, int, str]]:
    return [(antenna.reader_id, antenna.number, layout.zones[antenna.zone].id) for antenna in layout.antennas]


def _move_into(layout: Layout, header: _Header, hot: NDArray[np.void], antennas: NDArray[np.void]) -> NDArray[np.bool_]:
    """Give the rows the numbers of this layout's zones and antennas; which of them still have a place, or need none."""
    from hotpath import record

    zones = _renumbering(header.zones, [zone.id for zone in layout.zones], record.NO_ZONE)
    slots = _renumbering(header.antennas, _antennas(layout), record.NO_ANTENNA)
    hot["zone"] = zones[np.minimum(hot["zone"], len(header.zones))]
    hot["slot_antenna"] = slots[np.minimum(hot["slot_antenna"], len(header.antennas))]
    gone = hot["slot_antenna"] == record.NO_ANTENNA
    hot["slot_count"][gone], hot["slot_last_ns"][gone] = 0, record.NEVER
    present = np.isin(hot["state"], (record.PRESENT, record.EXITING))
    zone_of = np.append(antennas["zone"], record.NOWHERE)  # the last for slots without an antenna
    here = np.any(zone_of[np.where(gone, len(antennas), hot["slot_antenna"])] == hot["zone"][:, np.newaxis], axis=1)
    kept: NDArray[np.bool_] = here | ~present
    return kept


def _renumbering(before: list[Any], after: list[Any], gone: int) -> NDArray[np.uint16]:
    """From places in `before` to places in `after`; `gone` for what is there no more, and at the end for what never was."""
    places = {name: number for number, name in enumerate(after)}
    return np.array([*(places.get(name, gone) for name in before), gone], np.uint16)
