"""What really happened, kept outside the system: every event with its id, from the instant its commit was reported."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from broker_config.messages import EdgeDropped, decode
from edge.outbox import Outbox
from edge.outbox_rows import DropRange, Row
from tests.faults.simulation.broker import Message
from tests.faults.simulation.clockwork import World

Key = tuple[str, str, int]
"""Agent, generation, number in it: what the event's id says."""


class _Named(msgspec.Struct):
    id: str


class _Fence(msgspec.Struct):
    version: tuple[int, int]
    result: str | None = None


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
        handed: payload of every event that was given to an outbox; one that no commit reported is nobody's.
        promised: payload of every event whose commit was reported, as kept or as given up.
        dropped: those of them that the outbox gave up in that very commit.
        withdrawn: member ids by when the server had confirmed it, true UTC ns.
        commands: messages that went to actuators, with the true time.
        declared: what agents said on the bus that they gave up.
        intents: orders that an actuator was about to carry out, by its key and their version.
        rash: acknowledgements of what was not on the disk.
        restored: whether the server was put back to an older copy, which forgets what came since.
    """

    world: World
    handed: dict[Key, bytes] = field(default_factory=dict)
    promised: dict[Key, bytes] = field(default_factory=dict)
    dropped: set[Key] = field(default_factory=set)
    withdrawn: dict[str, int] = field(default_factory=dict)
    commands: list[tuple[int, Message]] = field(default_factory=list)
    declared: list[tuple[str, EdgeDropped]] = field(default_factory=list)
    restored: bool = False
    intents: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    rash: list[str] = field(default_factory=list)

    def watch(self, outbox: Outbox, agent: str) -> None:
        """Note what this outbox is given and what it keeps."""
        numbers: dict[int, Key] = {}
        put, commit = outbox._queue.put, outbox._store.commit

        def noted_put(rows: Sequence[Row], state: Mapping[str, bytes]) -> None:
            for row in rows:
                numbers[row.seq] = key = key_of(row.payload)
                self.handed[key] = row.payload
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
        if message.topic.endswith("/cmd") and "/actuator/" in message.topic:
            self.commands.append((self.world.utc_ns, message))
        elif message.topic.endswith("/dropped"):
            said = decode(message.payload).data
            assert isinstance(said, EdgeDropped)
            self.declared.append((message.topic.split("/")[4], said))
