"""A stanza that can never work is refused before anything opens, and the key is named."""

import pytest

from readers import registry
from readers.errors import SettingsError
from readers.r2000_a0.reader import R2000Reader
from readers.r2000_a0.rounds import plan_turns
from readers.r2000_a0.settings import R2000Settings
from readers.settings import decode_settings

STANZA = {"region": "us", "power_dbm": 30}


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ({"power_dbm": 20}, "region"),
        ({**STANZA, "region": "mars"}, "region 'mars' is none of us, europe, china"),
        ({**STANZA, "power_dbm": 40}, "power_dbm"),
        ({**STANZA, "power_dbm": [30, 30]}, "power_dbm must be one number, or a list with one for each"),
        ({**STANZA, "active_antennas": []}, "active_antennas must name"),
        ({**STANZA, "active_antennas": [1, 1]}, "active_antennas must name"),
        ({**STANZA, "active_antennas": [5]}, "active_antennas must name one or more of the 4 ports"),
        ({**STANZA, "active_antennas": [0]}, "active_antennas"),
        ({**STANZA, "first_mhz": 865.0}, "first_mhz = 865 is not in region us: 902 to 928 MHz"),
        ({**STANZA, "region": "europe", "last_mhz": 869.0}, "last_mhz = 869 is not in region europe"),
        ({**STANZA, "first_mhz": 910.1, "last_mhz": 910.2}, "no channel lies between"),
        ({**STANZA, "first_mhz": 920.0, "last_mhz": 910.0}, "no channel lies between"),
        ({**STANZA, "beeper": "loud"}, "beeper"),
        ({**STANZA, "ports": 16}, "ports"),
        ({**STANZA, "repeat": 0}, "repeat"),
        (
            {**STANZA, "active_antennas": [1, 2], "repeat": 255, "stay": 255},
            "repeat, stay and interval_ms make orders of up to 13005 s",
        ),
        ({**STANZA, "active_antennas": [1, 2], "repeat": 255, "interval_ms": 255}, "orders of up to 181 s"),
        ({**STANZA, "baud": 9600}, "^baud: "),
        ({**STANZA, "powr": 1}, "unknown field `powr`"),
    ],
)
def test_a_wrong_setting_is_named(stanza, message):
    with pytest.raises(SettingsError, match=message):
        registry.check_reader("r2000-a0", stanza)


def test_the_most_rounds_are_accepted_of_four_antennas():
    registry.check_reader("r2000-a0", {**STANZA, "active_antennas": [1, 2, 3, 4], "repeat": 255})


def test_the_type_is_known_by_name():
    assert registry.settings_for("r2000-a0") is R2000Reader.settings_type


@pytest.mark.parametrize(
    ("region", "limits", "channels"),
    [
        ("us", {}, (7, 59)),
        ("europe", {}, (0, 6)),
        ("china", {}, (43, 53)),
        ("us", {"first_mhz": 915.0}, (33, 59)),
        ("us", {"first_mhz": 915.1, "last_mhz": 920.9}, (34, 44)),
    ],
)
def test_channels_are_those_of_the_region_that_lie_between_the_limits(region, limits, channels):
    assert R2000Settings(region=region, power_dbm=30, **limits).channels() == channels


def test_a_power_for_each_antenna():
    settings = decode_settings({**STANZA, "power_dbm": [30, 20], "active_antennas": [2, 1]}, R2000Settings)
    assert settings.powers_dbm() == {2: 30, 1: 20}


@pytest.mark.parametrize(
    ("stanza", "orders"),
    [
        ({}, ["a004ff8901d3"]),
        ({"address": 1, "repeat": 5}, ["a004018905cd"]),
        ({"session": 2, "target": "B"}, ["a006ff8b020101cc"]),
        ({"session": 0, "active_antennas": [1, 2]}, ["a006ff8b000001cf"] * 2),
        ({"address": 1, "active_antennas": [1, 2, 3, 4], "repeat": 2}, ["a00d018a00010101020103010002bc"]),
    ],
)
def test_one_antenna_several_or_a_session_make_their_own_orders(stanza, orders):
    turns = plan_turns(decode_settings({**STANZA, **stanza}, R2000Settings))
    assert [turn.order.to_bytes().hex() for turn in turns] == orders


def test_how_long_an_order_may_be_silent_grows_with_its_rounds_and_rests():
    stanza = {**STANZA, "active_antennas": [1, 2, 3], "stay": 4, "repeat": 5, "interval_ms": 100}
    [turn] = plan_turns(decode_settings(stanza, R2000Settings))
    assert (turn.rounds, turn.rest_s) == (60, 1.5)
