"""The HTTP contract: who may call, what is refused, what is answered."""

import base64
import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from broker_config.errors import ConfigError
from broker_config.member_table import ERASED_HEADER
from broker_config.messages import BaseSet, decode
from server.access.table import ROUTES
from server.app import create_app
from server.cli import members_app
from server.config import load_config
from server.db import Database
from server.erasure.cli import privacy_app
from server.state import ServerState
from tests.server.harness import RIVER, Clock, Edge, add_agent, token
from tests.support.member_tables import unpack_members

ORIGIN = "http://127.0.0.1:18080"
MOST_BYTES = ROUTES["POST /api/members/import"].body_bytes
WHY_NO_CARD = "card is not hex text; one that is no UHF card is written em4100:… or nfc:…"


@pytest.fixture
async def api(store, clock: Clock) -> AsyncIterator[tuple[httpx.AsyncClient, ServerState]]:
    """A whole server, without a broker behind it."""
    add_agent(store, "gw-2", ("exit",))
    app = create_app(load_config(store / "server.toml"), clock_ns=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client,
    ):
        yield client, app.state.tacet


def owner(state: ServerState) -> dict[str, str]:
    return {"Authorization": f"Bearer {state.secrets.owner_token}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


OWNER_CALLS = [
    ("GET", "/api/members"),
    ("POST", "/api/members/import"),
    ("POST", "/api/members/m-1/consent"),
    ("POST", "/api/rules/reload"),
    ("POST", "/api/transactions/settled"),
    ("GET", "/api/pairings"),
    ("POST", "/api/pairings/ABCDEF/approve"),
]


@pytest.mark.parametrize(("method", "path"), OWNER_CALLS)
@pytest.mark.parametrize("header", [None, "Bearer ", "Bearer wrong", "Basic wrong", "Bearer é"])
async def test_owner_calls_need_the_owner_token(api, method, path, header):
    client, _ = api
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = await client.request(method, path, headers=headers, json={"purpose": "recognise", "granted": True})
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


async def test_import_and_list_show_everything_but_the_card(api, store):
    client, state = api
    text = (store / "members.csv").read_bytes() + b"zz,Bad,en,,,,,\n"
    answer = await client.post("/api/members/import", headers=owner(state), content=text)
    assert answer.json() == {"imported": 7, "updated": 0, "bad_rows": [{"row": 9, "why": WHY_NO_CARD}]}
    listed = await client.get("/api/members", headers=owner(state))
    assert len(listed.json()) == 7
    assert "2d14" not in listed.text


async def test_a_long_list_of_members_comes_in_pages_that_miss_nobody_and_repeat_nobody(api, store):
    client, state = api
    more = "".join(f"2d14257bf4ffffff{n:08x},River,en,,,recognise,,\n" for n in range(5))
    text = (store / "members.csv").read_text() + more
    await client.post("/api/members/import", headers=owner(state), content=text.encode())
    whole = (await client.get("/api/members", headers=owner(state))).json()
    assert len(whole) == 12
    paged, after = [], ""
    while page := (await client.get(f"/api/members?limit=2&after={after}", headers=owner(state))).json():
        assert len(page) <= 2
        paged += page
        after = page[-1]["member"]
    assert paged == whole
    assert (await client.get("/api/members?after=m-gone", headers=owner(state))).status_code == 404
    for limit in ("0", "501", "x"):
        assert (await client.get(f"/api/members?limit={limit}", headers=owner(state))).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {"purpose": "recognise"},
        {"purpose": "recognise", "granted": "yes"},
        {"purpose": "recognise", "granted": 1},
        {"purpose": "everything", "granted": True},
        {"purpose": "recognise", "granted": True, "also": 1},
        [],
    ],
)
async def test_bodies_are_taken_literally(api, body):
    client, state = api
    answer = await client.post("/api/members/m-1/consent", headers=owner(state), json=body)
    assert answer.status_code == 422


async def test_consent_of_nobody_is_not_found_and_of_somebody_is_changed(api, store):
    client, state = api
    body = {"purpose": "recognise", "granted": False}
    assert (await client.post("/api/members/m-1/consent", headers=owner(state), json=body)).status_code == 404
    await client.post("/api/members/import", headers=owner(state), content=(store / "members.csv").read_bytes())
    member = (await client.get("/api/members", headers=owner(state))).json()[0]
    answer = await client.post(f"/api/members/{member['member']}/consent", headers=owner(state), json=body)
    assert (answer.status_code, answer.content) == (204, b"")
    again = (await client.get("/api/members", headers=owner(state))).json()[0]
    assert "recognise" not in again["purposes"]


async def test_an_import_that_is_no_text_is_refused(api):
    client, state = api
    answer = await client.post("/api/members/import", headers=owner(state), content=b"\xff\xfe\x00")
    assert answer.status_code == 422
    assert "UTF-8" in answer.json()["error"]


async def test_an_agent_gets_its_own_table_and_nobody_elses(api, store):
    client, state = api
    await client.post("/api/members/import", headers=owner(state), content=(store / "members.csv").read_bytes())
    own, other = state.identities.agent("gw-1"), state.identities.agent("gw-2")
    path = "/api/edge/gw-1/members"
    answer = await client.get(path, headers=basic(own.user, own.password))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    table = unpack_members(answer.content)
    assert (len(table), answer.headers["etag"]) == (6, f'"{table.version}"')
    statuses = [
        (await client.get(path, headers=headers)).status_code
        for headers in (
            {},
            {"Authorization": "Basic !!!"},
            {"Authorization": "Bearer x"},
            basic(own.user, "wrong"),
            basic("nobody", own.password),
            basic(other.user, other.password),
            owner(state),
        )
    ]
    assert statuses == [401, 401, 401, 401, 401, 403, 403]


async def test_an_agent_that_has_the_table_is_told_so_and_reads_nothing(api, store):
    client, state = api
    await client.post("/api/members/import", headers=owner(state), content=(store / "members.csv").read_bytes())
    own, path = state.identities.agent("gw-1"), "/api/edge/gw-1/members"
    first = await client.get(path, headers=basic(own.user, own.password))
    read = await state.audit.head()
    for tag in (first.headers["etag"], f'"0", W/{first.headers["etag"]}'):
        again = await client.get(path, headers=basic(own.user, own.password) | {"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert again.headers[ERASED_HEADER] == "0"
    assert await state.audit.head() == read
    assert (await client.get(path, headers={"If-None-Match": first.headers["etag"]})).status_code == 401
    river = next(m for m in (await client.get("/api/members", headers=owner(state))).json() if m["alias"] == "River")
    await client.post(f"/api/members/{river['member']}/erase", headers=owner(state))
    new = await client.get(path, headers=basic(own.user, own.password) | {"If-None-Match": first.headers["etag"]})
    assert (new.status_code, len(unpack_members(new.content))) == (200, 5)


async def test_erasures_come_in_pages_that_miss_none_and_repeat_none(api, store, monkeypatch):
    client, state = api
    await client.post("/api/members/import", headers=owner(state), content=(store / "members.csv").read_bytes())
    for member in (await client.get("/api/members", headers=owner(state))).json()[:5]:
        await client.post(f"/api/members/{member['member']}/erase", headers=owner(state))
    whole = (await client.get("/api/privacy", headers=owner(state))).json()["erasures"]
    assert len(whole) == 5
    paged, after = [], ""
    while page := (await client.get(f"/api/privacy?limit=2&after={after}", headers=owner(state))).json()["erasures"]:
        assert len(page) <= 2
        paged += page
        after = page[-1]["request"]
    assert paged == whole
    assert (await client.get("/api/privacy?after=none", headers=owner(state))).status_code == 404
    for limit in ("0", "201", "x"):
        assert (await client.get(f"/api/privacy?limit={limit}", headers=owner(state))).status_code == 422


async def test_two_agents_know_a_card_under_different_hashes_and_handles(api, store):
    client, state = api
    await client.post("/api/members/import", headers=owner(state), content=(store / "members.csv").read_bytes())
    tables = [unpack_members((await state.member_tables.table(agent))[1]).records for agent in ("gw-1", "gw-2")]
    parts = [{records[i : i + 16] for i in range(0, len(records), 16)} for records in tables]
    assert not parts[0] & parts[1]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5:18080", "", "localhost.evil"])
async def test_a_foreign_host_is_refused(api, host):
    client, _ = api
    answer = await client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost:18080", "127.0.0.1", "[::1]:18080"])
async def test_a_loopback_host_is_served(api, host):
    client, _ = api
    assert (await client.get("/healthz", headers={"Host": host})).json() == {"status": "ok"}


async def test_a_body_beyond_the_limit_is_refused_declared_or_not(api):
    client, state = api

    async def chunks():
        for _ in range(MOST_BYTES // 65536 + 2):
            yield b"x" * 65536

    declared = await client.post("/api/members/import", headers=owner(state), content=b"x" * (MOST_BYTES + 1))
    streamed = await client.post("/api/members/import", headers=owner(state), content=chunks())
    assert [declared.status_code, streamed.status_code] == [413, 413]


async def test_every_answer_carries_the_security_headers(api):
    client, _ = api
    for path in ("/healthz", "/api/status", "/nowhere"):
        headers = (await client.get(path)).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


async def test_without_its_broker_it_is_alive_and_not_ready(api, clock):
    client, state = api
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/api/status", headers=owner(state))).json()["broker"] == "lost"
    assert (await client.get("/time")).json()["utc_ms"] == clock.now_ns / 1e6


async def test_without_its_database_it_is_alive_and_not_ready(api, monkeypatch):
    def broken(_: Database) -> None:
        raise OperationalError("SELECT 1", {}, OSError("disk I/O error"))

    client, _ = api
    monkeypatch.setattr(Database, "session", broken)
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "database lost"})
    assert (await client.get("/healthz")).status_code == 200


async def test_decisions_and_figures_are_answered_as_json(api, store, clock):
    client, state = api
    await client.post("/api/members/import", headers=owner(state), content=(store / "members.csv").read_bytes())
    edge = Edge(state, clock)
    await edge.visit(RIVER, "door", token(1))
    (listed,) = (await client.get("/api/decisions?limit=5", headers=owner(state))).json()
    one = (await client.get(f"/api/decisions/{listed['decision']}", headers=owner(state))).json()
    assert one == listed
    assert (one["outcome"], one["gates"][0]["gate"], one["say"]["en"].startswith("Sent to ")) == (
        "shown",
        "purpose",
        True,
    )
    summary = (await client.get("/api/summary", headers=owner(state))).json()
    assert (summary["events"], summary["decisions"], summary["events_lost"]) == (1, 1, 0)
    status = (await client.get("/api/status", headers=owner(state))).json()
    (door,) = [zone for zone in status["zones"] if zone["zone"] == "door"]
    assert (door["items"], door["visits"], door["people"], door["covered"]) == (0, 1, "<5", None)
    metrics = (await client.get("/metrics", headers=owner(state))).text
    assert 'tacet_zone_visits{zone="door"} 1.0' in metrics
    assert token(1) not in metrics


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x"])
async def test_a_limit_out_of_range_is_refused(api, query):
    client, state = api
    assert (await client.get(f"/api/decisions?{query}", headers=owner(state))).status_code == 422


async def test_a_decision_that_is_not_there_is_not_found(api):
    client, state = api
    assert (await client.get("/api/decisions/none", headers=owner(state))).status_code == 404


async def test_a_reload_says_what_is_wrong_and_sends_base_content_when_right(api, store):
    client, state = api
    rules = store / "rules.yaml"
    good = rules.read_text()
    rules.write_text(good.replace("version: 1", "vers: 1", 1))
    answer = await client.post("/api/rules/reload", headers=owner(state))
    assert (answer.status_code, "vers" in answer.json()["error"]) == (422, True)
    rules.write_text(good)
    state.link._outgoing.clear()
    answer = await client.post("/api/rules/reload", headers=owner(state))
    assert answer.json() == {"version": 1, "rules": 7}
    sent = list(state.link._outgoing)
    bases = [decode(out.payload).data for out in sent]
    assert [(base.display, len(base.items)) for base in bases if isinstance(base, BaseSet)] == [
        ("d-door", 1), ("d-shoes", 2), ("d-fitting", 1), ("d-till", 1),
    ]  # fmt: skip
    assert all(out.retain for out in sent)


async def test_logs_name_nobody(api, store, clock, caplog):
    caplog.set_level(logging.DEBUG)
    client, state = api
    await client.post("/api/members/import", headers=owner(state), content=(store / "members.csv").read_bytes())
    member = next(m for m in (await client.get("/api/members", headers=owner(state))).json() if m["alias"] == "River")
    edge = Edge(state, clock)
    await edge.visit(RIVER, "door", token(1))
    await client.post(
        f"/api/members/{member['member']}/consent",
        headers=owner(state),
        json={"purpose": "recognise", "granted": False},
    )
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("server"))
    assert "a visit ended" in ours
    for secret in (RIVER, "River", member["member"], token(1), state.secrets.owner_token):
        assert secret not in ours


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "shop.example"])
def test_an_address_that_others_can_reach_is_refused(store, host):
    path = store / "server.toml"
    path.write_text(path.read_text().replace('host = "127.0.0.1"', f'host = "{host}"', 1))
    with pytest.raises(ConfigError, match="unencrypted"):
        load_config(path)


def test_an_unknown_key_is_refused(store):
    path = store / "server.toml"
    path.write_text("hots = 1\n" + path.read_text())
    with pytest.raises(ConfigError, match="hots"):
        load_config(path)


def test_the_command_line_asks_for_page_after_page(store, monkeypatch):
    everybody = [{"member": f"m-{n}"} for n in range(5)]

    class Pages:
        def __init__(self, config) -> None: ...

        def get(self, path: str) -> httpx.Response:
            at = next((n + 1 for n, each in enumerate(everybody) if path.endswith(f"after={each['member']}")), 0)
            return httpx.Response(200, json=everybody[at : at + 2])

    monkeypatch.setattr("server.client.OwnerClient", Pages)
    monkeypatch.setattr("server.members.schemas.PAGE", 2)
    told = CliRunner().invoke(members_app, ["list", "--json", "--config", str(store / "server.toml")])
    assert json.loads(told.output) == everybody


def test_the_command_line_asks_for_page_after_page_of_erasures(store, monkeypatch):
    rest = {"asked_at": "2026-11-22T00:00:00Z", "here": None, "removed_files": 0, "agents": [], "complete": False}
    everything = [{"request": f"r{n}", "version": 9 - n} | rest for n in range(5)]

    class Pages:
        def __init__(self, config) -> None: ...

        def get(self, path: str) -> httpx.Response:
            at = next((n + 1 for n, each in enumerate(everything) if path.endswith(f"after={each['request']}")), 0)
            return httpx.Response(200, json={"erasures": everything[at : at + 2], "alarm": None})

    monkeypatch.setattr("server.client.OwnerClient", Pages)
    monkeypatch.setattr("server.erasure.schemas.PAGE", 2)
    told = CliRunner().invoke(privacy_app, ["status", "--json", "--config", str(store / "server.toml")])
    assert json.loads(told.output) == {"erasures": everything, "alarm": None}
