"""Requests drawn from the server's own description, sent as everybody: no crash, no 5xx, no word that is not the caller's.

`TACET_API_EXAMPLES=20000` makes it a long run; a failure prints what to send again.
"""

import asyncio
import os
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import msgspec
import pytest
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from server import summary
from server.access.table import ROUTES
from server.app import ROUTERS
from tests.support.callers import DISPLAYS, ORIGIN, World, peopled
from tests.support.from_openapi import TEXTS, bodies, fitting

EXAMPLES = int(os.environ.get("TACET_API_EXAMPLES", "600"))
FOLLOWED = {name for name, rule in ROUTES.items() if rule.within_s is None or name.startswith("WEBSOCKET")}
NAMES = sorted(ROUTES.keys() - FOLLOWED)
WIRE_TYPES = {
    "GET /api/status": summary.Status,
    "GET /api/summary": summary.Summary,
    "GET /me/export": dict[str, list[object]],
}
HEADERS_OF_ALL = ("content-security-policy", "x-content-type-options", "cache-control", "referrer-policy")
# They wait for the broker, and this server has none.
WITHOUT_A_BROKER = {"GET /readyz", "POST /api/transactions/settled"}
LONG_GONE = "m-0000000000000000"


@pytest.fixture
def world(tmp_path) -> Iterator[tuple[World, asyncio.Runner]]:
    with asyncio.Runner() as runner:
        opened = peopled(tmp_path)
        made = runner.run(opened.__aenter__())
        try:
            yield made, runner
        finally:
            runner.run(opened.__aexit__(None, None, None))


def models() -> dict[str, object]:
    """What each call promises to answer."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}": route.response_model for route in routes for method in route.methods or ()}


@st.composite
def calls(draw: st.DrawFn, world: World, document: dict) -> tuple[str, str, str, dict[str, str], bytes]:
    """A route's name, who asks, and the request."""
    name = draw(st.sampled_from(NAMES))
    method, _, path = name.partition(" ")
    caller = world.callers[draw(st.sampled_from(sorted(world.callers)))]
    known = {
        "member": [*world.members, LONG_GONE],
        "agent": ["gw-1", "gw-2"],
        "display": ["d-door", "d-till"],
        "display_id": ["d-door"],
        "decision": [world.decision],
        "name": ["nobody"],  # an account that is removed would end the run
    }
    parts = []
    for part in path.split("/"):
        own = known.get(part.strip("{}"), [])
        drawn = st.sampled_from(own) | TEXTS if own else TEXTS
        text = quote(draw(drawn).encode("utf-8", "surrogatepass"), safe="").replace(".", "%2E")  # `..` would be gone up
        parts.append(text if part.startswith("{") else part)
    operation = document["paths"].get(path, {}).get(method.lower(), {})
    asked = [parameter for parameter in operation.get("parameters", ()) if parameter["in"] == "query"]
    query = {p["name"]: draw(TEXTS | st.just("20") | fitting(p["schema"], document).map(str)) for p in asked}
    query |= draw(st.dictionaries(st.sampled_from(["lang", "next", "readmit"]), TEXTS, max_size=2))
    url = "/".join(parts) + (
        "?" + "&".join(f"{k}={quote(v.encode('utf-8', 'replace'))}" for k, v in query.items()) if query else ""
    )
    headers = dict(caller.headers)
    body = b""
    if ROUTES[name].form and draw(st.booleans()):
        fields = {"token": caller.token} | draw(
            st.dictionaries(st.sampled_from(["name", "password", "old", "new", "role", "next"]), TEXTS)
        )
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": ORIGIN}
        body = "&".join(f"{k}={quote(v.encode('utf-8', 'replace'))}" for k, v in fields.items()).encode()
    elif method != "GET":
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        content_type, body = draw(bodies(schema, document))
        if content_type is not None:
            headers["Content-Type"] = content_type.encode("latin-1").decode("latin-1")
    if draw(st.integers(0, 9)) == 0:
        headers |= draw(st.dictionaries(st.sampled_from(["Accept", "Accept-Language", "Authorization", "Origin", "Cookie"]),
                                        st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=30), max_size=2))  # fmt: skip
    return name, caller.name, url, headers, body


def test_whatever_is_sent_is_answered_soundly_and_to_its_own_people_only(world, request):
    made, runner = world
    document = openapi()
    promised = models()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(call=calls(made, document))
    def hold(call: tuple[str, str, str, dict[str, str], bytes]) -> None:
        name, caller, url, headers, body = call
        made.clock.pass_s(1)
        sent = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
        asked = made.client.build_request(name.partition(" ")[0], url, headers=sent, content=body)
        answer = runner.run(made.client.send(asked))
        check_sound(name, answer, promised)
        if headers.items() >= made.callers[caller].headers.items():
            check_own(name, made, caller, answer)

    hold()


def openapi() -> dict:
    from fastapi import FastAPI

    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    return app.openapi()


def check_sound(name: str, answer: httpx.Response, promised: dict[str, object]) -> None:
    allowed = 503 if name in WITHOUT_A_BROKER else 499
    assert answer.status_code <= allowed, answer.text
    for header in HEADERS_OF_ALL:
        assert header in answer.headers
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= 400 and kind.startswith("application/json") and name != "GET /readyz":
        assert list(answer.json()) == ["error"], answer.text
        assert isinstance(answer.json()["error"], str)
    elif answer.status_code in (200, 201) and kind.startswith("application/json"):
        if name in WIRE_TYPES:
            msgspec.json.decode(answer.content, type=WIRE_TYPES[name])
        else:
            TypeAdapter(promised[name]).validate_json(answer.content)
    elif answer.status_code == 204:
        assert answer.content == b""


def check_own(name: str, made: World, caller: str, answer: httpx.Response) -> None:
    """Nobody is told what is others'."""
    role, rule = made.callers[caller].role, ROUTES[name]
    if rule.roles is not None and role not in rule.roles:
        assert answer.status_code in (303, 401, 403, 404, 405, 408, 413, 422), answer.status_code
    told = answer.text if answer.status_code < 400 else ""
    if role != "owner":
        own = made.secrets[caller] if role == "member" else frozenset()
        assert not [secret for secret in made.secrets["owner"] - own if secret in told], name
    for display in DISPLAYS:
        assert (display, caller) == ("d-door", "display") or not any(key in told for key in made.secrets[display]), name
    if role not in ("owner", "staff"):
        assert not [secret for secret in made.secrets["store"] if secret in told], name


def test_what_strangers_members_and_partners_reach_is_decided_here_once_more():
    """A line of the table that is wrong would be held to by the gate and by every other test."""
    of = {
        role: {name for name, rule in ROUTES.items() if rule.roles and role in rule.roles}
        for role in ("partner", "member", "agent")
    }
    assert {name for name, rule in ROUTES.items() if rule.roles is None} == {
        "GET /healthz", "GET /readyz", "GET /time", "GET /display/{display_id}", "POST /api/displays/{display}/pairing",
        "GET /api/displays/{display}/pairing", "GET /api/displays/{display}/key", "WEBSOCKET /mqtt", "GET /sign-in", "POST /sign-in",
        "GET /enter/{secret}", "POST /enter/{secret}", "GET /api/privacy/{request}", "GET /privacy/{number}", "GET /me",
        "POST /me/code",
    }  # fmt: skip
    assert of["partner"] == {"GET /account", "POST /account/password", "POST /account/others", "POST /sign-out"}
    assert of["member"] == {name for name in ROUTES if " /me/" in name and name != "POST /me/code"} | {"POST /sign-out"}
    assert of["agent"] == {name for name in ROUTES if " /api/edge/" in name} | {"GET /api/status"}


def test_the_description_names_every_call_and_holds_bodies_to_their_fields():
    """A body that took fields nobody asked for would be a way to set what is not the caller's."""
    document = openapi()
    described = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert described >= {name for name in ROUTES if " /api/" in name}
    bodies_of = [
        operation["requestBody"]["content"]["application/json"]["schema"]
        for item in document["paths"].values() for operation in item.values() if "requestBody" in operation
    ]  # fmt: skip
    assert bodies_of
    for schema in bodies_of:
        named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert named["additionalProperties"] is False, named["title"]
