"""The timing wheel gives deadlines back in exactly their order, whatever was entered, hastened and taken out meanwhile."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotpath import record
from hotpath._jit import entry_kernel
from hotpath.deadlines import HORIZON, TICK_BITS, drop, first_due, hasten, push
from hotpath.memory import allocate, no_prefixes
from hotpath.record import NOWHERE, State

ENTER, HASTEN, TAKE_OUT, FIRE, PUT_OFF = range(5)
S = 1_000_000_000
DAY = 86_400 * S
START_NS, END_NS = 1_700_000_000 * S, 1 << 61
TICK = 1 << TICK_BITS
SPANS = (
    0,
    1,
    TICK - 1,
    TICK,
    255 * TICK,
    256 * TICK,
    8 * S,
    65_536 * TICK,
    14 * DAY,
    365 * DAY,
    HORIZON * TICK,
    40 * 365 * DAY,
)
Order = tuple[int, int, int]


@entry_kernel
def run(state: State, orders: NDArray[np.int64], fired: NDArray[np.int64]) -> int:
    """Do the orders (what, tag, time); `fired` gets the tags whose time came, in order; how many."""
    count = 0
    for row in range(orders.shape[0]):
        what, tag, at_ns = orders[row, 0], orders[row, 1], orders[row, 2]
        if what == ENTER:
            push(state, tag, at_ns)
        elif what == HASTEN:
            hasten(state, tag, at_ns)
        elif what == TAKE_OUT:
            drop(state, tag)
        else:
            due = first_due(state, at_ns)
            while due != NOWHERE:
                drop(state, due)
                fired[count] = due
                count += 1
                if what == PUT_OFF:  # as the engine does with a tag that was read meanwhile
                    push(state, due, at_ns + 1 + due * TICK // 3)
                due = first_due(state, at_ns)
    return count


def make_state(serials: list[int]) -> State:
    zones, antennas = np.zeros(1, record.ZONE), np.zeros(1, record.ANTENNA)
    state = allocate(len(serials), 0, zones, antennas, no_prefixes(), 8, has_goods=False)
    state.cold["serial"] = serials
    return state


class Plain:
    """The same with a dictionary and a search."""

    def __init__(self, serials: list[int]) -> None:
        self.serials, self.standing, self.fired = serials, dict[int, int](), list[int]()

    def do(self, what: int, tag: int, at_ns: int) -> None:
        if what == ENTER:
            self.standing[tag] = at_ns
        elif what == HASTEN:
            self.standing[tag] = min(self.standing[tag], at_ns)
        elif what == TAKE_OUT:
            del self.standing[tag]
        else:
            while due := [(t, self.serials[each], each) for each, t in self.standing.items() if t <= at_ns]:
                (_, _, first) = min(due)
                self.fired.append(first)
                del self.standing[first]
                if what == PUT_OFF:
                    self.standing[first] = at_ns + 1 + first * TICK // 3


def compare(orders: list[Order], serials: list[int]) -> None:
    """Both say the same, and what is left over in the end comes in order too."""
    orders, plain = [*orders, (FIRE, 0, END_NS)], Plain(serials)
    for order in orders:
        plain.do(*order)
    fired = np.zeros(len(plain.fired) + 1, np.int64)
    count = run(make_state(serials), np.array(orders, np.int64), fired)
    assert fired[:count].tolist() == plain.fired


Choose = Callable[[Sequence[int]], int]


def drawn_orders(choose: Choose, count: int, serials: list[int]) -> list[Order]:
    """Orders that make sense, around a clock that goes on, sometimes by years."""
    now_ns, plain, orders = START_NS, Plain(serials), list[Order]()
    for _ in range(count):
        what, tag = choose((ENTER, ENTER, ENTER, HASTEN, TAKE_OUT, FIRE, PUT_OFF)), choose(range(len(serials)))
        at_ns = now_ns + choose(SPANS) + choose((-3 * S, -TICK, -2, -1, 0, 0, 1, 2, TICK // 2, S))
        at_ns = min(at_ns, END_NS)
        if what in (FIRE, PUT_OFF) and choose((0,) * 15 + (1,)):
            now_ns = max(now_ns, at_ns)
        if what in (FIRE, PUT_OFF):
            at_ns = min(at_ns, now_ns)
        elif tag in plain.standing and what == ENTER:
            what = HASTEN
        elif tag not in plain.standing:
            what = ENTER
        orders.append((what, tag, at_ns))
        plain.do(*orders[-1])
    return orders


@given(st.data(), st.permutations(range(12)), st.integers(1, 60))
@settings(deadline=None, max_examples=200)
def test_any_orders(data: st.DataObject, serials: list[int], count: int) -> None:
    compare(drawn_orders(lambda values: data.draw(st.sampled_from(values)), count, serials), serials)


@pytest.mark.parametrize("seed", range(6))
def test_many_orders(seed: int) -> None:
    rng = random.Random(seed)
    serials = rng.sample(range(1000), 60)
    compare(drawn_orders(rng.choice, 2000, serials), serials)


@pytest.mark.parametrize("span_ns", SPANS)
def test_a_crowd_at_the_same_moment_goes_in_order_of_its_serials(span_ns: int) -> None:
    serials = random.Random(1).sample(range(1000), 50)
    compare([(ENTER, tag, START_NS + span_ns) for tag in range(50)], serials)


def test_what_lies_beyond_the_wheels_horizon_waits_for_its_time() -> None:
    serials = [0, 1, 2]
    first, second = START_NS + HORIZON * TICK + 5, START_NS + 3 * HORIZON * TICK
    orders = [
        (FIRE, 0, START_NS),
        (ENTER, 0, second),
        (ENTER, 1, first),
        (ENTER, 2, START_NS + DAY),
        (FIRE, 0, first - 1),
    ]
    compare(orders, serials)
    state, fired = make_state(serials), np.zeros(3, np.int64)
    assert run(state, np.array(orders, np.int64), fired) == 1
    assert run(state, np.array([(FIRE, 0, second)], np.int64), fired) == 2


def test_the_next_time_that_is_told_is_never_too_late() -> None:
    rng = random.Random(5)
    serials = list(range(30))
    state, plain, fired = make_state(serials), Plain(serials), np.zeros(200, np.int64)
    for order in drawn_orders(rng.choice, 400, serials):
        run(state, np.array([order], np.int64), fired)
        plain.do(*order)
        told = int(state.numbers[record.NEXT_DUE])
        assert told <= min(plain.standing.values(), default=record.FAR)
