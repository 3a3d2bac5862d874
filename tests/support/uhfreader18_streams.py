"""UHFReader18 and 288 byte streams of every kind, and what the sans-IO codec makes of them: the oracle of the wire scan."""

from hypothesis import strategies as st

from readers.uhfreader18.answers import MORE, RSSI_OFFSET_DBM, Tag, parse_sighting
from readers.uhfreader18.codec import Frame, FrameDecoder
from readers.uhfreader18.commands import Command, Dialect
from readers.uhfreader18.scan import wire_18, wire_288
from tests.support import wire_oracle
from tests.support.wire_oracle import Spoken

ASSUMED_RSSI_DBM = -60


def _spoken(dialect: Dialect) -> Spoken:
    def tags(frame: Frame) -> list[wire_oracle.Tag] | None:
        found = parse_sighting(frame, dialect)
        if found is None:
            return None
        return [(tag.epc, antenna, _rssi_dbm(tag), None) for tag in found.tags for antenna in found.antennas]

    return Spoken(
        name="uhfreader18",
        wire=wire_18(ASSUMED_RSSI_DBM) if dialect is Dialect.OLD else wire_288(),
        new_decoder=FrameDecoder,
        tags=tags,
        frames=st.one_of(*[_inventory(each) for each in (dialect, dialect, *Dialect)], _report(dialect), _other),
        awkward=b"\x05\x11\x13\x15\x00\x01\x02\xee",
    )


def _rssi_dbm(tag: Tag) -> int:
    return ASSUMED_RSSI_DBM if tag.rssi_raw is None else tag.rssi_raw + RSSI_OFFSET_DBM


def inventory(dialect: Dialect, epcs: list[bytes], status: int = MORE, mask: int = 1, *, more: bytes = b"") -> bytes:
    """An answer to an inventory; `more` stands behind the last tag."""
    old = dialect is Dialect.OLD
    told = b"".join(Tag(epc, None if old else 0x6B).to_bytes() for epc in epcs)
    data = (b"" if old else bytes([mask])) + bytes([len(epcs)]) + told + more
    return Frame(0, Command.INVENTORY, data[:250], status).to_bytes()


def report(dialect: Dialect, epc: bytes, status: int = 0, mask: int = 1, signal: int = 0x6B) -> bytes:
    """An unasked report of a tag."""
    data = epc if dialect is Dialect.OLD else bytes([mask]) + Tag(epc, signal).to_bytes()
    return Frame(0, Command.REPORT, data, status).to_bytes()


_bytes = st.integers(0, 255)
_statuses = st.sampled_from([0, 1, 2, 3, 3, 3, 4, 5, 0x28, 0xEE, 0xFB])
_epcs = wire_oracle.epcs_of(b"\x05\x00", inventory(Dialect.OLD, [b"\x30" * 12])) | st.binary(max_size=80)


def _inventory(dialect: Dialect) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda epcs, status, mask, more: inventory(dialect, epcs, status, mask, more=more),
        st.lists(_epcs, max_size=6),
        _statuses,
        _bytes,
        st.just(b"") | st.just(b"") | st.binary(max_size=3),
    )


def _report(dialect: Dialect) -> st.SearchStrategy[bytes]:
    return st.builds(lambda *given: report(dialect, *given), _epcs, _statuses | st.just(0), _bytes, _bytes)


_other = st.builds(
    lambda address, command, data, status: Frame(address, command, data, status).to_bytes(),
    _bytes,
    st.sampled_from([1, 1, 0x0F, 0xEE, 0x21]),
    st.binary(max_size=20),
    _statuses | _bytes,
)
UHFREADER18, UHFREADER288 = map(_spoken, Dialect)
