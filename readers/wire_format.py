"""How a streaming reader's frames look on the wire: plain constants, for a scanner that knows no device."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

MARKED_BYTES = 24
"""How far apart the first and the last mark of a report may stand."""
LAST_FIELD = 40
"""No fixed field of a report begins further from the frame's first byte, so that a scanner may load it before it looks."""


class Mark(NamedTuple):
    """A byte of a frame, counted from its first, of which the bits of `mask` are those of `value`."""

    at: int
    value: int
    mask: int = 0xFF


@dataclass(frozen=True, slots=True)
class TagReport:
    """A frame that reports tags.  Positions count from the frame's first byte.

    Args:
        marks: which frames are this report: all of these hold; they lie within 24 bytes.
        size_min: a shorter frame is not this report, but says something else; one that has no room for what a report
            holds is a bad one.
        tag_at, after_tags: where what is said of the first tag begins, and how many bytes follow what is said of the last.
        count_at: the byte that says how many tags there are; None: one.  A frame that reports none is no report.
        loose: whether something unknown may stand behind what is said of the last tag.
        tag_length: where the length of what the tag sent stands.  `rest`: nowhere, it is what remains of the frame.
            `bytes`: in the byte before.  `bits`: in the u16 before; it counts the bits of PC to CRC.
        embedded_data, behind_data: whether that u16 stands behind embedded data (u16, their length in bits, or 0x8000 for
            two bytes of an error code; then the data) and so many bytes more.
        has_pc: whether the tag's protocol control word stands before the EPC; it must announce the length of what follows.
        has_xpc: whether the words of extended protocol control, of tags that have them, stand between PC and EPC.
        epc_min: the size of the shortest EPC; none is longer than 62 bytes, and all are whole words of two.
        tag_crc: whether the tag's own CRC-16 stands right behind the EPC; never without the PC, which it covers.
        rssi_at: where the signal stands; `behind_epc`: in the byte after the EPC (and CRC); None: it is not reported.
        rssi_signed, rssi_mask, rssi_add_db: what makes the byte dBm; where there is none the signal is `rssi_add_db`.
        antenna_at, antenna_mask, antenna_rssi_mask: the antenna is named by `byte & antenna_mask | signal byte &
            antenna_rssi_mask`, see `WireFormat.antennas`.
        antenna_bits: whether each bit of that byte names an antenna; a tag is then read once by each.
    """

    marks: tuple[Mark, ...]
    tag_at: int
    after_tags: int
    size_min: int = 0
    count_at: int | None = None
    loose: bool = False
    tag_length: Literal["rest", "bytes", "bits"] = "rest"
    embedded_data: bool = False
    behind_data: int = 0
    has_pc: bool = True
    has_xpc: bool = False
    epc_min: int = 0
    tag_crc: bool = False
    rssi_at: int | Literal["behind_epc"] | None = None
    rssi_signed: bool = False
    rssi_mask: int = 0xFF
    rssi_add_db: float = 0
    antenna_at: int = 0
    antenna_mask: int = 0
    antenna_rssi_mask: int = 0
    antenna_bits: bool = False

    @property
    def after_epc(self) -> int:
        """How many bytes of what is said of a tag follow its EPC."""
        return 2 * self.tag_crc + (self.rssi_at == "behind_epc")

    @property
    def marks_at(self) -> int:
        """Where the first mark stands."""
        return min(mark.at for mark in self.marks)


@dataclass(frozen=True, slots=True)
class WireFormat:
    """A frame that carries its length, and those that report tags.  Positions count from the frame's first byte.

    Args:
        header, trailer: first and last byte, None where the protocol has none.
        kind_at, kind_max: a byte that is at most this in every frame.
        length_at, length_size: the length field, one or two bytes, big-endian; a frame is `overhead` bytes longer than it
            says.
        length_min, length_max: a frame that says less or more is noise; the latter bounds how long a false header can hold
            up what follows it.
        check: over all bytes from `check_from` up to the check itself.  `sum8`: the low byte of their sum.
            `negated_sum8`: the byte that makes this sum zero.  `crc16_8408`: CRC-16, polynomial 0x8408 reflected, preset
            0xFFFF, low byte first.  `mercury`: ThingMagic's form of CRC-16 0x1021, high byte first.
        after_check: how many bytes follow the check.
        reports: the frames that report tags; the first that fits counts.
        antennas: the antenna's number by the byte that names it; a report of another name is a bad one.

    Raises:
        ValueError: some field may lie outside a frame, so that a scanner would read what is not its own.
    """

    header: int | None
    trailer: int | None
    length_at: int
    length_size: Literal[1, 2]
    length_max: int
    overhead: int
    check: Literal["sum8", "negated_sum8", "crc16_8408", "mercury"]
    check_from: int
    after_check: int
    reports: tuple[TagReport, ...]
    antennas: Mapping[int, int]
    length_min: int = 0
    kind_at: int = 0
    kind_max: int = 0xFF

    def __post_init__(self) -> None:
        """Check that every position is inside the shortest frame, or inside the shortest report."""
        size = self.overhead + self.length_min
        check_size = {"sum8": 1, "negated_sum8": 1, "crc16_8408": 2, "mercury": 4}[self.check]
        ends = {
            "kind_at": self.kind_at + 1,
            "length_at": self.length_at + self.length_size,
            "check_from": self.check_from + check_size + self.after_check,
        }
        for name, end in ends.items():
            if not 0 <= getattr(self, name) < end <= size:
                raise ValueError(f"{name} = {getattr(self, name)} is not inside a frame of {size} bytes")
        if self.length_max < self.length_min or self.after_check < 0:
            raise ValueError("the check is inside the frame, and frames have some length")
        for report in self.reports:
            _check(report, size)


def _check(report: TagReport, size: int) -> None:
    """See that a report's positions make sense.

    Args:
        size: the shortest frame's.

    Raises:
        ValueError: they do not.
    """
    size = max(size, report.size_min)
    if not all(report.marks_at <= mark.at < min(report.marks_at + MARKED_BYTES, size) for mark in report.marks):
        raise ValueError(
            f"the marks of a report lie within {MARKED_BYTES} bytes, and inside its shortest frame of {size}"
        )
    if not 0 <= report.marks_at <= LAST_FIELD or any(mark.value & ~mark.mask for mark in report.marks):
        raise ValueError(
            f"a mark's value has no bits that its mask has not, and the first is within {LAST_FIELD} bytes"
        )
    before = [each for each in (report.count_at, report.antenna_at, report.rssi_at) if isinstance(each, int)]
    if (
        not all(0 <= each < report.tag_at <= LAST_FIELD for each in before)
        or min(report.after_tags, report.epc_min, report.behind_data) < 0
    ):
        raise ValueError(f"count, antenna and signal stand before the first tag, and that within {LAST_FIELD} bytes")
    if not all(0 <= mask <= 0xFF for mask in (report.rssi_mask, report.antenna_mask, report.antenna_rssi_mask)):
        raise ValueError("a mask of a byte is a byte")
    if not report.has_pc and (report.tag_crc or report.has_xpc):
        raise ValueError("a tag's CRC and XPC are those of its PC")
