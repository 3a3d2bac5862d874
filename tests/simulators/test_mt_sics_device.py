"""The MT-SICS terminal: published lines, rest and motion, and commands that wait."""

from dataclasses import dataclass

import pytest

from simulators.mt_sics import MtSicsDevice
from simulators.mt_sics.device import Terminal
from simulators.scene_shelf import LoadReading

MS = 1_000_000


@dataclass
class Pan:
    grams: float = 100.0
    stable: bool = True

    def weigh(self, _now_ns: int) -> LoadReading:
        return LoadReading(self.grams, self.stable)


def terminal(pan: Pan, **make) -> MtSicsDevice:
    device = MtSicsDevice(pan.weigh, terminal=Terminal(**{"speaks_at_power_up": False, **make}))
    assert device.tick(0) == b""
    return device


@pytest.mark.parametrize(
    ("pan", "make", "asked", "said"),
    [
        (Pan(100.0), {"decimals": 2}, "S", "S S     100.00 g"),
        (Pan(20_000.0), {}, "SI", "S +"),
        (Pan(-500.0), {}, "SI", "S -"),
        (Pan(100.0), {}, "Z", "Z A"),
        (Pan(-500.0), {}, "Z", "Z -"),
        (Pan(100.0, stable=False), {}, "ZI", "ZI D"),
        (Pan(100.0), {"capacity_g": 60_180.0}, "I2", 'I2 A "ICS469 OU 60.18 kg"'),
        (Pan(100.04, stable=False), {}, "SI", "S D      100.0 g"),
        (Pan(-0.04), {}, "SI", "S S        0.0 g"),
        (Pan(250.0), {}, "T", "T S      250.0 g"),
        (Pan(), {}, "@", 'I4 A "B021002593"'),
        (Pan(), {}, "I4", 'I4 A "B021002593"'),
        (Pan(), {}, "XYZ", "ES"),
        (Pan(), {}, "SI 7", "EL"),
    ],
)
def test_published_lines(pan, make, asked, said):
    assert terminal(pan, **make).feed(asked.encode() + b"\r\n", 0) == said.encode() + b"\r\n"


def test_published_vectors_are_among_the_answers(vectors):
    published = {row["text"] for row in vectors("mt-sics", "sensor")}
    assert {
        "S S     100.00 g",
        "S S    -100.00 g",
        "S +",
        "Z A",
        "Z -",
        "ZI D",
        'I2 A "ICS469 OU 60.18 kg"',
    } <= published
    pan = Pan(100.0)
    device = terminal(pan, decimals=2)
    device.feed(b"TI\r\n", 0)
    pan.grams = 0.0
    assert device.feed(b"SI\r\n", 0) == b"S S    -100.00 g\r\n"


def test_power_up_says_its_serial_number():
    assert MtSicsDevice(Pan().weigh).tick(0) == b'I4 A "B021002593"\r\n'


def test_commands_arrive_byte_by_byte():
    device = terminal(Pan())
    said = [device.feed(bytes((byte,)), 0) for byte in b"SI\r\nS"]
    assert said == [b"", b"", b"", b"S S      100.0 g\r\n", b""]


def test_s_waits_for_rest():
    pan = Pan(stable=False)
    device = terminal(pan)
    assert device.feed(b"S\r\n", 0) == b""
    assert device.tick(1000 * MS) == b""
    pan.stable = True
    assert device.tick(1100 * MS) == b"S S      100.0 g\r\n"
    assert device.tick(1200 * MS) == b""


@pytest.mark.parametrize(("asked", "said"), [(b"S\r\n", b"S I\r\n"), (b"Z\r\n", b"Z I\r\n"), (b"T\r\n", b"T I\r\n")])
def test_patience_has_an_end(asked, said):
    device = terminal(Pan(stable=False), patience_s=2.0)
    assert device.feed(asked, 0) == b""
    assert device.tick(1999 * MS) == b""
    assert device.tick(2000 * MS) == said


def test_sir_repeats_until_another_weighing_command():
    device = terminal(Pan(), repeat_s=0.1)
    assert device.feed(b"SIR\r\n", 0) == b"S S      100.0 g\r\n"
    lines = b"".join(device.tick(now * MS) for now in range(0, 1001, 4)).count(b"\r\n")
    assert 9 <= lines <= 10
    for stop in (b"SI\r\n", b"@\r\n", b"S\r\n"):
        device.feed(b"SIR\r\n", 2000 * MS)
        assert device.feed(stop, 2000 * MS)
        assert device.tick(9000 * MS) == b""


def test_an_inquiry_does_not_stop_sir():
    device = terminal(Pan())
    device.feed(b"SIR\r\n", 0)
    device.feed(b"I4\r\n", 0)
    assert device.tick(500 * MS)


def test_sr_tells_a_change_once_in_motion_and_once_at_rest():
    pan = Pan(1200.0)
    device = terminal(pan)
    assert device.feed(b"SR\r\n", 0) == b"S S     1200.0 g\r\n"
    assert device.tick(MS) == b""
    pan.grams, pan.stable = 950.0, False
    assert device.tick(2 * MS) == b"S D      950.0 g\r\n"
    assert device.tick(3 * MS) == b""
    pan.grams, pan.stable = 900.0, True
    assert device.tick(4 * MS) == b"S S      900.0 g\r\n"
    pan.grams = 901.0
    assert device.tick(5 * MS) == b""


def test_i0_lists_every_command_and_the_last_line_says_so():
    lines = terminal(Pan()).feed(b"I0\r\n", 0).decode().splitlines()
    assert all(line.startswith("I0 B ") for line in lines[:-1])
    assert lines[-1].startswith("I0 A ")
    for name in [line.split('"')[1] for line in lines]:
        assert terminal(Pan()).feed(name.encode() + b"\r\n", 0) not in (b"ES\r\n", b"")


def test_a_line_without_end_is_a_transmission_error():
    device = terminal(Pan())
    assert device.feed(b"x" * 100, 0) == b"ET\r\n"
    assert device.feed(b"SI\r\n", 0) == b"S S      100.0 g\r\n"
