"""Card readers that type: shapes, the card they mean, and the driver against its simulator over a real pty."""

import asyncio
import re
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers import registry
from readers.capture import describe_capture, find_protocol
from readers.card_number import CARD_RSSI_DBM, em4100_card, nfc_card
from readers.errors import FrameError, ReaderDisconnected, SettingsError
from readers.line_cards.codec import Line, LineDecoder
from readers.line_cards.commands import card_of
from readers.line_cards.reader import LineCardReader, LineCardsSettings
from readers.model import Read
from readers.ports import SerialPort
from simulators.line_cards import LineCardDevice
from simulators.line_cards.device import decimal, facility, hex_and_enter, id_12
from tests.readers.rdm6300.test_rdm6300 import Coil, take
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

CARD, NUMBER = 0x6F007B3972, 8075634
NOW_NS = 1_700_000_000_000_000_000
READ = Read(em4100_card(NUMBER), "r-1", 1, CARD_RSSI_DBM, NOW_NS)
TEN = re.compile("[0-9]{10}")
LINE = b"0008075634\r\n"
CHECKED = "(?P<number>[0-9A-F]{10})(?P<check>[0-9A-F]{2})"
USUAL = LineCardsSettings()
MAKES = {
    "decimal": (decimal, USUAL),
    "hex": (hex_and_enter, LineCardsSettings(pattern="(?P<number>[0-9A-F]{8})", number="hex")),
    "facility": (
        facility,
        LineCardsSettings(pattern="(?P<facility>[0-9]{3}),(?P<serial>[0-9]{5})", number="facility", high_byte=0),
    ),
    "id-12": (id_12, LineCardsSettings(pattern=CHECKED, number="hex")),
}


def frames_of(*pieces: bytes, shape: re.Pattern[str] = TEN) -> list[str]:
    decoder = LineDecoder(shape)
    return [line.text for piece in pieces for line in decoder.feed(piece)] + [line.text for line in decoder.flush()]


@given(st.lists(st.sampled_from(("\r\n", "\r", "\n")), max_size=6), st.data())
def test_any_slicing_gives_the_same_lines_whatever_ends_them(ends, data):
    lines = [Line(f"{number:010d}", end) for number, end in enumerate(ends)]
    stream = b"".join(line.to_bytes() for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    decoder = LineDecoder(TEN)
    found = [line for piece in pieces for line in decoder.feed(piece)] + decoder.flush()
    assert found == lines
    assert decoder.discarded_bytes == 0


@given(st.binary(max_size=60), st.data())
def test_every_byte_of_garbage_is_accounted_for_once_and_never_a_part_of_a_text(garbage, data):
    stream = garbage + LINE
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    texts = re.findall(r"[ -~]+(?=[\r\n])", stream.decode("latin-1"))
    assert frames_of(*pieces) == [text for text in texts if TEN.fullmatch(text)]
    records = list(describe_capture(find_protocol("line-cards", "from_reader"), pieces))
    assert sum(record["length"] for record in records) == len(stream)


@pytest.mark.parametrize("cut", range(1, 11))
def test_a_line_that_lost_its_end_takes_the_next_with_it_and_makes_no_third_number(cut):
    assert frames_of(LINE[:cut] + LINE + LINE) == ["0008075634"]
    assert frames_of(*(bytes([byte]) for byte in LINE[:cut] + LINE + LINE)) == ["0008075634"]


def test_what_came_before_silence_does_not_spoil_the_next_line():
    decoder = LineDecoder(TEN)
    assert decoder.feed(b"00080") + decoder.flush() == []
    assert [line.text for line in decoder.feed(LINE)] == ["0008075634"]


def test_empty_lines_are_no_loss():
    decoder = LineDecoder(TEN)
    assert len(decoder.feed(b"\r\n\n" + LINE + b"\r\n" + LINE)) == 2
    assert decoder.discarded_bytes == 0


def test_a_line_without_end_says_so():
    [record] = describe_capture(find_protocol("line-cards", "from_reader"), [b"0" * 200 + b"\r\n"])
    assert record["why"] == "no line end within 128 characters"


def test_a_line_without_end_is_not_kept():
    decoder = LineDecoder(TEN)
    for _ in range(100):
        assert decoder.feed(b"0008075634" * 5) == []
        assert len(decoder._buffer) <= 129
    assert [line.text for line in decoder.feed(b"\r\n" + LINE)] == ["0008075634"]


@pytest.mark.parametrize("name", MAKES)
def test_every_make_writes_the_card_that_an_rdm6300_reads(name):
    typed, settings = MAKES[name]
    shape = re.compile(settings.pattern)
    [line] = LineDecoder(shape).feed(typed(CARD) + b"?")
    assert card_of(shape.fullmatch(line.text), settings.number, settings.card, 0) == em4100_card(NUMBER)


@pytest.mark.parametrize(
    ("pattern", "number", "technology", "text", "why"),
    [
        ("(?P<number>[0-9]+)", "decimal", "em4100", "4294967296", "at most"),
        ("(?P<number>.*)", "decimal", "em4100", "12x45", "decimal digits"),
        ("(x|(?P<number>[0-9]+))", "decimal", "em4100", "x", "decimal digits"),
        ("(?P<number>.*)", "hex", "em4100", "007B39", "8 or 10 digits"),
        ("(?P<number>.*)", "hex", "em4100", "007B397", "pairs of hex digits"),
        (CHECKED, "hex", "em4100", "6F007B39725E", "check is wrong"),
        (CHECKED + "?", "hex", "em4100", "6F007B3972", "number and check"),
        ("(?P<facility>[0-9]+),(?P<serial>[0-9]+)", "facility", "em4100", "256,14706", "facility"),
        ("(?P<facility>[0-9]+),(?P<serial>[0-9]+)", "facility", "em4100", "123,65536", "serial"),
        ("(?P<number>.*)", "hex", "nfc", "08A1B2C3", "drawn anew"),
    ],
)
def test_a_number_that_no_card_has_is_refused_without_saying_it(pattern, number, technology, text, why):
    with pytest.raises(FrameError, match=why) as caught:
        card_of(re.compile(pattern).fullmatch(text), number, technology, 0)
    assert text not in str(caught.value)


def test_a_uid_in_hex_is_the_card_that_a_pn532_reads():
    found = re.fullmatch("(?P<number>[0-9A-F]+)", "04A1B2C3D4E5F6")
    assert card_of(found, "hex", "nfc") == nfc_card(bytes.fromhex("04a1b2c3d4e5f6"))


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("0008075634", {"form": "decimal", "card_hex": "007b3972", "card_number": NUMBER, "printed": "0008075634"}),
        ("007b3972", {"form": "hex", "card_hex": "007b3972", "card_number": NUMBER, "printed": "0008075634"}),
        ("9999999999", {"form": "hex", "card_hex": "99999999", "card_number": 2576980377, "printed": "2576980377"}),
        ("123,14706", {"form": "facility", "card_hex": "7b3972"}),
        (
            "6F007B39725F",
            {"form": "hex_checked", "card_hex": "007b3972", "card_number": NUMBER, "printed": "0008075634"},
        ),
    ],
)
def test_decode_takes_the_usual_forms(text, decoded):
    [record] = describe_capture(find_protocol("line-cards", "from_reader"), [text.encode() + b"\r\n"])
    assert record["decoded"] == decoded


@pytest.mark.parametrize("text", ["6F007B39725E", "999,99999", "hello", "00080756341"])
def test_decode_refuses_what_no_card_says_without_repeating_it(text):
    [record] = describe_capture(find_protocol("line-cards", "from_reader"), [text.encode() + b"\r\n"])
    assert not record["valid"]
    assert text not in record["why"]


@asynccontextmanager
async def opened(path, coil, typed=decimal, settings=USUAL):
    async with (
        simulated(LineCardDevice(coil, typed), path / "port") as line,
        SerialPort(path / "port", 9600) as port,
        LineCardReader("r-1", port, settings, lambda: NOW_NS) as reader,
    ):
        yield reader, line


@pytest.mark.parametrize("name", MAKES)
async def test_a_touch_is_one_read(tmp_path, name):
    coil = Coil(None)
    async with opened(tmp_path, coil, *MAKES[name]) as (reader, line):
        coil.card = CARD
        reads = reader.reads()
        async with asyncio.timeout(WAIT_S):
            assert await anext(reads) == READ
        assert (reader.health.frames, reader.health.signs_of_life) == (1, None)
        line._fifo += b"\xff"  # something else, and still no second read
        waiting = asyncio.create_task(anext(reads))
        async with asyncio.timeout(WAIT_S):
            while not reader.health.discarded_bytes or line.waiting_bytes:
                await asyncio.sleep(0.005)
        assert not waiting.done()
        waiting.cancel()


async def test_a_line_with_a_check_may_stand_for_two_touches(tmp_path):
    coil = Coil(None)
    settings = LineCardsSettings(pattern=CHECKED, number="hex", one_touch=True)
    async with opened(tmp_path, coil, id_12, settings) as (reader, _):
        coil.card = CARD
        assert await take(reader, 2) == [READ, READ]
        assert reader.health.frames == 1


async def test_a_line_with_a_wrong_check_is_no_touch(tmp_path):
    coil = Coil(None)
    settings = LineCardsSettings(pattern=CHECKED, number="hex", one_touch=True)
    async with opened(tmp_path, coil, lambda card: b"6F007B39735F\r\n" + id_12(card), settings) as (reader, _):
        coil.card = CARD
        assert await take(reader, 2) == [READ, READ]
        assert reader.health.bad_frames == 1


async def test_what_was_being_typed_when_it_was_opened_is_no_card(tmp_path):
    coil = Coil()
    settings = LineCardsSettings(pattern="(?P<number>[0-9]+)")
    async with (
        simulated(LineCardDevice(coil, decimal), tmp_path / "port") as line,
        SerialPort(tmp_path / "port", 9600) as port,
    ):
        line._fifo[:] = b"75634\r\n"
        async with LineCardReader("r-1", port, settings, lambda: NOW_NS) as reader:
            coil.card = 0x77
            assert (await take(reader, 1))[0].epc == em4100_card(0x77)


async def test_unplugged_and_plugged_in_again(tmp_path):
    coil = Coil(None)
    async with opened(tmp_path, coil) as (reader, line):
        coil.card = CARD
        await take(reader, 1)
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await take(reader, 1)
    coil.card = None
    async with opened(tmp_path, coil) as (reader, _):
        coil.card = CARD
        assert await take(reader, 1) == [READ]


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": "[0-9]+"}, r"no group \(\?P<number>"),
        ({"number": "facility", "high_byte": 0}, r"no group \(\?P<facility>"),
        ({"pattern": "(?P<facility>.)(?P<serial>.)", "number": "facility"}, "`high_byte` goes with"),
        ({"high_byte": 0}, "`high_byte` goes with"),
        ({"one_touch": True}, "`one_touch` needs a `check` group"),
        ({"pattern": "(?P<number>.)(?P<check>.)"}, "a `check` group goes with"),
        ({"card": "nfc"}, '`card = "nfc"` goes with'),
        ({"card": "mifare"}, "^card: "),
        ({"high_byte": 256}, "^high_byte: "),
    ],
)
def test_a_wrong_setting_is_named(stanza, message):
    with pytest.raises(SettingsError, match=message):
        registry.check_reader("line-cards", stanza)


def test_a_line_shows_nobody_the_number():
    assert "8075634" not in repr(Line("0008075634", "\r\n"))
