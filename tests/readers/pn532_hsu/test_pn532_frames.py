"""The PN532's frames and what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.capture import describe_capture, find_protocol
from readers.errors import FrameError
from readers.pn532_hsu import commands
from readers.pn532_hsu.codec import MAX_BODY, Acknowledgement, FrameDecoder, Information
from readers.pn532_hsu.commands import Target, parse_firmware, parse_targets

short_bodies = st.binary(min_size=1, max_size=255)
frames = st.one_of(
    st.builds(Information, short_bodies),
    st.builds(Information, st.binary(min_size=1, max_size=MAX_BODY), extended=st.just(True)),
    st.builds(Acknowledgement, st.booleans()),
)
targets = st.builds(
    Target,
    st.integers(1, 2),
    st.binary(min_size=2, max_size=2),
    st.sampled_from((0x00, 0x08, 0x20, 0x28)),
    st.sampled_from((4, 7, 10)).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
    st.binary(max_size=14),
)


def one(raw: bytes) -> dict[str, object]:
    [record] = describe_capture(find_protocol("pn532-hsu", "from_reader"), [raw])
    return record


def found(*cards: Target) -> Information:
    """The answer to a poll, by the manual's table."""
    body = b"\xd5\x4b" + bytes([len(cards)])
    for card in cards:
        ats = bytes([len(card.ats) + 1]) + card.ats if card.sel_res & 0x20 else b""
        body += bytes([card.number]) + card.sens_res + bytes([card.sel_res, len(card.uid)]) + card.uid + ats
    return Information(body)


@given(st.lists(frames, max_size=4), st.data())
def test_every_frame_comes_back_however_the_stream_is_cut(sent, data):
    stream = b"".join(frame.to_bytes() for frame in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder()
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [frame for piece in pieces for frame in decoder.feed(piece)] == sent
    assert decoder.discarded_bytes == 0


def test_an_ack_and_an_answer_in_one_piece_are_two_frames():
    ack, answer = FrameDecoder().feed(bytes.fromhex("0000ff00ff00 0000ff02fed533f800"))
    assert (ack, answer.code) == (Acknowledgement(), 0x33)


@given(frames, st.data())
def test_no_single_flipped_bit_makes_another_frame(frame, data):
    raw = bytearray(frame.to_bytes())
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    decoder = FrameDecoder()
    assert [found for found in decoder.feed(bytes(raw)) + decoder.flush() if len(found.to_bytes()) == len(raw)] == []


def test_a_zero_lost_on_the_way_costs_no_following_frame():
    empty = Information(bytes.fromhex("d54b00"))
    lost = bytes.fromhex("0000ff03fdd54be000")  # without its zero, which no sum sees
    for cut in range(len(lost + empty.to_bytes())):
        stream, decoder = lost + empty.to_bytes(), FrameDecoder()
        assert (decoder.feed(stream[:cut]) + decoder.feed(stream[cut:]))[-1] == empty


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("0000ff03fed54b00e000", "length check fe, computed fd"),
        ("0000ff03fdd54b00e100", "checksum e1, computed e0"),
        ("0000ff03fdd54b00e001", "ends in 0x01, not 0x00"),
        ("0000ff00ff01", "ends in 0x01, not 0x00"),
        ("0000ff0000", "length 0; a frame has 1 to 265"),
        ("0000ffffff0200fe", "length 512; a frame has 1 to 265"),
        ("0000ff04fcd54b0301dc00", "the answer to a poll is cut short"),
        ("0000ff05fbd54b0055aaf1" + "00", "2 bytes behind the last card of a poll"),
    ],
)
def test_what_the_chip_never_sends_is_refused_with_its_reason(raw, why):
    body = bytes.fromhex(raw)
    if raw.startswith("0000ff05fbd54b00"):
        body = Information(b"\xd5\x4b\x00\x55\xaa").to_bytes()
    if raw.startswith("0000ff04fcd54b03"):
        body = Information(b"\xd5\x4b\x03\x01").to_bytes()
    record = one(body)
    assert (record["valid"], record["why"]) == (False, why)


@given(targets, targets)
def test_every_card_of_a_poll_is_parsed(first, second):
    parsed = parse_targets(found(first, second))
    for told, meant in zip(parsed, (first, second), strict=True):
        ats = bytes([len(meant.ats) + 1]) + meant.ats if meant.sel_res & 0x20 else b""
        assert (told.number, told.sens_res, told.sel_res, told.uid, told.ats) == (
            meant.number, meant.sens_res, meant.sel_res, meant.uid, ats,
        )  # fmt: skip


@given(targets)
def test_a_poll_cut_short_is_never_another_card(card):
    whole = found(card).body
    for cut in range(3, len(whole)):
        if card.sel_res & 0x20 and cut == len(whole) - len(card.ats) - 1:
            continue  # no ATS at all is what the chip says when it was told to ask for none
        with pytest.raises(FrameError):
            parse_targets(Information(whole[:cut]))


def test_a_uid_of_another_length_is_no_card():
    with pytest.raises(FrameError, match="a UID of 5 bytes"):
        parse_targets(Information(bytes.fromhex("d54b010100040805a1b2c3d4e5")))


def test_an_ats_that_counts_nothing_is_refused():
    with pytest.raises(FrameError, match="ATS of 0 bytes"):
        parse_targets(Information(bytes.fromhex("d54b010103442004078cfc4f00")))


def test_the_firmware_is_told():
    version = parse_firmware(Information(bytes.fromhex("d50332010607")))
    assert (str(version), version.reads_14443a) == ("PN532 1.6", True)
    with pytest.raises(FrameError, match="3 bytes"):
        parse_firmware(Information(bytes.fromhex("d503320106")))


def test_decode_names_the_rest():
    assert one(bytes.fromhex("0000ffff0000"))["decoded"] == {"name": "nack"}
    assert one(bytes.fromhex("0000ff01ff7f8100"))["decoded"] == {"tfi": "7f", "name": "error"}
    assert one(commands.field_off().to_bytes())["decoded"] == {
        "tfi": "d4", "code": "0x32", "name": "rf_configuration", "item": 1, "field": "00",
    }  # fmt: skip
    told = one(Information(bytes.fromhex("d50332010607")).to_bytes())["decoded"]
    assert told == {
        "tfi": "d5", "code": "0x03", "name": "get_firmware", "chip": "0x32", "version": "1.6", "iso14443a": True,
    }  # fmt: skip
    card = found(Target(1, b"\x03\x44", 0x20, bytes(7), b"\x75\x77\x81\x02\x80"))
    assert one(card.to_bytes())["decoded"]["ats"] == "067577810280"


def test_a_frame_shows_nobody_the_uid():
    card = Target(1, b"\x00\x04", 8, bytes.fromhex("078cfc4f"))
    assert "078cfc4f" not in repr(found(card)) + repr(card)
    assert "\\x8c" not in repr(found(card)) + repr(card)
