"""Row 28: packets of 1 to 256 MiB at a broker, from a client that may connect and from one that is nobody yet."""

import asyncio
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import psutil

from broker_config.config import Engine
from broker_config.identity import make_credential, write_credential
from broker_config.topics import Party
from tests.broker_config.test_cli import reach, running, write_config
from tests.faults.mosquitto import bare_config, mosquitto
from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.support import mqtt_raw
from tests.support.brokers import TestBroker, free_port

MIB = 1 << 20
MOST_GROWTH_MIB = 16.0
MOST_WAIT_S = 2.0
CLOSED_WITHIN_S = 20.0
LONGEST = 268_435_455
"""What MQTT can announce: 256 MiB but a byte."""
SIZES = (MIB, 16 * MIB, LONGEST)
BLOCK = bytes(64 * 1024)
ATTACKER = "agent-gw-2"
SITE = "tacet/1/demo"
PUBLISH = mqtt_raw.PUBLISH | 2  # QoS 1
PUBACK = 0x40
KINDS = (("client", PUBLISH), ("nobody", mqtt_raw.CONNECT), ("client", mqtt_raw.SUBSCRIBE))
Kinds = tuple[tuple[str, int], ...]
QUIET = 50
PACE_S = 0.005


async def embedded(profile: Profile) -> list[Outcome]:
    """The embedded broker."""
    return await _against("amqtt", profile)


async def real(profile: Profile) -> list[Outcome]:
    """Mosquitto with the store's configuration."""
    return await _against("mosquitto", profile)


async def bare(profile: Profile) -> list[Outcome]:
    """Mosquitto as it comes: it takes in whatever is announced."""
    port, identity = free_port(), _credentials(profile.folder, ("server", "server"), ("agent", "gw-1"))
    async with mosquitto(bare_config(profile.folder, port), port) as broker:
        place = TestBroker("127.0.0.1", port, identity, profile.folder, "mosquitto")
        return [await _disturb(place, broker.pid, Outcome(profile.seed), times=1, kinds=KINDS[:1])]


async def _against(engine: Engine, profile: Profile) -> list[Outcome]:
    """A broker as a store runs it."""
    port = free_port()
    config = write_config(profile.folder, engine, port)
    _credentials(profile.folder)
    async with running(config) as (process, _):
        return [await _disturb(reach(config, port), process.pid, Outcome(profile.seed), times=profile.times(1, 20))]


def _credentials(folder: Path, *parties: tuple[Party, str]) -> Path:
    """Make these; of the attacker, too, is the credential sound."""
    for party, own_id in (*parties, ("agent", "gw-2")):
        write_credential(folder / "identity", make_credential(party, own_id))
    return folder / "identity"


async def _disturb(place: TestBroker, pid: int, outcome: Outcome, *, times: int, kinds: Kinds = KINDS) -> Outcome:
    """Every size in every kind of packet, while two of the store's clients talk."""
    outcome.injected = 0
    async with _talk(place) as talk:
        await talk.until(QUIET)
        quiet_s, talk.waits_s = percentile(talk.waits_s, 99), []
        async with _memory(pid) as memory:
            for _ in range(times):
                for who, first_byte in kinds:
                    for size in SIZES:
                        closed = await _oversized(place, who, first_byte, size)
                        outcome.injected += 1
                        outcome.expect(closed, f"{size} bytes of {first_byte:#x} from {who}: not cut off")
            await talk.until(QUIET)
    outcome.generated, outcome.stored_once = talk.sent, len(set(talk.heard))
    outcome.duplicates = len(talk.heard) - len(set(talk.heard))
    waited_s, grew_mib = percentile(talk.waits_s, 99), memory.grew / MIB
    outcome.extra |= {"grew_mib": grew_mib, "quiet_p99_ms": quiet_s * 1e3, "healthy_p99_ms": waited_s * 1e3}
    outcome.expect(grew_mib <= MOST_GROWTH_MIB, f"{grew_mib:.0f} MiB more")
    outcome.expect(waited_s <= MOST_WAIT_S, f"the others waited {waited_s:.1f} s, p99")
    return outcome


async def _oversized(place: TestBroker, who: str, first_byte: int, size: int) -> bool:
    """Announce so much, and send it as long as it is taken; whether the broker ended that."""
    hello = mqtt_raw.connect(ATTACKER, place.credential(ATTACKER).password) if who == "client" else b""
    begun = mqtt_raw.field(f"{SITE}/edge/gw-2/stats") + bytes((0, 1)) if first_byte == PUBLISH else b""
    async with mqtt_raw.raw(place.host, place.port, hello) as (reader, writer):
        try:
            async with asyncio.timeout(CLOSED_WITHIN_S):
                if hello:
                    assert await reader.readexactly(4) == mqtt_raw.ACCEPTED
                writer.write(bytes([first_byte]) + mqtt_raw.length(size) + begun)
                return await _refused(reader, writer, size - len(begun))
        except TimeoutError:
            return False


async def _refused(reader: StreamReader, writer: StreamWriter, size: int) -> bool:
    """Send the rest; whether the connection ended without thanks."""
    try:
        while size > 0:
            writer.write(BLOCK[:size])
            await writer.drain()
            size -= len(BLOCK)
        while answer := await reader.read(len(BLOCK)):
            if answer[0] == PUBACK:
                return False
    except OSError:
        pass
    return True


class _Talk:
    """What one healthy client says to another, a message at a time, and how long each was under way."""

    def __init__(self) -> None:
        self.sent, self.heard, self.waits_s = 0, list[int](), list[float]()

    async def say(self, agent: aiomqtt.Client, server: aiomqtt.Client) -> None:
        """One message, to its end."""
        began_s = time.monotonic()
        self.sent += 1
        await server.publish(f"{SITE}/edge/gw-1/ack", str(self.sent), qos=1)
        self.heard.append(int(bytes((await anext(agent.messages)).payload)))
        self.waits_s.append(time.monotonic() - began_s)

    async def until(self, more: int) -> None:
        """Return when so many more have come."""
        wanted = len(self.heard) + more
        async with asyncio.timeout(CLOSED_WITHIN_S):
            while len(self.heard) < wanted:
                await asyncio.sleep(PACE_S)


@asynccontextmanager
async def _talk(place: TestBroker) -> AsyncIterator[_Talk]:
    talk = _Talk()
    async with place.client("agent-gw-1") as agent, place.client("server") as server:
        await agent.subscribe(f"{SITE}/edge/gw-1/ack", qos=1)
        stop = asyncio.Event()

        async def talking() -> None:
            while not stop.is_set():
                await talk.say(agent, server)
                await asyncio.sleep(PACE_S)

        running_talk = asyncio.create_task(talking())
        try:
            yield talk
        finally:
            stop.set()
            await running_talk


class _Memory:
    """Of a process and its children: how much more than at first, at most."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._first, self.grew = self._now(), 0

    def look(self) -> None:
        """Once."""
        self.grew = max(self.grew, self._now() - self._first)

    def _now(self) -> int:
        family = self._process, *self._process.children(recursive=True)
        return sum(each.memory_info().rss for each in family)


@asynccontextmanager
async def _memory(pid: int) -> AsyncIterator[_Memory]:
    memory = _Memory(pid)

    async def looking() -> None:
        while True:
            memory.look()
            await asyncio.sleep(0.02)

    task = asyncio.create_task(looking())
    try:
        yield memory
    finally:
        task.cancel()
        await asyncio.wait([task])
        memory.look()


ROWS = (
    Row((28,), "packets of 1 to 256 MiB, embedded broker", embedded, takes_s=(5, 60)),
    Row((28,), "packets of 1 to 256 MiB, Mosquitto", real, bare, "without its limits", takes_s=(6, 60)),
)
