"""When an inventory order is over, without a clock; and what a stanza may say."""

import pytest

from readers.errors import ReaderRefused, ReaderTimeout, SettingsError
from readers.settings import decode_settings
from readers.uhfreader18 import commands
from readers.uhfreader18.codec import Frame
from readers.uhfreader18.commands import Dialect
from readers.uhfreader18.rounds import OVERRUN_S, Patience, Rounds, Turn
from readers.uhfreader18.settings import Settings18, Settings288

PATIENCE = Patience(answer_s=0.5, more_s=0.1, dead_s=4.7)
TURNS = [Turn(antenna, commands.inventory_18(antenna)) for antenna in (1, 4)]
SCAN_S = 0.3


def said(status: int, data: bytes = b"", command: int = 0x01) -> Frame:
    return Frame(0, command, data, status)


@pytest.fixture
def rounds() -> Rounds:
    made = Rounds(TURNS, Dialect.OLD, SCAN_S, PATIENCE)
    made.entered(100.0)
    assert made.is_over(100.0)
    made.next_order(100.0)
    return made


def test_turns_are_taken_over_and_over():
    rounds = Rounds(TURNS, Dialect.OLD, SCAN_S, PATIENCE)
    assert [rounds.next_order(0.0) for _ in range(3)] == [TURNS[0].order, TURNS[1].order, TURNS[0].order]


@pytest.mark.parametrize("status", [0x00, 0x01, 0x02, 0x04, 0xFB, 0xF8, 0xFA])
def test_any_answer_but_more_ends_the_round(rounds, status):
    assert not rounds.is_over(100.1)
    rounds.hear(said(status), 100.1)
    assert rounds.is_over(100.1)
    assert rounds.answered


def test_without_an_answer_the_scan_time_and_some_more_is_waited_for(rounds):
    assert rounds.until_s == pytest.approx(100.0 + SCAN_S + OVERRUN_S + 0.5)
    assert not rounds.is_over(rounds.until_s - 0.001)
    assert rounds.is_over(rounds.until_s)
    assert not rounds.answered


def test_more_is_waited_for_but_not_for_ever(rounds):
    rounds.hear(said(0x03), 100.1)
    assert not rounds.is_over(100.19)
    assert rounds.is_over(100.21)
    assert rounds.told_more
    assert rounds.answered
    rounds.hear(said(0x01), 100.15)
    assert rounds.is_over(100.15)


def test_an_acknowledgement_does_not_end_the_round_of_an_18(rounds):
    rounds.hear(said(0x01, b"\x00\x09"), 100.1)
    assert rounds.answered
    assert not rounds.is_over(100.2)


def test_the_same_bytes_are_an_empty_answer_of_a_288():
    rounds = Rounds(TURNS, Dialect.NEW, SCAN_S, PATIENCE)
    rounds.entered(100.0)
    rounds.next_order(100.0)
    rounds.hear(said(0x01, b"\x00\x00"), 100.1)
    assert rounds.is_over(100.1)


def test_reports_are_no_answer_and_no_sign_that_orders_are_heard(rounds):
    rounds.hear(said(0x00, bytes(12), command=0xEE), 104.0)
    assert not rounds.answered
    assert rounds.is_over(104.9)
    with pytest.raises(ReaderTimeout, match="no inventory for 5 s; check power"):
        rounds.is_over(105.0)


def test_an_inventory_puts_the_end_off_even_when_it_is_late(rounds):
    for at_s in (100.1, 104.0):
        rounds.hear(said(0xFB), at_s)
    assert rounds.is_over(108.9)
    with pytest.raises(ReaderTimeout):
        rounds.is_over(109.0)


def test_a_late_answer_is_not_that_of_the_next_order(rounds):
    rounds.hear(said(0x01, b"\x00"), 100.1)
    assert rounds.hear(said(0xFF), 100.1) == ""
    assert rounds.hear(said(0xF8), 100.1) == ""


def test_one_refusal_may_be_trouble_on_the_line_three_are_meant():
    rounds = Rounds(TURNS[1:], Dialect.OLD, SCAN_S, PATIENCE)
    rounds.next_order(100.0)
    for frame in (said(0xFE, command=0x00), said(0xFF), said(0x01), said(0xFD), said(0xFE, command=0x00)):
        assert rounds.hear(frame, 100.1) == ""
        rounds.next_order(100.1)
    with pytest.raises(ReaderRefused, match="0xff, parameter_error; has it an antenna 4") as caught:
        rounds.hear(said(0xFF), 100.2)
    assert caught.value.code == 0xFF


def test_an_antenna_that_is_refused_is_told_once_though_another_works(rounds):
    told = []
    for status in (0x01, 0xFF) * 5:
        told.append(rounds.hear(said(status), 100.1))
        rounds.next_order(100.1)
    assert [bool(words) for words in told] == [False] * 5 + [True] + [False] * 4
    assert told[5].endswith("at antenna 4: status 0xff, parameter_error; has it an antenna 4?")


def test_a_reader_that_refuses_all_antennas_is_refused(rounds):
    for _ in range(5):
        rounds.hear(said(0xFF), 100.1)
        rounds.next_order(100.1)
    with pytest.raises(ReaderRefused, match="has it an antenna 4"):
        rounds.hear(said(0xFF), 100.1)


def test_a_missing_antenna_is_told_once_and_again_after_it_was_there(rounds):
    told = []
    for status in (0xF8, 0xFB, 0xF8, 0xFB, 0x01, 0xFB, 0xF8):
        told.append(rounds.hear(said(status), 100.1))
        rounds.next_order(100.1)
    assert [bool(words) for words in told] == [True, False, False, False, False, False, True]
    assert told[0] == "antenna 1 is not connected; check plug and cable"


def test_an_antenna_that_was_missing_all_along_is_named_at_the_end(rounds):
    rounds.hear(said(0xF8), 100.1)
    with pytest.raises(ReaderTimeout, match="antenna 1 is not connected"):
        rounds.is_over(106.0)


STANZA = {"region": "us", "power_dbm": 26}


def test_a_stanza_needs_region_and_power_only():
    settings = decode_settings(STANZA, Settings18)
    assert (settings.baud, settings.mode, settings.scan_time_100ms, settings.assumed_dbm) == (57600, "poll", 3, -60.0)
    assert decode_settings(STANZA, Settings288).active_antennas == (1,)


@pytest.mark.parametrize(
    ("model", "keys", "words"),
    [
        (Settings18, {"region": "mars"}, "region 'mars' is none of china_900, us"),
        (Settings18, {"channel": 50}, "channel 50 is beyond us, which has 0 to 49"),
        (Settings18, {"scan_time_ms": 350}, "scan_time_ms"),
        (Settings18, {"scan_time_ms": 200}, "scan_time_ms"),
        (Settings18, {"power_dbm": 34}, "power_dbm"),
        (Settings18, {"mode": "trigger"}, "mode"),
        (Settings18, {"active_antennas": [1]}, "active_antennas"),
        (Settings288, {"assumed_dbm": -60}, "assumed_dbm"),
        (Settings288, {"active_antennas": []}, "each once"),
        (Settings288, {"active_antennas": [2, 2]}, "each once"),
        (Settings288, {"active_antennas": [9]}, "active_antennas"),
        (Settings288, {"region": "mars"}, "mars"),
    ],
)
def test_what_a_stanza_may_not_say(model, keys, words):
    with pytest.raises(SettingsError, match=words):
        decode_settings(STANZA | keys, model)
