"""How often somebody may ask, and how long a guesser waits."""

import pytest

from server.access.limits import MOST_KEPT, Pace, Patience, Recent, address_key
from server.errors import TooMany
from tests.server.harness import Clock


def test_a_sender_that_is_too_fast_is_told_when_to_come_back_and_others_are_not_held_up():
    clock = Clock()
    pace = Pace(10, 20, clock)
    for _ in range(20):
        pace.spend("a")
    with pytest.raises(TooMany) as refused:
        pace.spend("a")
    assert refused.value.retry_after_s >= 1
    pace.spend("b")
    for _ in range(10_000):
        with pytest.raises(TooMany):
            pace.spend("a")
    clock.pass_s(2.2)
    pace.spend("a")


def test_a_table_of_senders_does_not_grow():
    table = Recent(lambda: [0])
    for number in range(3 * MOST_KEPT):
        table[f"{number}"][0] += 1
        table["often"][0] += 1
    assert len(table) == MOST_KEPT
    assert table["often"] == [3 * MOST_KEPT], "who comes often is remembered"


def test_patience_forgets_nothing_while_it_waits():
    clock = Clock()
    patience = Patience(900, clock)
    for _ in range(40):
        patience.count("x")
    clock.pass_s(899)
    with pytest.raises(TooMany):
        patience.check("x")
    clock.pass_s(1)
    patience.check("x")


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "address:192.0.2.7"),
        ("::ffff:192.0.2.7", "address:192.0.2.7"),
        ("2001:db8:1:2:3::4", "address:2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "address:2001:db8:1:2::/64"),
        ("", "address:"),
    ],
)
def test_a_customer_has_one_key_however_many_addresses(host, key):
    assert address_key(host) == key
