"""Every route, asked by everybody: the table of routes is what happens."""

import pytest

from server.access.table import ROUTES, Rule
from tests.support.callers import COOKIE, ORIGIN, Caller, World, peopled

NAMES = ("stranger", "display", "partner", "staff", "owner", "token", "member 0", "member 1", "gw-1", "gw-2")
OWN = {"display": "d-till", "display_id": "d-door", "agent": "gw-2"}
"""What stands in a path; nobody's, so that nothing is changed, but for what must be somebody's to be asked at all."""


@pytest.fixture
async def world(tmp_path):
    async with peopled(tmp_path) as made:
        yield made


def routes() -> list[tuple[str, str, Rule]]:
    named = ((*name.split(" ", 1), rule) for name, rule in sorted(ROUTES.items()))
    return [(method, path, rule) for method, path, rule in named if method != "WEBSOCKET" and rule.within_s is not None]


def filled(path: str) -> str:
    parts = [part.strip("{}") if part.startswith("{") else "" for part in path.split("/")]
    return "/".join(
        OWN.get(name, "nobodys") if name else part for name, part in zip(parts, path.split("/"), strict=True)
    )


async def ask(world: World, caller: Caller, method: str, path: str, rule: Rule, **more: str):
    """A request as this caller's own program or page would send it."""
    headers = caller.headers | ({"Origin": ORIGIN} if rule.form else {}) | more
    body = {"data": {"token": caller.token}} if rule.form else {"content": b"{}"} if method != "GET" else {}
    if "data" not in body and body:
        headers["Content-Type"] = "application/json"
    world.clock.pass_s(1)
    return await world.client.request(method, filled(path), headers=headers, **body)


async def test_everybody_gets_what_the_table_gives_and_nothing_else(world):
    assert tuple(sorted(world.callers)) == tuple(sorted(NAMES))
    wrong = []
    for method, path, rule in routes():
        if path == "/sign-out":
            continue  # ends the sessions this test goes by
        for caller in world.callers.values():
            answer = await ask(world, caller, method, path, rule)
            expected = expected_of(caller, rule)
            got = "in" if answer.status_code not in (401, 403) else "out"
            door = "/me" if rule.roles == {"member"} else "/sign-in"
            if answer.status_code == 303 and answer.headers["location"].startswith(door):
                got = "door"
            if got != expected and not is_known_exception(caller, path):
                wrong.append(f"{caller.name}: {method} {path}: {answer.status_code}, wanted {expected}")
            assert answer.status_code < 500 or answer.status_code == 503, (method, path, caller.name, answer.text)
    assert wrong == []


def expected_of(caller: Caller, rule: Rule) -> str:
    if rule.roles is None or caller.role in rule.roles:
        return "in"
    return "door" if caller.role is None and rule.page else "out"


def is_known_exception(caller: Caller, path: str) -> bool:
    """The table lets agents in, and each to its own only; an account's page is a browser's; a display's route asks for its cookie."""
    return (
        "{display}" in path
        or (caller.name == "gw-1" and "{agent}" in path)
        or (caller.name == "token" and path.startswith("/account"))
    )


async def test_an_agent_is_refused_what_carries_another_agents_name(world):
    for _method, path, rule in routes():
        if "{agent}" in path and rule.roles == {"agent"}:
            answer = await ask(world, world.callers["gw-1"], _method, path, rule)
            assert answer.status_code == 403, path


async def test_one_displays_cookie_says_nothing_of_another_display(world):
    asked = await world.client.get("/api/displays/d-till/pairing", headers=world.callers["display"].headers)
    assert asked.json() == {"site": "demo", "paired": False, "code": None, "connected": False}
    assert (
        await world.client.get("/api/displays/d-till/key", headers=world.callers["display"].headers)
    ).status_code == 403
    assert (
        await world.client.get("/api/displays/d-door/key", headers=world.callers["display"].headers)
    ).status_code == 200
    own = await world.client.get("/api/displays/d-door/pairing", headers=world.callers["display"].headers)
    assert own.json()["paired"] is True


async def test_whoever_lost_an_account_or_a_role_is_out_with_the_next_request(world):
    staff = world.callers["staff"]
    assert (await world.client.get("/api/summary", headers=staff.headers)).status_code == 200
    await world.state.access.staff.remove("ming")
    assert (await world.client.get("/api/summary", headers=staff.headers)).status_code == 401
    left = await world.state.access.sessions.open("staff", "s-gone", life_s=60, idle_s=60)
    assert (await world.client.get("/api/summary", headers={"Cookie": f"{COOKIE}={left}"})).status_code == 401


SOURCES = (
    ({}, 422),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "http://127.0.0.1:9"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": ""}, 403),
)


async def test_a_signed_in_browser_changes_things_from_our_own_pages_only(world):
    for changed, status in SOURCES:
        headers = {name: value for name, value in (world.callers["owner"].headers | changed).items() if value}
        answer = await world.client.post("/api/staff", headers=headers, json={})
        assert answer.status_code == status, changed


async def test_a_foreign_page_cannot_sign_a_browser_in_as_somebody_else(world):
    for path, form in (("/sign-in", {"name": "owner", "password": "x"}), ("/enter/x", {"password": "x"})):
        for headers in ({}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await world.client.post(path, headers=headers, data=form)).status_code == 403


async def test_a_form_without_its_sessions_token_changes_nothing(world):
    owner, staff = world.callers["owner"], world.callers["staff"]
    for forged in ({}, {"token": ""}, {"token": staff.token}, {"token": owner.token[:-1]}):
        answer = await world.client.post(
            "/staff", headers=owner.headers | {"Origin": ORIGIN}, data={"name": "new", "role": "owner", **forged}
        )
        assert answer.status_code == 403
    assert [view.name for view in await world.state.access.staff.list_all()] == ["brand", "ming", "owner"]


async def test_nobody_sets_what_the_form_does_not_ask(world):
    owner = world.callers["owner"]
    for field in ("id", "password", "created_ns", "ready"):
        body = {"name": "new", "role": "staff", field: "owner"}
        assert (await world.client.post("/api/staff", headers=owner.headers, json=body)).status_code == 422
        form = {"token": owner.token, "old": "x", "new": "y", field: "owner"}
        answer = await world.client.post("/account/password", headers=owner.headers | {"Origin": ORIGIN}, data=form)
        assert answer.status_code == 422
    assert len(await world.state.access.staff.list_all()) == 3
