"""PN532 NFC chip on its serial interface (HSU)."""
