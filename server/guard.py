"""What every request is held to before anything else sees it: under which name and how it came; and the headers of every answer."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker_config.hosts import is_loopback
from server.config import ServerConfig

SECURITY_HEADERS = {
    # `connect-src 'self'` covers fetch, server-sent events and, in today's browsers, the WebSocket of the same origin.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: with that a browser hides the Origin of our own forms, by which they are known.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MOST_HEAD_BYTES = 16 * 1024
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}


class RequestGuard:
    """ASGI middleware.  The Host check is what keeps a foreign page out that rebinds its own name to our address.

    This machine's own programs may use a loopback name; everybody else the one name of `address`, and TLS where it says so.
    """

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self._app = app
        public = urlsplit(config.origin)
        self._name, self._needs_tls = (public.hostname or "").lower(), public.scheme == "https"
        self._own_host = config.host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a sound request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif _size_of_head(scope) > MOST_HEAD_BYTES:
            await _refuse(scope, receive, send, 431, f"address and headers are longer than {MOST_HEAD_BYTES} bytes")
        elif (why := self._objection(scope)) is not None:
            await _refuse(scope, receive, send, 421, why)
        else:
            await self._app(scope, receive, _with_headers(scope, send))

    def _objection(self, scope: Scope) -> str | None:
        """Why it may not come this way; None where it may."""
        name = host_of(Headers(scope=scope).get("host", "")).lower()
        if _is_here(scope) and (is_loopback(name) or name == self._own_host):
            return None
        if name != self._name:
            return f"this server answers to {self._name} only"
        if self._needs_tls and scope["scheme"] not in ("https", "wss"):
            return f"ask by https://{self._name}"
        return None


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})
    else:
        await JSONResponse({"error": why}, status)(scope, receive, _with_headers(scope, send))


def _size_of_head(scope: Scope) -> int:
    """uvicorn's own limit is for heads that are not complete; one that comes at once would pass it."""
    line = len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
    return line + sum(len(name) + len(value) for name, value in scope["headers"])


def _is_here(scope: Scope) -> bool:
    """Whether the other end is this machine.  Behind a proxy `client` is whom the proxy speaks for."""
    client, server = scope.get("client"), scope.get("server")
    if client is None:
        return False
    return is_loopback(client[0]) or (server is not None and client[0] == server[0])


def _with_headers(scope: Scope, send: Send) -> Send:
    extra = SECURITY_HEADERS | (OVER_TLS if scope["scheme"] in ("https", "wss") else {})

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in extra.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]
