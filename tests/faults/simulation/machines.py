"""The machines of a simulated store: an agent's gateway, the site's server, a screen.

Each runs the real program in an event loop of its own, on a disk of its own.  They can be killed, lose their power, be
stopped and started, and be cut off.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import msgspec

from broker_config.errors import ConfigError
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
from tests.faults.simulation.clockwork import NS_PER_S, ProcessLoop, World
from tests.faults.simulation.devices import Relay, SimulatedReader
from tests.faults.simulation.files import Disk
from tests.faults.simulation.network import Connection, Network
from tests.faults.simulation.truth import Truth
from tests.faults.simulation.web import answer_over

TAGS = 1024
HANG_UP_S = 0.01
AGAIN_S = 2.0


class Machine:
    """A machine and the one program on it.

    Args:
        disk: None where the program keeps nothing.
    """

    def __init__(self, world: World, network: Network, broker: Broker, name: str, disk: Disk | None) -> None:
        self.world, self.network, self.broker, self.name, self.disk = world, network, broker, name, disk
        self.server: ServerMachine
        self.loop: ProcessLoop | None = None
        self.starts = 0
        self.wall_offset_ns = 0
        """By how much the wall clock is wrong."""
        self.connections: list[Connection] = []
        self._dead: list[ProcessLoop] = []
        self._task: asyncio.Task[Any] | None = None
        self._stopping = False

    @property
    def running(self) -> bool:
        """Whether its program runs."""
        return self.loop is not None

    def start(self) -> None:
        """Start the program, unless it runs."""
        if self.loop is not None:
            return
        self.starts += 1
        self.world.note("start", self.name, self.starts)
        if self.disk is not None:
            self.disk.mount()
        patience = (lambda: (0.0005, 0.0005)) if self.disk is None else self.disk.patience
        self.loop = ProcessLoop(self.world, f"{self.name}#{self.starts}", self, patience)
        self._stopping = False
        self.loop.run(self._begin)

    def kill(self, *, power: bool = False) -> None:
        """SIGKILL, or the power fails: then nobody is told either."""
        if self.loop is None:
            return
        self.world.note("power cut" if power else "kill", self.name)
        self._leave()
        for connection in self.connections:
            if power:
                connection.half_open = True
            else:
                connection.reset()
        self.connections.clear()
        if self.disk is not None:
            self.disk.killed(power=power)

    def stop(self) -> None:
        """SIGTERM: it may clean up."""
        if self.loop is not None and self._task is not None and not self._stopping:
            self.world.note("stop", self.name)
            self._stopping = True
            self.loop.run(self._task.cancel)

    def bury(self) -> None:
        """The run is over."""
        if self.loop is not None:
            self._leave()
        if self.disk is not None:
            self.disk.close()
        for loop in self._dead:
            loop.bury()

    def now_wall_ns(self) -> int:
        """What the host's wall clock shows."""
        return self.world.utc_ns + self.wall_offset_ns

    def monotonic_ns(self) -> int:
        """What its other clock shows."""
        return self.world.now_ns + 77 * NS_PER_S

    def _begin(self) -> None:
        assert self.loop is not None
        self._task = self.loop.begin(self._main(), self._ended)

    def _leave(self) -> None:
        assert self.loop is not None
        self.loop.kill()
        self._dead.append(self.loop)
        self.loop = self._task = None

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        refused = not task.cancelled() and isinstance(task.exception(), ConfigError) and self._disk_is_full
        if refused:
            self.world.after(AGAIN_S, self.start)  # as the service manager does
        elif not task.cancelled():
            self.world.bug(f"{self.name} ended by itself: {task.exception()!r}")
        self.world.note("ended", self.name)
        self._leave()
        for connection in self.connections:
            connection.reset()
        self.connections.clear()
        if self.disk is not None:
            self.disk.unmount()
            self.disk.killed(power=False)

    @property
    def _disk_is_full(self) -> bool:
        return self.disk is not None and self.disk.full

    async def _main(self) -> None:
        raise NotImplementedError


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
            self._truth.watch(outbox, config.agent)
            agent = Agent(config, engine, outbox, clock, devices=devices)
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
        self.epochs: list[int] = []
        self._asked: list[tuple[httpx.Request, asyncio.Future[httpx.Response]]] = []
        self.server = self

    @property
    def state(self) -> ServerState | None:
        """What runs; None while it does not."""
        return None if self.app is None else self.app.state.tacet

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
        app = create_app(config, clock_ns=lambda: self.monotonic_ns() + offset_ns)
        async with app.router.lifespan_context(app):
            self.epochs.append(app.state.tacet.commands._epoch)
            self.app = app
            await asyncio.Event().wait()
