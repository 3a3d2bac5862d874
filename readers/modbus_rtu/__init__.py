"""Modbus RTU over a serial line: frames, and the one master that asks.  The devices on it have packages of their own."""
