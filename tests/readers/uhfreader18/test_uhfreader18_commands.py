"""What the drivers can say and understand, against the published frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.capture import describe_capture, find_protocol
from readers.errors import FrameError
from readers.uhfreader18 import answers, commands
from readers.uhfreader18.answers import Sighting, Tag
from readers.uhfreader18.codec import Frame, FrameDecoder, checksum
from readers.uhfreader18.commands import ACTIVE_MODE, ANSWER_MODE, BANDS, Dialect
from readers.uhfreader18.describe import describe
from readers.uhfreader18.describe_288 import protocol as protocol_288
from tests.readers.vectors import load, wire_direction

OLD, NEW = Dialect.OLD, Dialect.NEW
VECTORS = load("uhfreader18")
EPC = bytes.fromhex("e284361100001000094944aa")
PUBLISHED = [
    (commands.get_info(), "04ff211995"),
    (commands.inventory_single(0), "04000fa5a2"),
    (commands.set_scan_time(50, 0), "050025326c22"),
    (commands.set_band(BANDS["us"], address=0), "0600223180e196"),
    (commands.set_baud(9600), "05ff28007646"),
    (
        commands.inventory_288(q=1, session=0, target="A", antenna=1, scan_time_100ms=10, address=0),
        "090001010000800a76fc",
    ),
]
ALL_COMMANDS = [
    *(built for built, _ in PUBLISHED),
    commands.inventory_18(),
    commands.set_power(26),
    commands.set_mode(OLD, ACTIVE_MODE),
    commands.set_mode(NEW, ACTIVE_MODE),
    commands.get_mode(OLD),
    commands.get_mode(NEW),
    commands.set_heartbeat(1),
]
epcs = st.integers(1, 31).flatmap(lambda words: st.binary(min_size=2 * words, max_size=2 * words))


@pytest.mark.parametrize(("built", "published"), PUBLISHED)
def test_a_command_is_built_as_published(built, published):
    assert published in {vector.raw.hex() for vector in VECTORS}
    assert built.to_bytes().hex() == published


@pytest.mark.parametrize("built", ALL_COMMANDS, ids=lambda frame: frame.to_bytes().hex())
def test_every_command_we_build_can_be_described_and_has_a_name(built):
    assert describe(built)["name"]


@pytest.mark.parametrize(
    ("built", "said"),
    [
        (
            commands.inventory_288(q=6, session=2, target="B", antenna=4, scan_time_100ms=5),
            {"q": 6, "session": 2, "target": "B", "antenna": 4, "scan_time_100ms": 5},
        ),
        (commands.set_power(26), {"power_dbm": 26}),
        (commands.set_mode(OLD, ACTIVE_MODE), {"name": "set_work_mode", "read_mode": 1, "data": "010204000100"}),
        (commands.set_mode(NEW, ANSWER_MODE), {"name": "switch_mode", "read_mode": 0}),
        (commands.set_heartbeat(1), {"data": "81"}),
        (commands.set_baud(115200), {"baud_code": 6, "baud": 115200}),
    ],
)
def test_what_is_said_is_what_was_meant(built, said):
    assert describe(built).items() >= said.items()


@pytest.mark.parametrize("region", BANDS)
def test_a_band_and_its_channels_survive_the_packing(region):
    band = BANDS[region]
    said = describe(commands.set_band(band, band.channels - 1))
    assert said["band"] == band.name
    assert {int(said[key], 16) & 0x3F for key in ("max_freq_byte", "min_freq_byte")} == {band.channels - 1}
    assert int(describe(commands.set_band(band))["min_freq_byte"], 16) & 0x3F == 0


def test_the_check_is_that_of_the_catalogue():
    assert checksum(b"123456789").hex() == "916f"


@given(st.integers(0, 255), st.integers(0, 255), st.none() | st.integers(0, 255), st.binary(max_size=249))
def test_any_frame_comes_back_as_it_was_sent(address, command, status, data):
    frame = Frame(address, command, data, status)
    assert FrameDecoder("to_reader" if status is None else "from_reader").feed(frame.to_bytes()) == [frame]


def test_a_false_length_waits_for_no_more_than_it_can_count():
    decoder, frame = FrameDecoder(), Frame(0, 0xEE, EPC, 0)
    for _ in range(10):
        assert decoder.feed(b"\xff" * 100) == []
        assert len(decoder._buffer) < 256
    assert decoder.feed(frame.to_bytes()) == []
    assert decoder.flush() == [frame]
    assert decoder.discarded_bytes == 1000


def test_a_command_without_data_is_too_short_for_an_answer():
    """An adapter may echo what we send."""
    decoder = FrameDecoder("from_reader")
    assert decoder.feed(commands.get_info().to_bytes()) + decoder.flush() == []
    assert decoder.discarded_bytes == 5


def test_more_than_a_length_can_count_is_our_mistake():
    with pytest.raises(ValueError, match="251 bytes of data do not fit"):
        Frame(0, 1, bytes(251), 1).to_bytes()
    assert len(Frame(0, 1, bytes(250), 1).to_bytes()) == 256


@given(st.lists(epcs, min_size=1, max_size=3))
def test_an_inventory_of_the_18_dialect_comes_back(found):
    data = bytes([len(found)]) + b"".join(Tag(epc).to_bytes() for epc in found)
    sighting = answers.parse_sighting(Frame(0, 1, data, answers.DONE), OLD)
    assert sighting == Sighting(tuple(map(Tag, found)))
    assert sighting.antennas == (1,)


@given(st.lists(st.builds(Tag, epcs, st.integers(0, 255)), max_size=3), st.integers(1, 255))
def test_an_inventory_of_the_288_dialect_comes_back(tags, mask):
    data = bytes([mask, len(tags)]) + b"".join(tag.to_bytes() for tag in tags)
    sighting = answers.parse_sighting(Frame(0, 1, data, answers.DONE), NEW)
    assert sighting == Sighting(tuple(tags), mask)
    assert sum(1 << antenna - 1 for antenna in sighting.antennas) == mask


@given(st.sampled_from((OLD, NEW)), st.sampled_from((0x01, 0xEE)), st.binary(max_size=80))
def test_whatever_the_data_holds_it_is_a_sighting_or_a_frame_error(dialect, command, data):
    try:
        sighting = answers.parse_sighting(Frame(0, command, data, 0), dialect)
    except FrameError:
        return
    assert sighting is not None
    assert command == 0x01 or len(sighting.tags) == 1


@given(epcs, st.integers(1, 255), st.integers(0, 255))
def test_reports_of_the_two_dialects_are_never_taken_for_each_other(epc, mask, raw):
    reports = {OLD: epc, NEW: bytes([mask]) + Tag(epc, raw).to_bytes()}
    for dialect, data in reports.items():
        for likely in Dialect:
            said = describe(Frame(0, 0xEE, data, 0), likely)
            assert (said["dialect"], said["epc"]) == (dialect.value, epc.hex())


WRONG = {
    "no count": (OLD, 1, ""), "tag cut off": (OLD, 1, "01 0c e200"), "tag missing": (OLD, 1, "02 02 e200"),
    "bytes behind": (OLD, 1, "01 02 e200 99"), "odd EPC": (OLD, 1, "01 03 e20011"), "no EPC": (OLD, 1, "01 00"),
    "too long an EPC": (OLD, 1, "01 40" + "e2" * 64), "no mask": (NEW, 1, ""), "mask alone": (NEW, 1, "01"),
    "strength missing": (NEW, 1, "01 01 02 e200"), "of no antenna": (NEW, 1, "00 01 02 e200 40"),
    "acknowledged": (NEW, 1, "00 09"), "empty report": (OLD, 0xEE, ""), "odd report": (OLD, 0xEE, "e20011"),
    "nothing reported": (NEW, 0xEE, ""), "report of no antenna": (NEW, 0xEE, "00 02 e200 40"),
    "two reported": (NEW, 0xEE, "01 02 e200 40 02 e200 40"),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "command", "data"), WRONG.values(), ids=WRONG)
def test_what_is_not_laid_out_as_its_dialect_has_it_is_refused(dialect, command, data):
    with pytest.raises(FrameError):
        answers.parse_sighting(Frame(0, command, bytes.fromhex(data), 0), dialect)


@pytest.mark.parametrize("status", [0xFB, 0xF8, 0xFF, 0x26])
def test_an_inventory_that_found_nothing_reports_nobody(status):
    assert answers.parse_sighting(Frame(0, 1, b"", status), NEW) is None
    assert answers.parse_sighting(Frame(0, 0xEE, b"", answers.EAS), OLD) is None


@pytest.mark.parametrize(
    ("command", "status", "data", "said"),
    [
        (0x01, 0x03, "01 02 e200", {"meaning": "more_follows", "dialect": "18", "tags": [{"epc": "e200"}]}),
        (0x01, 0x01, "00", {"meaning": "done", "dialect": "18", "tags": []}),
        (0x01, 0x01, "0200", {"dialect": "288", "antenna_mask": 2, "tags": []}),
        (0x01, 0x26, "04 0010 00000100", {"antenna_mask": 4, "reads_per_s": 16, "total": 256}),
        (0x01, 0xF8, "", {"meaning": "antenna_error"}),
        (0x2F, 0xFF, "", {"meaning": "parameter_error"}),
        (0x2F, 0x77, "", {"meaning": "unknown"}),
        (0xEE, 0xEE, "", {"meaning": "eas_alarm"}),
        (0xEE, 0x00, "05 02 e200 6b", {"dialect": "288", "antenna_mask": 5, "epc": "e200", "rssi_raw": 107}),
        (
            0xEE,
            0x28,
            "00000007 0100000000000000 00000009",
            {"meaning": "heartbeat", "packet": 7, "antenna_states": "0100000000000000", "total": 9},
        ),
        (0x77, 0x00, "010000000400", {"read_mode": 1}),
        (
            0x21,
            0x00,
            "0301 0c 02 3180 1e 14 0f000001",
            {"model": "UHFReader288M", "dialect": "288", "more": "0f000001"},
        ),
        (0x21, 0x00, "0301 42 03 0000 1e 14", {"reader_type": "0x42", "protocols": ["6B", "6C"], "band": "user"}),
        (0x21, 0xFE, "", {"meaning": "unknown_command_or_crc_error"}),
        (0x99, 0x00, "aabb", {"data": "aabb"}),
    ],
)
def test_answers_in_words(command, status, data, said):
    assert describe(Frame(0, command, bytes.fromhex(data), status)).items() >= said.items()


@pytest.mark.parametrize("code", [0x03, 0x08, 0x09, 0x86])
def test_types_of_the_older_family(code):
    """86 is in a capture beside inventories and reports of the 18 dialect."""
    assert commands.MODELS[code].dialect is OLD


@pytest.mark.parametrize("code", [0x0C, 0x0F, 0x10, 0x16, 0x20, 0x75, 0x8B])
def test_types_of_the_newer_family(code):
    assert commands.MODELS[code].dialect is NEW


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0, 0x21, b"\x05\x02\x09", 0),
        Frame(0, 0x36, b"\x00\x1e\x0a\x0f", 0),
        Frame(0, 0xEE, b"\x00", 0x28),
        Frame(0, 0x01, b"\x01", 0x26),
        Frame(0, 0x22, b"\x31"),
        Frame(0, 0x28, b"\x04"),
        Frame(0, 0x01, b"\x04\x00\x07\x80\x0a"),
    ],
)
def test_contents_that_do_not_fit_are_refused(frame):
    with pytest.raises(FrameError):
        describe(frame)


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector.valid], ids=str)
def test_either_name_decodes_the_frames_of_both(vector):
    [record] = describe_capture(find_protocol("uhfreader288", wire_direction(vector)), [vector.raw])
    assert record["decoded"].items() >= vector.decoded.items()


def test_what_fits_both_dialects_is_of_the_one_that_was_asked_for():
    both = Frame(0, 1, bytes.fromhex("03 02 0277 02 4002 02 8841"), 1)
    old, new = describe(both), protocol_288("from_reader").describe(both)
    assert (old["dialect"], [tag["epc"] for tag in old["tags"]]) == ("18", ["0277", "4002", "8841"])
    assert (new["dialect"], [tag["epc"] for tag in new["tags"]]) == ("288", ["7702", "0288"])


@pytest.mark.parametrize(
    ("frame", "alive"),
    [
        (Frame(0, 0x01, b"", 0xFB), True),
        (Frame(0, 0x01, b"\x01\x00", 0x01), True),
        (Frame(0, 0x01, b"", 0xF8), False),
        (Frame(0, 0x01, b"", 0xFF), False),
        (Frame(0, 0xEE, EPC, 0x00), True),
        (Frame(0, 0xEE, bytes(16), 0x28), True),
        (Frame(0, 0xEE, b"", 0xEE), True),
        (Frame(0, 0xEE, b"", 0x30), False),
        (Frame(0, 0x21, bytes(8), 0x00), False),
    ],
)
def test_what_proves_that_it_reads(frame, alive):
    assert answers.is_sign_of_life(frame) == alive
