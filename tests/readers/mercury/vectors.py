"""A tag as a published frame reports it, and records of tags made flag by flag."""

from readers.mercury.records import Metadata

TAG = bytes.fromhex("ff2822000010001b01ff0101c4110e16400000012700000500000f00803000000000000000000000001545e94a561d")
EPC = bytes.fromhex("000000000000000000001545")


def record_of(flags: int, *, data: bytes = b"", data_bits: int | None = None, tag: bytes) -> bytes:
    """A record, flag by flag."""
    values = {
        Metadata.READ_COUNT: b"\x02",
        Metadata.RSSI: b"\xb0",
        Metadata.ANTENNA: b"\x32",
        Metadata.FREQUENCY: (865_700).to_bytes(3, "big"),
        Metadata.TIMESTAMP: (70_000).to_bytes(4, "big"),
        Metadata.PHASE: (135).to_bytes(2, "big"),
        Metadata.PROTOCOL: b"\x05",
        Metadata.DATA: (len(data) * 8 if data_bits is None else data_bits).to_bytes(2, "big") + data,
        Metadata.GPIO: b"\x0c",
        Metadata.GEN2_Q: b"\x04",
        Metadata.GEN2_LINK: b"\x02",
        Metadata.GEN2_TARGET: b"\x01",
    }
    told = b"".join(value for flag, value in values.items() if flags & flag)
    return told + (len(tag) * 8).to_bytes(2, "big") + tag
