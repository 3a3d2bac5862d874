"""The relay board obeys sound frames, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.lcus_relay import LcusRelayDevice

MS = 1_000_000


class Lamp:
    def __init__(self, channels: int = 8) -> None:
        self.switches: list[tuple[int, bool, int]] = []
        self.board = LcusRelayDevice(channels, lambda *what: self.switches.append(what))


def test_published_frames_switch_their_channel(vectors):
    rows = vectors("lcus-relay", "to_reader")
    assert len(rows) >= 5
    for row in rows:
        lamp = Lamp()
        assert lamp.board.feed(bytes.fromhex(row["bytes_hex"]), 7) == b""
        assert lamp.switches == [(row["decoded"]["channel"], row["decoded"]["on"], 7)]


def test_a_repeated_command_moves_no_contact_and_off_does():
    lamp = Lamp()
    for frame in (b"\xa0\x01\x01\xa2", b"\xa0\x01\x01\xa2", b"\xa0\x01\x00\xa1"):
        lamp.board.feed(frame, 0)
    assert lamp.switches == [(1, True, 0), (1, False, 0)]


@given(st.data())
def test_a_frame_with_a_flipped_bit_is_ignored(data):
    frame = bytearray(b"\xa0\x01\x01\xa2")
    frame[data.draw(st.integers(0, 3))] ^= 1 << data.draw(st.integers(0, 7))
    lamp = Lamp()
    lamp.board.feed(bytes(frame), 0)
    assert lamp.switches == []


@pytest.mark.parametrize("frame", ["a00901aa", "a00001a1", "a00102a3", "a001ff9f"])
def test_an_unknown_channel_or_state_moves_nothing(frame):
    lamp = Lamp()
    lamp.board.feed(b"\xa0\x01\x01\xa2", 0)
    lamp.board.feed(bytes.fromhex(frame), 0)
    assert lamp.switches == [(1, True, 0)]


def test_it_finds_the_frame_behind_noise_byte_by_byte():
    lamp = Lamp()
    for byte in b"\x00\xa0\xa0\x01\x01\xa2\x55":
        lamp.board.feed(bytes((byte,)), 0)
    assert lamp.switches == [(1, True, 0)]


def test_half_a_frame_is_forgotten():
    lamp = Lamp()
    lamp.board.feed(b"\xa0\x01", 0)
    lamp.board.feed(b"\x01\xa2", 500 * MS)
    assert lamp.switches == []
    lamp.board.feed(b"\xa0\x01\x01\xa2", 501 * MS)
    assert lamp.switches


def test_ff_asks_for_the_state_where_the_board_answers_it():
    lamp = Lamp(2)
    lamp.board.feed(b"\xa0\x02\x01\xa3", 0)
    assert lamp.board.feed(b"\xff", 0) == b"CH1:OFF \r\nCH2:ON \r\n"
    assert LcusRelayDevice(1, lambda *_: None, answers_query=False).feed(b"\xff", 0) == b""


def test_contacts_fall_off_with_the_power():
    lamp = Lamp(2)
    lamp.board.feed(b"\xa0\x02\x01\xa3", 0)
    lamp.board.power_cycle(5)
    assert lamp.switches[-1] == (2, False, 5)
