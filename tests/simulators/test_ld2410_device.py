"""The LD2410 radar: published commands and their published answers, reports, reach, and how long it holds."""

import pytest

from simulators.hlk_ld2410 import Firmware, Ld2410Device, Scene

S = 1_000_000_000
ENTER, LEAVE = "fdfcfbfa0400ff00010004030201", "fdfcfbfa0200fe0004030201"


class Room:
    def __init__(self, scene: Scene = Scene()) -> None:  # noqa: B008  frozen
        self.scene = scene

    def __call__(self, _now_ns: int) -> Scene:
        return self.scene


def radar(room: Room | None = None, **make) -> Ld2410Device:
    return Ld2410Device(room or Room(), firmware=Firmware(**{"report_before_answer": False, **make}))


def ask(device: Ld2410Device, text: str) -> str:
    return device.feed(bytes.fromhex(text), 0).hex()


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("fdfcfbfa0200a00004030201", "fdfcfbfa0c00a00100000001070116150922 04030201"),
        ("fdfcfbfa0200610004030201",
         "fdfcfbfa1c006101 0000 aa080808 3232281e140f0f0f0f 000028281e1e141414 0500 04030201"),
        ("fdfcfbfa0200620004030201", "fdfcfbfa04006201000004030201"),
        ("fdfcfbfa0200ab0004030201", "fdfcfbfa0600ab010000000004030201"),
        ("fdfcfbfa1400600000000800000001000800000002000500000004030201", "fdfcfbfa04006001000004030201"),
        ("fdfcfbfa14006400000003000000010028000000020028000000 04030201", "fdfcfbfa04006401000004030201"),
        (LEAVE, "fdfcfbfa0400fe01000004030201"),
        ("fdfcfbfa1400600000000900000001000800000002000500000004030201", "fdfcfbfa04006001010004030201"),
    ],
)  # fmt: skip
def test_published_commands_get_their_published_answers(asked, answered):
    device = radar()
    assert ask(device, ENTER) == "fdfcfbfa0800ff01000001004000 04030201".replace(" ", "")
    assert ask(device, asked) == answered.replace(" ", "")


def test_outside_its_configuration_it_hears_nothing_and_inside_it_says_nothing():
    device = radar()
    assert ask(device, "fdfcfbfa0200a00004030201") == ""
    assert device.tick(0)
    ask(device, ENTER)
    assert device.tick(S) == b""
    ask(device, LEAVE)
    assert device.tick(2 * S)


def test_commands_are_found_between_noise_however_they_are_cut():
    device = radar()
    stream = b"\xfd\xfc" + bytes.fromhex(ENTER) + b"\x00\xfd\xfc\xfb\xfa\xff\xff" + bytes.fromhex(LEAVE)
    answers = b"".join(device.feed(bytes([byte]), 0) for byte in stream)
    assert answers.count(b"\xfd\xfc\xfb\xfa") == 2


def test_reports_say_what_is_there_until_the_hold_time_is_over():
    room = Room(Scene(still_cm=81))
    device = radar(room, still_in_moving_field=True)
    assert device.tick(0).hex().startswith("f4f3f2f10d0002aa025100000000")
    room.scene = Scene()
    assert device.tick(4 * S)[8] == 2, "held"
    assert device.tick(6 * S)[8] == 0
    room.scene = Scene(moving_cm=676)
    assert device.tick(8 * S)[8] == 0, "beyond its last gate"
    room.scene = Scene(moving_cm=675)
    assert device.tick(9 * S)[8] == 1


def test_engineering_reports_have_each_gate_and_modes_do_not_survive_a_power_cut():
    device = radar(Room(Scene(moving_cm=100)))
    for asked in (
        ENTER,
        "fdfcfbfa0200620004030201",
        "fdfcfbfa1400600000000400000001000300000002000900000004030201",
        LEAVE,
    ):
        ask(device, asked)
    report = device.tick(0)
    assert (len(report), report[4], report[6], report[17:19].hex()) == (45, 0x23, 1, "0403")
    device.power_cycle()
    assert len(device.tick(S)) == 23
    assert (device.kept.max_moving, device.kept.max_still, device.kept.hold_s, device.written) == (4, 3, 9, 1)
