"""What really happened, kept outside the system: every event with its id, from the instant its commit was reported."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from broker_config.messages import ActuatorCommand, EdgeDropped, ErasureReceipt, MomentSet, decode
from edge.clock import to_ns
from edge.outbox import Outbox
from edge.outbox_rows import DropRange, Row
from tests.faults.simulation.broker import Message
from tests.faults.simulation.clockwork import World

if TYPE_CHECKING:
    from tests.faults.simulation.gone import Gone

Key = tuple[str, str, int]
"""Agent, generation, number in it: what the event's id says."""


class Speaker(Protocol):
    """An agent's machine."""

    @property
    def name(self) -> str: ...
    @property
    def vouched_ns(self) -> int: ...


class _Named(msgspec.Struct):
    id: str


class _Fence(msgspec.Struct):
    version: tuple[int, int]
    result: str | None = None


HEARD = re.compile(r"/(actuator/[^/]+/cmd|moment/set|dropped|privacy/receipt/[^/]+)$")
_fence = msgspec.json.Decoder(_Fence)
_named = msgspec.json.Decoder(_Named)


def key_of(payload: bytes) -> Key:
    """Which event a message is."""
    agent, generation, number = _named.decode(payload).id.split(".")
    return agent, generation, int(number)


@dataclass(slots=True)
class Truth:
    """Of one run.

    Args:
        server_error_ns: by how much the server's clock is wrong now.
        handed: payload of every event that was given to an outbox; one that no commit reported is nobody's.
        handed_ns: when that was, true UTC ns.
        promised: payload of every event whose commit was reported, as kept or as given up.
        dropped: those of them that the outbox gave up in that very commit.
        gone: who withdrew or was erased.
        handles: whose handles are or were, of members who are gone.
        receipts: which agent said when that it had applied which erasure; true UTC ns.
        commands: orders to actuators that passed the broker, and when they were given, true UTC ns.
        issued_ns: when a decision's moment was issued, true UTC ns.
        declared: what agents said on the bus that they gave up.
        intents: orders that an actuator was about to carry out, by its key and their version.
        rash: acknowledgements of what was not on the disk.
        recognised: who recognised somebody, when, and when the server had last answered for its table; true UTC ns.
        restored: decisions that passed the broker before the server was last put back to an older copy; None: it never was.
        forgotten: from when to when the server's consents are lost with a disk; true UTC ns.
    """

    world: World
    server_error_ns: Callable[[], int] = lambda: 0
    handed: dict[Key, bytes] = field(default_factory=dict)
    handed_ns: dict[Key, int] = field(default_factory=dict)
    promised: dict[Key, bytes] = field(default_factory=dict)
    dropped: set[Key] = field(default_factory=set)
    gone: list["Gone"] = field(default_factory=list)
    handles: dict[bytes, str] = field(default_factory=dict)
    receipts: list[tuple[str, int, int]] = field(default_factory=list)
    commands: list[tuple[int, ActuatorCommand]] = field(default_factory=list)
    issued_ns: dict[str, int] = field(default_factory=dict)
    declared: list[tuple[str, EdgeDropped]] = field(default_factory=list)
    restored: frozenset[str] | None = None
    forgotten: list[tuple[int, int]] = field(default_factory=list)
    intents: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    rash: list[str] = field(default_factory=list)
    recognised: list[tuple[str, int, int]] = field(default_factory=list)

    def watch(self, outbox: Outbox, edge: Speaker) -> None:
        """Note what this outbox is given and what it keeps."""
        numbers: dict[int, Key] = {}
        put, commit = outbox._queue.put, outbox._store.commit

        def noted_put(rows: Sequence[Row], state: Mapping[str, bytes]) -> None:
            for row in rows:
                numbers[row.seq] = key = key_of(row.payload)
                self.handed[key] = row.payload
                self.handed_ns[key] = self.world.utc_ns
                if row.topic.endswith("/visit/entered"):
                    self.recognised.append((edge.name, self.world.utc_ns, edge.vouched_ns))
            put(rows, state)

        def noted_commit(rows: Sequence[Row], state: Mapping[str, bytes], drops: Iterable[DropRange] = ()) -> list[Row]:
            drops = list(drops)
            kept = commit(rows, state, drops)
            self.intents += [
                (key, tuple(_fence.decode(value).version))
                for key, value in state.items()
                if key.startswith("actuator/") and _fence.decode(value).result is None
            ]
            there = {row.seq for row in kept}
            gone = {row.seq for row in rows} - there
            gone |= {seq for drop in drops for seq in range(drop.first, drop.last + 1)}
            self.dropped |= {numbers[seq] for seq in gone}
            self.promised |= {numbers[seq]: self.handed[numbers[seq]] for seq in sorted(there | gone)}
            return kept

        outbox._queue.put = noted_put  # type: ignore[method-assign]
        outbox._store.commit = noted_commit  # type: ignore[method-assign]

    def hear(self, message: Message) -> None:
        """What passes the broker."""
        if not HEARD.search(message.topic):
            return
        match decode(message.payload).data:
            case ActuatorCommand() as order:
                self.commands.append((to_ns(order.issued_at) - self.server_error_ns(), order))
            case MomentSet() as moment:
                self.issued_ns[moment.decision] = to_ns(moment.issued_at) - self.server_error_ns()
            case ErasureReceipt() as receipt:
                self.receipts.append((message.topic.split("/")[-1], receipt.version, self.world.utc_ns))
            case EdgeDropped() as said:
                self.declared.append((message.topic.split("/")[4], said))
