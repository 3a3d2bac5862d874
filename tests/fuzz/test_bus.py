"""The bus's targets on random input, a little of it at each run; `make fuzz` searches on."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.bus import BUS, check_connection, check_filter
from tests.support.mqtt_raw import conversation

LEVEL = st.sampled_from(["", "+", "#", "a", "b", "$SYS", "a+", "a#", "\0", "é"])
PATH = st.lists(LEVEL, min_size=1, max_size=4).map("/".join)
SAID = conversation("agent-gw-2", "secret")


@pytest.mark.parametrize("name", [name for name in BUS if name != "bus.filter"])
def test_whatever_the_bytes_are_the_promises_hold(name: str) -> None:
    @settings(max_examples=60, deadline=None, database=None)
    @given(st.binary(max_size=300))
    def check(data: bytes) -> None:
        BUS[name](data)

    check()


def test_a_filter_within_another_lets_nothing_more_through() -> None:
    """Every pair of short filters, every short topic."""
    paths = ["/".join(path) for size in (1, 2, 3) for path in itertools.product("a+#", repeat=size)]
    for topic, inner, outer in itertools.product(("a", "a/a", "a/a/a", "b", "a/b"), paths, paths):
        check_filter(f"{topic}\n{inner}\n{outer}".encode())


@settings(max_examples=60, deadline=None, database=None)
@given(PATH, PATH, PATH)
def test_odd_filters_and_topics_keep_the_promises(topic: str, inner: str, outer: str) -> None:
    check_filter(f"{topic}\n{inner}\n{outer}".encode())


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.sampled_from(SAID), max_size=6), st.integers(0, 400), st.binary(max_size=4))
def test_a_conversation_cut_and_altered_anywhere_is_read_within_its_packets(
    said: list[bytes], at: int, foreign: bytes
) -> None:
    stream = b"".join(said)
    check_connection(stream[:at] + foreign + stream[at:])
