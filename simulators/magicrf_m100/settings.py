"""What an M100 keeps until it loses power, and the limits its firmware sets."""

from dataclasses import dataclass

from simulators.scene_radio import Epc

US = 0x02
CHANNELS = {0x01: 20, 0x04: 20, 0x02: 52, 0x03: 15, 0x06: 32}
"""Channels by region code: China 900, China 800, US, Europe, Korea."""
SL = 4  # the Select target that is no session
EPC_BANK_HEAD_BITS = 32  # CRC and PC stand before the EPC


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the module.

    Args:
        boot_text: what it writes when it gets power.
        brown_out_above_cdbm: its supply gives way when it transmits with more; it starts again with its defaults.
        zero_count_is_endless: a multi poll of 0 rounds never ends, as some drivers trust.
        select_mode_answers_as: the command code in the answer to 12; the manual shows 0C.
        occupied_every: every so many rounds it finds all channels occupied.
    """

    hardware: str = "M100 26dBm V1.0"
    software: str = "V2.3.5"
    maker: str = "MagicRF"
    least_cdbm: int = 0
    most_cdbm: int = 2600
    boot_text: bytes = b""
    brown_out_above_cdbm: int | None = None
    zero_count_is_endless: bool = True
    select_mode_answers_as: int = 0x0C
    occupied_every: int | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """Which tags take part in a round: Select sets a flag of theirs apart, and Query asks for a flag.

    Args:
        parameters: as the host sent them: target(3 bits) action(3) bank(2), pointer(4), mask bits(1), truncate(1), mask.
        mode: 0 always, 1 never, 2 only before access commands.
    """

    parameters: bytes = bytes(7)
    mode: int = 1

    def takes(self, epc: Epc, query: int) -> bool:
        """Whether a tag takes part in an inventory round.

        What is not about the EPC bank, or not one of the two actions that set a flag and clear it, lets all take part.

        Args:
            query: the Query word.
        """
        target, action, bank = self.parameters[0] >> 5, self.parameters[0] >> 2 & 7, self.parameters[0] & 3
        if self.mode != 0 or bank != 1 or action not in (0, 4):
            return True
        flag = self._matches(epc) == (action == 0)  # selected, or state A of the session
        if target == SL:
            return query >> 10 & 3 < 2 or flag == (query >> 10 & 3 == 3)
        return target != query >> 8 & 3 or flag == (query >> 7 & 1 == 0)

    def _matches(self, epc: Epc) -> bool:
        bits = self.parameters[5]
        offset = int.from_bytes(self.parameters[1:5], "big") - EPC_BANK_HEAD_BITS
        have = len(epc) * 8 - offset - bits
        if bits == 0 or offset < 0:
            return True
        if have < 0:
            return False
        mask = int.from_bytes(self.parameters[7:], "big") >> (len(self.parameters) - 7) * 8 - bits
        return int.from_bytes(epc, "big") >> have & (1 << bits) - 1 == mask


@dataclass(slots=True)
class Settings:
    """Set by commands, back to these defaults after a loss of power."""

    power_cdbm: int
    region: int = US
    channel: int = 1
    hopping: bool = True
    hop_channels: bytes = b""
    query: bytes = b"\x10\x20"
    select: Select = Select()
    demodulator: bytes = b"\x03\x06\x01\xb0"
    sleep_after_min: int = 0
    idle: bool = False
