"""A display without a browser, against a scripted server."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest

from broker_config.pki.expiry import utc_now
from broker_config.pki.store import LISTENER, PkiStore
from simulators.errors import SimulatorError
from simulators.kiosk import Kiosk, client
from simulators.kiosk.cookies import Cookies
from simulators.kiosk.service import Service, open_tls
from tests.simulators.kiosk_server import KioskServer, serving
from tests.support.patience import WAIT_S


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    for name in ("PAIRING_POLL_S", "STAND_BY_POLL_S", "RETRY_S"):
        monkeypatch.setattr(client, name, 0.02)


@pytest.fixture
async def server():
    async with serving(KioskServer()) as app:
        yield app


@asynccontextmanager
async def running(server: KioskServer, cookies: Cookies | None = None, display: str = "d-door"):
    """A kiosk at work, and the list of its news."""
    news: list[client.News] = []

    async def run() -> None:
        async with Service(server.url, display, cookies or Cookies(None)) as service:
            await Kiosk(server.url, display, service, news.append).run()

    task = asyncio.create_task(run())
    try:
        yield news
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def moment(server: KioskServer, counter: int, **changes) -> dict:
    issued_at = datetime.fromtimestamp(server.now(), UTC)
    return {
        "display": "d-door", "version": [1, counter], "decision": f"dec-{counter}", "content": "welcome", "visit": "v7",
        "text": {"en": "Welcome.", "zh-Hant": "歡迎。"}, "because": {"en": "you asked"}, "language": "en",
        "screen_class": "public", "issued_at": issued_at.isoformat(), "cause_at": "2026-01-01T00:00:00.25Z", "ttl_ms": 60_000, **changes,
    }  # fmt: skip


async def ready(server: KioskServer) -> None:
    server.paired = True
    await server.until(lambda: "ready" in server.states())


async def test_it_shows_its_code_until_paired_then_connects_as_itself(server, tmp_path):
    path = tmp_path / "state" / "cookies.json"
    async with running(server, Cookies(path)) as news:
        await server.until(lambda: server.polls > 3)
        assert [item.text for item in news if item.what == "code"] == ["K7QF3M"]
        await ready(server)
    assert server.client_id == "d-door"
    assert server.handshake["cookie"] == f"tacet-display-d-door={server.secret}"
    assert server.handshake["origin"] == server.url
    assert server.handshake["sec-websocket-protocol"] == "mqtt"
    assert server.will["data"]["state"] == "lost"
    own = "tacet/1/demo/display/d-door"
    assert set(server.subscribed) == {f"{own}/{name}" for name in ("base/set", "moment/set", "moment/clear")} | {
        "tacet/1/demo/privacy/visit-ended"
    }
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_kept_cookie_needs_no_second_pairing(server, tmp_path):
    path = tmp_path / "cookies.json"
    Cookies(path).keep("d-door", server.secret)
    server.paired = True
    async with running(server, Cookies(path)):
        await server.until(lambda: "ready" in server.states())
    assert server.codes_given == 0


async def test_a_cookie_that_the_server_no_longer_honours_is_replaced(server, tmp_path):
    path = tmp_path / "cookies.json"
    Cookies(path).keep("d-door", "of-an-earlier-server")
    async with running(server, Cookies(path)) as news:
        await server.until(lambda: any(item.what == "code" for item in news))
        await ready(server)
    assert server.handshake["cookie"] == f"tacet-display-d-door={server.secret}"
    assert Cookies(path).get("d-door") == server.secret


async def test_a_moment_is_proven_from_start_to_end_of_its_time(server):
    async with running(server) as news:
        await ready(server)
        started, ended = await shown_for_a_moment(server)
    assert started["decision"] == ended["decision"]
    assert started["cause_at"] == "2026-01-01T00:00:00.25Z"
    assert ended["ended_by"] == "ttl"
    assert "welcome: Welcome. (you asked)" in [item.text for item in news if item.what == "shows"]


async def shown_for_a_moment(server: KioskServer) -> tuple[dict, dict]:
    """Both receipts of a short moment; one that comes too late, from a machine at a standstill, is shown briefly or not."""
    for counter in range(1, 6):
        await server.say("tacet.moment.set.v1", moment(server, counter, ttl_ms=150))
        with suppress(TimeoutError):
            await server.until(lambda counter=counter: f"dec-{counter}" in decisions(server.shown("ended")), 10)
            started, ended = server.shown("started")[-1], server.shown("ended")[-1]
            if seconds_between(started, ended) >= 0.05:
                return started, ended
    raise AssertionError("no moment lasted")


def decisions(receipts: list[dict]) -> list[str]:
    return [receipt["decision"] for receipt in receipts]


def seconds_between(one: dict, other: dict) -> float:
    return (datetime.fromisoformat(other["at"]) - datetime.fromisoformat(one["at"])).total_seconds()


@pytest.mark.parametrize(
    ("name", "data", "ended_by"),
    [
        ("tacet.moment.clear.v1", {"display": "d-door", "version": [1, 2], "reason": "x"}, "clear"),
        ("tacet.moment.clear.v1", {"display": "d-door", "version": [1, 2], "visit": "v7", "reason": "x"}, "clear"),
        ("tacet.visit.ended.v1", {"visits": ["v1", "v7"], "cause": "withdrawn"}, "clear"),
    ],
)
async def test_what_takes_a_moment_away(server, name, data, ended_by):
    async with running(server):
        await ready(server)
        await server.say("tacet.moment.set.v1", moment(server, 1))
        await server.say(name, data)
        await server.until(lambda: server.shown("ended"))
    assert server.shown("ended")[0]["ended_by"] == ended_by


async def test_what_is_old_late_or_not_for_it_is_never_shown(server):
    late = (datetime.fromtimestamp(server.now(), UTC) - timedelta(minutes=5)).isoformat()
    async with running(server) as news:
        await ready(server)
        await server.say("tacet.moment.set.v1", moment(server, 5))
        await server.say("tacet.moment.set.v1", moment(server, 5, decision="again"))
        await server.say("tacet.moment.set.v1", moment(server, 4, decision="older"))
        await server.say("tacet.moment.set.v1", moment(server, 6, decision="late", issued_at=late))
        await server.say("tacet.moment.set.v1", moment(server, 7, decision="elsewhere", display="d-till"))
        await server.say("tacet.moment.set.v1", {"nonsense": True})
        await server.say("tacet.unknown.v9", {})
        await server.say("tacet.moment.set.v1", moment(server, 8))
        await server.until(lambda: len(server.shown("started")) == 2)
    assert [receipt["decision"] for receipt in server.shown("started")] == ["dec-5", "dec-8"]
    assert server.shown("ended")[0]["ended_by"] == "replaced"
    assert any("cannot be read" in item.text for item in news)


async def test_the_servers_clock_rules(server):
    server.clock_ahead_s = 3600.0
    async with running(server):
        await ready(server)
        await server.say("tacet.moment.set.v1", moment(server, 1))
        await server.until(lambda: server.shown("started"))
    at = datetime.fromisoformat(server.shown("started")[0]["at"])
    assert abs((at - datetime.now(UTC)).total_seconds() - 3600) < WAIT_S


async def test_a_lost_link_wipes_the_moment_and_the_proof_follows(server):
    async with running(server) as news:
        await ready(server)
        await server.say("tacet.moment.set.v1", moment(server, 1))
        await server.until(lambda: server.shown("started"))
        await server.close(1013)
        await server.until(lambda: server.shown("ended"))
        assert server.shown("ended")[0]["ended_by"] == "link"
        assert server.connections == 2
        assert news[-1].what != "shows"


async def test_taken_over_it_stands_by_until_the_other_window_is_gone(server):
    async with running(server) as news:
        await ready(server)
        server.connected = True
        await server.close(4009)
        polls = server.polls
        await server.until(lambda: server.polls > polls + 5)
        assert server.connections == 1
        assert [item.what for item in news].count("stands-by") == 1
        server.connected = False
        await server.until(lambda: server.connections == 2)


async def test_the_link_outlives_the_servers_websocket_pings():
    async with serving(KioskServer(), ping_interval_s=0.05) as server, running(server) as news:
        await ready(server)
        for counter in range(1, 6):
            await server.say("tacet.moment.set.v1", moment(server, counter))
            await server.until(lambda counter=counter: len(server.shown("started")) == counter)
            await asyncio.sleep(0.1)
        assert server.connections == 1
        assert "trouble" not in {item.what for item in news}


async def test_it_says_good_bye(server):
    async with running(server):
        await ready(server)
    assert server.states() == ["ready", "disconnected"]


async def test_an_unknown_display_ends_the_program_with_its_name(server):
    async with Service(server.url, "d-nowhere", Cookies(None)) as service:
        with pytest.raises(SimulatorError, match="d-nowhere"):
            await Kiosk(server.url, "d-nowhere", service, lambda _: None).run()


@pytest.mark.parametrize("trusted", [True, False])
async def test_over_tls_it_shows_for_a_server_whose_ca_it_knows_and_tells_another_nothing(tmp_path, trusted):
    pki, other = PkiStore(tmp_path / "own"), PkiStore(tmp_path / "other")
    for store in (pki, other):
        store.create("demo", utc_now())
    pki.issue(LISTENER, utc_now(), 365, ("127.0.0.1",))
    certificate, key = pki.pair(LISTENER)
    async with serving(KioskServer(), ssl_certfile=certificate, ssl_keyfile=key) as app:
        assert app.url.startswith("https:")
        app.paired, news = True, []
        tls = open_tls(app.url, (pki if trusted else other).ca)
        async with Service(app.url, "d-door", Cookies(None), tls=tls) as service:
            task = asyncio.create_task(Kiosk(app.url, "d-door", service, news.append).run())
            if trusted:
                await app.until(lambda: "ready" in app.states())
                assert (app.handshake["origin"], app.handshake["host"]) == (app.url, app.url.removeprefix("https://"))
            else:
                async with asyncio.timeout(WAIT_S):
                    while not news:
                        await asyncio.sleep(0.01)
                assert "CERTIFICATE_VERIFY_FAILED" in news[0].text
                assert (app.polls, app.connections) == (0, 0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_a_ca_that_is_none_or_is_not_needed_is_one_line(tmp_path):
    (tmp_path / "ca.pem").write_text("x")
    for url, says in (("https://tacet.shop.example", "ca.pem"), ("http://127.0.0.1:8000", "--ca")):
        with pytest.raises(SimulatorError, match=says):
            open_tls(url, tmp_path / "ca.pem")


async def test_an_absent_server_is_waited_for(server):
    async with Service("http://127.0.0.1:9", "d-door", Cookies(None)) as service:
        said = asyncio.Event()
        kiosk = Kiosk(
            "http://127.0.0.1:9", "d-door", service, lambda news: said.set() if news.what == "trouble" else None
        )
        task = asyncio.create_task(kiosk.run())
        await asyncio.wait_for(said.wait(), WAIT_S)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_cookies_that_others_can_read_are_refused(tmp_path):
    path = tmp_path / "cookies.json"
    path.write_text("{}")
    path.chmod(0o644)
    with pytest.raises(SimulatorError, match="chmod 600"):
        Cookies(path)
    path.chmod(0o600)
    path.write_text("no json")
    with pytest.raises(SimulatorError, match="paired again"):
        Cookies(path)


def test_a_folder_where_the_cookie_file_should_be_is_one_line(tmp_path):
    tmp_path.chmod(0o700)
    with pytest.raises(SimulatorError, match="Is a directory"):
        Cookies(tmp_path)
