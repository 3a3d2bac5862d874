"""Virtual time: one list of things to come, and an event loop per simulated process that takes its turns from it.

A process is an event loop.  To kill it is to give its loop no more turns: no `finally` runs, no task notices, just as
under SIGKILL.  Nothing waits for real time, and the only order is that of the list, so one seed is one run.
"""

import asyncio
import hashlib
import heapq
import itertools
import math
import random
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import Context
from pathlib import Path
from typing import Any

NS_PER_S = 1_000_000_000
BEGAN_NS = 1_795_000_000 * NS_PER_S
"""UTC at the beginning of every run: 2026-11-18 19:06:40 in Taipei."""
MAX_TURNS_AT_ONCE = 200_000
MAX_CLOSINGS = 1_000


class StuckError(RuntimeError):
    """Something goes round without time going by."""


class Turn:
    """A callback in the list; `owner` is the loop that it belongs to, None where nobody can be killed over it."""

    __slots__ = ("call", "cancelled", "owner")

    def __init__(self, call: Callable[[], object], owner: "ProcessLoop | None") -> None:
        self.call, self.owner, self.cancelled = call, owner, False

    def cancel(self) -> None:
        """It will not come."""
        self.cancelled = True


class World:
    """The clock, the dice and the list of what is to come.

    Args:
        say: told of each step, for a readable trace; None: only the hash is kept.
    """

    def __init__(self, seed: int, say: Callable[[str], None] | None = None) -> None:
        self.seed, self.now_ns, self.bugs = seed, 0, list[str]()
        self.disks: dict[Path, Any] = {}
        """By the folder of each life of a process; see `files`."""
        self._say = say
        self._later: list[tuple[int, int, Turn]] = []
        self._now: deque[Turn] = deque()
        self._numbers = itertools.count()
        self._digest = hashlib.sha256()

    def dice(self, name: str) -> random.Random:
        """Randomness of its own for each use, so that one more throw here changes nothing there."""
        return random.Random(f"{self.seed} {name}")

    @property
    def now_s(self) -> float:
        """Seconds since the run began."""
        return self.now_ns / NS_PER_S

    @property
    def utc_ns(self) -> int:
        """The true time."""
        return BEGAN_NS + self.now_ns

    @property
    def trace(self) -> str:
        """A hash of everything that was noted so far."""
        return self._digest.hexdigest()

    def note(self, *what: object) -> None:
        """Put a step into the trace."""
        line = f"{self.now_ns} {' '.join(map(str, what))}"
        self._digest.update(line.encode() + b"\n")
        if self._say is not None:
            self._say(f"{self.now_s:10.4f} {' '.join(map(str, what))}")

    def bug(self, what: str) -> None:
        """Something that must not happen happened."""
        self.note("BUG", what)
        self.bugs.append(what)

    def after(self, delay_s: float, call: Callable[[], object], owner: "ProcessLoop | None" = None) -> Turn:
        """Do it then; not if `owner` is dead by then."""
        return self.at(self.now_ns + math.ceil(delay_s * NS_PER_S), call, owner)

    def at(self, when_ns: int, call: Callable[[], object], owner: "ProcessLoop | None" = None) -> Turn:
        """As `after`."""
        turn = Turn(call, owner)
        heapq.heappush(self._later, (max(when_ns, self.now_ns), next(self._numbers), turn))
        return turn

    def soon(self, turn: Turn) -> None:
        """Do it now, after what is already to be done now."""
        self._now.append(turn)

    def run_until(self, done: Callable[[], bool], until_s: float) -> bool:
        """Let time pass until `done` or until then; whether it was done."""
        until_ns, turns = round(until_s * NS_PER_S), 0
        while not done():
            turns += 1
            if turns > MAX_TURNS_AT_ONCE:
                raise StuckError(f"seed {self.seed}: something goes round at {self.now_s} s")
            if self._now:
                self._take(self._now.popleft())
                continue
            if not self._later or self._later[0][0] > until_ns:
                self.now_ns = until_ns
                return done()
            when_ns, _, turn = heapq.heappop(self._later)
            if when_ns > self.now_ns:
                self.now_ns, turns = when_ns, 0
            self._take(turn)
        return True

    @staticmethod
    def _take(turn: Turn) -> None:
        if turn.cancelled:
            return
        if turn.owner is None:
            turn.call()
        elif turn.owner.alive:
            turn.owner.run(turn.call)


class NumberedTask(asyncio.Task):
    """A task whose hash is its number: the sets of asyncio go by it, and addresses differ from run to run."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class NumberedFuture(asyncio.Future):
    """As `NumberedTask`."""

    number = 0

    def __hash__(self) -> int:
        return self.number


class ProcessLoop(asyncio.AbstractEventLoop):
    """The event loop of one simulated process.

    Args:
        patience: how long a job in a thread waits before and after its work; the disk's, mostly.
    """

    def __init__(self, world: World, name: str, host: object, patience: Callable[[], tuple[float, float]]) -> None:
        self.world, self.name, self.host, self.alive = world, name, host, True
        self._patience = patience
        self._busy_until_ns: dict[int, int] = {}
        self._executors: list[Executor | None] = []  # kept, so that an id stays one executor's
        self._tasks: list[NumberedTask] = []
        self._numbers = itertools.count(1)

    def run(self, call: Callable[[], object]) -> None:
        """Give it a turn."""
        events._set_running_loop(self)
        try:
            call()
        finally:
            events._set_running_loop(None)

    def begin(self, main: Coroutine[Any, Any, object], ended: Callable[[asyncio.Task], None]) -> asyncio.Task:
        """Start the process."""
        task = self.create_task(main, name=self.name)
        task.add_done_callback(ended)
        return task

    def kill(self) -> None:
        """No more turns."""
        self.alive = False

    def bury(self) -> None:
        """Free what a dead process holds; its coroutines are closed in the dark, where nobody hears them."""
        self.alive = False
        for task in self._tasks:
            task._log_destroy_pending = False
            coroutine = task.get_coro()
            for _ in range(MAX_CLOSINGS):
                if getattr(coroutine, "cr_frame", None) is None:
                    break
                with suppress(BaseException):
                    coroutine.close()
        self._tasks.clear()

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self.world.now_ns / NS_PER_S

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.world.soon(Turn(lambda: None if handle._cancelled else handle._run(), self))
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        when_ns = math.ceil(when * NS_PER_S)
        when_ns += when_ns / NS_PER_S < when  # not before its time by `time()`, or who asks again asks for ever
        self.world.at(when_ns, lambda: None if handle._cancelled else handle._run(), self)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + max(delay, 0.0), callback, *args, context=context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Its turn will come and do nothing."""

    def create_future(self) -> asyncio.Future:
        future = NumberedFuture(loop=self)
        future.number = next(self._numbers)
        return future

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task:
        task = NumberedTask.__new__(NumberedTask)
        task.number = next(self._numbers)  # before the base class puts it into a set
        task.__init__(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        if len(self._tasks) > 10_000:
            self._tasks = [each for each in self._tasks if not each.done()]
        return task

    def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> asyncio.Future:
        """One job after the other in each executor, inline, with the time it takes."""
        if executor not in self._executors:
            self._executors.append(executor)
        future, key = self.create_future(), self._executors.index(executor)
        before_s, after_s = self._patience()
        begin_ns = max(self.world.now_ns, self._busy_until_ns.get(key, 0)) + round(before_s * NS_PER_S)
        self._busy_until_ns[key] = end_ns = begin_ns + round(after_s * NS_PER_S)
        self.world.at(begin_ns, lambda: self._work(future, end_ns, func, args), self)
        return future

    def _work(self, future: asyncio.Future, end_ns: int, func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        events._set_running_loop(None)  # a thread has none
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            failure = error
            self.world.at(end_ns, lambda: future.done() or future.set_exception(failure), self)
        else:
            self.world.at(end_ns, lambda: future.done() or future.set_result(result), self)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.world.bug(f"{self.name}: {context.get('message')}: {context.get('exception')!r}")

    default_exception_handler = call_exception_handler
