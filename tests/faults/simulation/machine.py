"""A machine of a simulated store and the one program on it, which can be killed, stopped, started and cut off.

It has a wall clock that may be wrong and may be set, and another that only goes on, anew from each boot.
"""

import asyncio
from typing import Any

from broker_config.errors import ConfigError
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.clockwork import NS_PER_S, ProcessLoop, World
from tests.faults.simulation.files import Disk
from tests.faults.simulation.network import Connection, Network

AGAIN_S = 2.0
BOOT_NS = 77 * NS_PER_S
"""So long a machine is up when the run begins; a boot later on takes no time."""


class Machine:
    """A machine and the one program on it.

    Args:
        disk: None where the program keeps nothing.
    """

    def __init__(self, world: World, network: Network, broker: Broker, name: str, disk: Disk | None) -> None:
        self.world, self.network, self.broker, self.name, self.disk = world, network, broker, name, disk
        self.server: Any
        """The site's server."""
        self.through: tuple[Machine, ...] = ()
        """Machines that carry its connections with the broker."""
        self.loop: ProcessLoop | None = None
        self.starts = 0
        self.wall_error_ns = 0
        """By how much the wall clock is wrong."""
        self.clock_error_ns = 0
        """By how much the program's clock is wrong, which is the wall clock as it was when the program started."""
        self.forgetful = False
        """Whether its clock has no battery: after a power cut it begins in 1970."""
        self.boots = 1
        self._booted_ns = -BOOT_NS
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
        self.clock_error_ns = self.wall_error_ns
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
        if power:
            self._reboot()
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
        return self.world.utc_ns + self.wall_error_ns

    def monotonic_ns(self) -> int:
        """What its other clock shows: for how long it has been up."""
        return self.world.now_ns - self._booted_ns

    @property
    def boot(self) -> str:
        """What names this boot."""
        return f"{self.name} {self.boots}"

    def set_clock(self, error_ns: int) -> None:
        """Somebody sets the wall clock; so wrong it is from now on."""
        self.world.note("clock", self.name, error_ns)
        self.wall_error_ns = error_ns

    def _reboot(self) -> None:
        self.boots += 1
        self._booted_ns = self.world.now_ns
        if self.forgetful:
            self.set_clock(-self.world.utc_ns)

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
