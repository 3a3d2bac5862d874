"""An R2000 class UHF reader with the 0xA0 protocol."""

from simulators.r2000_a0.device import R2000Device

__all__ = ["R2000Device"]
