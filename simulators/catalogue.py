"""The simulated devices by the name of their type, made alike whoever needs one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from simulators.device import Device
from simulators.lcus_relay import LcusRelayDevice
from simulators.line_weight import LineWeightDevice
from simulators.magicrf_m100 import M100Device
from simulators.mercury import MercuryDevice
from simulators.modbus_relay import Board, ModbusRelayDevice
from simulators.modbus_weight import ModbusWeightDevice
from simulators.mt_sics import MtSicsDevice
from simulators.mt_sics.device import Terminal
from simulators.r2000_a0 import R2000Device
from simulators.scene_radio import Antenna
from simulators.uhfreader18 import UhfDevice
from simulators.uhfreader18.firmware import UHFREADER18, UHFREADER288

Switched = Callable[[int, bool, int], None]
"""Told channel from 1, new state and time in UTC ns."""


class Reading(Protocol):
    """What a load cell says."""

    @property
    def grams(self) -> float: ...
    @property
    def stable(self) -> bool: ...


Weigh = Callable[[int], Reading]
"""The load at a time in UTC ns."""

READERS: Mapping[str, Callable[[Sequence[Antenna]], Device]] = {
    "magicrf-m100": lambda antennas: M100Device(antennas[0]),
    "mercury": MercuryDevice,
    "r2000-a0": R2000Device,
    "uhfreader18": lambda antennas: UhfDevice(antennas, firmware=UHFREADER18),
    "uhfreader288": lambda antennas: UhfDevice(antennas, firmware=UHFREADER288),
}
"""UHF readers, by their antennas from number 1 on; those with one connector use the first."""
SCALES: Mapping[str, Callable[[Weigh, float], Device]] = {
    "line-weight": lambda weigh, _capacity_g: LineWeightDevice(weigh),
    "modbus-weight": lambda weigh, _capacity_g: ModbusWeightDevice(weigh),
    "mt-sics": lambda weigh, capacity_g: MtSicsDevice(weigh, terminal=Terminal(capacity_g=capacity_g)),
}
"""Scales, by what lies on them and how many grams they can bear."""
RELAYS: Mapping[str, Callable[[int, Switched], Device]] = {
    "lcus-relay": LcusRelayDevice,
    "modbus-relay": lambda channels, switched: ModbusRelayDevice(switched, board=Board(channels=channels)),
}
"""Relay boards, by the number of their channels."""
