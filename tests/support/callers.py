"""Everybody who may call the server, each with what proves it, and what nobody else may be told."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from broker_config.identity import make_credential, user_name, write_credential
from server.access.sessions import form_token
from server.app import create_app
from server.config import load_config
from server.state import ServerState
from tests.server.harness import RIVER, Clock, Edge, add_agent, token, write_store

ORIGIN = "http://127.0.0.1:18080"
COOKIE = "tacet-18080"
DISPLAYS = ("d-door", "d-till")
HOUR_S = 3600.0


@dataclass(frozen=True)
class Caller:
    """Somebody who calls.

    Args:
        role: as the route table calls it; None for a stranger.
        headers: what proves it.
        token: what its forms carry.
    """

    name: str
    role: str | None
    headers: dict[str, str]
    token: str = ""


@dataclass(frozen=True)
class World:
    """A server with people in it."""

    client: httpx.AsyncClient
    state: ServerState
    clock: Clock
    callers: dict[str, Caller]
    members: list[str]
    decision: str
    secrets: dict[str, frozenset[str]]
    """What may reach only some: `owner` (members' ids and aliases), `store` (visits, decisions), a display's key, a member's own."""


@asynccontextmanager
async def peopled(folder: Path) -> AsyncIterator[World]:
    """The demo store with two agents, members, a visit and somebody of every role signed in."""
    write_store(folder)
    add_agent(folder, "gw-2", ("exit",))
    for display in DISPLAYS:
        write_credential(folder / "identity", make_credential("display", display))
    clock = Clock()
    app = create_app(load_config(folder / "server.toml"), clock_ns=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url=ORIGIN) as client,
    ):
        state: ServerState = app.state.tacet
        await state.members.import_csv((folder / "members.csv").read_text())
        await Edge(state, clock).visit(RIVER, "door", token(1))
        members = await state.members.list_members()
        (decision,) = await state.decisions.latest(1)
        people = {"owner": "owner", "staff": "ming", "partner": "brand"}
        for role in ("staff", "partner"):
            await state.access.staff.add(people[role], role)
        callers = [Caller("stranger", None, {}), await _display(client, state)]
        callers += [await _staff(state, role, name) for role, name in people.items()]
        callers += [await _signed_in(state, "member", number, members[number].member) for number in (0, 1)]
        callers.append(Caller("token", "owner", {"Authorization": f"Bearer {state.secrets.owner_token}"}))
        callers += [_agent(state, agent) for agent in ("gw-1", "gw-2")]
        secrets = {
            "owner": frozenset(m.member for m in members) | {f'"{m.alias}"' for m in members},
            "store": frozenset({token(1), decision.decision}),
            **{display: frozenset({_key(state, display)}) for display in DISPLAYS},
            **{f"member {n}": frozenset({members[n].member, f'"{members[n].alias}"'}) for n in (0, 1)},
        }
        yield World(
            client, state, clock, {c.name: c for c in callers}, [m.member for m in members], decision.decision, secrets
        )


async def _display(client: httpx.AsyncClient, state: ServerState) -> Caller:
    asked = await client.post("/api/displays/d-door/pairing")
    await state.pairing.approve(asked.json()["code"])
    cookie = f"tacet-display-d-door={client.cookies['tacet-display-d-door']}"
    client.cookies.clear()
    return Caller("display", None, {"Cookie": cookie})


def _key(state: ServerState, display: str) -> str:
    key = state.command_keys.of(user_name("display", display))
    assert key is not None
    return key.hex()


async def _staff(state: ServerState, role: str, name: str) -> Caller:
    return await _signed_in(state, "staff", None, await state.access.staff.id_of(name), role)


async def _signed_in(state: ServerState, kind: str, number: int | None, principal: str, role: str = "member") -> Caller:
    secret = await state.access.sessions.open(kind, principal, life_s=1e6 * HOUR_S, idle_s=1e6 * HOUR_S)
    headers = {"Cookie": f"{COOKIE}={secret}", "Sec-Fetch-Site": "same-origin"}
    return Caller(role if number is None else f"{role} {number}", role, headers, form_token(secret))


def _agent(state: ServerState, agent: str) -> Caller:
    credential = state.identities.agent(agent)
    assert credential is not None
    pair = base64.b64encode(f"{credential.user}:{credential.password}".encode()).decode()
    return Caller(agent, "agent", {"Authorization": f"Basic {pair}"})
