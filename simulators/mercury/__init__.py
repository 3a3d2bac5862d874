"""A ThingMagic Mercury UHF reader module."""

from simulators.mercury.device import MercuryDevice

__all__ = ["MercuryDevice"]
