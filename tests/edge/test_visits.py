"""Visits: one token per stay, no more after its end, none for who withdrew."""

import msgspec

from edge.presence_model import Transition
from edge.visits import KeptVisits, VisitChange, Visits, new_token
from tests.support.edge import a_transition

ANN, BEN = b"A" * 16, b"B" * 16
CARD, CARD_2 = b"card-of-ann", b"second-card"
SERIALS = {CARD: 4, CARD_2: 7, b"x": 9, b"": 4}
S = 1_000_000_000
DOOR, SHOES = 0, 1


class Tokens:
    def __init__(self) -> None:
        self.minted = 0

    def __call__(self) -> str:
        self.minted += 1
        return f"token-{self.minted}"


def make(gap_s: int = 600) -> Visits:
    return Visits(gap_s, Tokens())


def said(changes: list[VisitChange]) -> list[tuple[object, ...]]:
    return [(change.kind, change.token, change.zone, change.reason) for change in changes]


def arrives(
    at_s: float, zone: int = DOOR, handle: bytes = ANN, card: bytes = CARD, kind: str = "arrived"
) -> Transition:
    return a_transition(kind, card, zone, round(at_s * S), handle=handle, serial=SERIALS[card])


def departs(at_s: float, zone: int = DOOR, reason: str = "timeout", card: bytes = CARD) -> Transition:
    return a_transition("departed", card, zone, round(at_s * S), handle=ANN, reason=reason, serial=SERIALS[card])


def moves(at_s: float) -> Transition:
    return a_transition("moved", CARD, SHOES, round(at_s * S), handle=ANN, from_zone=DOOR, serial=SERIALS[CARD])


def dwells(at_s: float, zone: int = DOOR, card: bytes = CARD) -> Transition:
    return a_transition("dwelled", card, zone, round(at_s * S), handle=ANN, serial=SERIALS[card])


def test_a_token_is_128_random_bits() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert all(len(bytes.fromhex(new_token())) == 16 for _ in range(10))


def test_a_move_is_left_and_entered_under_one_token() -> None:
    visits = make()
    assert said(visits.apply(arrives(1))) == [("entered", "token-1", DOOR, None)]
    moved = moves(5)
    entered, left = visits.apply(moved)  # the entry first: a screen waits for it
    assert said([left, entered]) == [("left", "token-1", DOOR, "moved"), ("entered", "token-1", SHOES, None)]
    assert (left.dwell_s, left.handle, entered.handle) == (4.0, None, ANN)


def test_the_token_survives_a_gap_and_ends_after_it() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(0))
    assert said(visits.apply(departs(10))) == [("left", "token-1", DOOR, "timeout")]
    visits.expire(70 * S)
    assert said(visits.apply(arrives(70, kind="returned"))) == [("entered", "token-1", DOOR, None)]
    visits.apply(departs(80))
    assert said(visits.apply(arrives(141))) == [("entered", "token-2", DOOR, None)]


def test_a_visit_that_is_over_is_forgotten() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(0))
    visits.apply(departs(10))
    visits.expire(70 * S)
    assert len(visits) == 1
    visits.expire(70 * S + 1)
    assert len(visits) == 0


def test_who_stands_still_in_a_zone_is_not_forgotten() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(0))
    visits.expire(10_000 * S)
    assert said(visits.apply(departs(10_001)))[0][1] == "token-1"


def test_two_members_have_two_tokens_and_two_cards_of_one_have_one() -> None:
    visits = make()
    tokens = [
        visits.apply(each)[0].token for each in (arrives(0), arrives(1, handle=BEN, card=b"x"), arrives(2, card=CARD_2))
    ]
    assert tokens == ["token-1", "token-2", "token-1"]
    assert visits.apply(departs(5))[0].dwell_s == 5.0
    assert visits.apply(departs(5, card=CARD_2))[0].dwell_s == 3.0


def test_a_second_card_after_a_long_stay_joins_the_visit_that_goes_on() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(0))
    assert visits.apply(arrives(10_000, card=CARD_2))[0].token == "token-1"


def test_an_ended_token_is_never_used_again() -> None:
    visits = make()
    visits.apply(arrives(0))
    visits.end(["token-1"], "timeout")
    assert visits.apply(departs(1)) == []
    assert said(visits.apply(arrives(2))) == [("entered", "token-2", DOOR, None)]


def test_a_move_after_the_token_ended_enters_under_a_new_one_and_leaves_nothing() -> None:
    visits = make()
    visits.apply(arrives(0))
    visits.end(["token-1"], "left")
    moved = moves(5)
    assert said(visits.apply(moved)) == [("entered", "token-2", SHOES, None)]


def test_who_withdrew_is_not_mentioned_until_a_new_member_table_says_so() -> None:
    visits = make()
    visits.apply(arrives(0))
    visits.end(["token-1", "token-of-somebody-else"], "withdrawn")
    for transition in (departs(1), arrives(2), moves(3)):
        assert visits.apply(transition) == []
    assert visits.apply(arrives(4, handle=BEN, card=b"x")) != []
    visits.members_replaced(2)
    assert said(visits.apply(arrives(5))) == [("entered", "token-3", DOOR, None)]


def test_a_card_that_leaves_the_member_table_ends_its_token() -> None:
    visits = make()
    visits.apply(arrives(0))
    assert said(visits.apply(departs(1, reason="withdrawn"))) == [("left", "token-1", DOOR, "withdrawn")]
    assert len(visits) == 0


def test_dwelling_is_told_under_the_token_without_a_name() -> None:
    visits = make()
    visits.apply(arrives(1))
    (dwelled,) = visits.apply(dwells(21.5))
    assert said([dwelled]) == [("dwelled", "token-1", DOOR, None)]
    assert (dwelled.dwell_s, dwelled.handle) == (20.5, None)
    assert visits.apply(departs(30))[0].dwell_s == 29.0  # the stay goes on meanwhile


def test_dwelling_counts_as_being_seen() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(0))
    visits.apply(dwells(50))
    visits.apply(departs(1))
    visits.expire(110 * S)
    assert len(visits) == 1


def test_dwelling_revives_no_token_that_has_ended() -> None:
    visits = make()
    visits.apply(arrives(0))
    visits.end(["token-1"], "timeout")
    assert visits.apply(dwells(20)) == []
    assert len(visits) == 0


def kept_and_restored(visits: Visits, zones: dict[int, int] | None = None) -> Visits:
    copy = msgspec.msgpack.decode(msgspec.msgpack.encode(visits.keep()), type=KeptVisits)
    again = Visits(60, Tokens())
    again.restore(copy, {DOOR: DOOR, SHOES: SHOES} if zones is None else zones)
    return again


def test_a_restored_visit_goes_on_under_its_token_though_nobody_knows_the_card() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(1))
    again = kept_and_restored(visits)
    left = again.apply(departs(11, card=b""))
    assert said(left) == [("left", "token-1", DOOR, "timeout")]
    assert left[0].dwell_s == 10.0
    assert said(again.apply(arrives(20, kind="returned"))) == [("entered", "token-1", DOOR, None)]


def test_a_restored_visit_in_nobodys_sight_ends_after_the_gap() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(1))
    visits.apply(departs(2))
    again = kept_and_restored(visits)
    again.expire(63 * S)
    assert len(again) == 0


def test_a_zone_that_is_gone_holds_nobody_after_a_restart() -> None:
    visits = make(gap_s=60)
    visits.apply(arrives(1, zone=SHOES))
    again = kept_and_restored(visits, {DOOR: DOOR})
    again.expire(62 * S)
    assert len(again) == 0


def test_zones_that_changed_their_order_keep_their_people() -> None:
    visits = make()
    visits.apply(arrives(1, zone=SHOES))
    kept = kept_and_restored(visits, {DOOR: SHOES, SHOES: DOOR}).keep()
    assert kept.visits[0].stays[0].zone == DOOR


def test_who_withdrew_stays_unmentioned_over_a_restart_with_the_table_of_then() -> None:
    visits = make()
    visits.members_replaced(7)
    visits.apply(arrives(0))
    visits.end(["token-1"], "withdrawn")
    assert visits.keep().visits == ()
    again = kept_and_restored(visits)
    again.members_replaced(7)  # the file of the last run
    assert again.apply(arrives(1)) == []
    again.members_replaced(8)
    assert said(again.apply(arrives(2))) == [("entered", "token-1", DOOR, None)]
