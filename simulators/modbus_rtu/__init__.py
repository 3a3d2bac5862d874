"""What every simulated Modbus RTU slave does alike."""

from simulators.modbus_rtu.slave import Manners, Refusal, Slave

__all__ = ["Manners", "Refusal", "Slave"]
