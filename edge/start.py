"""Starting and stopping an agent process: kernels compiled with progress, signals, the outbox opened and closed."""

import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from broker_config.errors import ConfigError
from broker_config.heartbeats import Heartbeats, Watchdog
from broker_config.own_user import warn_of_root
from broker_config.service_notify import ServiceNotifier
from edge.agent import Agent
from edge.clock import Clock
from edge.config import EdgeConfig
from edge.devices import SERIAL, Devices
from edge.kernels import prepare_kernels
from edge.outbox import Outbox
from edge.pipeline import Engine
from edge.presence import Tracker
from edge.presence_config import make_layout, make_settings

STOPPING = (signal.SIGTERM, signal.SIGINT)
MB = 1 << 20
COMPILE_STEP_S = 300.0  # for one kernel, on the slowest gateway


@dataclass(frozen=True, slots=True)
class Teller:
    """How the process talks: lines, on a terminal a bar while it compiles, and to the service manager."""

    line: Callable[[str], None]
    terminal: bool
    notifier: ServiceNotifier = field(default_factory=ServiceNotifier)


def serve(config: EdgeConfig, teller: Teller) -> None:
    """Run an agent until SIGTERM or SIGINT.

    Raises:
        ConfigError: a setting, file or folder that cannot be used.
    """
    started_s = time.monotonic()
    for stop in STOPPING:
        signal.signal(stop, _leave)  # until the loop runs, which has its own way to stop
    engine = make_engine(config, teller)

    def ready() -> None:
        teller.line(f"agent {config.agent}: ready in {time.monotonic() - started_s:.1f} s")
        teller.notifier.ready(f"agent {config.agent}: running")
        warn_of_root()

    asyncio.run(run_agent(config, engine, ready, notifier=teller.notifier))
    teller.line(f"agent {config.agent}: stopped")


def make_engine(config: EdgeConfig, teller: Teller) -> Tracker:
    """The presence engine of this configuration, its kernels compiled or taken from `<data>/kernels`.

    Raises:
        ConfigError: a presence setting is wrong, or others may write to the folder of compiled kernels.
    """
    layout, settings = make_layout(config), make_settings(config)
    try:
        config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{config.data}: the data folder cannot be made: {error.strerror}") from error
    try:
        with CompileProgress(teller) as progress:
            prepare_kernels(config.data / "kernels", progress.step)
        own_goods = [bytes.fromhex(prefix) for prefix in config.site.own_goods]
        return Tracker(layout, settings, seed=secrets.randbits(64), own_goods=own_goods)
    except ValueError as error:
        raise ConfigError(str(error)) from error


async def run_agent(
    config: EdgeConfig,
    engine: Engine,
    on_ready: Callable[[], None],
    devices: Devices = SERIAL,
    notifier: ServiceNotifier | None = None,
) -> None:
    """One agent's life: until a stop signal, which cancels it; its cleaning up is bounded everywhere."""
    clock = Clock()
    path, limits = config.data / "outbox.sqlite", config.outbox
    notifier, heartbeats = notifier or ServiceNotifier(), Heartbeats()
    loop = asyncio.get_running_loop()
    notifier.opening(path)
    async with Outbox(
        path,
        config.agent,
        quota_bytes=limits.quota_mb * MB,
        clock_ns=clock,
        heartbeats=heartbeats,
        shares={"A": 1.0, "B": limits.goods_percent / 100, "C": limits.health_percent / 100},
        alarm_share=limits.alarm_percent / 100,
    ) as outbox:
        agent = Agent(config, engine, outbox, clock, devices=devices, on_ready=on_ready, heartbeats=heartbeats)
        running = asyncio.create_task(agent.run(), name="agent")
        watching = asyncio.create_task(Watchdog(heartbeats, notifier).run(), name="watchdog")

        def stop() -> None:
            notifier.stopping()
            running.cancel()

        for number in STOPPING:
            loop.add_signal_handler(number, stop)
        try:
            await asyncio.wait([running])
        finally:
            running.cancel()
            watching.cancel()
        if not running.cancelled():
            running.result()


class CompileProgress:
    """Says what is being compiled: a bar on a terminal, else one line, and only if it takes more than a moment."""

    def __init__(self, teller: Teller, patience_s: float = 1.0) -> None:
        self._teller, self._patience_s = teller, patience_s
        self._bar = _make_bar() if teller.terminal else None
        self._started_s = time.monotonic()
        self._told = self._step = ""

    def __enter__(self) -> "CompileProgress":
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("preparing", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, what: str, number: int, total: int) -> None:
        """`what` is being compiled, the how manyth of how many; may be told again and again.

        Only a new step buys more time of the service manager: one that never ends is to be noticed.
        """
        if what != self._step:
            self._step = what
            self._teller.notifier.starting(f"compiling {what} ({number} of {total})", COMPILE_STEP_S)
        if self._bar is not None:
            self._bar.update(self._task, description=f"compiling {what}", completed=number - 1, total=total)
        elif what != self._told and (self._told or time.monotonic() - self._started_s > self._patience_s):
            self._told = what
            self._teller.line(f"compiling {what} ({number} of {total}); the next start finds it done")


def _make_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)
