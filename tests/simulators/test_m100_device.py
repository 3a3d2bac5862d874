"""The M100 firmware: published frames in and out, and the quirks drivers must live with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.gen2 import backscatter, crc16
from simulators.magicrf_m100 import M100Device
from simulators.magicrf_m100.frames import COMMAND, frame
from simulators.magicrf_m100.settings import Firmware
from simulators.scene_radio import Answer, Epc, Round

MS = 1_000_000
NO_TAG = bytes.fromhex("bb01ff000115167e")
WRONG = bytes.fromhex("bb01ff000117187e")
STOPPED = bytes.fromhex("bb01280001002a7e")
EPC = Epc(bytes.fromhex("30751feb705c5904e3d50d70"))
POLL, STOP = bytes.fromhex("bb00220000227e"), bytes.fromhex("bb00280000287e")
FOREVER = bytes.fromhex("bb002700032200004c7e")


class FakeField:
    """Rounds of 20 ms with these tags, each heard at -55 dBm after 10 ms."""

    def __init__(self, *tags: Epc) -> None:
        self.tags, self.rounds, self.power_dbm = tags, 0, 0.0

    def inventory(self, now_ns, power_dbm, takes_part):
        self.rounds += 1
        self.power_dbm = power_dbm
        answers = tuple(Answer(now_ns + 10 * MS, epc, -55.2) for epc in self.tags if takes_part(epc))
        return Round(answers, now_ns + 20 * MS)


def command(code: int, parameters: bytes = b"") -> bytes:
    return frame(COMMAND, code, parameters)


def run(device: M100Device, until_ms: int, from_ms: int = 0, step_ms: int = 4) -> bytes:
    return b"".join(device.tick(now * MS) for now in range(from_ms, until_ms + 1, step_ms))


ANSWERS = {
    "bb00080000087e": "bb01080001020c7e",  # region: US
    "bb0007000101097e": "bb0107000100097e",
    "bb000d00000d7e": "bb010d00021020407e",
    "bb00b6000207d08f7e": "bb01b6000100b87e",
    "bb00ad0001ffad7e": "bb01ad000100af7e",
    "bb00ab000101ad7e": "bb01ab000100ad7e",
    "bb00f10000f17e": "bb01f10004030601b0b07e",
    "bb000400030101030c7e": "bb0104000100067e",
    "bb00280000287e": "bb01280001002a7e",
}


@pytest.mark.parametrize("asked", ANSWERS)
def test_published_answers(asked):
    assert M100Device(FakeField()).feed(bytes.fromhex(asked), 0).hex() == ANSWERS[asked]


def test_every_published_command_is_understood_or_refused_and_never_ignored(vectors):
    silent_ones = {0x22, 0x27}  # they answer with tags, later
    rows = vectors("magicrf-m100", "to_reader")
    assert len(rows) > 10
    for row in rows:
        data = bytes.fromhex(row["bytes_hex"])
        said = M100Device(FakeField()).feed(data, 0)
        assert bool(said) != (data[2] in silent_ones)
        if said and said != WRONG:
            assert said[1] == 1
            assert said[2] == data[2] or data[2] == 0x12


def test_published_notice_and_error_are_what_the_device_sends(vectors):
    published = {row["bytes_hex"] for row in vectors("magicrf-m100", "from_reader")}
    device = M100Device(FakeField(EPC), firmware=Firmware(hardware="M100 V1.00"))
    device.feed(POLL, 0)
    notice = run(device, 20)
    captured = bytes.fromhex("bb02220011c9340030751feb705c5904e3d50d703a76ef7e")
    assert captured.hex() in published
    assert notice[:6] == captured[:6]  # this tag's PC lacks the captured one's user memory bit, so its CRC is another
    assert notice[8:20] == captured[8:20]
    assert crc16(notice[6:20]) == int.from_bytes(notice[20:22], "big")
    assert NO_TAG.hex() in published
    assert device.feed(command(0x03, b"\x00"), 0).hex() in published
    assert device.feed(command(0xB6, b"\x07\xd0"), 0).hex() in published
    assert device.feed(command(0xB7), 0).hex() in published


def test_the_tag_crc_is_that_of_a_published_capture():
    captured = bytes.fromhex("340030751feb705c5904e3d50d703a76")
    assert crc16(captured[:-2]) == 0x3A76
    assert backscatter(EPC)[:2] == b"\x30\x00"


def test_power_is_kept_used_and_limited():
    field = FakeField(EPC)
    device = M100Device(field)
    device.feed(command(0xB6, (2000).to_bytes(2, "big")), 0)
    assert device.feed(command(0xB6, (2700).to_bytes(2, "big")), 0) == WRONG
    assert device.feed(command(0xB7), 0)[5:7] == (2000).to_bytes(2, "big")
    device.feed(POLL, 0)
    assert field.power_dbm == 20.0


REFUSED = {
    "unknown": (0x99, b""), "no such region": (0x07, b"\x09"), "no region": (0x07, b""), "no such info": (0x03, b"\x07"),
    "channel beyond the band": (0xAB, b"\x63"), "hopping neither on nor off": (0xAD, b"\x01"),
    "select cut short": (0x0C, b"\x01"), "poll without its 22": (0x27, b"\x00\x00\x01"), "poll without count": (0x27, b""),
}  # fmt: skip


@pytest.mark.parametrize(("code", "parameters"), REFUSED.values(), ids=REFUSED)
def test_what_it_cannot_do_gives_error_17(code, parameters):
    assert M100Device(FakeField()).feed(command(code, parameters), 0) == WRONG


def test_an_empty_field_gives_one_error_15_per_poll_and_a_counted_poll_just_stops():
    field = FakeField()
    device = M100Device(field)
    device.feed(command(0x27, b"\x22\x00\x05"), 0)
    assert run(device, 500) == NO_TAG * 5
    assert field.rounds == 5


def test_multi_poll_reports_under_command_22():
    device = M100Device(FakeField(EPC))
    assert device.feed(command(0x27, b"\x22\x00\x03"), 0) == b""
    said = run(device, 500)
    assert len(said) == 3 * 24
    assert all(said[n : n + 3] == b"\xbb\x02\x22" for n in range(0, len(said), 24))


def test_count_zero_goes_on_until_stopped_and_answers_interleave():
    device = M100Device(FakeField(EPC))
    device.feed(FOREVER, 0)
    assert len(run(device, 1000)) > 40 * 24
    assert device.feed(command(0x08), 1000 * MS)[2] == 0x08
    assert device.feed(STOP, 1004 * MS) == STOPPED
    assert run(device, 2000, 1004) == b""


def test_it_streams_on_when_the_host_starts_anew_without_stopping_it():
    device = M100Device(FakeField(EPC))
    device.feed(FOREVER, 0)
    run(device, 100)
    device.feed(b"\xbb\x00", 104 * MS)  # the old host died in the middle of a command
    said = device.feed(command(0x03, b"\x00"), 400 * MS)
    assert said[:3] == b"\xbb\x01\x03"
    assert b"\xbb\x02\x22" in run(device, 500, 400)


def test_notices_come_at_the_time_of_the_answer_not_all_at_the_end():
    device = M100Device(FakeField(EPC))
    device.feed(POLL, 0)
    assert device.tick(9 * MS) == b""
    assert device.tick(10 * MS) != b""


def test_after_a_stall_time_is_skipped_not_told_all_at_once():
    device = M100Device(FakeField(EPC))
    device.feed(FOREVER, 0)
    device.tick(0)
    assert len(device.tick(60_000 * MS)) <= 24 * 12


@given(st.data())
def test_a_frame_with_a_flipped_bit_is_never_obeyed(data):
    sent = bytearray(command(0xB6, b"\x03\xe8"))
    at = data.draw(st.integers(0, len(sent) - 1))
    sent[at] ^= 1 << data.draw(st.integers(0, 7))
    device = M100Device(FakeField())
    device.feed(bytes(sent), 0)
    assert device.feed(command(0xB7), 1000 * MS)[5:7] == (2600).to_bytes(2, "big")


@given(st.lists(st.integers(1, 9), max_size=12), st.binary(max_size=6).filter(lambda noise: 0xBB not in noise))
def test_any_slicing_and_noise_before_give_the_same_answers(cuts, noise):
    stream = noise + command(0x08) + noise + command(0x0D) + command(0x99)
    device, said, start = M100Device(FakeField()), b"", 0
    for cut in [*cuts, len(stream)]:
        said += device.feed(stream[start : start + cut], 0)
        start += cut
    whole = M100Device(FakeField())
    assert said == whole.feed(command(0x08), 0) + whole.feed(command(0x0D), 0) + WRONG


def test_select_leaves_only_the_wanted_tag_and_sleep_forgets_it():
    other = Epc(bytes.fromhex("e28011600000000000000001"))
    device = M100Device(FakeField(EPC, other))
    device.feed(command(0x0C, bytes.fromhex("01000000206000") + EPC), 0)
    device.feed(POLL, 0)
    assert len(run(device, 40)) == 48  # the mode says never
    assert device.feed(command(0x12, b"\x00"), 40 * MS) == bytes.fromhex("bb010c0001000e7e")
    device.feed(POLL, 40 * MS)
    assert run(device, 80, 40)[8:20] == EPC
    assert device.feed(command(0x17), 100 * MS)[2] == 0x17
    assert device.feed(POLL, 200 * MS) == b""  # only wakes it
    assert run(device, 300, 200) == b""
    device.feed(POLL, 300 * MS)
    assert len(run(device, 340, 300)) == 48


@pytest.mark.parametrize(
    ("sel_param", "query", "taken"),
    [
        (0x01, 0x1020, "ours"),  # session 0, matching tags to A; asked for S0 A
        (0x01, 0x10A0, "other"),  # asked for S0 B
        (0x01, 0x1120, "both"),  # asked for S1, of which nobody selected
        (0x11, 0x10A0, "ours"),  # matching tags to B
        (0x31, 0x11A0, "ours"),  # the same in session 1
        (0x81, 0x1C20, "ours"),  # the flag SL, asked for
        (0x81, 0x1820, "other"),  # the flag SL, asked for those without
        (0x81, 0x1020, "both"),
        (0x02, 0x1020, "both"),  # another bank
    ],
)
def test_select_and_query_meet_in_a_flag(sel_param, query, taken):
    other = Epc(bytes.fromhex("e28011600000000000000001"))
    device = M100Device(FakeField(EPC, other))
    device.feed(command(0x0C, bytes((sel_param, 0, 0, 0, 0x20, 8, 0)) + EPC[:1]), 0)
    device.feed(command(0x12, b"\x00"), 0)
    device.feed(command(0x0E, query.to_bytes(2, "big")), 0)
    device.feed(POLL, 0)
    said = run(device, 40)
    assert {"ours": EPC in said and other not in said, "other": other in said and EPC not in said}.get(
        taken, EPC in said and other in said
    )


def test_every_second_round_finds_all_channels_occupied():
    field = FakeField(EPC)
    device = M100Device(field, firmware=Firmware(occupied_every=2))
    device.feed(command(0x27, b"\x22\x00\x04"), 0)
    said = run(device, 500)
    assert said.count(bytes.fromhex("bb01ff000120217e")) == 2
    assert (field.rounds, said.count(b"\xbb\x02\x22")) == (2, 2)


def test_hop_channels_are_those_of_the_region():
    device = M100Device(FakeField())
    assert device.feed(bytes.fromhex("bb00a90006050102030405c37e"), 0) == bytes.fromhex("bb01a9000100ab7e")
    assert device.feed(command(0xA9, b"\x01\x34"), 0) == WRONG
    assert device.feed(command(0xA9, b"\x02\x01"), 0) == WRONG


def test_a_brown_out_is_silence_then_boot_text_and_defaults():
    device = M100Device(FakeField(EPC), firmware=Firmware(boot_text=b"M100 boot\r\n", brown_out_above_cdbm=2000))
    assert device.tick(0) == b"M100 boot\r\n"
    device.feed(command(0x07, b"\x03"), 0)
    device.feed(FOREVER, 0)
    assert run(device, 1000) == b"M100 boot\r\n"
    assert device.feed(command(0x08), 1000 * MS)[5] == 0x02


def test_the_baud_command_is_not_answered_and_changes_the_line():
    device = M100Device(FakeField())
    assert device.feed(command(0x11, (576).to_bytes(2, "big")), 0) == b""
    assert device.baud == 57_600


def test_channel_scan_tells_each_channel_of_the_region():
    device = M100Device(FakeField())
    device.feed(command(0x07, b"\x03"), 0)
    said = device.feed(command(0xF3), 0)
    assert said[5:7] == bytes((0, 14))
    assert len(said) == 7 + 2 + 15
