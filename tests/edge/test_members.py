"""The member table: fetched with the agent's own secret, kept privately, loaded again after a restart."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from broker_config.identity import make_credential
from broker_config.member_table import MemberTable, pack_members
from edge.members import Members
from tests.support.edge import eventually

CREDENTIAL = make_credential("agent", "gw-1")
TABLES = {n: pack_members(n, 9_999, [(bytes([n]) * 16, b"h" * 16)]) for n in range(1, 4)}


class Server:
    """Answers as the site server does; may be away or talk nonsense."""

    def __init__(self) -> None:
        self.version = 1
        self.answers: list[httpx.Response | Exception] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        if request.headers.get("If-None-Match") == f'"{self.version}"':
            return httpx.Response(304)
        return httpx.Response(200, content=TABLES[self.version].to_bytes(), headers={"ETag": f'"{self.version}"'})


@pytest.fixture
def server() -> Server:
    return Server()


def make(folder: Path, server: Server, applied: list[MemberTable]) -> Members:
    return Members(
        folder / "members.bin", "http://server", CREDENTIAL, applied.append, transport=httpx.MockTransport(server)
    )


@asynccontextmanager
async def running(members: Members) -> AsyncIterator[None]:
    task = asyncio.create_task(members.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_table_is_fetched_at_start_with_the_agents_secret_and_kept_privately(
    tmp_path: Path, server: Server
) -> None:
    applied: list[MemberTable] = []
    members = make(tmp_path, server, applied)
    async with running(members):
        await eventually(lambda: applied)
    assert applied == [TABLES[1]]
    assert (members.version, members.leased_until_ns) == (1, 9_999)
    assert server.requests[0].url == "http://server/api/edge/gw-1/members"
    token = base64.b64encode(f"{CREDENTIAL.user}:{CREDENTIAL.password}".encode()).decode()
    assert server.requests[0].headers["Authorization"] == f"Basic {token}"
    assert (tmp_path / "members.bin").stat().st_mode & 0o077 == 0


async def test_the_last_table_is_there_after_a_restart_without_a_server(tmp_path: Path, server: Server) -> None:
    async with running(make(tmp_path, server, first := [])):
        await eventually(lambda: first)
    again: list[MemberTable] = []
    make(tmp_path, server, again).load()
    assert again == [TABLES[1]]


@pytest.mark.parametrize("content", [b"", b"nonsense", TABLES[1].to_bytes()[:-1], b"\x00" * 200])
async def test_a_damaged_table_on_disk_counts_as_none(tmp_path: Path, server: Server, content: bytes) -> None:
    (tmp_path / "members.bin").write_bytes(content)
    applied: list[MemberTable] = []
    make(tmp_path, server, applied).load()
    assert applied == []


async def test_an_offered_version_is_fetched_and_a_known_one_is_not(tmp_path: Path, server: Server) -> None:
    applied: list[MemberTable] = []
    members = make(tmp_path, server, applied)
    async with running(members):
        await eventually(lambda: len(applied) == 1)
        members.offered(1)
        server.version = 2
        members.offered(2)
        await eventually(lambda: len(applied) == 2)
    assert applied[1] == TABLES[2]
    assert len(server.requests) == 2


async def test_an_unchanged_table_is_not_sent_again(tmp_path: Path, server: Server) -> None:
    applied: list[MemberTable] = []
    members = make(tmp_path, server, applied)
    async with running(members):
        await eventually(lambda: applied)
        members.offered(5)  # announced, but the server has no newer one yet
        await eventually(lambda: len(server.requests) == 2)
    assert len(applied) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(503),
        httpx.Response(401),
        httpx.Response(200, content=b"nonsense"),
        httpx.Response(200, content=TABLES[3].to_bytes()[:-4]),
    ],
)
async def test_trouble_is_retried_and_the_old_table_stays(
    tmp_path: Path, server: Server, trouble: httpx.Response | Exception
) -> None:
    server.answers = [trouble]
    applied: list[MemberTable] = []
    async with running(make(tmp_path, server, applied)):
        await eventually(lambda: applied)
    assert applied == [TABLES[1]]
    assert len(server.requests) == 2
