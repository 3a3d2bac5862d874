"""Laser range finders of the TFmini family."""

from simulators.tfmini.device import Echo, Firmware, TfMiniDevice

__all__ = ["Echo", "Firmware", "TfMiniDevice"]
