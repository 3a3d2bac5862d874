"""The Modbus slaves: published requests, silence as the end of a request, refusals, quirks."""

from dataclasses import dataclass

import pytest

from simulators.modbus_relay import Board, ModbusRelayDevice
from simulators.modbus_rtu import Manners
from simulators.modbus_rtu.slave import checksum
from simulators.modbus_weight import ModbusWeightDevice, Transmitter
from simulators.scene_shelf import LoadReading

MS = 1_000_000


@dataclass
class Pan:
    grams: float = 1000.0
    stable: bool = True

    def weigh(self, _now_ns: int) -> LoadReading:
        return LoadReading(self.grams, self.stable)


def ask(device, request: str, at_ns: int = 0) -> str:
    """The answer, without its CRC."""
    body = bytes.fromhex(request)
    answer = device.feed(body + checksum(body), at_ns) + device.tick(at_ns + 10 * MS)
    assert not answer or checksum(answer[:-2]) == answer[-2:]
    return answer[:-2].hex()


def scale(pan: Pan | None = None, *, make: Transmitter | None = None, **manners) -> ModbusWeightDevice:
    return ModbusWeightDevice((pan or Pan()).weigh, make=make or Transmitter(), manners=Manners(**manners))


def board(**make) -> ModbusRelayDevice:
    return ModbusRelayDevice(lambda *_: None, board=Board(**make))


@pytest.mark.parametrize("protocol", ["modbus-rtu", "modbus-relay"])
def test_the_check_of_published_frames(vectors, protocol):
    rows = [*vectors(protocol, "to_reader"), *vectors(protocol, "from_reader")]
    assert len(rows) >= 7
    for row in rows:
        raw = bytes.fromhex(row["bytes_hex"])
        assert checksum(raw[:-2]) == raw[-2:]


def test_published_orders_switch_their_coil(vectors):
    for row in vectors("modbus-relay", "to_reader"):
        raw, told = bytes.fromhex(row["bytes_hex"]), row["decoded"]
        relays = board(channels=32)
        relays.contacts = [True] * 32
        relays.feed(raw, 0)
        answer = relays.tick(10 * MS)
        if told["function"] == 5:
            assert answer == raw
            assert relays.contacts[told["coil"]] is told["on"]
        else:
            assert answer[:6] == raw[:6]
            assert relays.contacts[19:29] == [True, False, True, True, False, False, True, True, True, False]


def test_the_published_question_for_the_weight_and_the_status_behind_it():
    assert ask(scale(), "01 03 0000 0002") == "010304000003e8"
    assert ask(scale(Pan(20_000.0, stable=False)), "01 03 0000 0003") == "010306000" + "04e200002"


@pytest.mark.parametrize(
    ("make", "registers"),
    [
        ({"low_word_first": True}, "03e80000"),
        ({"low_byte_first": True}, "0000e803"),
        ({"value_type": "float32"}, "447a0000"),
        ({"value_type": "int16", "division_g": 0.5}, "07d00001"),
    ],
)
def test_makers_differ(make, registers):
    status_at = {"status_address": 1} if make.get("value_type") == "int16" else {}
    assert ask(scale(make=Transmitter(**make, **status_at)), "01 04 0000 0002") == "010404" + registers


@pytest.mark.parametrize(
    ("request_hex", "answer"),
    [
        ("01 06 0000 0001", "018601"),
        ("01 03 0009 0001", "018302"),
        ("01 03 0000 0000", "018303"),
        ("02 03 0000 0002", ""),
        ("00 03 0000 0002", ""),
    ],
)
def test_what_it_cannot_do_is_refused_and_what_is_not_for_it_is_passed_over(request_hex, answer):
    assert ask(scale(), request_hex) == answer


@pytest.mark.parametrize(
    ("request_hex", "answer"),
    [
        ("01 01 0000 0001", "01010100"),
        ("01 05 0008 ff00", "018502"),
        ("01 05 0000 5500", "018503"),
        ("01 0f 0000 0002 02 0300", "018f03"),
        ("01 02 0000 0001", "018201"),
        ("00 05 0000 ff00", ""),
    ],
)
def test_a_board_refuses_what_it_has_not(request_hex, answer):
    assert ask(board(), request_hex) == answer


def test_a_broadcast_is_obeyed():
    relays = board()
    ask(relays, "00 05 0000 ff00")
    assert relays.contacts[0]


def test_a_request_ends_by_silence_and_a_broken_one_is_forgotten():
    device, request = scale(), bytes.fromhex("010300000002c40b")
    assert device.feed(request[:4], 0) + device.feed(request[4:], 3 * MS) == b""
    assert device.tick(6 * MS) == b""
    assert device.tick(8 * MS)
    device.feed(request[:4], 100 * MS)
    device.feed(request[4:], 110 * MS)
    assert device.tick(120 * MS) == b""


def test_bad_manners():
    assert ask(scale(answers_as=7), "01 03 0000 0001")[:2] == "07"
    assert ask(scale(busy_for=1), "01 03 0000 0001") == "018306"
    deaf = scale(deaf_for=1)
    assert [ask(deaf, "01 03 0000 0001", at_ns) for at_ns in (0, 100 * MS)] == ["", "0103020000"]
    wrong = scale(wrong_crc_for=1)
    wrong.feed(bytes.fromhex("010300000002c40b"), 0)
    said = wrong.tick(10 * MS)
    assert checksum(said[:-2]) != said[-2:]
    assert scale(echoes_line=True).feed(b"\x01\x02", 0) == b"\x01\x02"
    slow = scale(slow_ns=50 * MS)
    assert ask(slow, "01 03 0000 0001") == ""
    assert slow.tick(70 * MS)


def test_a_broken_cell_and_a_relay_without_power():
    assert ask(scale(make=Transmitter(broken=True)), "01 03 0000 0003") == "010306" + "000000000005"
    assert ask(scale(make=Transmitter(broken=True, value_type="float32")), "01 03 0000 0002") == "0103047fc00000"
    stuck = board(stuck=(1,))
    assert ask(stuck, "01 05 0000 ff00") == "01050000ff00"
    assert ask(stuck, "01 01 0000 0001", 100 * MS) == "01010100"


def test_contacts_fall_off_with_the_power():
    moves = []
    relays = ModbusRelayDevice(lambda *what: moves.append(what))
    ask(relays, "01 05 0001 ff00")
    relays.power_cycle(50 * MS)
    assert moves == [(2, True, 10 * MS), (2, False, 50 * MS)]
