"""The Mercury firmware: published frames in and out, and the quirks drivers must live with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.gen2 import backscatter
from simulators.mercury import MercuryDevice
from simulators.mercury.frames import CommandReceiver, crc, frame
from simulators.mercury.settings import Firmware
from simulators.scene_radio import Answer, Epc, Round

MS = 1_000_000
EPC = Epc(bytes.fromhex("000000000000000000001545"))
START = bytes.fromhex("ff102f00000122000005072210001b03e801ffdd2b")
STOP = bytes.fromhex("ff032f0000025e86")
BOOT = bytes.fromhex("ff00041d0b")
FILTER_OFF = bytes.fromhex("ff039a010c00a35d")
KEEP_ALIVE = frame(0x22, 0x0400)


class FakeField:
    """Rounds of 20 ms with these tags, each heard at -60 dBm after 10 ms."""

    def __init__(self, *tags: Epc) -> None:
        self.tags, self.power_dbm = tags, 0.0

    def inventory(self, now_ns, power_dbm, takes_part):
        self.power_dbm = power_dbm
        answers = tuple(Answer(now_ns + 10 * MS, epc, -60.2) for epc in self.tags if takes_part(epc))
        return Round(answers, now_ns + 20 * MS)


def command(opcode: int, parameters: bytes = b"") -> bytes:
    body = bytes((len(parameters), opcode)) + parameters
    return b"\xff" + body + crc(body).to_bytes(2, "big")


def booted(*fields: FakeField, firmware: Firmware | None = None) -> MercuryDevice:
    """A module that is ready to stream, every tag again and again."""
    device = MercuryDevice(fields or [FakeField()], firmware=firmware)
    for order in (BOOT, command(0x97, b"\x08"), command(0x93, b"\x00\x05"), FILTER_OFF):
        assert device.feed(order, 0)[3:5] == b"\x00\x00"
    return device


def run(device: MercuryDevice, until_ms: int, from_ms: int = 0, step_ms: int = 4) -> bytes:
    return b"".join(device.tick(now * MS) for now in range(from_ms, until_ms + 1, step_ms))


def frames(said: bytes) -> list[tuple[int, int, bytes]]:
    """Opcode, status and data of each."""
    found = []
    while said:
        size = said[1] + 7
        found.append((said[2], int.from_bytes(said[3:5], "big"), said[5 : size - 2]))
        assert crc(said[1 : size - 2]) == int.from_bytes(said[size - 2 : size], "big")
        said = said[size:]
    return found


def test_its_checksum_is_that_of_all_published_frames(vectors):
    for direction in ("from_reader", "to_reader"):
        for row in vectors("mercury", direction):
            raw = bytes.fromhex(row["bytes_hex"])
            assert crc(raw[1:-2]) == int.from_bytes(raw[-2:], "big")


@given(st.binary(max_size=60))
def test_noise_is_never_a_command_and_hides_none(noise):
    receiver = CommandReceiver()
    receiver.feed(noise.replace(b"\xff", b""), 0)
    assert [found.opcode for found in receiver.feed(BOOT, 0)] == [0x04]


def test_a_command_that_broke_off_is_forgotten():
    receiver = CommandReceiver()
    assert receiver.feed(START[:9], 0) == []
    assert [found.opcode for found in receiver.feed(BOOT, 300 * MS)] == [0x04]


def test_every_published_command_is_answered_in_its_own_name(vectors):
    for row in vectors("mercury", "to_reader"):
        data = bytes.fromhex(row["bytes_hex"])
        [(opcode, _, _)] = frames(booted().feed(data, 0))
        assert opcode == data[2]


def test_before_it_boots_it_knows_next_to_nothing():
    device = MercuryDevice([FakeField()])
    assert frames(device.feed(bytes.fromhex("ff000c1d03"), 0)) == [(0x0C, 0, b"\x11")]
    assert frames(device.feed(command(0x97, b"\x08"), 0)) == [(0x97, 0x0101, b"")]
    assert frames(device.feed(START, 0)) == [(0x2F, 0x0101, b"")]
    assert len(frames(device.feed(bytes.fromhex("ff00031d0c"), 0))[0][2]) == 20
    assert frames(device.feed(BOOT, 0)) == [(0x04, 0, b"")]
    assert frames(device.feed(BOOT, 0)) == [(0x04, 0x0101, b"")]
    assert frames(device.feed(bytes.fromhex("ff000c1d03"), 0)) == [(0x0C, 0, b"\x12")]
    assert frames(device.feed(command(0x97, b"\x08"), 0)) == [(0x97, 0, b"")]


def test_it_does_not_stream_before_region_and_protocol_are_set():
    device = MercuryDevice([FakeField()], firmware=Firmware(boots_by_itself=True))
    assert frames(device.feed(START, 0)) == [(0x2F, 0x0405, b"")]


def test_the_published_capture_is_what_it_streams():
    device = booted(FakeField(EPC))
    assert frames(device.feed(START, 0)) == [(0x2F, 0, b"\x01")]
    captured = bytes.fromhex(
        "ff2822000010001b01ff0101c4110e16400000012700000500000f00803000000000000000000000001545e94a561d"
    )
    report = run(device, 12)
    assert len(report) == len(captured)
    assert report[:14] == captured[:14]  # up to the antenna; frequency and time are another
    assert report[21:-2] == captured[21:-2]
    assert int.from_bytes(report[14:17], "big") == 866_300
    assert int.from_bytes(report[17:21], "big") == 10


def test_metadata_come_by_the_flags_in_the_order_of_the_flags():
    device = booted(FakeField(EPC))
    device.feed(command(0x2F, START[3:-4] + b"\x00\x46"), 0)
    [(_, _, data)] = frames(run(device, 12))
    assert data == bytes.fromhex("10001b0046" + "01" + "c4" + "11" + "05" + "0080") + backscatter(EPC)


def test_a_keep_alive_a_second_tags_or_not():
    for field in (FakeField(), FakeField(EPC)):
        device = booted(field)
        device.feed(START, 0)
        assert run(device, 5100).count(KEEP_ALIVE) == 5


def test_the_read_filter_tells_each_tag_once():
    device = booted(FakeField(EPC))
    device.feed(command(0x9A, b"\x01\x0c\x01"), 0)
    device.feed(START, 0)
    assert len([data for _, status, data in frames(run(device, 500)) if status == 0]) == 1


def test_a_stop_is_answered_behind_what_was_waiting_and_all_else_is_not():
    device = booted(FakeField(EPC, Epc(b"\x12\x34")))
    device.feed(START, 0)
    device.tick(0)
    assert device.feed(bytes.fromhex("ff00031d0c"), MS) == b""
    said = frames(device.feed(STOP, 2 * MS))
    assert [opcode for opcode, _, _ in said] == [0x22, 0x22, 0x2F]
    assert said[-1] == (0x2F, 0, b"\x02")
    assert run(device, 2000, from_ms=4) == b""
    assert frames(device.feed(STOP, 2001 * MS)) == [(0x2F, 0, b"\x02")]


def test_antennas_take_turns():
    device = booted(FakeField(Epc(b"\x00\x01")), FakeField(Epc(b"\x00\x02")))
    device.feed(command(0x91, bytes.fromhex("0201010202")), 0)
    device.feed(START, 0)
    antennas = [data[8] for _, _, data in frames(run(device, 80))]
    assert antennas[:4] == [0x11, 0x22, 0x11, 0x22]


def test_too_much_power_looks_like_silence():
    field = FakeField(EPC)
    device = booted(field, firmware=Firmware(brown_out_above_cdbm=2000))
    device.feed(command(0x92, (2001).to_bytes(2, "big")), 0)
    device.feed(START, 0)
    assert run(device, 5000) == b""
    assert frames(device.feed(bytes.fromhex("ff000c1d03"), 5001 * MS)) == [(0x0C, 0, b"\x11")]


def test_too_hot_it_complains_once_a_second_and_reads_nothing():
    device = booted(FakeField(EPC))
    device.feed(START, 0)
    device.temperature_c = 90
    assert {status for _, status, _ in frames(run(device, 3100))} == {0x0504}
    device.temperature_c = 40
    assert 0 in {status for _, status, _ in frames(run(device, 3500, from_ms=3104))}


def test_a_bad_antenna_is_complained_of_in_the_stream():
    device = booted(FakeField(EPC), firmware=Firmware(bad_antennas=frozenset({1})))
    device.feed(START, 0)
    assert {status for _, status, _ in frames(run(device, 900))} == {0x0505}


def test_the_temperature_in_the_stream_is_the_published_report():
    device = booted(FakeField())
    device.temperature_c = 28
    device.feed(command(0x2F, bytes.fromhex("00000122000005092210011b03e801ff0100")), 0)
    states = [data for _, status, data in frames(run(device, 1100)) if status == 0]
    assert states == [bytes.fromhex("00011b0282008200011c")]  # captured with a second option: 88 00 011b 02 ...
    refuses = booted(firmware=Firmware(reports_temperature=False))
    assert frames(refuses.feed(command(0x2F, bytes.fromhex("00000122000005092210011b03e801ff0100")), 0))[0][1] == 0x0105


def test_a_new_speed_counts_once_its_answer_is_out():
    device = booted()
    assert frames(device.feed(command(0x06, (921_600).to_bytes(4, "big")), 0)) == [(0x06, 0, b"")]
    assert device.baud == 115_200
    device.tick(50 * MS)
    assert device.baud == 921_600
    assert frames(device.feed(command(0x06, (1_000).to_bytes(4, "big")), 0)) == [(0x06, 0x010A, b"")]


def test_a_stream_goes_on_when_the_host_is_gone():
    device = booted(FakeField(EPC))
    device.feed(START, 0)
    run(device, 60_000, step_ms=50)
    assert len(frames(run(device, 60_100, from_ms=60_004))) >= 4


@pytest.mark.parametrize(
    ("opcode", "parameters", "status"),
    [
        (0x92, "0ace", 0x0103), (0x97, "7f", 0x010B), (0x93, "0003", 0x0402), (0x99, "", 0x0101), (0x62, "", 0x0100),
        (0x91, "020101090900"[:10], 0x0105), (0x91, "0201", 0x0105), (0x95, "000dc4fe", 0x0104), (0x95, "00", 0x0100),
        (0x9A, "010c", 0x0100), (0x9B, "0500", 0x0100), (0x9B, "030001", 0x0402), (0x61, "04", 0x0105), (0x72, "00", 0x0100),
    ],
)  # fmt: skip
def test_what_it_cannot_do_has_a_status(opcode, parameters, status):
    assert frames(booted().feed(command(opcode, bytes.fromhex(parameters)), 0)) == [(opcode, status, b"")]


def test_questions():
    device = booted(FakeField(), FakeField())
    asked = {0x67: b"", 0x71: b"", 0x72: b"", 0x61: b"\x05", 0x62: b"\x01", 0x63: b"", 0x10: b"\x00\x40"}
    told = {opcode: frames(device.feed(command(opcode, data), 0))[0][2] for opcode, data in asked.items()}
    assert told[0x67] == b"\x08"
    assert set(told[0x71]) == {0x01, 0x06, 0x08, 0x0D}
    assert told[0x72] == b"\x1e"
    assert told[0x61] == bytes.fromhex("0501010201")
    assert told[0x62] == bytes.fromhex("010a8c0a8c0000")
    assert told[0x63] == b"\x00\x05"
    assert told[0x10][4:] == b"22 1430 00D5 0000"
    assert len(frames(device.feed(command(0x65), 0))[0][2]) == 16
