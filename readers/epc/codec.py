"""EPC bytes <-> GS1 keys, driven by `tables.py`."""

from collections.abc import Mapping

from readers.epc.keys import Gdti96, Grai96, Gsrn96, Gsrnp96, PartitionedKey, Raw, Sgln96, Sgtin96, Sscc96
from readers.epc.tables import PREFIX_BITS, PREFIX_DIGITS, SCHEME_OF_HEADER, SCHEMES, Scheme

KEY_OF_SCHEME: Mapping[str, type[PartitionedKey]] = {
    key.scheme: key for key in (Sgtin96, Sscc96, Sgln96, Grai96, Gdti96, Gsrn96, Gsrnp96)
}
TAG_URI = "urn:epc:tag:"


def decode(epc: bytes) -> PartitionedKey | Raw:
    """The key an EPC carries; never an error: what is no key comes back as `Raw`, with the reason.

    The company prefix's length comes from the tag; the check digit is not on the tag and is computed when asked for.
    """
    scheme = SCHEME_OF_HEADER.get(epc[0]) if epc else None
    if scheme is None:
        return Raw(epc, "no known header")
    if len(epc) * 8 != scheme.total_bits:
        return Raw(epc, f"{len(epc) * 8} bits, {scheme.name} has {scheme.total_bits}")
    return _decode_partitioned(epc, scheme)


def encode(key: PartitionedKey) -> bytes:
    """The EPC that carries a key.

    Raises:
        ValueError: the scheme cannot carry it; says why.
    """
    scheme = SCHEMES[key.scheme]
    partition = _partition_of(key, scheme)
    serial = key.serial if key.serial is not None else 0
    if (key.serial is None) != (scheme.serial_bits == 0):
        raise ValueError(f"{scheme.name} has {'a' if scheme.serial_bits else 'no'} serial")
    if not 0 <= serial < 1 << scheme.serial_bits:
        raise ValueError(f"serial {serial} does not fit {scheme.serial_bits} bits of {scheme.name}")
    if not 0 <= key.filter <= 7:
        raise ValueError(f"filter {key.filter} is not 0..7")
    bits = (scheme.header << 3 | key.filter) << 3 | partition
    bits = bits << PREFIX_BITS[partition] | int(key.company_prefix)
    bits = bits << scheme.reference_bits[partition] | int(key.reference or "0")
    bits = (bits << scheme.serial_bits | serial) << scheme.padding_bits
    return bits.to_bytes(scheme.total_bits // 8, "big")


def parse_tag_uri(uri: str) -> PartitionedKey:
    """The key a tag URI names.

    Raises:
        ValueError: no tag URI of a known scheme, or one that its scheme cannot carry.
    """
    name, _, body = uri.removeprefix(TAG_URI).partition(":")
    if not uri.startswith(TAG_URI) or name not in SCHEMES:
        raise ValueError(f"{uri!r} is no tag URI of {', '.join(SCHEMES)}")
    parts = body.split(".")
    if len(parts) != (4 if SCHEMES[name].serial_bits else 3):
        raise ValueError(f"{uri!r} has {len(parts)} parts, too few or too many for {name}")
    serial = _plain_integer(parts[3], "serial") if len(parts) == 4 else None
    key = KEY_OF_SCHEME[name](_plain_integer(parts[0], "filter"), parts[1], parts[2], serial)
    encode(key)
    return key


def _decode_partitioned(epc: bytes, scheme: Scheme) -> PartitionedKey | Raw:
    bits, left = int.from_bytes(epc, "big"), scheme.total_bits - 8

    def take(count: int) -> int:
        nonlocal left
        left -= count
        return bits >> left & (1 << count) - 1

    filter_value, partition = take(3), take(3)
    if partition == 7:
        return Raw(epc, f"partition 7 is not allowed in {scheme.name}")
    prefix, reference = take(PREFIX_BITS[partition]), take(scheme.reference_bits[partition])
    serial = take(scheme.serial_bits) if scheme.serial_bits else None
    prefix_digits, reference_digits = PREFIX_DIGITS[partition], scheme.reference_digits[partition]
    if prefix >= 10**prefix_digits or reference >= 10**reference_digits:
        return Raw(epc, f"a field of {scheme.name} has more digits than partition {partition} allows")
    if take(scheme.padding_bits):
        return Raw(epc, f"the spare bits of {scheme.name} are not zero")
    digits = f"{reference:0{reference_digits}d}" if reference_digits else ""
    return KEY_OF_SCHEME[scheme.name](filter_value, f"{prefix:0{prefix_digits}d}", digits, serial)


def _partition_of(key: PartitionedKey, scheme: Scheme) -> int:
    if (
        not (key.company_prefix.isascii() and key.company_prefix.isdigit())
        or len(key.company_prefix) not in PREFIX_DIGITS
    ):
        raise ValueError(f"company prefix {key.company_prefix!r} is not 6 to 12 digits")
    partition = PREFIX_DIGITS.index(len(key.company_prefix))
    wanted = scheme.reference_digits[partition]
    if len(key.reference) != wanted or not ((key.reference.isascii() and key.reference.isdigit()) or wanted == 0):
        raise ValueError(
            f"{key.reference!r} must be {wanted} digits after a company prefix of {len(key.company_prefix)}"
        )
    return partition


def _plain_integer(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or str(int(text)) != text:
        raise ValueError(f"{what} {text!r} is not a plain integer without leading zeros")
    return int(text)
