"""A request's body: read whole before the route sees it, no larger and no slower than its rule allows, and not a tower of JSON."""

import asyncio
import re
from collections import Counter
from urllib.parse import parse_qsl

from starlette.requests import HTTPConnection
from starlette.types import Message, Receive

from server.errors import TooLarge, TooSlow, Unprocessable

BODY_WITHIN_S = 10.0
LEAST_BYTES_PER_S = 16 * 1024
MOST_DEPTH = 16
MOST_FIELDS = 20
FORM_TYPE = "application/x-www-form-urlencoded"
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


async def read_body(connection: HTTPConnection, receive: Receive, limit_bytes: int) -> bytes:
    """The whole body.

    Raises:
        TooLarge: declared or sent.
        TooSlow: it trickles.
        Unprocessable: nested deeper than any of our calls needs.
    """
    declared = connection.headers.get("content-length", "0")
    if not (declared.isascii() and declared.isdigit()):
        raise Unprocessable("Content-Length is no number")
    if len(declared) > 18 or int(declared) > limit_bytes:
        raise TooLarge(f"the body is larger than {limit_bytes} bytes")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S + int(declared) / LEAST_BYTES_PER_S):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise TooSlow("the caller left")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit_bytes:
                    raise TooLarge(f"the body is larger than {limit_bytes} bytes")
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise TooSlow("the body does not come") from error
    body = b"".join(parts)
    check_depth(body)
    return body


def replaying(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out a body that was read already, and then whatever comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def check_depth(body: bytes) -> None:
    """Refuse JSON that nests too deep, before a parser climbs it.

    Raises:
        Unprocessable: too deep.
    """
    if body.lstrip()[:1] not in (b"[", b"{"):
        return
    depth = 0
    for found in _BRACKETS.finditer(_STRING.sub(b"", body)):
        depth += 1 if found[0] in b"[{" else -1
        if depth > MOST_DEPTH:
            raise Unprocessable(f"the body nests deeper than {MOST_DEPTH}")


def parse_form(connection: HTTPConnection, body: bytes) -> dict[str, str]:
    """The fields of a form.

    Raises:
        Unprocessable: no form, a field twice, or too many.
    """
    if connection.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise Unprocessable(f"send a form: {FORM_TYPE}")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), errors="strict",
            max_num_fields=MOST_FIELDS,
        )  # fmt: skip
    except ValueError as error:  # UnicodeDecodeError is one
        raise Unprocessable("this is no form of ours") from error
    if any(count > 1 for count in Counter(name for name, _ in pairs).values()):
        raise Unprocessable("a field came twice")
    return dict(pairs)
