"""What must hold of a codec whatever the bytes are."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

from readers import epc
from readers.capture import Protocol, Record, describe_capture
from readers.epc.tables import SCHEMES
from readers.errors import FrameError, ReaderRefused
from readers.framing import Found, Noise, StreamDecoder

MOST_WAITING_BYTES = 600
"""No codec may hold back more: the longest frames, of an M100 and of a printer's code, have some 520."""

Parser = Callable[[Any], object]


def check_stream(
    new: Callable[[], Protocol], data: bytes, parsers: Iterable[Parser] = (), *, shares_a_byte: bool = False
) -> None:
    """The first byte says how the rest, a stream, is cut.

    Every byte is accounted for once, in order; a frame says again exactly what stood there; however the stream is cut, the
    same comes out; what waits is bounded; and whatever is sound can be described and parsed, or is refused in one line.

    Args:
        new: the protocol, fresh.
        parsers: of frames; see `tests.fuzz.parsers`.
        shares_a_byte: a frame may begin with the byte that ends the one before.
    """
    cut, stream = (data[0] + 1, data[1:]) if data else (1, b"")
    whole = list(items_of(new().decoder, [stream]))
    frames = [item for item in whole if isinstance(item, Found)]
    for found in frames:
        raw, end = found.frame.to_bytes(), found.offset + found.length
        assert stream[:end].endswith(raw), found
        assert len(raw) == found.length or (shares_a_byte and len(raw) == found.length + 1), found
        for parse in parsers:
            check_refusal(parse, found.frame)
    slices = [stream[at : at + cut] for at in range(0, len(stream), cut)]
    assert list(items_of(new().decoder, slices)) == whole
    check_records(list(describe_capture(new(), slices)), len(stream))


def items_of(decoder: StreamDecoder[Any], slices: Iterable[bytes]) -> Iterator[Found[Any] | Noise]:
    """Frames with their places, and noise, of a stream that comes in these slices."""
    for each in slices:
        yield from decoder.scan(each)
        assert len(decoder._buffer) <= MOST_WAITING_BYTES
    yield from decoder.finish()
    assert not decoder._buffer


def check_refusal(parse: Parser, frame: object) -> None:
    """What a parser makes no sense of it refuses in one line, and in no other way."""
    try:
        parse(frame)
    except (FrameError, ReaderRefused) as error:
        check_line(str(error))


def check_line(text: str) -> None:
    """One line that can be printed: what came from outside is quoted in it."""
    assert text
    assert text.isprintable(), text


def check_records(records: list[Record], size: int) -> None:
    """They are JSON, follow each other without gap or overlap, and say in one line why what is broken is."""
    json.dumps(records, allow_nan=False)
    at = 0
    for record in records:
        assert record["offset"] == at, record
        at += int(str(record["length"]))
        if not record["valid"]:
            check_line(str(record["why"]))
    assert at == size
    assert all(a["valid"] or b["valid"] for a, b in pairwise(records))


def check_epc(data: bytes) -> None:
    """Any bytes are some key or carried raw; a key is written as the same bytes, up to the zeros that fill the last word."""
    key = epc.decode(data)
    json.dumps(epc.describe(key), allow_nan=False)
    if isinstance(key, epc.Raw):
        check_line(key.why)
        assert key.epc == data
        return
    written = epc.encode(key)
    longest = max(len(data), len(written))
    assert written.ljust(longest, b"\0") == data.ljust(longest, b"\0"), (written.hex(), data.hex())
    for text in (key.tag_uri, key.pure_identity, key.element_string, key.digital_link):
        assert text is None or text.isprintable(), text


def check_epc_text(data: bytes) -> None:
    """As `check_key`, of a text alone."""
    check_key(data.decode("utf-8", "surrogateescape"))


def check_epc_as(data: bytes) -> None:
    """The first three bytes say as what scheme, with what filter and company prefix, the rest is to be taken."""
    scheme, filter_value, prefix_digits, *_ = *data[:3], 0, 0, 0
    text = data[3:].decode("utf-8", "surrogateescape")
    check_key(
        text, tuple(SCHEMES)[scheme % len(SCHEMES)], filter_value=filter_value % 9, prefix_digits=prefix_digits % 15
    )


def check_key(text: str, scheme: str | None = None, **wanted: int) -> None:
    """Any text is a key that can be written and read again as the same, or is refused in one line."""
    try:
        key = epc.parse(text, scheme, **wanted)
    except epc.EpcError as error:
        check_line(str(error))
        return
    again = epc.decode(epc.encode(key))
    assert again == key
    if key.tag_uri is not None:
        assert epc.parse(key.tag_uri) == key
