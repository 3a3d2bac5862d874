"""A server without broker or HTTP: messages go in as bytes, what it would send is read back decoded."""

import itertools
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from broker_config.identity import Credential, make_credential, seal_handle, siphash_2_4_128, write_credential
from broker_config.messages import (
    ActuatorCommand,
    Data,
    Envelope,
    Evidence,
    MomentSet,
    MomentShown,
    ShelfPick,
    VisitEntered,
    VisitLeft,
    decode,
    encode,
)
from broker_config.site import AgentId
from broker_config.topics import BY_NAME, topic_for
from server.clock import NS_PER_MS, NS_PER_S, to_datetime
from server.config import load_config
from server.link import Incoming, Outgoing
from server.state import ServerState
from tests.support.member_tables import unpack_members

DEMO = Path(__file__).parents[2] / "simulators" / "demo_store"
NOON_NS = 1_795_000_000 * NS_PER_S  # 2026-11-18 19:06:40 in Taipei
EVIDENCE = Evidence(reads=2, rssi_dbm=-55.0)
RIVER, XIAOYU, ASH, WREN, ASONG, SKY, MOSS = (
    "2d14257bf52cb6916d000000",
    "2d14257bf49bf13331000000",
    "2d14257bf456670b14000000",
    "2d14257bf42e416788000000",
    "2d14257bf55c906158000000",
    "2d14257bf42bb29976000000",
    "2d14257bf5985fb4e7000000",
)
D = TypeVar("D", bound=Data)


@dataclass
class Clock:
    """Moves when told to."""

    now_ns: int = NOON_NS

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * NS_PER_S)


def write_store(folder: Path, *, broker_port: int = 1, server_port: int = 18_080) -> Path:
    """The demo store's files and credentials, of its members the seven that the tests know; its server.toml."""
    for file in DEMO.iterdir():
        text = file.read_text().replace("$server_port", str(server_port)).replace("$broker_port", str(broker_port))
        if file.name == "members.csv":
            text = "".join(text.splitlines(keepends=True)[:8])
        (folder / file.name).write_text(text)
    for party, own_id in (("server", ""), ("agent", "gw-1")):
        if not (folder / "identity" / f"{party}{'-' * bool(own_id)}{own_id}.toml").exists():
            write_credential(folder / "identity", make_credential(party, own_id))
    return folder / "server.toml"


def add_agent(folder: Path, agent: str, zones: tuple[str, ...]) -> None:
    """Give some of the demo store's zones to another agent."""
    site = (folder / "site.toml").read_text()
    for zone in zones:
        head, tail = site.split(f'id = "{zone}"\n', 1)
        site = f'{head}id = "{zone}"\n' + tail.replace('agent = "gw-1"', f'agent = "{agent}"', 1)
    (folder / "site.toml").write_text(site)
    write_credential(folder / "identity", make_credential("agent", agent))


def config_of(path: Path):
    return load_config(path)


@dataclass
class Edge:
    """An agent as the server hears it."""

    state: ServerState
    clock: Clock
    agent: str = "gw-1"
    generation: str = "00000000000000aa"
    seqs: itertools.count = field(default_factory=lambda: itertools.count(1))

    @property
    def credential(self) -> Credential:
        found = self.state.identities.agent(AgentId(self.agent))
        assert found is not None
        return found

    async def handle_of(self, card: str) -> bytes | None:
        """What the agent's table says of a card."""
        _, data = await self.state.member_tables.table(AgentId(self.agent))
        records = unpack_members(data).records
        wanted = siphash_2_4_128(bytes.fromhex(self.credential.match_key or ""), bytes.fromhex(card))
        rows = [records[i : i + 32] for i in range(0, len(records), 32)]
        return next((row[16:] for row in rows if row[:16] == wanted), None)

    def event(self, data: Data, *, seq: int | None = None, age_s: float = 0.0, **levels: str) -> Incoming:
        """A durable event as it comes from the broker."""
        number = next(self.seqs) if seq is None else seq
        now_ns = self.clock.now_ns
        at = to_datetime(now_ns - round(age_s * NS_PER_S))
        expiry_s = BY_NAME[data.topic].expiry_s
        envelope = Envelope(
            specversion="1.0",
            id=f"{self.agent}.{self.generation}.{number}",
            source=f"/tacet/demo/{self.agent}",
            type=data.type_name,
            time=at,
            gateway=self.agent,
            generation=self.generation,
            seq=str(number),
            expires=at + timedelta(seconds=expiry_s) if expiry_s else None,
            data=data,
        )
        return Incoming(topic_for(data.topic, "demo", **levels), encode(envelope), now_ns)

    def said(self, data: Data, **levels: str) -> Incoming:
        """A message that is no outbox event."""
        envelope = Envelope(
            specversion="1.0",
            id=uuid.uuid4().hex,
            source="/tacet/demo/x",
            type=data.type_name,
            time=to_datetime(self.clock.now_ns),
            data=data,
        )
        return Incoming(topic_for(data.topic, "demo", **levels), encode(envelope), self.clock.now_ns)

    def entered(self, zone: str, handle: bytes, visit: str, *, age_s: float = 0.0) -> Incoming:
        """A member's visit in a zone."""
        seq = next(self.seqs)
        at = to_datetime(self.clock.now_ns - round(age_s * NS_PER_S))
        who = seal_handle(
            bytes.fromhex(self.credential.seal_key or ""), handle, f"{self.agent}.{self.generation}.{seq}"
        )
        data = VisitEntered(zone=zone, visit=visit, who=who, detected_at=at, last_read_at=at, evidence=EVIDENCE)
        return self.event(data, seq=seq, age_s=age_s, zone=zone)

    def left(self, zone: str, visit: str, reason: str = "moved") -> Incoming:
        at = to_datetime(self.clock.now_ns)
        data = VisitLeft(zone=zone, visit=visit, detected_at=at, last_read_at=at, dwell_s=3.0, reason=reason)
        return self.event(data, zone=zone)

    def picked(self, shelf: str = "s1", **what: object) -> Incoming:
        """Something taken off a shelf; `what`: its epc, gtin."""
        at = to_datetime(self.clock.now_ns)
        fields = {"epc": None, "quantity": 1, "delta_g": -300.0, "confidence": 0.97} | what
        return self.event(ShelfPick(shelf=shelf, detected_at=at, **fields), shelf=shelf)

    def shown(self, moment: MomentSet, phase: str = "started", after_ms: float = 4.0) -> Incoming:
        """A display's receipt."""
        at = to_datetime(self.clock.now_ns + round(after_ms * NS_PER_MS))
        ended_by = "ttl" if phase == "ended" else None
        data = MomentShown(
            display=moment.display, decision=moment.decision, content=moment.content, phase=phase,
            at=at, cause_at=moment.cause_at, ended_by=ended_by,
        )  # fmt: skip
        return self.said(data, display=moment.display)

    async def deliver(self, *messages: Incoming) -> None:
        """As one batch."""
        await self.state.inbox.settle(list(messages))

    async def visit(self, card: str, zone: str, token: str) -> None:
        """The whole of a member's coming into a zone."""
        handle = await self.handle_of(card)
        assert handle is not None, "this card is not in the agent's table"
        await self.deliver(self.entered(zone, handle, token))

    def outgoing(self) -> list[Outgoing]:
        """What the server would send, taken off its queue."""
        waiting = list(self.state.link._outgoing)
        self.state.link._outgoing.clear()
        return waiting

    def sent(self, kind: type[D]) -> list[D]:
        """What it would send of one kind; the rest is dropped."""
        return [data for out in self.outgoing() if isinstance(data := decode(out.payload).data, kind)]

    def moments(self) -> list[MomentSet]:
        return self.sent(MomentSet)

    def orders(self) -> list[ActuatorCommand]:
        return self.sent(ActuatorCommand)


def token(number: int) -> str:
    """A visit token."""
    return f"{number:032x}"
