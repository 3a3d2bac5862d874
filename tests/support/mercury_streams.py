"""Mercury byte streams of every kind, and what the sans-IO codec makes of them: the oracle of the wire scan."""

from binascii import crc_hqx

from hypothesis import strategies as st

from readers.errors import FrameError
from readers.mercury.answers import TAG, parse_search, parse_tag
from readers.mercury.codec import Answer, AnswerDecoder
from readers.mercury.records import OPERATION_FAILED, Metadata
from readers.mercury.scan import METADATA, STREAM, USUAL_METADATA
from tests.support.wire_oracle import Spoken, Tag, epcs_of

KEEP_ALIVE = Answer(0x22, 0x0400).to_bytes()


def _tags(answer: Answer) -> list[Tag] | None:
    """A record with other metadata is not for the scan."""
    found = parse_tag(answer)
    if found is None or parse_search(answer).metadata not in (METADATA, USUAL_METADATA):
        return None
    seen = found.sighting
    if seen.antenna_tx is None or seen.rssi_dbm is None:
        raise FrameError("no antenna, no signal")
    return [(found.epc, seen.antenna_tx, seen.rssi_dbm, found.crc_ok)]


def streamed(
    epc: bytes,
    rssi_dbm: int = -60,
    ports: int = 0x11,
    options: bytes = b"\x10",
    data: bytes = b"",
    *,
    data_bits: int | None = None,
    pc: int | None = None,
    crc: int | None = None,
    metadata: int = USUAL_METADATA,
    protocol: int = 5,
    epc_bits: int | None = None,
    more: bytes = b"",
    kind: int = TAG,
    status: int = 0,
) -> bytes:
    """A record of the stream; of other lengths than it has where they are given."""
    pc_epc = (len(epc) // 2 << 11 if pc is None else pc).to_bytes(2, "big") + epc
    tag_crc = crc_hqx(pc_epc, 0xFFFF) ^ 0xFFFF if crc is None else crc
    payload = options + b"\x00\x1b" + metadata.to_bytes(2, "big") + bytes([kind])
    fields = {
        Metadata.READ_COUNT: b"\x01",
        Metadata.RSSI: bytes([rssi_dbm & 0xFF]),
        Metadata.ANTENNA: bytes([ports]),
        Metadata.FREQUENCY: bytes.fromhex("0e1640"),
        Metadata.TIMESTAMP: bytes.fromhex("00000127"),
        Metadata.PHASE: bytes(2),
        Metadata.PROTOCOL: bytes([protocol]),
        Metadata.DATA: (8 * len(data) if data_bits is None else data_bits).to_bytes(2, "big") + data,
        Metadata.GPIO: b"\x0f",
    }
    payload += b"".join(field for flag, field in fields.items() if metadata & flag)
    payload += (8 * len(pc_epc) + 16 if epc_bits is None else epc_bits).to_bytes(2, "big")
    payload += pc_epc + tag_crc.to_bytes(2, "big") + more
    return Answer(0x22, status, payload[:248]).to_bytes()


_bytes = st.integers(0, 255)
_words = st.integers(0, 0xFFFF)
_options = st.sampled_from([b"\x10", b"\x10", b"\x10", b"\x88\x10", b"\x88\x00", b"\x00", b"\x90"])
_epcs = epcs_of(b"\xff\x28\x22\x00", streamed(b"\x30" * 12))
_xpc = st.builds(
    lambda xpc, epc: (xpc + epc)[:62], st.sampled_from([b"\x00\x01", b"\x80\x01", b"\x80\x01\x00\x02"]), _epcs
)
_data = st.one_of(
    st.builds(lambda data: (data, None), st.binary(max_size=64)),
    st.builds(lambda data, less: (data, max(8 * len(data) - less, 0)), st.binary(max_size=20), st.integers(0, 7)),
    st.just((b"\x04\x0a", OPERATION_FAILED)),
    st.builds(lambda data, bits: (data, bits), st.binary(max_size=4), _words),
)


def _with_data(
    epc: bytes, dbm: int, ports: int, options: bytes, data: tuple[bytes, int | None], metadata: int
) -> bytes:
    return streamed(epc, dbm, ports, options, data[0], data_bits=data[1], metadata=metadata)


_good = st.builds(
    _with_data,
    _epcs,
    st.integers(-128, 127),
    _bytes,
    _options,
    _data,
    st.sampled_from([METADATA, USUAL_METADATA, USUAL_METADATA]),
)
_extended = st.builds(lambda epc, low: streamed(epc, pc=len(epc) // 2 << 11 | low), _xpc, st.integers(0, 0x7FF))
_wrong = st.builds(
    lambda epc, pc, crc, bits: streamed(epc, pc=pc, crc=crc, epc_bits=bits),
    _epcs,
    st.none() | _words,
    st.none() | _words,
    st.none() | st.integers(0, 200) | _words,
)
_unlike = st.builds(
    lambda epc, metadata, protocol, more, kind, status: streamed(
        epc, metadata=metadata, protocol=protocol, more=more, kind=kind, status=status
    ),
    _epcs,
    st.sampled_from([METADATA, USUAL_METADATA, 0x00FF, 0x0FFF, 0x0006, 0xF1FF]),
    st.sampled_from([5, 5, 5, 3]),
    st.binary(max_size=3),
    st.sampled_from([TAG, TAG, TAG, 0, 2, 3]),
    st.sampled_from([0, 0, 0x0504]),
)
_other = st.builds(
    lambda opcode, status, payload: Answer(opcode, status, payload).to_bytes(),
    st.sampled_from([0x22, 0x22, 0x2F, 0x03]),
    st.sampled_from([0, 0x0400, 0x0505, 0x0101]),
    st.binary(max_size=40) | st.binary(min_size=240, max_size=248),
)
_false_header = st.builds(lambda length, status: bytes([0xFF, length, 0x22, status]), _bytes, _bytes)
MERCURY = Spoken(
    name="mercury",
    wire=STREAM,
    new_decoder=AnswerDecoder,
    tags=_tags,
    frames=st.one_of(_good, _good, _good, _extended, _wrong, _unlike, _other, st.just(KEEP_ALIVE), _false_header),
    awkward=b"\xff\x00\x22\x28\x04\x10",
)
