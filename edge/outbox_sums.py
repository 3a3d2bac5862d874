"""The checksums kept beside what the outbox holds: a flipped bit of it, or of its place, shows."""

import zlib

SALVAGED = "S"
"""In a checksum the place of the class of an event that was saved once before."""


def row_sum(number: int, letter: str, topic: str, payload: bytes) -> int:
    """The checksum of an event.  One pass over a joined buffer: a second call costs more than the copy."""
    return zlib.crc32(f"{number} {letter} {topic}\0".encode() + payload)


def state_sum(key: str, value: bytes) -> int:
    """The checksum of a state."""
    return zlib.crc32(f"{key}\0".encode() + value)
