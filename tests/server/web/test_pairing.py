"""Pairing: a code, the owner's approval, a cookie; codes end, guesses and floods are refused."""

import pytest

from broker_config.site import DisplayId
from server.displays.pairing import (
    CODE_ALPHABET,
    CODES_PER_MINUTE,
    MINUTE_NS,
    WRONG_CODES_PER_MINUTE,
    PairingService,
    RateLimit,
    hash_secret,
)
from server.errors import NotFound, TooMany
from tests.server.web.conftest import MemoryPairs, SteppedClock, Store

DOOR, TILL = DisplayId("d-door"), DisplayId("d-till")


@pytest.fixture
def pairs() -> MemoryPairs:
    return MemoryPairs()


@pytest.fixture
def pairing(pairs: MemoryPairs, clock: SteppedClock) -> PairingService:
    return PairingService(frozenset({DOOR, TILL}), pairs, clock)


async def test_a_code_makes_its_own_browser_the_display_and_no_other(pairing: PairingService) -> None:
    asked, other = await pairing.ask(DOOR, None), await pairing.ask(DOOR, None)
    assert asked.code is not None
    assert not await pairing.is_paired(DOOR, asked.secret)
    assert await pairing.approve(asked.code.lower()) == DOOR
    assert await pairing.is_paired(DOOR, asked.secret)
    assert not await pairing.is_paired(TILL, asked.secret)
    assert not await pairing.is_paired(DOOR, other.secret)
    assert not await pairing.is_paired(DOOR, None)


async def test_codes_are_six_characters_that_nobody_mistakes(pairing: PairingService) -> None:
    code = (await pairing.ask(DOOR, None)).code
    assert code is not None
    assert len(code) == 6
    assert set(code) <= set(CODE_ALPHABET)
    assert not set("IL01O") & set(CODE_ALPHABET)


async def test_a_browser_that_asks_again_keeps_its_code(pairing: PairingService) -> None:
    asked = await pairing.ask(DOOR, None)
    again = await pairing.ask(DOOR, asked.secret)
    assert (again.code, again.secret) == (asked.code, None)


async def test_a_code_is_told_to_the_browser_that_shows_it_and_to_no_other(pairing: PairingService) -> None:
    asked = await pairing.ask(DOOR, None)
    assert pairing.code_of(DOOR, "made up") is None
    assert pairing.code_of(TILL, asked.secret) is None
    other = await pairing.ask(DOOR, "made up")
    assert other.code != asked.code
    assert other.secret not in (None, "made up")
    assert (pairing.code_of(DOOR, asked.secret), pairing.code_of(DOOR, other.secret)) == (asked.code, other.code)


async def test_only_a_hash_of_the_secret_is_kept(pairing: PairingService, pairs: MemoryPairs) -> None:
    asked = await pairing.ask(DOOR, None)
    await pairing.approve(str(asked.code))
    assert pairs.pairs == {(DOOR, hash_secret(str(asked.secret)))}
    assert str(asked.secret).encode() not in repr(pairs.pairs).encode()


async def test_a_code_works_once_and_for_ten_minutes(pairing: PairingService, clock: SteppedClock) -> None:
    first = await pairing.ask(DOOR, None)
    await pairing.approve(str(first.code))
    with pytest.raises(NotFound):
        await pairing.approve(str(first.code))
    late = await pairing.ask(DOOR, None)
    clock.pass_s(599)
    assert [pending.code for pending in pairing.pending()] == [late.code]
    clock.pass_s(1)
    assert pairing.pending() == []
    with pytest.raises(NotFound):
        await pairing.approve(str(late.code))
    assert not await pairing.is_paired(DOOR, late.secret)


async def test_new_codes_are_rate_limited(pairing: PairingService, clock: SteppedClock) -> None:
    for _ in range(CODES_PER_MINUTE):
        await pairing.ask(DOOR, None)
    with pytest.raises(TooMany):
        await pairing.ask(DOOR, None)
    clock.pass_s(60)
    await pairing.ask(DOOR, None)


def test_each_try_makes_room_a_minute_after_it_and_no_sooner(clock: SteppedClock) -> None:
    limit = RateLimit(2, MINUTE_NS, clock)
    limit.count("tries")
    clock.pass_s(30)
    limit.count("tries")
    clock.pass_s(29)
    with pytest.raises(TooMany):
        limit.count("tries")
    clock.pass_s(1)
    limit.count("tries")
    with pytest.raises(TooMany):
        limit.count("tries")


async def test_guessing_codes_is_rate_limited(pairing: PairingService) -> None:
    for _ in range(WRONG_CODES_PER_MINUTE):
        with pytest.raises(NotFound):
            await pairing.approve("AAAAAA")
    with pytest.raises(TooMany):
        await pairing.approve("AAAAAA")


async def test_a_display_that_is_not_there_is_not_found(pairing: PairingService) -> None:
    with pytest.raises(NotFound):
        await pairing.ask(DisplayId("d-nowhere"), None)
    assert not await pairing.any_paired({"tacet-display-d-nowhere": "x", "other": "y"})


async def test_pairing_over_http(store: Store) -> None:
    async with store.client() as browser:
        asked = await browser.post("/api/displays/d-door/pairing")
        cookie = asked.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        code = asked.json()["code"]
        assert asked.json() == {"paired": False, "code": code}
        assert (await browser.get("/api/displays/d-door/pairing")).json() == {
            "site": "demo",
            "paired": False,
            "code": code,
            "connected": False,
        }
        assert (await browser.get("/api/pairings")).status_code == 401
        assert (await browser.post(f"/api/pairings/{code}/approve")).status_code == 401
        waiting = (await browser.get("/api/pairings", headers=store.owner())).json()
        assert [(one["code"], one["display"]) for one in waiting] == [(code, "d-door")]
        assert (await browser.post("/api/pairings/WRONG1/approve", headers=store.owner())).status_code == 404
        assert (await browser.post(f"/api/pairings/{code}/approve", headers=store.owner())).status_code == 204
        assert (await browser.post("/api/displays/d-door/pairing")).json() == {"paired": True}
        assert (await browser.get("/api/displays/d-till/pairing")).json()["paired"] is False
        assert (await browser.post("/api/displays/d-nowhere/pairing")).status_code == 404
        foreign = await browser.post("/api/displays/d-till/pairing", headers={"Origin": "http://evil.example"})
        assert foreign.status_code == 403
