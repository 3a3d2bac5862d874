"""Orders leave the server signed for their receiver; keys and signed time are had over HTTP by whom they are for."""

import httpx
import pytest
from httpx import ASGITransport

from broker_config.command_mac import is_time_signed, open_command
from broker_config.identity import load_credential, make_credential, write_credential
from broker_config.messages import TransactionSettled, VisitEnded, decode
from broker_config.site import load_site
from broker_config.topics import BY_NAME, parse_topic
from server.app import create_app
from server.clock import to_datetime
from server.commands.keys import CommandKeys
from server.config import load_config
from tests.server.harness import Clock, write_store

URL = "http://127.0.0.1:18080"
NONCE = "5a" * 16


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def api(tmp_path, clock):
    write_store(tmp_path)
    write_credential(tmp_path / "identity", make_credential("display", "d-door"))
    app = create_app(load_config(tmp_path / "server.toml"), clock_ns=clock)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=ASGITransport(app), base_url=URL, headers={"Origin": URL}) as client,
    ):
        yield client, app.state.tacet


def key_of(folder, user: str) -> bytes:
    return bytes.fromhex(load_credential(folder / "identity" / f"{user}.toml").command_key or "")


async def test_what_the_server_sends_is_signed_for_whom_it_is_for(api, tmp_path):
    _, state = api
    state.send_base()
    found = {out.topic: out.payload for out in state.link._outgoing}
    topic = "tacet/1/demo/display/d-door/base/set"
    assert b"tacet.base.set.v1" in open_command(
        topic, found[topic], "display-d-door", key_of(tmp_path, "display-d-door")
    )
    assert {parse_topic(name)[0].name for name in found} == {"display_base"}


async def test_a_display_with_a_new_key_gets_its_base_content_again(api, tmp_path):
    """The broker retains what was signed with the old one, which the display refuses."""
    _, state = api
    state.send_base()
    state.link._outgoing.clear()
    state.renew_base()
    assert not state.link._outgoing, "nothing is new"
    write_credential(tmp_path / "identity", make_credential("display", "d-door"))
    state.command_keys.of("display-d-door")  # some other order was signed with it first
    state.renew_base()
    found = {out.topic: out.payload for out in state.link._outgoing}
    topic = "tacet/1/demo/display/d-door/base/set"
    assert open_command(topic, found[topic], "display-d-door", key_of(tmp_path, "display-d-door"))
    state.link._outgoing.clear()
    state.renew_base()
    assert not state.link._outgoing


async def test_what_waited_for_an_agent_under_its_old_key_is_told_again_under_the_new_one(api, tmp_path, clock):
    _, state = api
    sold = TransactionSettled(transaction="5a" * 16, epcs=("30" * 12,), settled_at=to_datetime(clock.now_ns))
    state.link.send(sold)
    state.link.send(VisitEnded(visits=("a" * 32,), cause="withdrawn"))
    state.link.send(VisitEnded(visits=("b" * 32,), cause="left"))
    before = [decode(out.payload) for out in state.link._outgoing]
    state.link._outgoing.clear()  # the broker has them, for an agent that is away
    state.renew_base()
    assert not state.link._outgoing, "nothing is new"
    clock.pass_s(80_000)
    write_credential(tmp_path / "identity", make_credential("agent", "gw-1"))
    state.renew_base()
    again = [out for out in state.link._outgoing if not out.topic.endswith("base/set")]
    opened = [open_command(out.topic, out.payload, "agent-gw-1", key_of(tmp_path, "agent-gw-1")) for out in again]
    assert [decode(said) for said in opened] == before[:2], "the same messages, no younger than they are"
    state.link._outgoing.clear()
    clock.pass_s(10_000)
    write_credential(tmp_path / "identity", make_credential("agent", "gw-1"))
    state.renew_base()
    assert [out.topic for out in state.link._outgoing if not out.topic.endswith("base/set")] == [], "their day is over"


async def test_a_replaced_credential_counts_from_the_next_order_on(api, tmp_path):
    _, state = api
    keys = state.command_keys
    before = keys.of("display-d-door")
    write_credential(tmp_path / "identity", make_credential("display", "d-door"))
    assert keys.of("display-d-door") == key_of(tmp_path, "display-d-door") != before
    (tmp_path / "identity" / "display-d-door.toml").unlink()
    assert keys.of("display-d-door") is None


async def test_a_credential_without_a_key_is_told_of_and_nobody_else_suffers(tmp_path, caplog):
    write_store(tmp_path)
    (tmp_path / "identity" / "display-d-door.toml").write_text(
        'user = "display-d-door"\npassword = "of a release before"\nparty = "display"\nid = "d-door"\n'
    )
    (tmp_path / "identity" / "display-d-door.toml").chmod(0o600)
    keys = CommandKeys(tmp_path / "identity", load_site(tmp_path / "site.toml"))
    signed = keys.sign(BY_NAME["visit_ended"], {}, "t", b'{"a":1}')
    assert open_command("t", signed, "agent-gw-1", key_of(tmp_path, "agent-gw-1")) == b'{"a":1}'
    assert b"display-d-door:" not in signed
    assert "lacks command_key; start the broker" in caplog.text


async def test_the_key_is_for_the_browser_that_is_the_display(api, tmp_path):
    client, state = api
    path = "/api/displays/d-door/key"
    assert (await client.get(path)).status_code == 403
    code = (await client.post("/api/displays/d-door/pairing")).json()["code"]
    assert (await client.get(path)).status_code == 403
    await state.pairing.approve(code)
    answer = await client.get(path)
    assert answer.json() == {"user": "display-d-door", "key": key_of(tmp_path, "display-d-door").hex()}
    assert answer.headers["cache-control"] == "no-store"
    assert (await client.get("/api/displays/d-shoes/key")).status_code == 403
    assert (await client.get("/api/displays/nowhere/key")).status_code == 404


async def test_the_time_is_signed_for_who_asks_with_a_nonce(api, tmp_path, clock):
    client, _ = api
    for who in ("agent-gw-1", "display-d-door"):
        told = (await client.get("/time", params={"who": who, "nonce": NONCE})).json()
        assert told["utc_us"] == clock.now_ns // 1000
        assert is_time_signed(who, NONCE, told["utc_us"], key_of(tmp_path, who), told["mac"])
    assert (await client.get("/time", params={"who": "display-d-shoes", "nonce": NONCE})).json()["mac"] is None
    for who, nonce in (
        ("server", NONCE),
        ("agent-../server", NONCE),
        ("agent-gw-1", "x"),
        ("agent-gw-1", NONCE + "00"),
    ):
        assert (await client.get("/time", params={"who": who, "nonce": nonce})).status_code == 422
