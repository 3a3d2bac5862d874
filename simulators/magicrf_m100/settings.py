"""What an M100 keeps until it loses power, and the limits its firmware sets."""

from dataclasses import dataclass

from simulators.scene_radio import Epc

US = 0x02
CHANNELS = {0x01: 20, 0x04: 20, 0x02: 52, 0x03: 15, 0x06: 32}
"""Channels by region code: China 900, China 800, US, Europe, Korea."""
EPC_BANK_HEAD_BITS = 32  # CRC and PC stand before the EPC


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the module.

    Args:
        boot_text: what it writes when it gets power.
        brown_out_above_cdbm: its supply gives way when it transmits with more; it starts again with its defaults.
        zero_count_is_endless: a multi poll of 0 rounds never ends, as some drivers trust.
        select_mode_answers_as: the command code in the answer to 12; the manual shows 0C.
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


@dataclass(frozen=True, slots=True)
class Select:
    """Which tags take part in a round: those whose EPC bank holds `mask` at `pointer_bits`.

    Args:
        parameters: as the host sent them: SelParam, pointer(4), mask bits(1), truncate(1), mask.
        mode: 0 always, 1 never, 2 only before access commands.
    """

    parameters: bytes = bytes(7)
    mode: int = 1

    def takes(self, epc: Epc) -> bool:
        """Whether a tag takes part in an inventory round.  Masks outside the EPC bank are taken as matching."""
        bits = self.parameters[5]
        offset = int.from_bytes(self.parameters[1:5], "big") - EPC_BANK_HEAD_BITS
        if self.mode != 0 or bits == 0 or offset < 0 or self.parameters[0] & 0x03 != 0x01:
            return True
        have = len(epc) * 8 - offset - bits
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
    query: bytes = b"\x10\x20"
    select: Select = Select()
    demodulator: bytes = b"\x03\x06\x01\xb0"
    sleep_after_min: int = 0
