"""Weighing transmitters and indicators that speak Modbus RTU; which register means what is configuration."""
