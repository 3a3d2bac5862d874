"""A relay board that speaks Modbus RTU."""

from simulators.modbus_relay.device import Board, ModbusRelayDevice

__all__ = ["Board", "ModbusRelayDevice"]
