"""The TFmini family: published commands and answers, measurements, and what is kept without power."""

import pytest

from simulators.tfmini import Echo, Firmware, TfMiniDevice

S = 1_000_000_000


def near(_now_ns: int) -> Echo:
    return Echo(121, 600)


def weak(_now_ns: int) -> Echo:
    return Echo(121, 15)


def ask(device: TfMiniDevice, text: str) -> str:
    return device.feed(bytes.fromhex(text), 0).hex()


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("5a04015f", "5a070106090172"),
        ("5a0505 01 65", "5a05050165"),
        ("5a0603e8034e", "5a0603e8034e"),
        ("5a04116f", "5a05110070"),
        ("5a05079900", ""),
        ("5a04015e", ""),
        ("00 5a04015f", "5a070106090172"),
        ("4257020000000102", ""),
    ],
)
def test_a_plus_answers_as_published(asked, answered):
    assert ask(TfMiniDevice(near), asked) == answered


def test_an_original_obeys_only_between_begin_and_end_and_cannot_be_asked_for_its_version():
    device = TfMiniDevice(near, firmware=Firmware(model="original"))
    assert ask(device, "5a04015f") == ""
    assert ask(device, "4257020000000406") == ""
    assert ask(device, "4257020000000102") == "4257020100000102"
    assert ask(device, "4257020000000406") == "4257020100000406"
    assert ask(device, "4257020000000002") == "4257020100000002"
    assert device.tick(0) == b"1.21\r\n"
    device.power_cycle()
    assert device.tick(0) == b"1.21\r\n", "kept at once"


@pytest.mark.parametrize(
    ("make", "look", "said"),
    [
        ({}, near, "59597900 5802 4c09 da"),
        ({"format": 6}, near, "5959ba04 5802 4c09 1f"),
        ({"format": 2}, near, b"1.21\r\n".hex()),
        ({}, weak, "59590000 0f00 4c09 16"),
        ({"model": "original"}, near, "59597900 5802 0700 8c"),
        ({"model": "original"}, weak, "5959ffff 0f00 0700 c6"),
        ({"format": 2}, weak, b"-1\r\n".hex()),
    ],
)
def test_a_measurement_of_each_make(make, look, said):
    assert TfMiniDevice(look, firmware=Firmware(**make)).tick(0) == bytes.fromhex(said)


def test_it_measures_a_hundred_times_a_second_until_told_not_to():
    device = TfMiniDevice(near)
    assert sum(len(device.tick(at_ms * 1_000_000)) for at_ms in range(0, 1000, 4)) == 100 * 9
    assert ask(device, "5a05070066") == "5a05070066"
    assert device.tick(2 * S) == b""
    assert ask(device, "5a040462") == "59597900 5802 4c09 da".replace(" ", ""), "triggered"
    device.power_cycle()
    assert device.tick(3 * S), "what was not saved is gone"


def test_what_is_saved_survives_a_power_cut():
    device = TfMiniDevice(near)
    for asked in ("5a05070066", "5a04116f"):
        assert ask(device, asked)
    device.power_cycle()
    assert device.tick(S) == b""
