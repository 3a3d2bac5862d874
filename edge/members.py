"""The leased member table: fetched from the server, kept on disk so that recognition survives a restart within the lease."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import httpx

from broker_config.errors import MessageError
from broker_config.identity import Credential, write_private
from broker_config.member_table import MemberTable, unpack_members
from edge.backoff import Backoff

log = logging.getLogger(__name__)
REFRESH_S = 3600.0  # also without an announcement, so that the lease is renewed
TIMEOUT_S = 10.0
MAX_TABLE_BYTES = 512 << 20


class Members:
    """Keeps the agent's member table current.

    Args:
        path: the file that holds the last table, 0600, swapped whole.
        server: address of the site server.
        apply: called on the loop with each new table.
        transport: tests put their own server here.
    """

    def __init__(
        self,
        path: Path,
        server: str,
        credential: Credential,
        apply: Callable[[MemberTable], None],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.version = 0
        self.leased_until_ns = 0
        self._path, self._apply, self._transport = path, apply, transport
        self._url = f"{server}/api/edge/{credential.id}/members"
        self._auth = httpx.BasicAuth(credential.user, credential.password)
        self._wanted = asyncio.Event()
        self._etag: str | None = None

    def offered(self, version: int) -> None:
        """The server announced a table."""
        if version != self.version:
            self._wanted.set()

    def load(self) -> None:
        """Apply the table of the last run, where there is one; a damaged file is reported and counts as none."""
        try:
            table = unpack_members(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, MessageError) as error:
            log.warning("member table %s cannot be used (%s); waiting for the server's", self._path, error)
            return
        self._use(table)

    async def run(self) -> None:
        """Fetch at start, when announced and each hour; retried with growing delays, for ever."""
        backoff = Backoff()
        async with httpx.AsyncClient(
            auth=self._auth, timeout=TIMEOUT_S, transport=self._transport, trust_env=False
        ) as client:
            while True:
                self._wanted.clear()
                trouble = await self._fetch(client)
                if trouble is None:
                    backoff.reset()
                    await self._wait(REFRESH_S)
                else:
                    log.info("member table not fetched: %s", trouble)
                    await asyncio.sleep(backoff.next_delay_s())

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
            answer = await client.get(self._url, headers=headers)
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return None
            answer.raise_for_status()
            if len(answer.content) > MAX_TABLE_BYTES:
                return f"{len(answer.content)} bytes are more than this agent takes"
            table = unpack_members(answer.content)
            await asyncio.to_thread(write_private, self._path, answer.content)
        except (httpx.HTTPError, MessageError, OSError) as error:
            return f"{self._url}: {error or type(error).__name__}"
        self._etag = answer.headers.get("ETag")
        self._use(table)
        return None

    def _use(self, table: MemberTable) -> None:
        self.version, self.leased_until_ns = table.version, table.leased_until_ns
        log.info("member table %s in force: %s cards", table.version, len(table))
        self._apply(table)
