"""Relay boards that speak Modbus RTU."""
