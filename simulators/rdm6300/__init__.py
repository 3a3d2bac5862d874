"""An RDM6300 card reader."""

from simulators.rdm6300.device import Rdm6300Device

__all__ = ["Rdm6300Device"]
