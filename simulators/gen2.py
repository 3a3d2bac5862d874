"""What a UHF Gen2 tag says of itself: protocol control word, EPC and CRC-16."""

from functools import lru_cache

_POLYNOMIAL = 0x1021


def crc16(data: bytes) -> int:
    """The Gen2 CRC-16: polynomial 0x1021, preset 0xFFFF, inverted.  Source: EPC UHF Gen2, annex F."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ _POLYNOMIAL) & 0xFFFF if crc & 0x8000 else crc << 1
    return crc ^ 0xFFFF


@lru_cache(maxsize=4096)
def backscatter(epc: bytes) -> bytes:
    """What a singulated tag sends: PC, EPC and CRC.  The PC's upper five bits count the EPC's words.

    Args:
        epc: 1 to 31 words.
    """
    words, odd = divmod(len(epc), 2)
    if odd or not 1 <= words <= 31:
        raise ValueError(f"an EPC has 1 to 31 words of two bytes, not {len(epc)} bytes")
    body = (words << 11).to_bytes(2, "big") + epc
    return body + crc16(body).to_bytes(2, "big")
