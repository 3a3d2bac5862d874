"""What the demo asks of the server, over HTTP like anybody else."""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

Json = dict[str, Any]
POLL_S = 0.2


class DemoClient:
    """The owner's calls to the demo's server.

    Args:
        token_file: where the server writes the owner's token at its first start.
    """

    def __init__(self, url: str, token_file: Path) -> None:
        self._token_file = token_file
        self._http = httpx.AsyncClient(base_url=url, timeout=5.0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def is_ready(self) -> bool:
        """Whether the server answers and has reached its broker."""
        try:
            return (await self._http.get("/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def status(self) -> Json:
        return await self._get("/api/status")

    async def summary(self) -> Json:
        return await self._get("/api/summary")

    async def decisions(self, limit: int) -> list[Json]:
        """The newest decisions, newest first."""
        answer = await self._http.get("/api/decisions", params={"limit": limit}, headers=self._owner())
        answer.raise_for_status()
        decisions: list[Json] = answer.json()
        return decisions

    async def import_members(self, csv: bytes) -> Json:
        """Raises:
        httpx.HTTPError: the server is gone or refuses.
        """
        headers = {**self._owner(), "Content-Type": "text/csv"}
        answer = await self._http.post("/api/members/import", content=csv, headers=headers)
        answer.raise_for_status()
        report: Json = answer.json()
        return report

    async def sign_in_link(self, known: str) -> str:
        """An address that opens the floor page, signed in; it works once, so a used one is replaced.

        Args:
            known: the link there is; empty: none yet.
        """
        if known and (await self._http.get(known)).is_success:
            return known
        answer = await self._http.post("/api/staff/owner/link", json={"purpose": "sign-in"}, headers=self._owner())
        answer.raise_for_status()
        link: str = answer.json()["link"]
        return link

    async def approve_pairings(self) -> None:
        """Approve every screen that asks, for as long as the demo runs: here the owner and the shopper are one person."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                waiting = await self._http.get("/api/pairings", headers=self._owner())
                for pairing in waiting.json() if waiting.is_success else []:
                    await self._http.post(f"/api/pairings/{pairing['code']}/approve", headers=self._owner())
            await asyncio.sleep(POLL_S)

    async def _get(self, path: str) -> Json:
        answer = await self._http.get(path, headers=self._owner())
        answer.raise_for_status()
        body: Json = answer.json()
        return body

    def _owner(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token_file.read_text(encoding='ascii').strip()}"}
