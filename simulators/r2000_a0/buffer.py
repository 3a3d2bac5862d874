"""The tag buffer of an R2000 reader: each tag once, told a frame each.

Source: UHF RFID Reader Serial Interface Protocol V3.7, buffer commands; a vendor's program for the eighth bit.
"""

from dataclasses import dataclass

from simulators.r2000_a0.configuration import BUFFER_EMPTY, DONE

GET, GET_AND_RESET, COUNT, RESET = 0x90, 0x91, 0x92, 0x93


@dataclass(slots=True)
class _Kept:
    rssi: int
    where: int
    reads: int


class TagBuffer:
    """Tags by what they said of themselves."""

    def __init__(self) -> None:
        self._kept: dict[bytes, _Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, tag: bytes, rssi: int, where: int) -> None:
        """Keep a read.

        Args:
            tag: PC, EPC and CRC.
            where: channel and port as a report has them.
        """
        reads = self._kept[tag].reads if tag in self._kept else 0
        self._kept[tag] = _Kept(rssi, where, min(reads + 1, 255))

    def clear(self) -> None:
        """Forget all tags."""
        self._kept.clear()

    def obey(self, code: int) -> list[bytes]:
        """The data of each answer to a buffer command."""
        if code == RESET:
            self.clear()
            return [DONE]
        count = len(self).to_bytes(2, "big")
        if code == COUNT:
            return [count]
        if not self._kept:
            return [bytes((BUFFER_EMPTY,))]
        told = [
            count + bytes((len(tag),)) + tag + bytes((kept.rssi, kept.where, kept.reads))
            for tag, kept in self._kept.items()
        ]
        if code == GET_AND_RESET:
            self.clear()
        return told
