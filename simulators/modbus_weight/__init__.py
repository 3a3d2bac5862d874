"""A weighing transmitter that speaks Modbus RTU."""

from simulators.modbus_weight.device import ModbusWeightDevice, Transmitter

__all__ = ["ModbusWeightDevice", "Transmitter"]
