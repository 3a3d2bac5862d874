"""Accounts, links, and what a guesser meets."""

import pytest

from server.access.limits import FREE_TRIES, MOST_KEPT
from server.access.passwords import Cost, Passwords
from server.access.staff import LINK_LIFE_S, LONGEST_WAIT_ACCOUNT_S, WRONG
from server.errors import Conflict, NotFound, TooMany, Unauthenticated, Unprocessable

GOOD = "seven quiet otters hum"
HOME = "address:192.0.2.1"


@pytest.fixture
def staff(state):
    """The accounts of a store whose owner has a password; cheap to check, since the cost has a test of its own."""
    state.access.staff._passwords = Passwords(Cost(n=16, r=1, p=1))
    return state.access.staff


@pytest.fixture
async def owner(staff):
    secret, _ = await staff.make_link("owner", "password")
    await staff.use_link(secret, GOOD)
    return staff


async def wrong(staff, name: str = "owner", address: str = HOME) -> str:
    try:
        await staff.sign_in(name, "never this one", address)
    except (Unauthenticated, TooMany) as error:
        return str(error)
    raise AssertionError("a wrong password was taken")


async def test_the_first_start_makes_an_owner_without_a_password_and_one_link(state, staff):
    assert state.access.first_link is not None
    assert [(view.name, view.role, view.ready) for view in await staff.list_all()] == [("owner", "owner", False)]
    assert await staff.lacks_owner()
    assert await staff.prepare() is None, "a second start tells no second link"
    for password in ("", "owner", "password", "tacet"):
        assert await wrong(staff) == WRONG, password
    begun = await staff.use_link(state.access.first_link, GOOD)
    assert (begun.role, await staff.lacks_owner()) == ("owner", False)


async def test_a_link_works_once_and_for_a_day(staff, clock):
    secret = await staff.add("ming", "staff")
    for _ in range(3):
        assert (await staff.find_link(secret)).name == "ming", "looking does not use it up"
    with pytest.raises(Unprocessable):
        await staff.use_link(secret, "short")
    await staff.use_link(secret, GOOD)
    for gone in (secret, "", secret[:-1], "\ud800"):
        with pytest.raises(NotFound):
            await staff.use_link(gone, GOOD)
    late = await staff.add("wei", "staff")
    clock.pass_s(LINK_LIFE_S)
    with pytest.raises(NotFound):
        await staff.find_link(late)


async def test_a_new_link_makes_the_one_before_void(staff):
    older = await staff.add("ming", "staff")
    newer, _ = await staff.make_link("ming", "password")
    with pytest.raises(NotFound):
        await staff.use_link(older, GOOD)
    await staff.use_link(newer, GOOD)


async def test_a_new_password_signs_every_browser_out_and_the_old_one_is_worth_nothing(state, owner):
    before = await owner.sign_in("owner", GOOD, HOME)
    secret, _ = await owner.make_link("owner", "password")
    by_link = await owner.use_link(secret, GOOD + "!")
    assert await state.access.sessions.find(before.secret) is None
    changed = await owner.change_password(by_link.staff, GOOD + "!", "another long way in")
    assert await state.access.sessions.find(by_link.secret) is None
    assert await state.access.sessions.find(changed.secret) is not None
    for old in (GOOD, GOOD + "!"):
        with pytest.raises(Unauthenticated):
            await owner.sign_in("owner", old, HOME)
    with pytest.raises(Unauthenticated, match="old password"):
        await owner.change_password(changed.staff, GOOD, "another long way in")


async def during(passwords, call: str, meanwhile) -> None:
    """Let something else happen while a password is being looked at."""
    real = getattr(passwords, call)

    async def slowly(*given):
        found = await real(*given)
        setattr(passwords, call, real)
        await meanwhile()
        return found

    setattr(passwords, call, slowly)


async def test_a_sign_in_by_the_old_password_does_not_outlive_the_link_that_set_another(state, owner):
    secret, _ = await owner.make_link("owner", "password")
    await during(owner._passwords, "matches", lambda: owner.use_link(secret, GOOD + "!"))
    with pytest.raises(Unauthenticated):
        await owner.sign_in("owner", GOOD, HOME)
    (view,) = await owner.list_all()
    assert view.sessions == 1, "the one who used the link, alone"


async def test_a_change_by_the_old_password_does_not_undo_the_link_that_set_another(state, owner):
    staff = (await owner.sign_in("owner", GOOD, HOME)).staff
    secret, _ = await owner.make_link("owner", "password")
    await during(owner._passwords, "matches", lambda: owner.use_link(secret, GOOD + "!"))
    with pytest.raises(Unauthenticated):
        await owner.change_password(staff, GOOD, "another long way in")
    await owner.sign_in("owner", GOOD + "!", HOME)


async def test_names_that_nobody_has_are_met_like_those_that_somebody_has(owner, clock):
    """Same words, same waits: no way to learn who works here."""
    met: dict[str, list[str]] = {"owner": [], "nobody": []}
    for name, heard in met.items():
        for number in range(FREE_TRIES + 4):
            heard.append(await wrong(owner, name, f"address:198.51.100.{number}-{name}"))
    assert met["owner"] == met["nobody"]
    assert WRONG in met["owner"][0]
    assert "try again in 1 s" in met["owner"][-1]


async def test_names_that_nobody_has_cannot_push_out_what_is_remembered_of_the_owner(owner, clock, monkeypatch):
    for number in range(FREE_TRIES + 1):
        await wrong(owner, "owner", f"address:{number}")
    for number in range(MOST_KEPT + 1):
        owner._strangers.count(f"made-up-{number}")
    await wrong(owner, "made-up", "address:other")
    assert "made-up" not in owner._accounts._tries._kept
    assert "try again" in await wrong(owner, "owner", "address:new")


async def test_each_wrong_password_makes_the_wait_longer_and_the_right_one_ends_it(owner, clock):
    waits = []
    for number in range(FREE_TRIES + 9):
        await wrong(owner, "owner", f"address:{number}")
        left_ns = owner._accounts._tries["owner"].not_before_ns - clock.now_ns
        waits.append(max(0, left_ns // 10**9))
        clock.pass_s(waits[-1])
    assert waits == [
        0,
        0,
        0,
        1,
        2,
        4,
        8,
        16,
        32,
        LONGEST_WAIT_ACCOUNT_S,
        LONGEST_WAIT_ACCOUNT_S,
        LONGEST_WAIT_ACCOUNT_S,
    ]
    await owner.sign_in("owner", GOOD, "address:own")
    assert await wrong(owner, "owner", "address:own") == WRONG


async def test_whoever_has_to_wait_is_not_even_looked_at(owner):
    for number in range(FREE_TRIES + 1):
        await wrong(owner, "owner", f"address:{number}")
    with pytest.raises(TooMany) as waits:
        await owner.sign_in("owner", GOOD, "address:own")
    assert waits.value.retry_after_s == 1


async def test_one_address_that_tries_many_names_waits_too(owner, clock):
    heard = [await wrong(owner, f"name-{number}") for number in range(FREE_TRIES + 2)]
    assert heard[:-1] == [WRONG] * (FREE_TRIES + 1)
    assert "try again" in heard[-1]
    assert await wrong(owner, "owner", "address:192.0.2.2") == WRONG, "another address is not kept waiting"


async def test_the_only_owner_stays_and_anybody_else_can_go(state, owner):
    with pytest.raises(Conflict, match="only owner"):
        await owner.remove("owner")
    secret = await owner.add("second", "owner")
    begun = await owner.use_link(secret, GOOD)
    await owner.remove("owner")
    assert [view.name for view in await owner.list_all()] == ["second"]
    with pytest.raises(Conflict, match="already"):
        await owner.add("second", "staff")
    for name in ("nobody", ""):
        with pytest.raises(NotFound):
            await owner.remove(name)
    assert begun.role == "owner"


async def test_who_is_removed_is_signed_out_and_nobody_else(state, owner):
    second = await owner.use_link(await owner.add("second", "owner"), GOOD)
    mine = await owner.sign_in("owner", GOOD, HOME)
    await owner.remove("second")
    assert await state.access.sessions.find(second.secret) is None
    assert await state.access.sessions.find(mine.secret) is not None


async def test_a_link_that_sets_a_password_ends_the_wait_and_one_that_just_signs_in_does_not(owner):
    for number in range(FREE_TRIES + 1):
        await wrong(owner, "owner", f"address:{number}")
    secret, _ = await owner.make_link("owner", "sign-in")
    await owner.use_link(secret, "")
    assert "try again" in await wrong(owner, "owner", "address:new")
    secret, _ = await owner.make_link("owner", "password")
    await owner.use_link(secret, GOOD)
    await owner.sign_in("owner", GOOD, "address:own")
