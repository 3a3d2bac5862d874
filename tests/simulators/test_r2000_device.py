"""The R2000 firmware: published frames in and out, and the quirks drivers must live with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.gen2 import backscatter
from simulators.r2000_a0 import R2000Device
from simulators.r2000_a0.frames import frame
from simulators.r2000_a0.settings import Firmware
from simulators.scene_radio import Answer, Epc, Round

MS = 1_000_000
EPC = Epc(bytes.fromhex("e200301666130121155074ef"))
OTHER = Epc(bytes.fromhex("300833b2ddd9014000000001"))
ROUND = bytes.fromhex("a004018901d1")
BOTH = bytes.fromhex("a00d018a00010101020103010002bc")


class FakeField:
    """Rounds of 20 ms with these tags, each heard at -60 dBm after 10 ms."""

    def __init__(self, *tags: Epc) -> None:
        self.tags, self.rounds, self.power_dbm = tags, 0, 0.0

    def inventory(self, now_ns, power_dbm, takes_part):
        self.rounds += 1
        self.power_dbm = power_dbm
        answers = tuple(Answer(now_ns + 10 * MS, epc, -60.2) for epc in self.tags if takes_part(epc))
        return Round(answers, now_ns + 20 * MS)


def ask(device: R2000Device, code: int, data: bytes = b"", *, to: int = 1, at_ms: int = 0) -> bytes:
    return device.feed(frame(to, code, data), at_ms * MS)


def run(device: R2000Device, until_ms: int, from_ms: int = 0, step_ms: int = 4) -> list[bytes]:
    """The data of every frame it says."""
    said = b"".join(device.tick(now * MS) for now in range(from_ms, until_ms + 1, step_ms))
    frames = []
    while said:
        size = 2 + said[1]
        assert said[0] == 0xA0
        assert sum(said[:size]) % 256 == 0
        frames.append(said[3 : size - 1])
        said = said[size:]
    return frames


def test_every_published_command_is_answered(vectors):
    rows = vectors("r2000-a0", "to_reader")
    assert len(rows) == 4
    for row in rows:
        data, device = bytes.fromhex(row["bytes_hex"]), R2000Device([FakeField()])
        said = device.feed(data, 0) + b"".join(device.tick(now * MS) for now in range(0, 400, 4))
        assert bool(said) != (data[3] == 0x70)  # a reset is not answered
        assert said == b"" or said[3] == data[3]


def test_a_published_report_is_what_the_device_sends(vectors):
    published = {row["bytes_hex"] for row in vectors("r2000-a0", "from_reader")}
    captured = "a0130189043000e200301666130121155074ef45bf"
    assert captured in published
    device = R2000Device([FakeField(EPC)])
    ask(device, 0x78, b"\x02\x00\x06")  # Europe, so that the first channel is the captured one
    assert device.feed(ROUND, 0) == b""
    assert b"".join(device.tick(now * MS) for now in range(0, 20, 4)).hex() == captured
    run(device, 100, 20)
    assert ask(device, 0x74, b"\x00", at_ms=100).hex() in published


def test_an_order_ends_with_its_counts_and_no_other_follows():
    field = FakeField(EPC, OTHER)
    device = R2000Device([field])
    ask(device, 0x89, b"\x03")
    *reports, end = run(device, 1000)
    assert [report[2:-1] for report in reports] == [backscatter(EPC)[:-2], backscatter(OTHER)[:-2]] * 3
    assert end == bytes((0x89, 0x00, 0x00, 100, 0, 0, 0, 6))  # antenna, 6 reads in 60 ms, 6 reads
    assert field.rounds == 3


def test_an_empty_field_gives_an_end_all_the_same():
    device = R2000Device([FakeField()])
    ask(device, 0x8B, b"\x01\x00\x01")
    assert run(device, 100) == [bytes((0x8B, 0, 0, 0, 0, 0, 0, 0))]


def test_fast_switch_goes_through_all_antennas_and_names_those_that_are_missing():
    device = R2000Device([FakeField(EPC), None, FakeField(OTHER)])
    device.feed(BOTH, 0)
    said = run(device, 500)
    assert [data for data in said if len(data) == 3] == [bytes((0x8A, port, 0x22)) for port in (1, 3)] * 2
    assert [data[1] & 3 for data in said if len(data) == 17] == [0, 2] * 2
    assert said[-1][:4] == bytes((0x8A, 0, 0, 4))
    assert 80 <= int.from_bytes(said[-1][4:], "big") <= 100


def test_the_eighth_bit_tells_the_upper_four_of_eight_ports():
    device = R2000Device([None] * 5 + [FakeField(EPC)], firmware=Firmware(ports=8))
    ask(device, 0x8A, bytes((5, 1, *([0xFF, 0] * 7), 0, 1)))
    report = run(device, 100)[0]
    assert (report[1] & 3, report[-1]) == (1, 0x80 | 69)


def test_an_order_for_one_antenna_that_is_missing_fails():
    device = R2000Device([None, FakeField()])
    assert ask(device, 0x89, b"\x01")[4] == 0x22
    ask(device, 0x74, b"\x01")
    assert ask(device, 0x89, b"\x01") == b""


def test_commands_wait_for_the_end_of_an_order_but_a_reset_does_not():
    device = R2000Device([FakeField(EPC)])
    ask(device, 0x89, b"\x02")
    assert ask(device, 0x72) == b""
    assert [data[0] for data in run(device, 100)] == [0x89, 0x89, 0x89, 0x72]
    ask(device, 0x89, b"\xc8", at_ms=100)
    assert ask(device, 0x70, at_ms=104) == b""
    assert run(device, 400, 104) == []
    assert ask(device, 0x72, at_ms=300) == b"", "deaf while it starts"
    assert ask(device, 0x72, at_ms=500)[3] == 0x72


def test_it_obeys_its_address_and_everybody_s_and_answers_with_its_own():
    device = R2000Device([FakeField()], firmware=Firmware(address=9))
    assert ask(device, 0x72, to=1) == b""
    assert ask(device, 0x72, to=0xFF)[2] == 9
    assert ask(device, 0x73, b"\x05", to=9)[2] == 5
    assert ask(device, 0x72, to=5)[2] == 5


REFUSED = {
    "unknown": (0x99, b"", 0x41), "power": (0x76, b"\x22", 0x48), "powers": (0x76, b"\x1e\x1e", 0x41),
    "region": (0x78, b"\x09\x00\x06", 0x49), "channels": (0x78, b"\x02\x00\x07", 0x4F), "antenna": (0x74, b"\x04", 0x47),
    "beeper": (0x7A, b"\x03", 0x4B), "baud": (0x71, b"\x07", 0x4A), "no rounds": (0x89, b"\x00", 0x41),
    "session": (0x8B, b"\x04\x00\x01", 0x41), "eight places on four ports": (0x8A, b"\x00\x01" * 9, 0x41),
    "no antenna": (0x8A, b"\xff\x00" * 4 + b"\x00\x01", 0x41), "memory": (0x81, bytes(7), 0x36),
}  # fmt: skip


@pytest.mark.parametrize(("code", "data", "error"), REFUSED.values(), ids=REFUSED)
def test_what_it_cannot_do_it_refuses_with_a_code(code, data, error):
    assert ask(R2000Device([FakeField()]), code, data) == frame(1, code, bytes((error,)))


def test_power_is_told_shortly_where_all_ports_are_alike_and_used_by_port():
    fields = [FakeField(), FakeField()]
    device = R2000Device(fields)
    assert ask(device, 0x77)[4:-1] == b"\x1e"
    ask(device, 0x76, bytes((20, 21, 22, 23)))
    assert ask(device, 0x77)[4:-1] == bytes((20, 21, 22, 23))
    device.feed(BOTH, 0)
    run(device, 500)
    assert [field.power_dbm for field in fields] == [20, 21]


def test_settings_outlive_the_power_except_in_some_makes():
    for keeps in (True, False):
        device = R2000Device([FakeField()], firmware=Firmware(keeps_settings=keeps))
        ask(device, 0x78, b"\x02\x00\x06")
        ask(device, 0x89, b"\xff")
        device.power_cycle(0)
        assert run(device, 100) == []
        assert ask(device, 0x79, at_ms=1000)[4] == (2 if keeps else 1)


def test_stuck_it_obeys_but_says_nothing_of_orders_until_it_is_reset():
    device = R2000Device([FakeField(EPC)], firmware=Firmware(stuck_after_rounds=1))
    device.feed(ROUND, 0)
    assert [len(data) for data in run(device, 100)] == [17], "the report, and no end"
    device.feed(ROUND, 100 * MS)
    assert run(device, 200, 100) == []
    assert ask(device, 0x7B, at_ms=200)[4:6] == bytes((1, 41))
    ask(device, 0x70, at_ms=200)
    device.feed(ROUND, 600 * MS)
    assert len(run(device, 700, 600)) == 1


def test_the_buffer_keeps_each_tag_once_and_gives_them_back():
    device = R2000Device([FakeField(EPC, OTHER)])
    assert ask(device, 0x90)[4] == 0x38
    ask(device, 0x80, b"\x02")
    [end] = run(device, 100)
    assert end == bytes((0x80, 0, 0, 2, 0, 100, 0, 0, 0, 4))
    assert ask(device, 0x92, at_ms=100)[4:-1] == b"\x00\x02"
    said = ask(device, 0x91, at_ms=100)
    first = said[: 2 + said[1]]
    assert first[4:7] == bytes((0, 2, 16))
    assert first[7:23] == backscatter(EPC)
    assert (first[23], first[25]) == (69, 2)
    assert len(said) == 2 * len(first)
    assert ask(device, 0x90, at_ms=100)[4] == 0x38
    assert ask(device, 0x93, at_ms=100)[4] == 0x10


def test_the_line_s_speed_changes_after_the_answer():
    device = R2000Device([FakeField()])
    assert ask(device, 0x71, b"\x03")[4] == 0x10
    assert device.baud == 115_200
    device.tick(400 * MS)
    assert device.baud == 38_400


def test_return_loss_and_temperature():
    device = R2000Device([FakeField(), None], firmware=Firmware(return_loss_db={1: 4}, temperature_c=-7))
    assert ask(device, 0x7E, b"\x21")[4] == 4
    ask(device, 0x74, b"\x01")
    assert ask(device, 0x7E, b"\x21")[4] == 0
    assert ask(device, 0x7B)[4:6] == bytes((0, 7))


def test_after_a_stall_time_is_skipped_not_told_all_at_once():
    device = R2000Device([FakeField(EPC)])
    ask(device, 0x89, b"\xc8")
    device.tick(0)
    assert len(device.tick(60_000 * MS)) <= 21 * 12


@given(st.data())
def test_a_frame_with_a_flipped_bit_is_never_obeyed(data):
    sent = bytearray(frame(1, 0x76, b"\x0a"))
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] ^= 1 << data.draw(st.integers(0, 7))
    device = R2000Device([FakeField()])
    device.feed(bytes(sent), 0)
    assert ask(device, 0x77, at_ms=1000)[4] == 30


@given(st.lists(st.integers(1, 9), max_size=12), st.binary(max_size=6).filter(lambda noise: 0xA0 not in noise))
def test_any_slicing_and_noise_before_give_the_same_answers(cuts, noise):
    stream = noise + frame(1, 0x79, b"") + noise + frame(1, 0x72, b"") + b"\xa0\x01" + frame(255, 0x99, b"")
    device, said, start = R2000Device([FakeField()]), b"", 0
    for cut in [*cuts, len(stream)]:
        said += device.feed(stream[start : start + cut], 0)
        start += cut
    whole = R2000Device([FakeField()])
    assert said == ask(whole, 0x79) + ask(whole, 0x72) + frame(1, 0x99, b"\x41")
