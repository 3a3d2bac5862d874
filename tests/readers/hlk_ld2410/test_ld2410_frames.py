"""The LD2410 radar: frames and meanings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.capture import describe_capture, find_protocol
from readers.errors import FrameError
from readers.hlk_ld2410 import commands
from readers.hlk_ld2410.codec import BASIC, ENGINEERING, Command, FrameDecoder, Report

NOBODY = "f4f3f2f10d0002aa000000000000370000 5500f8f7f6f5"
GHOST = "f4f3f2f10d0002aa0045003e00003a0000 5500f8f7f6f5"
STILL = "f4f3f2f10d0002aa025400000000640000 5500f8f7f6f5"
GATES = "f4f3f2f1230001aa 001e00001e000d0000 0808 130e07020507030405 00000d060505050505 6200 5500 f8f7f6f5"
OLD_GATES = "f4f3f2f1230001aa 031e003c0000390000 0808 3c2205030304030605 000039101306060804 0305 5500 f8f7f6f5"
PARAMETERS = "fdfcfbfa1c006101 0000 aa080808 3232281e140f0f0f0f 000028281e1e141414 0500 04030201"
FIRMWARE = "fdfcfbfa0c00a00100000001070116150922 04030201"


def frame_of(text: str):
    [frame] = FrameDecoder().feed(bytes.fromhex(text))
    assert frame.to_bytes() == bytes.fromhex(text)
    return frame


@pytest.mark.parametrize(
    ("text", "occupied", "moving", "distance_cm"),
    [
        (NOBODY, False, False, None),
        (GHOST, False, False, None),
        (STILL, True, False, 84),
        (GATES, False, False, None),
        (OLD_GATES, True, True, 30),
        ("f4f3f2f10d0002aa034f00644c006432005500f8f7f6f5", True, True, 76),
        ("f4f3f2f10d0002aa014f00644c006432005500f8f7f6f5", True, True, 79),
        ("f4f3f2f10d0002aa024f00644c006432005500f8f7f6f5", True, False, 76),
        ("f4f3f2f10d0002aa020000000000643200 5500f8f7f6f5", True, False, 50),
        ("f4f3f2f10d0002aa020000000000640000 5500f8f7f6f5", True, False, None),
        ("f4f3f2f10d0002aa044f00644c006432005500f8f7f6f5", None, None, None),
    ],
)
def test_the_state_is_believed_and_distances_only_with_it(text, occupied, moving, distance_cm):
    target = commands.parse_report(frame_of(text))
    assert (target.occupied, target.moving, target.distance_cm) == (occupied, moving, distance_cm)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (NOBODY.replace("0d00", "0e00", 1), "length 14, a report of type 2 has 13"),
        (NOBODY.replace("02aa", "03aa"), "type 3, then 0xaa: no report begins so"),
        (NOBODY.replace("02aa", "02ab"), "type 2, then 0xab: no report begins so"),
        (NOBODY.replace("aa00", "aa07"), "state 7"),
        (STILL.replace("6400", "6500"), "energy 101, more than 100"),
        (STILL.replace("5400", "e903"), "distance 1001 cm, more than 1000"),
        (STILL.replace("5500", "5600"), "ends in 5600, not 5500"),
        (STILL.replace("5500", "5501"), "ends in 5501, not 5500"),
        (STILL.replace("f8f7f6f5", "f8f7f604"), "ends in f8f7f604, not f8f7f6f5"),
        (GATES.replace("0808", "0809"), "gate 9, the last is 8"),
        (GATES.replace("130e", "650e"), "energy 101, more than 100"),
        ("fdfcfbfa4100" + "00" * 65 + "04030201", "length 65, a command has 2 to 64"),
        ("fdfcfbfa0200610004030201", "code 0x0061 is no answer"),
        ("fdfcfbfa0200610104030201", "an answer without a status"),
    ],
)
def test_what_no_radar_says_is_refused_with_its_reason(text, why):
    [record] = describe_capture(find_protocol("hlk-ld2410", "from_reader"), [bytes.fromhex(text)])
    assert (record["valid"], record["why"]) == (False, why)


def test_a_report_is_no_command_of_a_host():
    [record] = describe_capture(find_protocol("hlk-ld2410", "to_reader"), [bytes.fromhex(STILL)])
    assert record["why"] == "a report, which no host sends"


def describe(text: str) -> dict[str, object]:
    [record] = describe_capture(find_protocol("hlk-ld2410", "from_reader"), [bytes.fromhex(text)])
    return record["decoded"]


def test_captured_answers_and_engineering_reports_in_words():
    assert describe(GATES) == {
        "kind": "engineering", "state": 0, "moving_cm": 30, "moving_energy": 0, "static_cm": 30, "static_energy": 13,
        "detection_cm": 0, "max_moving_gate": 8, "max_static_gate": 8, "moving_energies": [19, 14, 7, 2, 5, 7, 3, 4, 5],
        "static_energies": [0, 0, 13, 6, 5, 5, 5, 5, 5], "light": 98, "out": 0,
    }  # fmt: skip
    assert describe(FIRMWARE)["version"] == "V1.07.22091516"
    assert describe(PARAMETERS).items() >= {
        "max_gate": 8, "max_moving_gate": 8, "max_static_gate": 8, "hold_s": 5,
        "moving_sensitivity": [50, 50, 40, 30, 20, 15, 15, 15, 15],
        "static_sensitivity": [0, 0, 40, 40, 30, 30, 20, 20, 20],
    }.items()  # fmt: skip
    assert describe("fdfcfbfa0a00a501 0000 8f272eb80f65 04030201")["value"] == "8f272eb80f65"


def test_published_commands_are_built():
    wanted = "fdfcfbfa1400600000000800000001000800000002000500000004030201"
    assert commands.set_gates(8, 8, 5).to_bytes().hex() == wanted
    wanted = "fdfcfbfa140064000000ffff00000100280000000200280000000403 0201".replace(" ", "")
    assert commands.set_sensitivity(commands.ALL_GATES, 40, 40).to_bytes().hex() == wanted
    with pytest.raises(ValueError, match="0 to 8"):
        commands.set_gates(9, 8, 5)
    with pytest.raises(ValueError, match="0 to 100"):
        commands.set_sensitivity(3, 101, 0)


@pytest.mark.parametrize("text", [PARAMETERS, FIRMWARE])
def test_an_answer_of_another_length_makes_no_sense(text):
    frame = frame_of(text)
    parse = commands.parse_firmware if text == FIRMWARE else commands.parse_parameters
    with pytest.raises(FrameError, match="bytes, not"):
        parse(Command(frame.code, frame.value + b"\0"))


@pytest.mark.parametrize(("old", "new"), [("aa08", "ab08"), ("aa08", "aa09"), ("aa0808", "aa0809")])
def test_parameters_that_no_radar_has_make_no_sense(old, new):
    with pytest.raises(FrameError, match=r"parameters begin with|gate 9"):
        commands.parse_parameters(frame_of(PARAMETERS.replace(old, new)))


distances = st.integers(0, 1000).map(lambda cm: cm.to_bytes(2, "little"))
energies = st.integers(0, 100).map(lambda energy: bytes([energy]))
basics = st.tuples(
    st.integers(0, 6).map(lambda s: bytes([s])), distances, energies, distances, energies, distances
).map(b"".join)
engineering = st.tuples(
    basics, st.lists(st.integers(0, 8), min_size=2, max_size=2).map(bytes),
    st.lists(st.integers(0, 100), min_size=18, max_size=18).map(bytes), st.binary(min_size=2, max_size=2),
).map(b"".join)  # fmt: skip
reports = basics.map(lambda data: Report(BASIC, data)) | engineering.map(lambda data: Report(ENGINEERING, data))
answer_frames = st.builds(Command, st.integers(0x100, 0x1FF), st.binary(min_size=2, max_size=62))


@given(st.lists(reports | answer_frames, max_size=5), st.data())
def test_frames_come_back_whole_however_they_are_cut(frames, data):
    stream = b"".join(frame.to_bytes() for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=9)))
    decoder = FrameDecoder()
    edges = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    assert [frame for a, b in edges for frame in decoder.feed(stream[a:b])] == frames


@given(st.builds(Command, st.integers(0, 0xFF), st.binary(max_size=62)))
def test_commands_come_back_whole(command):
    assert FrameDecoder("to_reader").feed(command.to_bytes()) == [command]


@given(st.lists(st.sampled_from(["f4f3f2f1", "fdfcfbfa", "0d0002aa", "4000", "ff01", "f4", "fd", "00"]), max_size=200))
def test_what_waits_is_never_more_than_one_command(pieces):
    decoder = FrameDecoder()
    for piece in pieces:
        decoder.feed(bytes.fromhex(piece))
        assert len(decoder._buffer) <= 74
