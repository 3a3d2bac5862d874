"""A 24 GHz radar that senses people."""

from simulators.hlk_ld2410.device import Firmware, Ld2410Device, Scene

__all__ = ["Firmware", "Ld2410Device", "Scene"]
