"""MagicRF M100 byte streams of every kind, and what the sans-IO codec makes of them: the oracle of the wire scan."""

from binascii import crc_hqx

from hypothesis import strategies as st

from readers.magicrf_m100.answers import parse_tag_notice
from readers.magicrf_m100.codec import Frame, FrameDecoder
from readers.magicrf_m100.scan import NOTICE
from tests.support.wire_oracle import Spoken, Tag, epcs_of

NO_TAG = Frame(1, 0xFF, b"\x15").to_bytes()


def _tags(frame: Frame) -> list[Tag] | None:
    found = parse_tag_notice(frame)
    return None if found is None else [(found.epc, 1, found.rssi_dbm, found.crc_ok)]


def notice(epc: bytes, rssi_dbm: int = -55, pc: int | None = None, crc: int | None = None) -> bytes:
    """A tag notice; of a wrong PC or tag CRC where one is given."""
    pc_epc = (len(epc) // 2 << 11 if pc is None else pc).to_bytes(2, "big") + epc
    tag_crc = crc_hqx(pc_epc, 0xFFFF) ^ 0xFFFF if crc is None else crc
    return Frame(2, 0x22, bytes([rssi_dbm & 0xFF]) + pc_epc + tag_crc.to_bytes(2, "big")).to_bytes()


_epcs = epcs_of(b"\xbb\x7e", NO_TAG, notice(b"\x30" * 12))
_good = st.builds(
    lambda epc, dbm, low: notice(epc, dbm, len(epc) // 2 << 11 | low),
    _epcs,
    st.integers(-128, 127),
    st.integers(0, 0x7FF),
)
_wrong_crc = st.builds(lambda epc, crc: notice(epc, crc=crc), _epcs, st.integers(0, 0xFFFF))
_wrong_pc = st.builds(lambda epc, pc: notice(epc, pc=pc), _epcs | st.binary(max_size=600), st.integers(0, 0xFFFF))
_short = st.binary(max_size=6).map(lambda payload: Frame(2, 0x22, payload).to_bytes())
_other = st.builds(
    lambda kind, command, payload: Frame(kind, command, payload).to_bytes(),
    st.integers(0, 3),
    st.sampled_from([0x22, 0x27, 0x28, 0xFF, 0x03]),
    st.binary(max_size=20) | st.just(b"\x15") | st.binary(min_size=500, max_size=520),
)
_false_header = st.builds(
    lambda kind, length: bytes([0xBB, kind, 0x22]) + length.to_bytes(2, "big"), st.integers(0, 2), st.integers(0, 600)
)
M100 = Spoken(
    name="magicrf-m100",
    wire=NOTICE,
    new_decoder=FrameDecoder,
    tags=_tags,
    frames=st.one_of(_good, _good, _good, _wrong_crc, _wrong_pc, _short, _other, st.just(NO_TAG), _false_header),
    awkward=b"\xbb\x7e\x02\x22\x00\xff",
)
