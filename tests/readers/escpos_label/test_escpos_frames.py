"""ESC/POS: orders and status bytes, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.capture import describe_capture, find_protocol
from readers.escpos_label import codec, commands
from readers.escpos_label.codec import FrameDecoder, Order, Status, Text, is_status
from readers.escpos_label.commands import Question, parse_status
from readers.model import PrinterStatus

letters = st.sampled_from([*range(0x20, 0x7F), *range(0x80, 0x100)])
orders = st.one_of(
    st.builds(Text, st.lists(letters, min_size=1, max_size=48).map(bytes)),
    st.sampled_from((commands.INITIAL, commands.CENTRED, commands.LEFT, commands.FULL_CUT, commands.PARTIAL_CUT)),
    st.builds(commands.code_page, st.integers(0, 255)),
    st.builds(commands.feed, st.integers(0, 255)),
    st.builds(commands.ask, st.sampled_from(Question)),
    st.builds(lambda data: Order(codec.BARCODE, b"\x49" + data), st.binary(min_size=1, max_size=255)),
    st.builds(lambda data: Order(codec.QR, data), st.binary(min_size=1, max_size=300)),
)
NOISE = bytes(range(0x10))


def one(raw: bytes, direction: str = "to_reader") -> dict[str, object]:
    [record] = describe_capture(find_protocol("escpos-label", direction), [raw])
    return record


@given(st.lists(orders, max_size=6), st.data())
def test_every_order_comes_back_however_the_stream_is_cut(sent, data):
    stream = b"".join(order.to_bytes() for order in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder("to_reader")
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [order for piece in pieces for order in decoder.feed(piece)] == sent
    assert decoder.discarded_bytes == 0


@given(orders, st.lists(st.sampled_from(NOISE), max_size=9).map(bytes), st.data())
def test_noise_around_an_order_costs_nothing_else(order, noise, data):
    stream = noise + order.to_bytes() + noise + order.to_bytes()
    decoder = FrameDecoder("to_reader")
    assert [found for byte in stream for found in decoder.feed(bytes([byte]))] == [order, order]
    assert decoder.discarded_bytes == 2 * len(noise)


@given(st.binary(max_size=40))
def test_of_what_a_printer_says_only_status_bytes_count(data):
    assert FrameDecoder("from_reader").feed(data) == [Status(byte) for byte in data if is_status(byte)]


@given(st.lists(st.binary(max_size=700), max_size=5))
def test_what_a_peer_can_make_us_keep_is_bounded(chunks):
    decoder = FrameDecoder("to_reader")
    for chunk in chunks:
        decoder.feed(b"\x1d(k" + chunk + b"A" * 300)
        assert len(decoder._buffer) <= 1024


@pytest.mark.parametrize(
    ("raw", "decoded"),
    [
        ("1b40", {"name": "initialise"}),
        ("1b7413", {"name": "code_page", "n": 19}),
        ("1d5600", {"name": "cut", "n": 0}),
        ("1d5601", {"name": "cut", "n": 1}),
        ("100401", {"name": "ask_status", "n": 1}),
        ("1d6b49077b424e6f2e3132", {"name": "barcode", "system": 73, "data": "7b424e6f2e3132"}),
        ("1d286b040031413200", {"name": "qr", "data": "31413200"}),
        ("8281740a", {"name": "text", "text": "éüt"}),
    ],
)
def test_orders_in_words(raw, decoded):
    record = one(bytes.fromhex(raw))
    assert record.get("decoded") == decoded


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("1b21", "no order begins with 1b 21"),
        ("1d5607", "parameter 7 of 1d 56; it has 0 to 1"),
        ("100409", "parameter 9 of 10 04; it has 1 to 4"),
        ("1d6b4900", "0 bytes of a code; it has 1 to 512"),
        ("1d286bff02", "767 bytes of a code; it has 1 to 512"),
        ("41421b", "byte 0x1b inside a line of text"),
        ("41" * 300, "no line feed within 256 characters"),
    ],
)
def test_what_is_no_order_says_why(raw, why):
    assert one(bytes.fromhex(raw))["why"] == why


def test_a_status_byte_shows_itself():
    assert one(b"\x12", "from_reader")["decoded"] == {"name": "status", "byte": "12"}
    assert not one(b"\x13", "from_reader")["valid"]


@pytest.mark.parametrize(
    ("answers", "status", "trouble"),
    [
        ("12121212", PrinterStatus(False, False, False, False, False), ""),
        ("16121212", PrinterStatus(False, False, False, False, False), ""),
        ("1212121e", PrinterStatus(False, False, False, False, True), ""),
        ("1a32127e", PrinterStatus(True, False, False, True, True), "no paper"),
        ("12121252", PrinterStatus(False, False, False, True, False), "no paper"),
        ("1a321212", PrinterStatus(True, False, False, True, False), "no paper"),
        ("1a161212", PrinterStatus(True, True, False, False, False), "cover is open"),
        ("1a521a12", PrinterStatus(True, False, True, False, False), "an error"),
        ("1a1a1212", PrinterStatus(True, False, False, False, False), "off-line"),
    ],
)
def test_the_status_bits(answers, status, trouble):
    assert parse_status(*bytes.fromhex(answers)) == status
    assert trouble in status.trouble
    assert bool(status.trouble) == bool(trouble)
