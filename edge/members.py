"""The leased member table: fetched from the server, kept on disk so that recognition survives a restart within the lease."""

import asyncio
import logging
import sqlite3
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx

from broker_config.backoff import Backoff
from broker_config.errors import MessageError
from broker_config.identity import Credential
from broker_config.member_table import ERASED_HEADER
from edge.at_rest import AtRest
from edge.clock import NS_PER_S
from edge.member_file import IncomingTable, OpenedMembers, member_path, open_members, remove_others
from readers.model import ClockNs

log = logging.getLogger(__name__)
PURPOSE = "members"
REFRESH_S = 3600.0  # also without an announcement, so that the lease is renewed
TIMEOUT_S = 10.0
BEGIN_S = 2.0
MAX_TABLE_BYTES = 512 << 20
CHUNK_BYTES = 1 << 20
UNKNOWN = "the server does not know our password; was the credential made anew? carry it over, and restart the agent"


class Members:
    """Keeps the agent's member table current.  Ten million cards cost the event loop no more than a hundred do.

    Args:
        folder: where the last table is kept, 0600, swapped whole.
        server: address of the site server.
        apply: called on the loop with each new table.
        transport: tests put their own server here.
        trust: whose certificates may vouch for the server.
        on_erased: awaited after each fetch with the newest erasure, and the table in force, which takes it into account.
    """

    def __init__(
        self,
        folder: Path,
        server: str,
        credential: Credential,
        apply: Callable[[OpenedMembers], None],
        clock_ns: ClockNs,
        transport: httpx.AsyncBaseTransport | None = None,
        on_erased: Callable[[int, OpenedMembers], Awaitable[None]] | None = None,
        *,
        trust: ssl.SSLContext | bool,
    ) -> None:
        assert credential.match_key is not None
        self.version = 0
        self.leased_until_ns = 0
        """By our own clock, as reads are dated."""
        self.refused = 0
        """Tables that were foreign, damaged or out of date."""
        self._at_rest = AtRest(credential, PURPOSE)
        self._path = member_path(folder, bytes.fromhex(credential.match_key))
        self._apply, self._clock_ns, self._transport, self._on_erased = apply, clock_ns, transport, on_erased
        self._skew_ns = 0
        self._url = f"{server}/api/edge/{credential.id}/members"
        self._auth, self._trust = httpx.BasicAuth(credential.user, credential.password), trust
        self._wanted = asyncio.Event()
        self._etag: str | None = None
        self._members: OpenedMembers | None = None

    def offered(self, version: int) -> None:
        """The server announced a table."""
        if version != self.version:
            self._wanted.set()

    async def begin(self) -> None:
        """The server's table where it answers at once, so that who was erased meanwhile is matched no more; else the last run's."""
        with suppress(TimeoutError):
            async with asyncio.timeout(BEGIN_S), self._client() as client:
                if await self._fetch(client) is None:
                    remove_others(self._path)
                    return
        self.load()

    def load(self) -> None:
        """Apply the table of the last run, where there is one; one that cannot be used is reported and counts as none."""
        try:
            remove_others(self._path)
            members = open_members(self._path, self._at_rest)
        except FileNotFoundError:
            return
        except (OSError, MessageError) as error:
            self._refuse(str(error))
            return
        if members.leased_until_ns <= self._clock_ns():
            self._path.unlink(missing_ok=True)  # nobody agreed to be on this disk for longer
            self._refuse("its lease has ended")
            return
        self._use(members)

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        log.warning("member table %s cannot be used (%s); waiting for the server's", self._path, reason)

    async def run(self) -> None:
        """Fetch at start, when announced and each hour; retried with growing delays, for ever."""
        backoff = Backoff()
        async with self._client() as client:
            while True:
                self._wanted.clear()
                trouble = await self._fetch(client)
                if trouble is None:
                    backoff.reset()
                    await self._wait(REFRESH_S)
                else:
                    log.info("member table not fetched: %s", trouble)
                    await asyncio.sleep(backoff.next_delay_s())

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            auth=self._auth, timeout=TIMEOUT_S, transport=self._transport, trust_env=False, verify=self._trust
        )

    async def _wait(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wanted.wait()
        except TimeoutError:
            return

    async def _fetch(self, client: httpx.AsyncClient) -> str | None:
        """Take the server's table over; what went wrong otherwise."""
        headers = {} if self._etag is None else {"If-None-Match": self._etag}
        try:
            async with client.stream("GET", self._url, headers=headers) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    return await self._erase(answer)
                answer.raise_for_status()
                members = await self._receive(answer)
        except MessageError as error:
            self.refused += 1
            return f"{self._url}: {error}"
        except httpx.HTTPStatusError as error:
            code = error.response.status_code
            return f"{self._url}: {UNKNOWN if code == httpx.codes.UNAUTHORIZED else f'answer {code}'}"
        except (httpx.HTTPError, OSError) as error:
            return f"{self._url}: {error or type(error).__name__}"
        self._etag = answer.headers.get("ETag")
        retired = [self._members]
        self._use(members)
        await asyncio.to_thread(retired.clear)  # unmapping hundreds of megabytes takes a while
        return await self._erase(answer)

    async def _erase(self, answer: httpx.Response) -> str | None:
        """Let the newest erasure be applied that the table in force takes into account; what went wrong otherwise."""
        said = answer.headers.get(ERASED_HEADER, "0")
        if self._on_erased is not None and self._members is not None and said.isdecimal() and int(said):
            try:
                await self._on_erased(int(said), self._members)
            except sqlite3.OperationalError as error:
                return f"an erasure waits for its disk ({error}); free some space on it"
        return None

    async def _receive(self, answer: httpx.Response) -> OpenedMembers:
        """The answer's table, on the disk and opened.  What may wait for the disk does so in a thread."""
        with await asyncio.to_thread(IncomingTable, self._path, self._at_rest) as incoming:
            size = 0
            async for chunk in answer.aiter_bytes(CHUNK_BYTES):
                size += len(chunk)
                if size > MAX_TABLE_BYTES:
                    raise MessageError(f"more than {MAX_TABLE_BYTES} bytes are more than this agent takes")
                await asyncio.to_thread(incoming.write, chunk)
            return await asyncio.to_thread(incoming.accept)

    def _use(self, members: OpenedMembers) -> None:
        self._members, self.version, self.leased_until_ns = members, members.version, self._own_end_ns(members)
        log.info("member table %s in force: %s cards", members.version, len(members))
        self._apply(replace(members, leased_until_ns=self.leased_until_ns))

    def lease_by(self, skew_ns: int) -> None:
        """The server's clock is so far ahead of ours: one of ours that stands in 1970 must not stretch the lease."""
        self._skew_ns = skew_ns
        members = self._members
        if members is not None and abs(self._own_end_ns(members) - self.leased_until_ns) >= NS_PER_S:
            self.leased_until_ns = self._own_end_ns(members)
            self._apply(replace(members, leased_until_ns=self.leased_until_ns))

    def _own_end_ns(self, members: OpenedMembers) -> int:
        return max(members.leased_until_ns - self._skew_ns, 0)
