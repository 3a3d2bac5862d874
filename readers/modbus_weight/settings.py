"""Modbus weighing transmitter: the keys of its stanza, and what is to be asked for because of them."""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from readers.mass import check_weighing, grams_of
from readers.modbus_rtu.master import ModbusSettings
from readers.modbus_weight.registers import Order, Status, Value, ValueType, register_count

Address = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF)]
Bit = Annotated[int, msgspec.Meta(ge=0, le=15)]


class ModbusWeightSettings(ModbusSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a scale's stanza; see `readers.modbus_weight.reader`."""

    function: Literal[3, 4] = 3
    address: Address
    value_type: ValueType
    word_order: Order = "big"
    byte_order: Order = "big"
    scale: Decimal = Decimal(1)
    mass_unit: str = "g"
    capacity_g: Decimal
    status_address: Address | None = None
    stable_bit: Bit | None = None
    moving_bit: Bit | None = None
    overload_bit: Bit | None = None
    fault_bit: Bit | None = None
    stable_count: Annotated[int, msgspec.Meta(ge=2, le=100)] = 5
    stable_spread_g: Decimal = Decimal(2)
    poll_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 100

    def __post_init__(self) -> None:
        """Check what types cannot."""
        check_weighing(self.mass_unit, self.scale, self.capacity_g, self.stable_spread_g)
        if self.address + register_count(self.value_type) > 0x10000:
            raise ValueError(f"address {self.address} is the last register, and {self.value_type} takes two")
        self._check_status()

    @property
    def value(self) -> Value:
        """How the weight stands in its registers."""
        grams_per_count = self.scale * grams_of(self.mass_unit)
        return Value(self.value_type, self.word_order, self.byte_order, grams_per_count, self.capacity_g)

    @property
    def blocks(self) -> tuple[range, ...]:
        """Addresses to read, each block with one question: the weight, and the status with it where it is next to it."""
        weight = range(self.address, self.address + register_count(self.value_type))
        match self.status_address:
            case None:
                return (weight,)
            case before if before == weight.start - 1:
                return (range(before, weight.stop),)
            case behind if behind == weight.stop:
                return (range(weight.start, behind + 1),)
            case elsewhere:
                return (weight, range(elsewhere, elsewhere + 1))

    def status_of(self, word: int) -> Status:
        """What the status register says."""
        stable: bool | None = None
        if self.stable_bit is not None:
            stable = bool(word >> self.stable_bit & 1)
        if self.moving_bit is not None:
            stable = not word >> self.moving_bit & 1
        return Status(stable, overload=_is_set(word, self.overload_bit), fault=_is_set(word, self.fault_bit))

    def _check_status(self) -> None:
        bits = [self.stable_bit, self.moving_bit, self.overload_bit, self.fault_bit]
        named = [bit for bit in bits if bit is not None]
        if bool(named) != (self.status_address is not None):
            raise ValueError("status_address goes with stable_bit, moving_bit, overload_bit or fault_bit")
        if len(set(named)) < len(named):
            raise ValueError("a bit of the status register is given two meanings")
        if self.stable_bit is not None and self.moving_bit is not None:
            raise ValueError("give stable_bit or moving_bit, not both: each is the other's opposite")
        if self.status_address is not None and self.status_address - self.address in range(
            register_count(self.value_type)
        ):
            raise ValueError(f"status_address {self.status_address} is a register of the weight itself")


def _is_set(word: int, bit: int | None) -> bool:
    return bit is not None and bool(word >> bit & 1)
