"""EPC bytes <-> keys, driven by `tables.py`.

Some 10 microseconds each way: the shelf fusion asks once per tag, the stream of reads never does.
"""

from readers.epc.bits import MAX_BYTES, BitReader, BitWriter, EpcError
from readers.epc.keys import Key, Raw
from readers.epc.segments import Segment
from readers.epc.tables import CARRIED_RAW, SCHEME_OF_HEADER, SCHEMES, Scheme


def decode(epc: bytes) -> Key | Raw:
    """The key an EPC carries; never an error: what is no key comes back as `Raw`, with the reason.

    Behind the EPC only zeros may follow, to the end of the tag's words or through as many more as the tag was told to
    send; a "+" EPC with its data toggle set may be followed by anything.
    """
    if not epc:
        return Raw(epc, "no header")
    if len(epc) > MAX_BYTES:
        return Raw(epc, f"{len(epc)} bytes, an EPC bank holds {MAX_BYTES}")
    scheme = SCHEME_OF_HEADER.get(epc[0])
    if scheme is None:
        known = f" is {CARRIED_RAW[epc[0]]}, not read here" if epc[0] in CARRIED_RAW else " is none we know"
        return Raw(epc, f"header {epc[0]:02X}{known}")
    try:
        return _read(scheme, BitReader(epc))
    except EpcError as error:
        return Raw(epc, f"{scheme.name}: {error}")


def encode(key: Key) -> bytes:
    """The EPC that carries a key, in whole words of 16 bits as a tag stores it.

    Raises:
        EpcError: the scheme cannot carry it; says why in one line.
    """
    scheme = find_scheme(key.scheme)
    if len(key.fields) != len(scheme.names):
        raise EpcError(f"{scheme.name} has the fields {', '.join(scheme.names)}")
    try:
        return _write(scheme, key)
    except EpcError as error:
        raise EpcError(f"{scheme.name}: {error}") from error


def find_scheme(name: str) -> Scheme:
    """The row of a scheme.

    Raises:
        EpcError: there is none; names all.
    """
    if name not in SCHEMES:
        raise EpcError(f"unknown scheme {name!r}; known: {', '.join(SCHEMES)}")
    return SCHEMES[name]


def _read(scheme: Scheme, bits: BitReader) -> Key:
    bits.take(8)
    data_toggle = bits.take(1) if scheme.is_plus else 0
    filter_value = bits.take(scheme.filter_bits) if scheme.filter_bits else None
    fields: tuple[str, ...] = ()
    for segment in scheme.segments:
        try:
            fields += segment.read(bits)
        except EpcError as error:
            raise _blame(segment, error) from error
    count = bits.left
    rest = bits.take(count)
    if rest and not data_toggle:
        raise EpcError("bits that are not zero follow its end")
    return Key(scheme.name, fields, filter_value, data_toggle, f"{rest:0{count}b}" if data_toggle and count else "")


def _write(scheme: Scheme, key: Key) -> bytes:
    bits = BitWriter()
    bits.put(scheme.header, 8)
    if scheme.is_plus:
        bits.put(key.data_toggle, 1)
    elif key.data_toggle:
        raise EpcError("only the + schemes have a data toggle")
    _write_filter(scheme, key.filter, bits)
    left = key.fields
    for segment in scheme.segments:
        try:
            segment.write(bits, left[: len(segment.names)])
        except EpcError as error:
            raise _blame(segment, error) from error
        left = left[len(segment.names) :]
    if key.aidc_bits:
        if not key.data_toggle or set(key.aidc_bits) - {"0", "1"}:
            raise EpcError("further data is written as 0 and 1, and needs the data toggle")
        bits.put(int(key.aidc_bits, 2), len(key.aidc_bits))
    return bits.to_bytes()


def _write_filter(scheme: Scheme, value: int | None, bits: BitWriter) -> None:
    highest = (1 << scheme.filter_bits) - 1
    if value is None and not highest:
        return
    if value is None or not highest or not 0 <= value <= highest:
        raise EpcError(f"a filter is a number from 0 to {highest}" if highest else "it has no filter")
    bits.put(value, scheme.filter_bits)


def _blame(segment: Segment, error: EpcError) -> EpcError:
    where = " and ".join(name.replace("_", " ") for name in segment.names)
    return EpcError(f"{where}: {error}" if where else str(error))
