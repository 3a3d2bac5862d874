"""R2000 byte streams of every kind, and what the sans-IO codec makes of them: the oracle of the wire scan."""

from hypothesis import strategies as st

from readers.r2000_a0.answers import TagReport, parse_inventory
from readers.r2000_a0.codec import Frame, FrameDecoder
from readers.r2000_a0.commands import INVENTORIES
from readers.r2000_a0.scan import REPORTS
from tests.support.wire_oracle import Spoken, Tag, epcs_of


def _tags(frame: Frame) -> list[Tag] | None:
    found = parse_inventory(frame)
    return [(found.epc, found.antenna, found.rssi_dbm, None)] if isinstance(found, TagReport) else None


def report(epc: bytes, name: int = 0, signal: int = 0x45, command: int = 0x89, pc: int | None = None) -> bytes:
    """A report of a tag; of a wrong PC where one is given."""
    word = len(epc) // 2 << 11 if pc is None else pc
    return Frame(1, command, bytes([name]) + word.to_bytes(2, "big") + epc + bytes([signal])).to_bytes()


_commands = st.sampled_from([*INVENTORIES, 0x88, 0x8C, 0x90])
_bytes = st.integers(0, 255)
_good = st.builds(report, epcs_of(b"\xa0\x04\x01\x89", report(b"\x30" * 12)), _bytes, _bytes, _commands)
_wrong_pc = st.builds(
    lambda epc, command, pc: report(epc, command=command, pc=pc),
    st.binary(max_size=240),
    _commands,
    st.integers(0, 0xFFFF),
)
_other = st.builds(
    lambda address, command, data: Frame(address, command, data).to_bytes(), _bytes, _commands, st.binary(max_size=12)
)
_false_header = _bytes.map(lambda length: bytes([0xA0, length, 1, 0x89]))
R2000 = Spoken(
    name="r2000-a0",
    wire=REPORTS,
    new_decoder=FrameDecoder,
    tags=_tags,
    frames=st.one_of(_good, _good, _good, _wrong_pc, _other, _false_header),
    awkward=b"\xa0\x03\x04\x05\x0a\x13\x01\x89\x8a\x8b",
)
