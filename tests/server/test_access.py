"""Sessions, and the table of routes that the gate enforces."""

import re
from contextlib import nullcontext

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from starlette.requests import HTTPConnection

from broker_config.errors import ConfigError
from server.access import cookies
from server.access.principal import (
    Principal,
    check_role,
    current_principal,
    current_session,
    find_principal,
    note_principal,
)
from server.access.sessions import SEEN_EVERY_NS, form_token, hash_secret
from server.access.table import ROUTES, check_table
from server.clock import NS_PER_S
from server.errors import Refused, Unauthenticated

HOUR_S = 3600.0


async def test_a_session_is_found_by_its_secret_only(state):
    secret = await state.access.sessions.open("member", "m-1", life_s=HOUR_S, idle_s=HOUR_S)
    assert re.fullmatch(r"[\w-]{43}", secret), "256 random bits"
    found = await state.access.sessions.find(secret)
    assert (found.kind, found.principal, found.id) == ("member", "m-1", hash_secret(secret))
    for wrong in ("", secret[:-1], secret + "A", found.id.hex(), "\ud800"):
        assert await state.access.sessions.find(wrong) is None


async def test_the_database_knows_no_secret(state, store):
    secret = await state.access.sessions.open("staff", "owner", life_s=HOUR_S, idle_s=HOUR_S)
    for file in (store / "server").iterdir():
        assert secret.encode() not in file.read_bytes()
    assert form_token(secret) != secret


@pytest.mark.parametrize(("life_s", "idle_s", "ends_s"), [(100.0, 1000.0, 100), (1000.0, 100.0, 100)])
async def test_a_session_ends_by_time_used_or_not(state, clock, life_s, idle_s, ends_s):
    secret = await state.access.sessions.open("member", "m-1", life_s=life_s, idle_s=idle_s)
    clock.pass_s(ends_s - 0.001)
    async with state.db.session():
        rows = await state.access.sessions.of("member", "m-1")
    assert len(rows) == 1
    clock.pass_s(0.001)
    assert await state.access.sessions.find(secret) is None
    assert await state.access.sessions.of("member", "m-1") == []


async def test_use_puts_the_idle_limit_off_and_not_the_end(state, clock):
    secret = await state.access.sessions.open("member", "m-1", life_s=1000, idle_s=200)
    for _ in range(6):
        clock.pass_s(150)
        assert await state.access.sessions.find(secret) is not None
    clock.pass_s(100)
    assert await state.access.sessions.find(secret) is None


async def test_a_busy_page_is_noted_once_a_minute(state, clock):
    secret = await state.access.sessions.open("member", "m-1", life_s=1000, idle_s=200)
    began_ns = clock.now_ns
    clock.pass_s(SEEN_EVERY_NS / NS_PER_S - 1)
    await state.access.sessions.find(secret)
    assert (await state.access.sessions.find(secret)).seen_ns == began_ns
    clock.pass_s(1)
    await state.access.sessions.find(secret)
    assert (await state.access.sessions.find(secret)).seen_ns == clock.now_ns


async def test_signing_out_everywhere_spares_the_one_named_and_everybody_else(state):
    sessions = state.access.sessions
    mine = [await sessions.open("member", "m-1", life_s=HOUR_S, idle_s=HOUR_S) for _ in range(3)]
    others = [
        await sessions.open(kind, who, life_s=HOUR_S, idle_s=HOUR_S)
        for kind, who in (("member", "m-2"), ("staff", "m-1"))
    ]
    await sessions.end_all("member", "m-1", but=hash_secret(mine[0]))
    alive = [await sessions.find(secret) is not None for secret in (*mine, *others)]
    assert alive == [True, False, False, True, True]
    await sessions.end(hash_secret(mine[0]))
    assert await sessions.find(mine[0]) is None


async def test_sessions_that_are_over_leave_the_database(state, clock):
    for _ in range(5):
        await state.access.sessions.open("member", "m-1", life_s=10, idle_s=10)
    clock.pass_s(11)
    await state.access.sessions.open("member", "m-1", life_s=10, idle_s=10)
    async with state.db.session() as session:
        connection = await session.connection()
        assert (await connection.exec_driver_sql("SELECT count(*) FROM session")).scalar() == 1


def test_a_route_without_a_rule_and_a_rule_without_a_route_stop_the_start():
    router = APIRouter()
    router.get("/api/forgotten")(lambda: None)
    with pytest.raises(ConfigError, match="GET /api/forgotten"):
        check_table(router.routes)
    with pytest.raises(ConfigError, match=r"lines without a route.*GET /healthz"):
        check_table([])


def test_a_route_that_the_gate_cannot_name_stops_the_start():
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.mount("/x", FastAPI())
    with pytest.raises(ConfigError, match="none that server"):
        check_table(app.routes)
    assert "GET /x" not in ROUTES


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://127.0.0.1:8080/", "tacet-8080"),
        ("https://shop.example/", "__Host-tacet"),
        ("https://shop.example:8443/", "__Host-tacet"),
    ],
)
def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(url, name):
    asked = httpx.URL(url)
    scope = {"type": "http", "scheme": asked.scheme, "headers": [(b"host", asked.netloc)], "path": "/", "server": None}
    connection, answer = cookies.HTTPConnection(scope), cookies.Response()
    cookies.give(answer, connection, "value")
    given = answer.headers["set-cookie"]
    assert given.startswith(f"{name}=value; ")
    parts = {part.strip().lower() for part in given.split(";")}
    assert {"httponly", "samesite=strict", "path=/"} <= parts
    assert ("secure" in parts) == (asked.scheme == "https")
    assert not any(part.startswith("domain") for part in parts), "a __Host- cookie has none"


def test_signing_out_names_the_cookie_as_signing_in_did_or_browsers_keep_it():
    scope = {"type": "http", "scheme": "https", "headers": [(b"host", b"shop.example")], "path": "/", "server": None}
    answer = cookies.Response()
    cookies.take(answer, cookies.HTTPConnection(scope))
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}
    assert {'__host-tacet=""', "max-age=0", "secure", "path=/", "httponly", "samesite=strict"} <= parts


def asked_by(who: Principal | None) -> HTTPConnection:
    connection = HTTPConnection({"type": "http", "headers": [], "path": "/"})
    note_principal(connection, who)
    return connection


async def test_a_stranger_is_nobody_and_a_token_is_no_browser():
    token = Principal("token", "owner", "owner")
    assert await find_principal(asked_by(None)) is None
    with pytest.raises(Unauthenticated, match="sign in"):
        await current_principal(asked_by(None))
    assert await current_principal(asked_by(token)) == token
    with pytest.raises(Unauthenticated, match="signed-in browsers"):
        await current_session(asked_by(token))


@pytest.mark.parametrize("role", ["owner", "staff", "partner", "member", "agent"])
def test_only_the_roles_that_are_named_are_let_through(role):
    for allowed in (("owner", "staff"), frozenset({"member"}), ()):
        with nullcontext() if role in allowed else pytest.raises(Refused, match=role):
            check_role(Principal("staff", "s-1", role), allowed)
