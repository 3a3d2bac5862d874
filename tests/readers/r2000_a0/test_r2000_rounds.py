"""Whose turn it is, and what a failure means."""

import pytest

from readers.errors import ReaderRefused
from readers.r2000_a0 import commands
from readers.r2000_a0.answers import Failure, RoundEnd
from readers.r2000_a0.rounds import MAX_FAILURES, Rounds, Turn

END = RoundEnd(1, 0, 0, None)
SWITCHED = RoundEnd(None, None, 0, 12)
ONE, TWO = (Turn((antenna,), commands.realtime_inventory(1, antenna), 1) for antenna in (1, 2))
BOTH = Turn((1, 2), commands.fast_switch_inventory(1, [1, 2]), 2)


def test_turns_come_round_and_each_waits_for_the_end_of_the_last():
    rounds = Rounds([ONE, TWO])
    assert rounds.is_done
    assert [rounds.next_turn(), rounds.is_done] == [ONE, False]
    assert rounds.hear(END) == ""
    assert rounds.is_done
    assert rounds.next_turn() is TWO
    rounds.hear(END)
    assert rounds.next_turn() is ONE


def test_an_antenna_missing_in_a_fast_switch_order_is_told_once_and_does_not_end_it():
    rounds = Rounds([BOTH])
    for warning in ("antenna 2 is missing; check plug and cable", "", ""):
        rounds.next_turn()
        assert rounds.hear(Failure(0x22, 2)) == warning
        assert not rounds.is_done
        rounds.hear(SWITCHED)
        assert rounds.is_done


def test_an_antenna_that_came_back_and_went_again_is_told_again():
    rounds = Rounds([BOTH])
    told = []
    for is_missing in (True, False, True):
        rounds.next_turn()
        told.append(rounds.hear(Failure(0x22, 2)) if is_missing else "")
        rounds.hear(SWITCHED)
    assert [bool(warning) for warning in told] == [True, False, True]


def test_with_every_antenna_missing_there_is_nothing_to_read_with():
    rounds = Rounds([BOTH])
    rounds.next_turn()
    for antenna in (1, 2):
        rounds.hear(Failure(0x22, antenna))
    rounds.hear(SWITCHED)
    with pytest.raises(ReaderRefused, match="antennas 1, 2 are missing: nothing to read with") as caught:
        rounds.next_turn()
    assert caught.value.code == 0x22


def test_of_two_orders_one_without_its_antenna_leaves_the_other():
    rounds = Rounds([ONE, TWO])
    for _ in range(5):
        assert rounds.next_turn() is ONE
        rounds.hear(Failure(0x22))
        assert rounds.is_done
        assert rounds.next_turn() is TWO
        rounds.hear(END)


def test_the_only_antenna_missing_is_the_end():
    rounds = Rounds([ONE])
    rounds.next_turn()
    assert rounds.hear(Failure(0x22)) == "antenna 1 is missing; check plug and cable"
    with pytest.raises(ReaderRefused, match="antenna 1 is missing: nothing to read with"):
        rounds.next_turn()


def test_passing_failures_are_warnings_and_lasting_ones_the_end():
    rounds = Rounds([ONE])
    for _ in range(3):
        for _ in range(MAX_FAILURES - 1):
            rounds.next_turn()
            assert rounds.hear(Failure(0x52)) == "an order failed: error 0x52, pll_lock_failed"
        rounds.next_turn()
        rounds.hear(END)
    for _ in range(MAX_FAILURES - 1):
        rounds.hear(Failure(0x52))
    with pytest.raises(ReaderRefused, match="cannot look for tags: error 0x52, pll_lock_failed"):
        rounds.hear(Failure(0x52))


def test_starting_over_forgets_the_turn():
    rounds = Rounds([ONE, TWO])
    rounds.next_turn()
    rounds.start_over()
    assert rounds.is_done
    assert rounds.next_turn() is ONE
