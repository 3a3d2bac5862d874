"""A PN532 NFC chip on its serial interface."""

from simulators.pn532_hsu.device import Card, Pn532Device

__all__ = ["Card", "Pn532Device"]
