"""How a streaming reader's frames look on the wire: plain constants, for a scanner that knows no device."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class WireFormat:
    """A frame that carries its length, and the one that reports a tag.  Positions count from the frame's first byte.

    Args:
        header, trailer: first and last byte, None where the protocol has none.
        kind_at, kind_max: a byte that is at most this in every frame.
        length_at, length_size: the length field, one or two bytes, big-endian; a frame is `overhead` bytes longer than it
            says.
        length_max: a frame that says more is noise; bounds how long a false header can hold up what follows it.
        check: `sum8`, the low byte of the sum of all bytes from `check_from` up to the check itself.
        after_check: how many bytes follow the check.
        report_at, report: where the two bytes that mean "a tag" stand, and what they are, big-endian.
        antenna_at, antenna_mask, antenna_first: `(byte & mask) + first` is the antenna's number; mask 0 where there is one.
        rssi_at: a signed byte, dBm.
        pc_at: the tag's protocol control word, right before the EPC, whose length it announces.
        after_epc: how many bytes of the frame follow the EPC.
        tag_crc: whether the tag's own CRC-16 stands right behind the EPC.

    Raises:
        ValueError: some field may lie outside a frame, so that a scanner would read what is not its own.
    """

    header: int | None
    trailer: int | None
    kind_at: int
    kind_max: int
    length_at: int
    length_size: Literal[1, 2]
    length_max: int
    overhead: int
    check: Literal["sum8"]
    check_from: int
    after_check: int
    report_at: int
    report: int
    antenna_at: int
    antenna_mask: int
    antenna_first: int
    rssi_at: int
    pc_at: int
    after_epc: int
    tag_crc: bool

    @property
    def report_min(self) -> int:
        """The size of a report of a tag without an EPC."""
        return max(self.pc_at + 2 + self.after_epc, self.rssi_at + 1, self.antenna_at + 1)

    def __post_init__(self) -> None:
        """Check that every position is inside the shortest frame, or inside the shortest report."""
        ends = {
            "kind_at": self.kind_at + 1,
            "length_at": self.length_at + self.length_size,
            "check_from": self.check_from + 1 + self.after_check,
            "report_at": self.report_at + 2,
        }
        for name, end in ends.items():
            if not 0 <= getattr(self, name) < end <= self.overhead:
                raise ValueError(f"{name} = {getattr(self, name)} is not inside a frame of {self.overhead} bytes")
        for name in ("antenna_at", "rssi_at", "pc_at", "length_max", "antenna_first"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} = {getattr(self, name)} is below zero")
        if self.after_check < 0 or self.after_epc < 2 * self.tag_crc:
            raise ValueError("the check, and the tag's CRC where there is one, are inside the frame")
        if not 0 <= self.antenna_mask <= 0xFF:
            raise ValueError(f"antenna_mask = {self.antenna_mask} is no mask of a byte")
