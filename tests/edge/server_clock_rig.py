"""A host and a server whose clocks a test sets, with a line between them whose delay is known."""

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from broker_config.command_mac import sign_time
from broker_config.identity import make_credential
from edge.clock import Clock
from edge.server_clock import ServerClock

S = 1_000_000_000
CREDENTIAL = make_credential("agent", "gw-1")
KEY = bytes.fromhex(CREDENTIAL.command_key or "")


@dataclass
class World:
    """A host whose wall clock can be set, and a server on a line whose delay is known."""

    monotonic_ns: int = 50 * S
    wall_ns: int = 1_700_000_000 * S
    server_ahead_ns: int = 3_600 * S
    out_ns: int = 4_000_000
    back_ns: int = 2_000_000
    answers: bool = True
    sign: Callable[[str, str, int], str] = lambda who, nonce, utc_us: sign_time(who, nonce, utc_us, KEY)
    troubles: list[str | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock(lambda: self.wall_ns, lambda: self.monotonic_ns)
        transport = httpx.MockTransport(self._answer)
        self.http = httpx.AsyncClient(transport=transport)
        self.time = ServerClock("http://server", CREDENTIAL, self.clock, self.troubles.append, transport, trust=True)

    @property
    def server_ns(self) -> int:
        return self.clock() + self.server_ahead_ns

    def go(self, ns: int) -> None:
        self.monotonic_ns += ns
        self.wall_ns += ns

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if not self.answers:
            raise httpx.ConnectError("away")
        self.go(self.out_ns)
        utc_us, asked = self.server_ns // 1000, request.url.params
        self.go(self.back_ns)
        mac = self.sign(asked["who"], asked["nonce"], utc_us)
        return httpx.Response(200, json={"utc_ms": utc_us / 1000, "utc_us": utc_us, "mac": mac})
