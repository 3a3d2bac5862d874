"""The member table: fetched with the agent's own secret, kept sealed, opened again after a restart."""

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from broker_config.identity import make_credential
from broker_config.member_table import ERASED_HEADER, MemberTable, pack_members
from edge import members as members_module
from edge.at_rest import AtRest
from edge.member_file import OpenedMembers, member_path
from edge.members import Members
from tests.support.edge import ManualClock
from tests.support.patience import eventually

CREDENTIAL = make_credential("agent", "gw-1")
AT_REST = AtRest(CREDENTIAL, "members")
LEASED_UNTIL_NS = ManualClock().now_ns + 9_999
TABLES = {n: pack_members(n, LEASED_UNTIL_NS, [(bytes([n]) * 16, b"h" * 16)]) for n in range(1, 4)}
UNSORTED = MemberTable(3, LEASED_UNTIL_NS, b"\xf0" * 32 + b"\x01" * 32)


class Server:
    """Answers as the site server does; may be away or talk nonsense."""

    def __init__(self) -> None:
        self.version = 1
        self.answers: list[httpx.Response | Exception] = []
        self.requests: list[httpx.Request] = []
        self.path: Path | None = None
        self.kept: list[bytes] = []
        """What the agent had on disk at each request."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.path is not None:
            self.kept.append(self.path.read_bytes())
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


def make(folder: Path, server: Server, applied: list[OpenedMembers], clock: ManualClock | None = None) -> Members:
    return Members(
        folder,
        "http://server",
        CREDENTIAL,
        applied.append,
        clock or ManualClock(),
        transport=httpx.MockTransport(server),
        trust=True,
    )


def path_in(folder: Path) -> Path:
    return member_path(folder, bytes.fromhex(str(CREDENTIAL.match_key)))


def contents(applied: list[OpenedMembers]) -> list[MemberTable]:
    return [MemberTable(each.version, each.leased_until_ns, each.rows.tobytes()) for each in applied]


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


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
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied)
    async with running(members):
        await eventually(lambda: applied)
    assert contents(applied) == [TABLES[1]]
    assert (members.version, members.leased_until_ns, members.refused) == (1, LEASED_UNTIL_NS, 0)
    assert server.requests[0].url == "http://server/api/edge/gw-1/members"
    token = base64.b64encode(f"{CREDENTIAL.user}:{CREDENTIAL.password}".encode()).decode()
    assert server.requests[0].headers["Authorization"] == f"Basic {token}"
    assert path_in(tmp_path).stat().st_mode & 0o777 == 0o600


async def test_the_last_table_is_there_after_a_restart_without_a_server(tmp_path: Path, server: Server) -> None:
    async with running(make(tmp_path, server, first := [])):
        await eventually(lambda: first)
    again: list[OpenedMembers] = []
    members = make(tmp_path, server, again)
    members.load()
    assert contents(again) == [TABLES[1]]
    assert (members.version, members.leased_until_ns) == (1, LEASED_UNTIL_NS)


async def test_a_clock_in_1970_does_not_stretch_the_lease(tmp_path: Path, server: Server) -> None:
    applied: list[OpenedMembers] = []
    clock = ManualClock(60 * 10**9)
    members = make(tmp_path, server, applied, clock)
    async with running(members):
        await eventually(lambda: applied)
        for _ in range(2):
            members.lease_by(ManualClock().now_ns - clock.now_ns)
    assert [each.leased_until_ns for each in applied] == [LEASED_UNTIL_NS, clock.now_ns + 9_999]
    assert members.leased_until_ns == clock.now_ns + 9_999


def test_without_a_table_nobody_is_told_of_trouble(tmp_path: Path, server: Server) -> None:
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied)
    members.load()
    assert (applied, members.refused) == ([], 0)


SEALED = AT_REST.seal(TABLES[1].to_bytes())
DAMAGED = [b"", TABLES[1].to_bytes(), SEALED[:-1], b"\x00" * 200, AT_REST.seal(UNSORTED.to_bytes())]


@pytest.mark.parametrize("content", DAMAGED, ids=range(5))
def test_a_damaged_table_on_disk_counts_as_none_and_is_named(
    tmp_path: Path, server: Server, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path_in(tmp_path).write_bytes(content)
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied)
    members.load()
    assert (applied, members.refused, members.version) == ([], 1, 0)
    (line,) = caplog.messages
    assert str(path_in(tmp_path)) in line


@pytest.mark.parametrize("after_ns", [0, 1])
def test_a_table_whose_lease_has_ended_is_not_kept(tmp_path: Path, server: Server, after_ns: int) -> None:
    path_in(tmp_path).write_bytes(AT_REST.seal(TABLES[1].to_bytes()))
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied, ManualClock(LEASED_UNTIL_NS + after_ns))
    members.load()
    assert (applied, members.refused, names(tmp_path)) == ([], 1, [])


def test_a_table_made_under_another_key_and_half_written_ones_are_removed(tmp_path: Path, server: Server) -> None:
    path_in(tmp_path).write_bytes(AT_REST.seal(TABLES[1].to_bytes()))
    for other in (member_path(tmp_path, bytes(16)), tmp_path / "members.bin", tmp_path / "members.k2j.part"):
        other.write_bytes(TABLES[2].to_bytes())
    (tmp_path / "outbox.sqlite").touch()
    applied: list[OpenedMembers] = []
    make(tmp_path, server, applied).load()
    assert contents(applied) == [TABLES[1]]
    assert names(tmp_path) == [path_in(tmp_path).name, "outbox.sqlite"]


async def test_an_offered_version_is_fetched_and_a_known_one_is_not(tmp_path: Path, server: Server) -> None:
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied)
    async with running(members):
        await eventually(lambda: len(applied) == 1)
        members.offered(1)
        server.version = 2
        members.offered(2)
        await eventually(lambda: len(applied) == 2)
    assert contents(applied) == [TABLES[1], TABLES[2]]  # the first table outlives its file
    assert len(server.requests) == 2
    assert names(tmp_path) == [path_in(tmp_path).name]


async def test_an_unchanged_table_is_not_sent_again(tmp_path: Path, server: Server) -> None:
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied)
    async with running(members):
        await eventually(lambda: applied)
        members.offered(5)  # announced, but the server has no newer one yet
        await eventually(lambda: len(server.requests) == 2)
    assert len(applied) == 1


@pytest.mark.parametrize(
    ("trouble", "refused"),
    [
        (httpx.ConnectError("refused"), 0),
        (httpx.ReadTimeout("slow"), 0),
        (httpx.Response(503), 0),
        (httpx.Response(401), 0),
        (httpx.Response(200, content=b""), 1),
        (httpx.Response(200, content=b"nonsense"), 1),
        (httpx.Response(200, content=TABLES[3].to_bytes()[:-4]), 1),
        (httpx.Response(200, content=UNSORTED.to_bytes()), 1),
    ],
)
async def test_trouble_is_retried_and_the_old_table_stays(
    tmp_path: Path, server: Server, trouble: httpx.Response | Exception, refused: int
) -> None:
    server.path, server.answers = path_in(tmp_path), [trouble]
    sealed = AT_REST.seal(TABLES[2].to_bytes())
    server.path.write_bytes(sealed)
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied)
    members.load()
    async with running(members):
        await eventually(lambda: len(applied) == 2)
    assert contents(applied) == [TABLES[2], TABLES[1]]
    assert server.kept == [sealed] * 2  # what was there, at the first request and at the second
    assert members.refused == refused
    assert names(tmp_path) == [path_in(tmp_path).name]


async def test_a_table_beyond_all_measure_is_cut_off(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members_module, "MAX_TABLE_BYTES", len(TABLES[1].to_bytes()))
    two = pack_members(9, LEASED_UNTIL_NS, [(bytes([n]) * 16, b"h" * 16) for n in range(2)])
    server.answers = [httpx.Response(200, content=two.to_bytes())]
    applied: list[OpenedMembers] = []
    members = make(tmp_path, server, applied)
    async with running(members):
        await eventually(lambda: applied)
    assert (contents(applied), members.refused) == ([TABLES[1]], 1)


async def test_an_erasure_that_a_full_disk_refuses_ends_nothing_and_is_tried_again(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members_module.Backoff, "next_delay_s", lambda _self: 0.0)
    told: list[int] = []

    async def erase(version: int, _members: OpenedMembers) -> None:
        told.append(version)
        if len(told) < 3:
            raise sqlite3.OperationalError("database or disk is full")

    server.answers = [
        httpx.Response(200, content=TABLES[1].to_bytes(), headers={"ETag": '"1"', ERASED_HEADER: "5"}),
        *(httpx.Response(304, headers={ERASED_HEADER: "5"}) for _ in range(2)),
    ]
    members = Members(
        tmp_path,
        "http://server",
        CREDENTIAL,
        lambda _table: None,
        ManualClock(),
        transport=httpx.MockTransport(server),
        on_erased=erase,
        trust=True,
    )
    async with running(members):
        await eventually(lambda: told == [5, 5, 5])
