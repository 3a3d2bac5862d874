"""What the driver can say, against the published frames."""

import pytest

from readers.errors import FrameError
from readers.magicrf_m100 import answers, commands
from readers.magicrf_m100.codec import Frame, FrameType
from readers.magicrf_m100.describe import describe
from tests.readers.vectors import load

MASK = bytes.fromhex("30751feb705c5904e3d50d70")
PUBLISHED = [
    (commands.info(commands.Info.SOFTWARE), "bb0003000101057e"),
    (commands.set_region("china_900"), "bb0007000101097e"),
    (commands.get_region(), "bb00080000087e"),
    (commands.get_select(), "bb000b00000b7e"),
    (commands.set_select(MASK), "bb000c00130100000020600030751feb705c5904e3d50d70ad7e"),
    (commands.get_query(), "bb000d00000d7e"),
    (commands.set_query(q=4), "bb000e00021020407e"),
    (commands.set_select_mode(commands.SelectMode.NEVER), "bb0012000101147e"),
    (commands.sleep(), "bb00170000177e"),
    (commands.auto_sleep(2), "bb001d000102207e"),
    (commands.single_poll(), "bb00220000227e"),
    (commands.multi_poll(10000), "bb00270003222710837e"),
    (commands.stop_multi_poll(), "bb00280000287e"),
]
PRINTED = [  # in the maker's examples, of which no device was heard
    (commands.idle(enter=True, auto_minutes=3), "bb000400030101030c7e"),
    (commands.insert_channels([1, 2, 3, 4, 5]), "bb00a90006050102030405c37e"),
    (commands.set_carrier(on=True), "bb00b00001ffb07e"),
    (commands.set_demodulator(3, 6, 0x1B0), "bb00f00004030601b0ae7e"),
    (commands.set_baud(19200), "bb0011000200c0d37e"),
    (commands.read_memory(3, 0, 2, b"\x00\x00\xff\xff"), "bb003900090000ffff0300000002457e"),
    (commands.write_memory(3, 0, b"\x12\x34\x56\x78", b"\x00\x00\xff\xff"), "bb0049000d0000ffff0300000002123456786d7e"),
]
ALL_COMMANDS = [
    *(built for built, _ in (*PUBLISHED, *PRINTED)),
    commands.set_channel(3),
    commands.get_channel(),
    commands.set_hopping(on=True),
    commands.set_power(2600),
    commands.get_power(),
    commands.set_baud(115200),
    commands.gpio_direction(4, output=True),
    commands.gpio_write(4, high=True),
    commands.gpio_read(4),
    commands.read_memory(3, 0, 2),
    commands.write_memory(3, 0, b"\x12\x34"),
    commands.get_demodulator(),
    commands.set_demodulator(3, 6, 0x1B0),
    commands.scan_jammer(),
    commands.scan_rssi(),
]


@pytest.mark.parametrize(("built", "published"), PUBLISHED)
def test_a_command_is_built_as_published(built, published):
    assert published in {vector.raw.hex() for vector in load("magicrf-m100")}
    assert built.to_bytes().hex() == published


@pytest.mark.parametrize(("built", "printed"), PRINTED)
def test_a_command_is_built_as_the_maker_prints_it(built, printed):
    assert built.to_bytes() == bytes.fromhex(printed)


@pytest.mark.parametrize("built", ALL_COMMANDS, ids=lambda frame: frame.to_bytes().hex())
def test_every_command_we_build_can_be_described_and_has_a_name(built):
    assert describe(built)["name"]


@pytest.mark.parametrize(
    ("built", "said"),
    [
        (commands.gpio_direction(4, output=True), {"name": "gpio_direction", "port": 4, "direction": "output"}),
        (commands.set_query(q=6, session=2, target="B"), {"q": 6, "session": 2, "target": "B"}),
        (commands.set_baud(115200), {"baud": 115200}),
        (commands.write_memory(3, 1, b"\x12\x34"), {"bank": 3, "word_address": 1, "words": 1, "data": "1234"}),
        (commands.set_power(2650), {"power_cdbm": 2650}),
        (commands.idle(enter=False, auto_minutes=9), {"name": "idle", "enter": False, "auto_minutes": 9}),
        (commands.insert_channels([7, 8]), {"channels": [7, 8]}),
        (commands.set_select(MASK, mask_bits=12), {"sel_param": "01", "mask_bits": 12, "mask": "3075"}),
        (commands.set_select(MASK, session=2, target="B"), {"sel_param": "51", "pointer_bits": 32}),
    ],
)
def test_what_is_said_is_what_was_meant(built, said):
    assert describe(built).items() >= said.items()


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ("15", {"error": "0x15", "meaning": "no_tag_or_crc_error"}),
        ("a3", {"error": "0xa3", "meaning": "read_refused_by_tag"}),
        ("77", {"error": "0x77", "meaning": "unknown"}),
        ("20", {"error": "0x20", "meaning": "all_channels_occupied"}),
        ("16 0e 3400" + MASK.hex(), {"meaning": "wrong_access_password", "pc": "3400", "epc": MASK.hex()}),
    ],
)
def test_errors_in_words(payload, said):
    assert describe(Frame(FrameType.ANSWER, 0xFF, bytes.fromhex(payload))).items() >= said.items()


@pytest.mark.parametrize(
    ("command", "payload", "said"),
    [
        (0x08, "02", {"region": "us"}),
        (0x39, "0e3400" + MASK.hex() + "1234", {"epc": MASK.hex(), "data": "1234"}),
        (0xF3, "0002 bac4 ba", {"first_channel": 0, "last_channel": 2, "dbm": [-70, -60, -70]}),
        (0x12, "00", {"result": "ok"}),
        (0x0C, "00", {"result": "ok"}),
        (0x28, "01", {"result": "0x01"}),
        (0x99, "aabb", {"payload": "aabb"}),
        (0xE0, "0e3000" + MASK.hex() + "0041", {"epc": MASK.hex(), "data": "0041"}),
        (0xE6, "0e3000" + MASK.hex() + "00", {"epc": MASK.hex(), "result": "ok"}),
        (0xD4, "0e3000" + MASK.hex() + "00", {"epc": MASK.hex(), "result": "ok"}),
    ],
)
def test_answers_in_words(command, payload, said):
    assert describe(Frame(FrameType.ANSWER, command, bytes.fromhex(payload))).items() >= said.items()


@pytest.mark.parametrize(
    "frame",
    [
        Frame(FrameType.NOTICE, 0x22, b"\xc9\x34"),
        Frame(FrameType.ANSWER, 0xFF, b""),
        Frame(FrameType.ANSWER, 0xB7, b"\x01"),
        Frame(FrameType.ANSWER, 0x08, b"\x77"),
        Frame(FrameType.COMMAND, 0x27, b"\x22"),
        Frame(FrameType.COMMAND, 0xA9, b"\x03\x01\x02"),
        Frame(FrameType.COMMAND, 0x04, b"\x01"),
        Frame(FrameType.ANSWER, 0x03, b"\x00\xff"),
        Frame(FrameType.ANSWER, 0x49, b"\x20\x34\x00"),
    ],
)
def test_contents_that_do_not_fit_are_refused(frame):
    with pytest.raises(FrameError):
        describe(frame)


def test_power_that_is_no_word_is_refused():
    with pytest.raises(FrameError, match="1 bytes"):
        answers.parse_power_cdbm(Frame(FrameType.ANSWER, 0xB7, b"\x01"))
