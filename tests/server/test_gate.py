"""What is held to a limit before a route sees it: bodies, time, pace, names, and where a request comes from."""

import asyncio

import httpx
import msgspec
import pytest
from starlette.responses import JSONResponse

from server.access import body as bodies
from server.access.gate import Gate
from server.access.pages import where_to
from server.access.table import ROUTES, Rule
from server.config import ServerConfig, load_config
from server.decisions.service import DecisionService
from server.errors import Unprocessable
from server.guard import RequestGuard
from tests.support.callers import ORIGIN, World, peopled

SHOP = "https://tacet.shop.example"


@pytest.fixture
async def world(tmp_path):
    async with peopled(tmp_path) as made:
        yield made


def owner(world: World) -> dict[str, str]:
    return world.callers["token"].headers


async def consent(world: World, content, **headers: str) -> httpx.Response:
    sent = owner(world) | {"Content-Type": "application/json"} | headers
    return await world.client.post("/api/members/m-1/consent", headers=sent, content=content)


async def test_a_body_that_no_call_needs_is_refused_before_it_is_parsed(world):
    most = ROUTES["POST /api/members/{member}/consent"].body_bytes

    async def trickle():
        for _ in range(most // 4096 + 1):
            yield b" " * 4096

    for content, status in (
        (b"x" * (most + 1), 413),
        (trickle(), 413),
        (b'{"purpose":' * 5000, 422),
        (b"[" * 60_000, 422),
        (b'{"purpose": "recognise", "granted": ' + b"[" * 17 + b"]" * 17 + b"}", 422),
        (b'"' + b"[" * 60_000 + b'"', 422),
        (b"\xff\xfe", 422),
        (b'{"purpose": "\\ud800", "granted": true}', 422),
        (b'{"\\ud800": 1, "purpose": "recognise", "granted": true}', 422),
        (b'{"purpose": NaN, "granted": true}', 422),
    ):
        answer = await consent(world, content)
        assert (answer.status_code in (status, 400), list(answer.json())) == (True, ["error"]), (content, answer.text)


@pytest.mark.parametrize("body", [b"[" * 17, b'  {"a":' * 17, b'["]",' * 17, b'{"\\"": [[[[[[[[[[[[[[[['])
def test_json_that_nests_too_deep_is_refused_before_a_parser_climbs_it(body):
    with pytest.raises(Unprocessable, match="deeper than 16"):
        bodies.check_depth(body)


async def test_brackets_inside_texts_are_no_depth():
    bodies.check_depth(b'{"a": "[[[[[[[[[[[[[[[[[[[[\\"[[[[[[[[["}')
    bodies.check_depth(b"card,alias\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[")
    bodies.check_depth(b"[" * 16 + b"]" * 16)


async def test_what_is_wrong_is_said_without_repeating_what_came(world):
    answer = await consent(world, b'{"purpose": "River likes running", "granted": "2d14257bf52cb6916d000000"}')
    assert answer.status_code == 422
    assert "purpose" in answer.json()["error"]
    assert "River" not in answer.text
    assert "2d14" not in answer.text


async def test_a_body_that_does_not_come_is_given_up(world, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_WITHIN_S", 0.05)

    async def stalls():
        yield b"{"
        await asyncio.sleep(60)

    answer = await consent(world, stalls())
    assert (answer.status_code, answer.json()) == (408, {"error": "the body does not come"})


async def test_a_call_that_hangs_is_given_up(world, monkeypatch):
    async def hangs(_self, _limit: int):
        await asyncio.sleep(60)

    monkeypatch.setattr(DecisionService, "latest", hangs)
    gate = world.client._transport.app.middleware_stack
    while not isinstance(gate, Gate):
        gate = gate.app if hasattr(gate, "app") else gate._app
    rules = next(rules for route, rules in gate._routes if getattr(route, "path", "") == "/api/decisions")
    rules["GET"] = Rule(frozenset({"owner"}), within_s=0.05)
    answer = await world.client.get("/api/decisions", headers=owner(world))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_too_fast_is_429_with_when_to_come_back_and_only_for_who_was(world):
    burst = round(world.state.config.pace.burst)
    world.clock.pass_s(60)
    answers = [await world.client.get("/time") for _ in range(burst + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {200}
    assert (answers[-1].status_code, int(answers[-1].headers["retry-after"]) >= 1) == (429, True)
    assert (await world.client.get("/api/summary", headers=owner(world))).status_code == 200
    world.clock.pass_s(2)
    assert (await world.client.get("/time")).status_code == 200


async def test_guesses_at_a_credential_are_paced_like_any_strangers_requests(world):
    burst = round(world.state.config.pace.burst)
    world.clock.pass_s(60)
    guess = {"Authorization": "Bearer guess"}
    answers = [(await world.client.get("/api/members", headers=guess)).status_code for _ in range(burst + 1)]
    assert (set(answers[:-1]), answers[-1]) == ({401}, 429)


async def test_a_forms_body_is_a_form(world):
    headers = world.callers["owner"].headers | {"Origin": ORIGIN}
    token = world.callers["owner"].token
    for content, content_type in (
        (b'{"token": "x"}', "application/json"),
        (f"token={token}&token={token}".encode(), bodies.FORM_TYPE),
        (b"token=%ff", bodies.FORM_TYPE),
        (b"token", bodies.FORM_TYPE),
        ("&".join(f"f{n}=1" for n in range(40)).encode(), bodies.FORM_TYPE),
        ("token=é".encode(), bodies.FORM_TYPE),
    ):
        answer = await world.client.post(
            "/account/others", headers=headers | {"Content-Type": content_type}, content=content
        )
        assert answer.status_code == 422, content


async def test_personal_pages_stay_in_nobodys_cache_and_out_of_foreign_frames(world):
    for path in ("/", "/account", "/api/members", "/sign-in", "/nowhere"):
        headers = (await world.client.get(path, headers=world.callers["owner"].headers)).headers
        assert headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "geolocation=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers, "this came without TLS"


@pytest.mark.parametrize(
    "wanted",
    ["", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\r\nX: 1", "/é"],
)
def test_signing_in_leads_nowhere_else(wanted):
    assert where_to(wanted, "/home") == "/home"
    assert where_to("/decisions/x?lang=en", "/home") == "/decisions/x?lang=en"


async def test_signing_in_gives_a_cookie_and_leads_to_where_one_was_going(world):
    secret, _ = await world.state.access.staff.make_link("owner", "password")
    await world.state.access.staff.use_link(secret, "seven quiet otters hum")
    form = {"name": " Owner ", "password": "seven quiet otters hum", "next": "/decisions/x"}
    answer = await world.client.post("/sign-in", headers={"Origin": ORIGIN}, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/decisions/x")
    assert "httponly" in answer.headers["set-cookie"].lower()
    form["password"] = "seven quiet otters"
    answer = await world.client.post("/sign-in", headers={"Origin": ORIGIN}, data=form)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert "Name or password is wrong." in answer.text


async def test_a_partner_who_asked_for_the_stores_page_lands_on_a_page_of_their_own(world):
    secret, _ = await world.state.access.staff.make_link("brand", "password")
    await world.state.access.staff.use_link(secret, "seven quiet otters hum")
    form = {"name": "brand", "password": "seven quiet otters hum", "next": "/"}
    answer = await world.client.post("/sign-in", headers={"Origin": ORIGIN}, data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


async def test_a_stranger_is_led_to_the_sign_in_page_and_back(world):
    answer = await world.client.get("/decisions/x?lang=zh-Hant")
    assert answer.headers["location"] == "/sign-in?next=/decisions/x%3Flang%3Dzh-Hant&lang=zh-Hant"
    page = await world.client.get(answer.headers["location"])
    assert 'value="/decisions/x?lang=zh-Hant"' in page.text
    assert "登入" in page.text


async def test_who_sent_a_form_after_the_sessions_end_is_told_that_it_was_not_taken_and_led_back_to_its_page(world):
    forms = {
        "/account/password?lang=en": "/sign-in?ended=1&next=/account&lang=en",
        "/staff/ming/remove?lang=en": "/sign-in?ended=1&next=/staff&lang=en",
        "/me/wishes?lang=en": "/me?ended=1&lang=en",
    }
    for path, door in forms.items():
        answer = await world.client.post(path, headers={"Origin": ORIGIN}, data={"token": "x"})
        assert answer.headers["location"] == door
        assert "was not taken" in (await world.client.get(door)).text
    out = await world.client.post("/sign-out", headers={"Origin": ORIGIN}, data={"token": "x"})
    assert out.headers["location"] == "/sign-in?next=", "nothing was lost by signing out twice"


async def test_removing_somebody_is_asked_twice_and_told(world):
    caller = world.callers["owner"]
    headers = caller.headers | {"Origin": ORIGIN}
    page = (await world.client.get("/staff?lang=en", headers=headers)).text
    assert page.count("<details>") == page.count("/remove?") > 0, "the button is behind a first step"
    answer = await world.client.post("/staff/ming/remove?lang=en", headers=headers, data={"token": caller.token})
    assert "ming is signed out everywhere and may sign in no more." in answer.text


async def test_signing_out_ends_the_session_and_the_cookie(world):
    caller = world.callers["staff"]
    headers = caller.headers | {"Origin": ORIGIN}
    answer = await world.client.post("/sign-out", headers=headers, data={"token": caller.token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert 'tacet-18080=""' in answer.headers["set-cookie"]
    assert (await world.client.get("/api/summary", headers=caller.headers)).status_code == 401


def outward(store, **changes: object) -> ServerConfig:
    config = load_config(store / "server.toml")
    return msgspec.structs.replace(config, **({"address": SHOP, "trusted_proxy": "10.0.0.4"} | changes))


@pytest.mark.parametrize(
    ("peer", "scheme", "host", "status"),
    [
        ("203.0.113.9", "https", "tacet.shop.example", 200),
        ("203.0.113.9", "https", "TACET.shop.example:443", 200),
        ("203.0.113.9", "http", "tacet.shop.example", 421),
        ("203.0.113.9", "https", "evil.example", 421),
        ("203.0.113.9", "https", "127.0.0.1:18080", 421),
        ("203.0.113.9", "https", "", 421),
        ("127.0.0.1", "http", "127.0.0.1:18080", 200),
        ("127.0.0.1", "http", "localhost", 200),
        ("127.0.0.1", "http", "tacet.shop.example", 421),
        ("10.0.0.9", "http", "10.0.0.9", 421),
    ],
)
async def test_others_come_over_tls_by_the_one_name_and_only_this_machine_by_another(store, peer, scheme, host, status):
    transport = httpx.ASGITransport(RequestGuard(JSONResponse({}), outward(store)), client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://192.0.2.1") as client:
        answer = await client.get("/", headers={"Host": host})
    assert answer.status_code == status
    assert ("strict-transport-security" in answer.headers) == (scheme == "https")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ('host = "0.0.0.0"', "unencrypted"),
        ('host = "192.168.1.2"', "unencrypted"),
        ('host = "::"', "unencrypted"),
        ('host = "shop.example"', "unencrypted"),
        ('host = "0.0.0.0"\ntrusted_proxy = "10.0.0.4"', "address ="),
        ('host = "127.0.0.1"\ntrusted_proxy = "127.0.0.1"', "address ="),
        ('host = "0.0.0.0"\ntrusted_proxy = "10.0.0.4"\naddress = "http://shop.example"', "address ="),
        ('host = "127.0.0.1"\ntrusted_proxy = "the proxy"', "trusted_proxy must be"),
        ('host = "127.0.0.1"\naddress = "shop.example"', "without a path"),
        ('host = "127.0.0.1"\naddress = "https://shop.example/x"', "without a path"),
    ],
)
def test_what_would_send_passwords_unencrypted_is_refused_in_one_line(store, changes, words):
    path = store / "server.toml"
    path.write_text(path.read_text().replace('host = "127.0.0.1"', changes, 1))
    with pytest.raises(Exception, match=words) as refused:
        load_config(path)
    assert "\n" not in str(refused.value)
