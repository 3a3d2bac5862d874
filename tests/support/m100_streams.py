"""M100 byte streams of every kind, and what the sans-IO codec makes of them: the oracle of the wire scan."""

from binascii import crc_hqx
from dataclasses import dataclass, field

from hypothesis import strategies as st

from readers.errors import FrameError
from readers.magicrf_m100.answers import parse_tag_notice
from readers.magicrf_m100.codec import Frame, FrameDecoder

NO_TAG = Frame(1, 0xFF, b"\x15").to_bytes()
AWKWARD = b"\xbb\x7e\x02\x22\x00\xff"

Row = tuple[int, bytes, int, bool]
"""Time, EPC, dBm, whether the tag's CRC is right."""


@dataclass
class Expected:
    """What the codec found so far, and how much of it lies before the bytes that just came."""

    decoder: FrameDecoder = field(default_factory=FrameDecoder)
    rows: list[Row] = field(default_factory=list)
    others: list[bytes] = field(default_factory=list)
    bad_frames: int = 0

    def feed(self, data: bytes, at_ns: int) -> None:
        """Bytes that came at `at_ns`; none at all means that the line is quiet."""
        for frame in self.decoder.feed(data) if data else self.decoder.flush():
            try:
                notice = parse_tag_notice(frame)
            except FrameError:
                self.bad_frames += 1
                continue
            if notice is None:
                self.others.append(frame.to_bytes())
            else:
                self.rows.append((at_ns, notice.epc, notice.rssi_dbm, notice.crc_ok))


def notice(epc: bytes, rssi_dbm: int = -55, pc: int | None = None, crc: int | None = None) -> bytes:
    """A tag notice; of a wrong PC or tag CRC where one is given."""
    pc_epc = (len(epc) // 2 << 11 if pc is None else pc).to_bytes(2, "big") + epc
    tag_crc = crc_hqx(pc_epc, 0xFFFF) ^ 0xFFFF if crc is None else crc
    return Frame(2, 0x22, bytes([rssi_dbm & 0xFF]) + pc_epc + tag_crc.to_bytes(2, "big")).to_bytes()


words = st.integers(0, 31)
awkward_bytes = st.lists(st.sampled_from(AWKWARD) | st.integers(0, 255), max_size=70).map(bytes)
epcs = st.one_of(
    words.flatmap(lambda count: st.binary(min_size=2 * count, max_size=2 * count)),
    words.map(lambda count: b"\xbb\x7e" * count),
    words.map(lambda count: NO_TAG[: 2 * count] + bytes(2 * count - len(NO_TAG[: 2 * count]))),
    st.just(notice(b"\x30" * 12)),
)
signals = st.integers(-128, 127)
low_bits = st.integers(0, 0x7FF)
good = st.builds(lambda epc, dbm, low: notice(epc, dbm, len(epc) // 2 << 11 | low), epcs, signals, low_bits)
wrong_crc = st.builds(lambda epc, crc: notice(epc, crc=crc), epcs, st.integers(0, 0xFFFF))
wrong_pc = st.builds(lambda epc, pc: notice(epc, pc=pc), epcs | st.binary(max_size=600), st.integers(0, 0xFFFF))
short = st.binary(max_size=6).map(lambda payload: Frame(2, 0x22, payload).to_bytes())
other = st.builds(
    lambda kind, command, payload: Frame(kind, command, payload).to_bytes(),
    st.integers(0, 3),
    st.sampled_from([0x22, 0x27, 0x28, 0xFF, 0x03]),
    st.binary(max_size=20) | st.just(b"\x15") | st.binary(min_size=500, max_size=520),
)
false_header = st.builds(
    lambda kind, length: bytes([0xBB, kind, 0x22]) + length.to_bytes(2, "big"), st.integers(0, 2), st.integers(0, 600)
)
sound = st.one_of(good, good, good, wrong_crc, wrong_pc, short, other, st.just(NO_TAG))
cut_off = st.builds(lambda frame, size: frame[:size], sound, st.integers(1, 30))
flipped = st.builds(
    lambda frame, at, bit: bytes(b ^ (1 << bit) * (i == at % len(frame)) for i, b in enumerate(frame)),
    sound,
    st.integers(0, 1000),
    st.integers(0, 7),
)
pieces = st.one_of(sound, sound, sound, awkward_bytes, false_header, cut_off, flipped)
streams = st.lists(pieces, max_size=25).map(b"".join)


@st.composite
def chunked(draw: st.DrawFn) -> list[bytes]:
    """A stream cut anywhere; an empty chunk is a pause, and the last is one."""
    stream = draw(streams)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=30)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    pauses = draw(st.sets(st.integers(0, 31), max_size=3))
    return [part for number, part in enumerate(parts) if part or number in pauses] + [b""]
