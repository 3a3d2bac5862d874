"""The machines of a simulated store that run the real programs: an agent's gateway, the site's server.

Each has an event loop and a disk of its own.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import msgspec

from broker_config.identity import Credential
from edge.agent import Agent
from edge.clock import Clock
from edge.config import EdgeConfig
from edge.devices import Devices
from edge.outbox import Outbox
from edge.presence import Tracker
from edge.presence_config import make_layout, make_settings
from server.app import create_app
from server.config import ServerConfig
from server.state import ServerState
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.clockwork import ProcessLoop, World
from tests.faults.simulation.devices import Relay, SimulatedReader
from tests.faults.simulation.files import Disk
from tests.faults.simulation.machine import Machine
from tests.faults.simulation.network import Network
from tests.faults.simulation.truth import Truth
from tests.faults.simulation.web import answer_over

TAGS = 1024
TABLE_STANDS = (200, 304)
HANG_UP_S = 0.01


class EdgeMachine(Machine):
    """A gateway with its agent.

    Args:
        config: its folder of data is replaced at each start.
    """

    def __init__(
        self,
        world: World,
        network: Network,
        broker: Broker,
        config: EdgeConfig,
        disk: Disk,
        truth: Truth,
        quota_bytes: int,
    ) -> None:
        super().__init__(world, network, broker, config.agent, disk)
        self._config, self._truth, self._quota_bytes = config, truth, quota_bytes
        self.readers = {reader.id: SimulatedReader(reader.id) for reader in config.readers}
        self.relays = {each.id: Relay(world) for each in config.actuators}
        self.agent: Agent | None = None
        self.outbox: Outbox | None = None
        self.vouched_ns = world.utc_ns
        """When the server last answered for its member table, true UTC ns."""
        self.clock_errors_ns: set[int] = set()
        """By how much the clocks of its starts were wrong."""
        self._starts_ns: dict[int, int] = {}

    @property
    def credential(self) -> Credential:
        """Its agent's."""
        return self._config.credential

    @property
    def remembers_from_ns(self) -> int:
        """Since when it has known who is where, true UTC ns; a start that goes on from a snapshot remembers more."""
        assert self.agent is not None
        return self._starts_ns[self.agent._keeper.started_ns]

    def do(self, what: Callable[[Agent], object]) -> None:
        """Let something happen at the agent, where it runs."""
        if self.loop is not None and self.agent is not None and not self._stopping:
            agent = self.agent
            self.loop.run(lambda: what(agent))

    def read(self, zone: str, epc: bytes) -> None:
        """A tag answers in a zone."""
        if self.loop is None or self.agent is None:
            return
        reader = next(each for each in self._config.readers if any(a.zone == zone for a in each.antennas))
        at_ns = self._clock()
        self.loop.run(lambda: self.readers[reader.id].say(epc, at_ns))

    def _leave(self) -> None:
        super()._leave()
        self.agent = self.outbox = None

    async def _main(self) -> None:
        assert self.disk is not None
        config = replace(self._config, data=self.disk.folder)
        self._clock = clock = Clock(self.now_wall_ns, self.monotonic_ns)
        own_goods = [bytes.fromhex(prefix) for prefix in config.site.own_goods]
        engine = Tracker(
            make_layout(config),
            make_settings(config),
            seed=secrets.randbits(64),
            own_goods=own_goods,
            capacity=TAGS,
        )
        devices = Devices(
            reader=lambda reader, _: self.readers[reader.id].open(),  # type: ignore[arg-type, return-value]
            scale=lambda *_: _none(),
            relay=lambda actuator: self.relays[actuator.id].open(),  # type: ignore[arg-type, return-value]
            sensor=lambda *_: _none(),
        )
        path = self.disk.folder / "outbox.sqlite"
        async with Outbox(path, config.agent, quota_bytes=self._quota_bytes, clock_ns=clock) as outbox:
            self._truth.watch(outbox, self)
            agent = Agent(config, engine, outbox, clock, devices=devices)
            self.clock_errors_ns.add(self.clock_error_ns)
            self._starts_ns[agent._keeper.started_ns] = self.world.utc_ns
            self.agent, self.outbox = agent, outbox
            await agent.run()


def _none() -> Any:
    raise AssertionError("the simulated gateway has no such device")


class ServerMachine(Machine):
    """The site's server with its application."""

    def __init__(self, world: World, network: Network, broker: Broker, config: ServerConfig, disk: Disk) -> None:
        super().__init__(world, network, broker, "server", disk)
        self._config = config
        self.app: Any = None
        self.epochs: list[tuple[int, int]] = []
        """Of each start that came so far, and by how much its clock was wrong."""
        self.clocks: list[tuple[int, int]] = []
        """At each start, true UTC ns: by how much its clock is wrong since."""
        self._asked: list[tuple[httpx.Request, asyncio.Future[httpx.Response]]] = []
        self.server = self

    @property
    def state(self) -> ServerState | None:
        """What runs; None while it does not."""
        return None if self.app is None else self.app.state.tacet

    @property
    def kept_time(self) -> bool:
        """Whether all its starts had one time; what is dated by one cannot be held against what is dated by another."""
        return len({error_ns for _, error_ns in self.clocks}) == 1

    @property
    def has_gone_on(self) -> bool:
        """Whether its clock never showed less than before; members were enrolled by the right one, before its first start."""
        return self.kept_time and self.clocks[0][1] >= 0

    def ask(self, request: httpx.Request, answer: "asyncio.Future[httpx.Response]") -> None:
        """A request has set out."""
        self._asked.append((request, answer))
        self.world.after(self.network.delay(), lambda: self._take(request, answer))

    def do(self, what: Callable[[ServerState], Any]) -> None:
        """Let the server do something, such as what its owner asks for."""
        if self.loop is not None and self.state is not None and not self._stopping:
            state, loop = self.state, self.loop
            loop.run(lambda: loop.create_task(what(state)))

    def _take(self, request: httpx.Request, answer: "asyncio.Future[httpx.Response]") -> None:
        if self.loop is None or self.app is None:
            self._hang_up(request, answer)
            return
        loop, app = self.loop, self.app

        async def respond() -> None:
            response = await answer_over(app, request)
            self.world.after(self.network.delay(), lambda: self._deliver(request, answer, response))

        loop.run(lambda: loop.create_task(respond()))

    def _deliver(
        self, request: httpx.Request, answer: "asyncio.Future[httpx.Response]", response: httpx.Response
    ) -> None:
        if (request, answer) in self._asked:
            self._asked.remove((request, answer))
        asker = answer.get_loop()
        assert isinstance(asker, ProcessLoop)
        if asker.alive and not answer.done():
            if request.url.path.endswith("/members") and response.status_code in TABLE_STANDS:
                asker.host.vouched_ns = self.world.utc_ns
            asker.run(lambda: answer.set_result(response))

    def _hang_up(self, request: httpx.Request, answer: "asyncio.Future[httpx.Response]") -> None:
        if (request, answer) in self._asked:
            self._asked.remove((request, answer))
        asker = answer.get_loop()
        assert isinstance(asker, ProcessLoop)
        if asker.alive and not answer.done():
            error = httpx.ReadError("the connection was reset", request=request)
            asker.run(lambda: answer.set_exception(error))

    def _leave(self) -> None:
        super()._leave()
        self.app = None
        for request, answer in list(self._asked):
            self.world.after(HANG_UP_S, lambda r=request, a=answer: self._hang_up(r, a))

    async def _main(self) -> None:
        assert self.disk is not None
        config = msgspec.structs.replace(self._config, data=str(self.disk.folder))
        offset_ns = self.now_wall_ns() - self.monotonic_ns()
        self.clocks.append((self.world.utc_ns, self.clock_error_ns))
        app = create_app(config, clock_ns=lambda: self.monotonic_ns() + offset_ns)
        async with app.router.lifespan_context(app):
            self.epochs.append((app.state.tacet.commands._epoch, self.clock_error_ns))
            self.app = app
            await asyncio.Event().wait()
