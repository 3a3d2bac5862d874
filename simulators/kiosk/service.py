"""The server as a display sees it over HTTP: pairing, the site's name, the time."""

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import httpx
import msgspec

from simulators.errors import SimulatorError
from simulators.kiosk.cookies import Cookies
from simulators.kiosk.trust import DisplayKey

TIME_PROBES = 3
ClockS = Callable[[], float]


class Pairing(msgspec.Struct, frozen=True):
    """Whether this display is paired, its code while it is not, and whether some client shows it now."""

    paired: bool
    code: str | None = None
    connected: bool = False


class _Site(msgspec.Struct, frozen=True):
    site: str


class _Time(msgspec.Struct, frozen=True):
    utc_us: int
    mac: str | None = None


class _Key(msgspec.Struct, frozen=True):
    user: str
    key: str


def open_tls(url: str, ca: Path | None) -> ssl.SSLContext | None:
    """What a server at this address is believed by: the CA's file, or the machine's own list; None without TLS.

    Raises:
        SimulatorError: the file is no certificate, or none is needed.
    """
    if not url.startswith("https:"):
        if ca is not None:
            raise SimulatorError(f"{url}: --ca is for an https address")
        return None
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise SimulatorError(f"{ca}: not a CA's certificate that can be read: {error}") from error


class Service:
    """HTTP calls of one display, with its cookie; opened by `async with`.

    Args:
        tls: for an address with https, what the server is believed by, see `open_tls`.
        clock_s: this machine's UTC clock in seconds.
    """

    def __init__(
        self,
        url: str,
        display: str,
        cookies: Cookies,
        *,
        tls: ssl.SSLContext | None = None,
        clock_s: ClockS = time.time,
    ) -> None:
        self.tls = tls
        self._display, self._cookies, self._clock_s = display, cookies, clock_s
        self._cookie_name = f"tacet-display-{display}"
        self._offset_s = 0.0
        cookie = cookies.get(display)
        self._http = httpx.AsyncClient(
            base_url=url,
            timeout=5.0,
            trust_env=False,
            verify=tls or True,
            cookies={self._cookie_name: cookie} if cookie else None,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.__aexit__()

    @property
    def cookie_header(self) -> str:
        """What proves to `/mqtt` that this display is paired."""
        return f"{self._cookie_name}={self._http.cookies.get(self._cookie_name, '')}"

    def now(self) -> datetime:
        """UTC by the server's clock, as far as known."""
        return datetime.fromtimestamp(self._clock_s(), UTC) + timedelta(seconds=self._offset_s)

    async def ask_pairing(self) -> Pairing:
        """Paired already, or a code to show; keeps the cookie.

        Raises:
            SimulatorError: the site has no such display.
            httpx.HTTPError: the server cannot be reached or is not well.
        """
        response = await self._http.post(f"/api/displays/{self._display}/pairing")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise SimulatorError(f"{self._http.base_url}: the site has no display {self._display!r}; see its site.toml")
        response.raise_for_status()
        if cookie := response.cookies.get(self._cookie_name):
            self._http.cookies.clear()  # a kept one that the server no longer honours would stand beside it
            self._http.cookies.set(self._cookie_name, cookie)
            self._cookies.keep(self._display, cookie)
        return msgspec.json.decode(response.content, type=Pairing)

    async def pairing(self) -> Pairing:
        """What the display's cookie is worth now."""
        return msgspec.json.decode(await self._get(f"/api/displays/{self._display}/pairing"), type=Pairing)

    async def site(self) -> str:
        """The site's id, a level of every topic."""
        return msgspec.json.decode(await self._get(f"/api/displays/{self._display}/pairing"), type=_Site).site

    async def key(self) -> DisplayKey:
        """What the display checks orders with."""
        told = msgspec.json.decode(await self._get(f"/api/displays/{self._display}/key"), type=_Key)
        return DisplayKey(told.user, bytes.fromhex(told.key))

    async def sync_clock(self) -> None:
        """Estimate how far the server's clock is from ours.

        The server read its clock between question and answer, so each probe bounds the difference, and the bounds of all
        hold together.  Where they allow for no difference at all there is none to be told, as on one and the same machine.

        Raises:
            SimulatorError: an answer that the server did not sign.
        """
        key = await self.key()
        lowest_s, highest_s = float("-inf"), float("inf")
        for _ in range(TIME_PROBES):
            question, asked_s = key.question(), self._clock_s()
            heard = msgspec.json.decode(await self._get("/time", question), type=_Time)
            answered_s = self._clock_s()
            if not key.is_told(question, heard.utc_us, heard.mac):
                raise SimulatorError(f"{self._http.base_url}: somebody else tells the time in the server's place")
            lowest_s = max(lowest_s, heard.utc_us / 1e6 - answered_s)
            highest_s = min(highest_s, heard.utc_us / 1e6 - asked_s)
        self._offset_s = 0.0 if lowest_s <= 0 <= highest_s else (lowest_s + highest_s) / 2

    async def _get(self, path: str, parameters: dict[str, str] | None = None) -> bytes:
        response = await self._http.get(path, params=parameters)
        response.raise_for_status()
        return response.content
