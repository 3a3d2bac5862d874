"""The gate's parts by themselves: whose page asks, with which token, and how a body is read."""

import asyncio

import pytest
from starlette.requests import HTTPConnection

from server.access import body as bodies
from server.access.body import parse_form, read_body, replaying
from server.access.origin import check_form_token, check_source
from server.access.principal import Principal, Session
from server.errors import Refused, TooLarge, TooSlow, Unprocessable

OWN = "https://tacet.shop.example"
PROGRAM = Principal("owner", "token", "owner")
BROWSER = Principal("owner", "owner", "owner", Session(b"id", "staff", "owner", 0, 0, 1, 1), "the token")


def asked(method: str = "POST", kind: str = "http", scheme: str = "https", **headers: str) -> HTTPConnection:
    given = {"host": "tacet.shop.example"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTPConnection(
        {
            "type": kind, "method": method, "scheme": scheme, "path": "/", "query_string": b"", "server": None,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("connection", "who", "form", "passes"),
    [
        (asked(), PROGRAM, False, True),
        (asked(), None, False, True),
        (asked(), BROWSER, False, False),
        (asked(), None, True, False),
        (asked(), PROGRAM, True, False),
        (asked(origin=OWN), BROWSER, True, True),
        (asked(sec_fetch_site="same-origin"), BROWSER, True, True),
        (asked(origin=OWN, sec_fetch_site="same-origin"), BROWSER, True, True),
        (asked(origin=OWN, sec_fetch_site="cross-site"), BROWSER, True, False),
        (asked(origin=OWN, sec_fetch_site="same-site"), BROWSER, False, False),
        (asked(origin="https://evil.example", sec_fetch_site="same-origin"), BROWSER, True, False),
        (asked(origin="https://evil.example"), PROGRAM, False, False),
        (asked(origin="https://evil.example"), None, False, False),
        (asked(sec_fetch_site="none"), None, False, False),
        (asked(origin="null"), BROWSER, True, False),
        (asked(origin="http://tacet.shop.example"), BROWSER, True, False),
        (asked(origin=OWN + ":8443"), BROWSER, True, False),
        (asked(method="DELETE"), BROWSER, False, False),
        (asked(method="GET", origin="https://evil.example"), BROWSER, False, True),
        (asked(method="HEAD"), BROWSER, False, True),
        (asked(method="OPTIONS"), BROWSER, False, True),
        (asked(kind="websocket", scheme="wss"), BROWSER, False, True),
    ],
)
def test_only_our_own_page_changes_anything_in_a_browsers_name(
    connection: HTTPConnection, who: Principal | None, form: bool, passes: bool
) -> None:
    if passes:
        check_source(connection, who, form=form)
    else:
        with pytest.raises(Refused, match="own pages"):
            check_source(connection, who, form=form)


def test_a_signed_in_browsers_form_has_its_sessions_token() -> None:
    check_form_token(BROWSER, {"token": "the token"})
    check_form_token(PROGRAM, {"token": "none that we gave"})
    check_form_token(None, {})
    for token in ({}, {"token": ""}, {"token": "The token"}, {"token": "the token "}, {"token": "é"}):
        with pytest.raises(Refused, match="out of date"):
            check_form_token(BROWSER, token)


async def read(*parts: bytes, limit_bytes: int = 8, declared: str | None = None, ends: bool = True) -> bytes:
    """A body as the gate reads it, in these parts; without an end the caller leaves."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request"} if ends else {"type": "http.disconnect"})

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    headers = {} if declared is None else {"content_length": declared}
    return await read_body(asked(**headers), receive, limit_bytes)


async def test_a_body_is_read_up_to_its_limit_and_not_a_byte_more() -> None:
    assert await read(b"1234", b"5678") == b"12345678"
    assert await read(b"1234", declared="8") == b"1234"
    assert await read() == b""
    for parts in ((b"123456789",), (b"12345678", b"9")):
        with pytest.raises(TooLarge, match="than 8 bytes"):
            await read(*parts)
    for declared in ("9", "9" * 5_000, "0" * 19):
        with pytest.raises(TooLarge, match="than 8 bytes"):
            await read(declared=declared)
    for declared in ("-1", "²", "8 bytes", "0x8", "", "+8"):
        with pytest.raises(Unprocessable, match="no number"):
            await read(declared=declared)
    with pytest.raises(TooSlow, match="left"):
        await read(b"12", ends=False)
    with pytest.raises(Unprocessable, match="deeper"):
        await read(b"[" * 17, limit_bytes=100)


async def test_a_large_body_has_longer_to_come_than_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    wait = asyncio.timeout
    monkeypatch.setattr(bodies.asyncio, "timeout", lambda seconds: wait(given.append(seconds)))
    await read(declared="0")
    await read(declared=str(1 << 20), limit_bytes=1 << 20)
    assert given == [10.0, 10.0 + 64]


async def test_what_was_read_is_handed_on_once_and_then_whatever_comes() -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    again = replaying(b"all of it", receive)
    assert await again() == {"type": "http.request", "body": b"all of it", "more_body": False}
    assert await again() == {"type": "http.disconnect"}


def test_a_form_says_that_it_is_one_and_each_field_once() -> None:
    form = asked(content_type="application/x-www-form-urlencoded; charset=utf-8")
    assert parse_form(form, b"a=1&b=&c=%E8%B6%8A+x") == {"a": "1", "b": "", "c": "越 x"}
    assert parse_form(form, b"") == {}
    for body in (b"a=1&a=2", b"a", b"a=1&", b"a=%ff", "a=é".encode(), b"&".join(b"f%d=1" % n for n in range(21))):
        with pytest.raises(Unprocessable):
            parse_form(form, body)
    for other in (asked(), asked(content_type="text/plain"), asked(content_type="multipart/form-data")):
        with pytest.raises(Unprocessable, match="send a form"):
            parse_form(other, b"a=1")
