"""A store of real processes for the rows that kill them: broker, server and edge, and what must be true of them at the end."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from broker_config.access import Access
from broker_config.member_table import RECORD_BYTES
from tests.faults.edge_life import EdgePlan, live_at_the_edge
from tests.faults.mosquitto import Mosquitto, mosquitto, store_config
from tests.faults.nursery import Life, life, until
from tests.faults.report import Outcome
from tests.faults.server_life import live_as_server
from tests.faults.truth import TruthReader, sum_of
from tests.support.brokers import free_port
from tests.support.identities import write_seeded_store
from tests.support.member_tables import unpack_members
from tests.support.patience import WAIT_S

AGENT = "gw-1"
STARTED_S = 60.0


@dataclass
class Store:
    """One store's folder, ports and truth.

    Args:
        handles: of its members.
        truth, server_truth: what the agent and the server said of themselves.
    """

    folder: Path
    broker: Mosquitto
    server_port: int
    handles: tuple[bytes, ...] = ()
    truth: TruthReader = field(init=False)
    server_truth: TruthReader = field(init=False)
    _ready_before: int = 0

    def __post_init__(self) -> None:
        self.truth = TruthReader(self.folder / "truth.log")
        self.server_truth = TruthReader(self.folder / "server-truth.log")

    def server(
        self, kill_after: int | None = None, tell_above: int | None = None, slow_s: float = 0.0
    ) -> AbstractAsyncContextManager[Life]:
        """The server's next life."""
        self._ready_before = self.server_truth.count("ready")
        arguments = (self.folder / "server.toml", self.server_truth.path, kill_after, tell_above, slow_s)
        return life(live_as_server, *arguments, log=self.folder / "server.log")

    def edge(self, **plan: object) -> AbstractAsyncContextManager[Life]:
        """The agent's next life; `plan` is `EdgePlan`'s."""
        whole = EdgePlan(self.folder / "edge.toml", self.truth.path, handles=self.handles, **plan)  # type: ignore[arg-type]
        return life(live_at_the_edge, whole, log=self.folder / "edge.log")

    def edge_connects_to(self, port: int) -> None:
        """From the agent's next life on the broker is behind this port."""
        path = self.folder / "edge.toml"
        head, found, tail = path.read_text().partition("[broker]")
        lines = [f"port = {port}" if line.startswith("port = ") else line for line in tail.splitlines()[:4]]
        path.write_text(head + found + "\n".join([*lines, *tail.splitlines()[4:]]) + "\n")

    async def ready(self, server: Life) -> None:
        """Until this life of the server, the newest, answers."""
        await until(lambda: self.server_truth.count("ready") > self._ready_before, STARTED_S, lives=(server,))

    async def import_members(self) -> None:
        """Give the server its members and take their handles, as the agent would."""
        token = (self.folder / "server" / "owner.token").read_text().strip()
        access = Access(self.folder / "site.toml", self.folder / "identity")
        address = f"http://127.0.0.1:{self.server_port}"
        async with httpx.AsyncClient(
            base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=WAIT_S
        ) as owner:
            content = (self.folder / "members.csv").read_bytes()
            (await owner.post("/api/members/import", content=content)).raise_for_status()
        auth = (f"agent-{AGENT}", access.passwords[f"agent-{AGENT}"])
        async with httpx.AsyncClient(base_url=address, auth=auth, timeout=WAIT_S) as agent:
            data = (await agent.get(f"/api/edge/{AGENT}/members")).raise_for_status().content
        records = unpack_members(data).records
        self.handles = tuple(records[i + 16 : i + 32] for i in range(0, len(records), RECORD_BYTES))
        assert self.handles, "the store has no members"

    def stored(self) -> dict[tuple[str, int], int]:
        """The server's events by generation and number, each with its payload's sum."""
        with reading(self.folder / "server" / "tacet.db") as db:
            rows = db.execute("SELECT generation, seq, payload FROM event").fetchall()
        return {(generation, seq): sum_of(payload) for generation, seq, payload in rows}

    def ages_s(self, above: int = 0) -> list[float]:
        """How old each event beyond that number was when it came to the server."""
        with reading(self.folder / "server" / "tacet.db") as db:
            rows = db.execute("SELECT received_ns - at_ns FROM event WHERE seq > ?", (above,)).fetchall()
        return [age_ns / 1e9 for (age_ns,) in rows]

    def decided_twice(self) -> int:
        """Decisions of one rule on one event beyond the first."""
        with reading(self.folder / "server" / "tacet.db") as db:
            sql = "SELECT count(*), count(DISTINCT rule || json_extract(body, '$.event')) FROM decision"
            decisions, distinct = db.execute(sql).fetchone()
        return int(decisions) - int(distinct)

    def in_outbox(self, above: int = 0) -> tuple[str, set[int], set[int]]:
        """The outbox file: its own id, the seqs of its rows beyond one, and those it declares as dropped."""
        with reading(self.folder / "edge" / "outbox.sqlite") as db:
            (file_id,) = db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
            rows = {seq for c in "abc" for (seq,) in db.execute(f"SELECT seq FROM event_{c} WHERE seq > ?", (above,))}
            drops = {
                seq for first, last in db.execute("SELECT first, last FROM dropped") for seq in range(first, last + 1)
            }
        return str(file_id), rows, drops

    async def acknowledges_news(self, *lives: Life, after: int = 10) -> None:
        """Until something is acknowledged that happened so many events after this."""
        wanted = self.truth.read().last_seq + after
        await until(lambda: self.truth.read().upto > wanted, lives=lives)

    async def settled(self, *lives: Life, within_s: float = 120.0) -> None:
        """Until the server has acknowledged all that the edge has promised."""

        def all_acknowledged() -> bool:
            truth = self.truth.read()
            return truth.upto >= truth.last_seq

        await until(all_acknowledged, within_s, lives=lives)

    def account(self, outcome: Outcome) -> Outcome:
        """Hold what is stored, dropped and waiting to what was promised."""
        self.account_stored(outcome, self.truth.read().promised)
        _, rows, drops = self.in_outbox()
        left = [self.truth.seqs[key] for key in self.truth.promised.keys() - self.stored().keys()]
        outcome.dropped = sum(seq in drops for seq in left)
        outcome.in_outbox = sum(seq in rows for seq in left)
        return outcome

    def account_stored(self, outcome: Outcome, promised: Mapping[tuple[str, int], tuple[int, int]]) -> Outcome:
        """The same where all must be stored by now."""
        stored = self.stored()
        outcome.generated = len(promised)
        outcome.stored_once = sum(key in stored for key in promised)
        outcome.duplicates += self.decided_twice()
        wrong = sum(stored[key] != check for key, (check, _) in promised.items() if key in stored)
        outcome.expect(not wrong, f"{wrong} events stored with another content")
        return outcome


def reading(path: Path) -> "closing[sqlite3.Connection]":
    """A database that another process may be writing to."""
    return closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30))


@asynccontextmanager
async def store(
    folder: Path, *, defaults: bool = False, prepare: Callable[[Path], None] = lambda _: None
) -> AsyncIterator[Store]:
    """A store with its broker running; with `defaults` one that keeps nothing and queues little.

    Args:
        prepare: changes the store's files before anybody reads them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    broker_port, server_port = free_port(), free_port()
    write_seeded_store(folder, broker_port=broker_port, server_port=server_port)
    shutil.rmtree(folder / "identity")  # all of them anew, those of the displays too
    prepare(folder)
    access = Access(folder / "site.toml", folder / "identity")
    config, user = store_config(folder / "broker", broker_port, access, defaults=defaults)
    async with mosquitto(config, broker_port, user) as broker:
        made = Store(folder, broker, server_port)
        async with made.server() as server:
            await made.ready(server)
            await made.import_members()
        yield made
