"""The UHFReader firmware: published frames in and out, and the quirks drivers must live with."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.scene_radio import Answer, Epc, Round
from simulators.uhfreader18 import UhfDevice
from simulators.uhfreader18.firmware import ACTIVE_MODE, ANSWER_MODE, UHFREADER18, UHFREADER288, Memory
from simulators.uhfreader18.frames import answer, crc

MS = 1_000_000
EPC = Epc(bytes.fromhex("e284361100001000094944aa"))
OTHER = Epc(bytes.fromhex("000000000000000000000314"))
INFO, POLL = "04ff211995", "04ff011bb4"
UNKNOWN = answer(0, 0x00, 0xFE)


class FakeField:
    """Rounds of 20 ms with these tags, each heard at -22 dBm after 10 ms."""

    def __init__(self, *tags: Epc) -> None:
        self.tags, self.rounds, self.power_dbm = list(tags), 0, 0.0

    def inventory(self, now_ns, power_dbm, takes_part):
        self.rounds += 1
        self.power_dbm = power_dbm
        answers = tuple(Answer(now_ns + 10 * MS, epc, -22.2) for epc in self.tags if takes_part(epc))
        return Round(answers, now_ns + 20 * MS)


def command(code: int, data: bytes = b"", address: int = 0xFF) -> bytes:
    body = bytes((len(data) + 4, address, code)) + data
    return body + crc(body)


def inventory(antenna: int, tenths: int = 3) -> bytes:
    return command(0x01, bytes((4, 0, 0, 0x7F + antenna, tenths)))


def run(device: UhfDevice, until_ms: int, from_ms: int = 0, step_ms: int = 4) -> bytes:
    return b"".join(device.tick(now * MS) for now in range(from_ms, until_ms + 1, step_ms))


def new_18(*tags: Epc, **keys) -> UhfDevice:
    return UhfDevice([FakeField(*tags)], firmware=replace(UHFREADER18, **keys))


def new_288(*fields: FakeField | None, **keys) -> UhfDevice:
    return UhfDevice(fields, firmware=replace(UHFREADER288, **keys))


def test_the_published_info_is_what_such_a_reader_tells():
    device = UhfDevice([FakeField()], firmware=replace(UHFREADER18, type=0x86))
    assert device.feed(bytes.fromhex(INFO), 0).hex() == "0d0021000502860231801a14975c"


def test_the_published_mode_is_what_such_a_reader_tells():
    device = UhfDevice([FakeField()], memory=Memory(mode=ACTIVE_MODE))
    assert device.feed(command(0x36), 0).hex() == "11003600001e0a0f0102040206000000a666"


def test_published_commands_are_obeyed():
    device = new_18()
    assert device.feed(bytes.fromhex("050025326c22"), 0).hex() == "05002500fd30"
    assert device.memory.scan_time_100ms == 50
    assert device.feed(bytes.fromhex("0600223180e196"), 0) == answer(0, 0x22, 0)
    assert device.feed(bytes.fromhex("05ff28007646"), 0) == answer(0, 0x28, 0)
    assert device.baud == 9600
    assert device.feed(command(0x35, bytes((0, 2, 4, 2, 6, 0))), 0).hex() == "050035006ca5"


def test_published_inventories_and_reports_are_what_the_device_sends(vectors):
    published = {row["bytes_hex"] for row in vectors("uhfreader18", "from_reader")}
    device = new_18(Epc(bytes(10) + b"\x03\x13"), OTHER, ends_with_more=True)
    device.feed(bytes.fromhex(POLL), 0)
    assert run(device, 100).hex() in published
    device = new_288(FakeField(Epc(bytes.fromhex("00323038"))), ends_with_more=True)
    device.feed(inventory(1), 0)
    said = run(device, 100)
    assert said[:-3].hex() in {frame[:-6] for frame in published}  # but for the strength
    device = UhfDevice([FakeField(EPC)], memory=Memory(mode=ACTIVE_MODE))
    assert run(device, 12)[:18].hex() == "1100ee00e284361100001000094944aa9acc"


def test_no_tag_is_told_in_each_dialect_when_the_scan_time_is_over():
    device = new_18()
    device.feed(bytes.fromhex(POLL), 0)
    assert run(device, 1999) == b""  # 2 s, as delivered
    assert run(device, 2004, 2000).hex() == "050001fbf23d"
    device = new_288(FakeField(), FakeField())
    device.feed(inventory(2), 0)
    assert run(device, 299) == b""
    assert run(device, 304, 300) == answer(0, 0x01, 0x01, b"\x02\x00")


def test_an_inventory_ends_when_a_round_brings_nothing_new():
    device = new_18(EPC, OTHER)
    device.feed(bytes.fromhex(POLL), 0)
    assert run(device, 39) == b""
    assert run(device, 44, 40)[3:5] == b"\x01\x02"
    assert device._fields[0].rounds == 2


def test_an_inventory_that_the_scan_time_cuts_off_says_so():
    device, tags = new_18(EPC), iter(range(100))
    field = device._fields[0]
    inventory_ = field.inventory
    field.inventory = lambda *given: field.tags.append(Epc(bytes(11) + bytes((next(tags),)))) or inventory_(*given)
    device.memory.scan_time_100ms = 3
    device.feed(bytes.fromhex(POLL), 0)
    said = run(device, 400)
    assert said[3] == 0x03  # 15 tags, more follow
    assert said[said[0] + 4] == 0x02


def test_what_is_sent_while_it_works_is_lost():
    device = new_18(EPC)
    device.feed(bytes.fromhex(POLL), 0)
    assert device.feed(bytes.fromhex(INFO), 5 * MS) == b""
    run(device, 100)
    assert device.feed(bytes.fromhex(INFO), 105 * MS)[2] == 0x21


def test_a_gap_of_15_ms_inside_a_command_costs_the_command():
    data = bytes.fromhex(INFO)
    device = new_18()
    device.feed(data[:2], 0)
    assert device.feed(data[2:], 15 * MS)[2] == 0x21
    device.feed(data[:2], 100 * MS)
    assert device.feed(data[2:], 116 * MS) == b""
    assert device.feed(data, 200 * MS)[2] == 0x21


@given(st.data())
def test_a_frame_with_a_flipped_bit_is_never_obeyed(data):
    sent = bytearray(command(0x2F, b"\x14"))
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] ^= 1 << data.draw(st.integers(0, 7))
    device = new_18()
    assert device.feed(bytes(sent), 0) in (b"", UNKNOWN)
    assert device.memory.power_dbm == 26


REFUSED = {
    "band it has not": (0x22, bytes((0x80 | 5, 0x80)), 0xFF), "channel beyond the band": (0x22, bytes((50, 0x80)), 0xFF),
    "lowest above highest": (0x22, bytes((3, 0x84)), 0xFF), "power": (0x2F, b"\x22", 0xFF), "baud": (0x28, b"\x03", 0xFF),
    "mode": (0x35, b"\x07" + bytes(5), 0xFF), "mode cut short": (0x35, b"\x00", 0xFD), "no power": (0x2F, b"", 0xFD),
}  # fmt: skip


@pytest.mark.parametrize(("code", "data", "status"), REFUSED.values(), ids=REFUSED)
def test_what_it_cannot_do_is_refused(code, data, status):
    device = new_18()
    assert device.feed(command(code, data), 0) == answer(0, code, status)
    assert device.memory == Memory()


def test_each_family_knows_its_own_mode_commands_only():
    assert new_18().feed(command(0x76, b"\x01"), 0) == UNKNOWN
    assert new_288(FakeField()).feed(command(0x35, bytes(6)), 0) == UNKNOWN


def test_antennas_there_are_and_are_not():
    device = new_288(FakeField(EPC), None)
    assert device.feed(inventory(2), 0) == answer(0, 0x01, 0xF8)
    assert device.feed(inventory(3), 0) == answer(0, 0x01, 0xFF)
    assert device.feed(inventory(1), 0) == b""
    assert run(device, 100) == answer(0, 0x01, 0x01, b"\x01\x01\x0c" + EPC + bytes((107,)))


def test_it_answers_to_its_address_and_to_everybodys():
    device = new_18()
    assert device.feed(command(0x24, b"\x07", 0x00), 0) == answer(0, 0x24, 0)
    assert device.feed(command(0x21, address=0x00), 0) == b""
    assert device.feed(command(0x21, address=0x07), 0)[1] == 0x07
    assert device.feed(command(0x21), 0)[1] == 0x07


def test_active_mode_goes_on_for_a_new_host_and_without_power():
    field = FakeField(EPC)
    device = UhfDevice([field])
    device.feed(command(0x35, bytes((1, 2, 4, 0, 1, 0))), 0)
    assert run(device, 1000).count(EPC) == 50
    device.power_cycle()
    assert EPC in run(device, 2000, 1004)
    assert device.feed(bytes.fromhex(POLL), 2004 * MS) == b""
    assert device.feed(command(0x36), 2008 * MS)[8] == 1
    assert device.feed(command(0x35, bytes((0, 2, 4, 0, 1, 0))), 2012 * MS)[2] == 0x35
    assert run(device, 3000, 2012) == b""


def test_what_it_was_about_to_say_is_lost_with_the_power():
    device = UhfDevice([FakeField(EPC)], memory=Memory(mode=ACTIVE_MODE))
    device.tick(0)
    device.power_cycle()
    device.memory.mode = ANSWER_MODE
    assert run(device, 100) == b""


def test_orders_may_go_unheard_in_active_mode():
    device = UhfDevice([FakeField()], firmware=replace(UHFREADER18, lost_orders=2), memory=Memory(mode=ACTIVE_MODE))
    stop = command(0x35, bytes(6))
    assert [device.feed(stop, n * 100 * MS) for n in range(3)] == [b"", b"", answer(0, 0x35, 0)]
    assert device.memory.mode == ANSWER_MODE


def test_in_active_mode_it_may_hear_the_order_to_change_it_only():
    made = replace(UHFREADER18, hears_mode_only=True)
    device = UhfDevice([FakeField()], firmware=made, memory=Memory(mode=ACTIVE_MODE))
    assert device.feed(bytes.fromhex(INFO), 0) == b""
    assert device.feed(command(0x35, bytes(6)), 0) == answer(0, 0x35, 0)
    assert device.feed(bytes.fromhex(INFO), 0)[2] == 0x21


def test_a_288_streams_every_antenna_and_gives_heartbeats_in_an_empty_field():
    fields = FakeField(EPC), None, FakeField()
    device = new_288(*fields)
    device.feed(command(0x76, b"\x01"), 0)
    assert device.feed(command(0x78, b"\x81"), 0) == answer(0, 0x78, 0, b"\x01")
    said = run(device, 1000)
    assert said[:21] == answer(0, 0xEE, 0x00, b"\x01\x0c" + EPC + bytes((107,)))
    assert fields[2].rounds > 2
    states = b"\x01\x00\x01" + bytes(5)
    assert states not in run(device, 40_000, 1000, step_ms=100)
    fields[0].tags.clear()
    beats = run(device, 103_000, 40_000, step_ms=100)
    assert beats[-22:] == answer(0, 0xEE, 0x28, (2).to_bytes(4, "big") + states + bytes(4))
    assert beats.count(states) == 2


def test_a_reader_that_only_acknowledges_reports_later():
    device = new_18(EPC, acknowledges=True)
    assert device.feed(bytes.fromhex(POLL), 0).hex() == "07000101000907cf"
    assert run(device, 100).hex() == "1100ee00e284361100001000094944aa9acc"


def test_after_a_stall_time_is_skipped_not_told_all_at_once():
    device = UhfDevice([FakeField(EPC)], memory=Memory(mode=ACTIVE_MODE))
    device.tick(0)
    assert device.tick(60_000 * MS).count(EPC) <= 12
