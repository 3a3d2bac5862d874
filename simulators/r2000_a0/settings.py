"""What an R2000 reader keeps, and the make it is of."""

from dataclasses import dataclass, field

FCC, ETSI, CHINA = 0x01, 0x02, 0x03
CHANNELS = {FCC: (7, 59), ETSI: (0, 6), CHINA: (43, 53)}
"""First and last channel of each region: 902 to 928, 865 to 868, 920 to 925 MHz."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the reader.

    Args:
        address: which it answers with.
        major, minor: the version.
        ports: 4 or 8 antennas.
        most_dbm: the most power it can do.
        keeps_settings: whether they outlive a loss of power, as the manual says; some makes fall back to FCC.
        stuck_after_rounds: after so many rounds it obeys all commands but says nothing of orders, until it is reset.
        start_ns: how long it is deaf after a start.
        temperature_c: its own.
        return_loss_db: by antenna, counted from 1; 20 for those not named.
    """

    address: int = 1
    major: int = 8
    minor: int = 2
    ports: int = 4
    most_dbm: int = 33
    keeps_settings: bool = True
    stuck_after_rounds: int | None = None
    start_ns: int = 300_000_000
    temperature_c: int = 41
    return_loss_db: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Settings:
    """Set by commands."""

    powers_dbm: bytes
    address: int
    region: bytes = bytes((FCC, *CHANNELS[FCC]))
    detector_db: int = 0
    beeper: int = 0
    profile: int = 0xD1
    identifier: bytes = b"\xff" * 12


def delivered(firmware: Firmware) -> Settings:
    """The settings a reader leaves the factory with."""
    return Settings(powers_dbm=bytes((30,)) * firmware.ports, address=firmware.address)
