"""A MagicRF M100 UHF reader module."""

from simulators.magicrf_m100.device import M100Device

__all__ = ["M100Device"]
