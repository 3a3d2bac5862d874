"""The simulated disk: real SQLite files in a folder per life of a process, and what may go wrong with them.

A process that is killed leaves its files as they are; a power cut leaves what was synced and a part of the rest.  Either
way the next life begins in a new folder with a copy, so that whatever still holds the old files can harm nothing.
"""

import asyncio
import random
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from server.backup import restore as put_back
from simulators.faults import Cut, Tape, disk_after, recording
from simulators.faults.disk import KEPT_SHARES
from tests.faults.simulation.clockwork import ProcessLoop, World

USUAL_S = (0.0002, 0.002)
DATABASES = ("outbox.sqlite", "tacet.db")
LOG = "-wal"
ON_TAPE = {name + end for name in DATABASES for end in ("", LOG, "-journal")}
"""What SQLite writes; databases that were set aside are none of it."""


class Disk:
    """One machine's disk.

    Args:
        start: the folder to begin with.
        on_tape: whether the power may fail; the tape costs time.
    """

    def __init__(self, world: World, name: str, base: Path, start: Path, *, on_tape: bool) -> None:
        self.world, self.name = world, name
        self.full = False
        self.slow_s = 0.0
        self.commits = 0
        self.on_commit: Callable[[], None] | None = None
        self.tape = Tape()
        self._dice: random.Random = world.dice(f"disk {name}")
        self._base, self._lives, self._on_tape = base, 0, on_tape
        self._recording = ExitStack()
        self.connections: list[sqlite3.Connection] = []
        self.folder = base / f"{name}-0"
        shutil.copytree(start, self.folder)

    def mount(self) -> None:
        """A process is about to start."""
        self.world.disks[self.folder] = self
        if self._on_tape:
            self._recording = ExitStack()
            self.tape = self._recording.enter_context(recording(self.folder))

    def unmount(self) -> None:
        """The process has ended by itself."""
        self._recording.close()

    def killed(self, *, power: bool) -> None:
        """The process is gone; go on with a copy of what is left."""
        old = self.folder
        self._lives += 1
        self.folder = self._base / f"{self.name}-{self._lives}"
        self.folder.mkdir()
        contents = {path.name: path.read_bytes() for path in old.iterdir() if path.is_file()}
        if power and self._on_tape:
            cut = Cut(self.tape.position, self._dice.choice(KEPT_SHARES))
            after = disk_after(self.tape, cut, self._dice)
            # Other files are synced by those who write, rename or remove them, and not on the tape.
            contents = {name: data for name, data in contents.items() if name not in ON_TAPE}
            contents |= {name: data for name, data in after.items() if name in ON_TAPE}
        self._recording.close()
        for name, data in contents.items():
            if not name.endswith("-shm"):
                (self.folder / name).write_bytes(data)
                (self.folder / name).chmod(0o600)

    def backup(self) -> dict[str, bytes]:
        """A copy of the databases as of now, as a sound backup would have it."""
        copies: dict[str, bytes] = {}
        for name in DATABASES:
            if (self.folder / name).exists():
                with sqlite3_real(self.folder / name) as db:
                    copies[name] = db.serialize()
        return copies

    def restore(self, copies: dict[str, bytes]) -> None:
        """Put a backup in the place of what is there; no process runs."""
        for name, data in copies.items():
            (self.folder / name).write_bytes(data)
            (self.folder / (name + LOG)).unlink(missing_ok=True)

    def put_back(self, copies: dict[str, bytes]) -> None:
        """As `restore`, by the program that is there for it, which sets aside what it replaces."""
        for name, data in copies.items():
            copy = self.folder / f"{name}.copy"
            copy.write_bytes(data)
            put_back(self.folder / name, copy)
            copy.unlink()

    def patience(self) -> tuple[float, float]:
        """How long the next job takes, before and after its work."""
        usual = self._dice.uniform(*USUAL_S)
        return usual + self.slow_s * self._dice.random(), usual

    def committing(self) -> None:
        """A transaction is about to be written.

        Raises:
            sqlite3.OperationalError: there is no room.
        """
        if self.full:
            raise sqlite3.OperationalError("database or disk is full")

    def committed(self) -> None:
        """It is written."""
        self.commits += 1
        self.world.note("commit", self.name, self.commits)
        if self.on_commit is not None:
            self.on_commit()

    def close(self) -> None:
        """The run is over."""
        self._recording.close()
        for connection in self.connections:
            connection.close()


_real_connect = sqlite3.connect


def sqlite3_real(path: Path) -> closing[sqlite3.Connection]:
    """A connection beside the simulation."""
    return closing(_real_connect(path))


class Connection(sqlite3.Connection):
    """A connection whose commits the disk hears of."""

    disk: Disk | None = None

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if sql != "COMMIT" or self.disk is None:
            return super().execute(sql, *args)
        self.disk.committing()
        cursor = super().execute(sql, *args)
        self.disk.committed()
        return cursor

    def commit(self) -> None:
        if self.disk is None or not self.in_transaction:
            super().commit()
            return
        self.disk.committing()
        super().commit()
        self.disk.committed()


def connect(disks: dict[Path, Disk], path: str | Path, *args: Any, **options: Any) -> sqlite3.Connection:
    """`sqlite3.connect`, which finds the simulated disk that a file is on."""
    disk = disks.get(Path(path).parent)
    if disk is None:
        return _real_connect(path, *args, **options)
    connection = _real_connect(path, *args, factory=Connection, **(options | {"check_same_thread": False}))
    assert isinstance(connection, Connection)
    connection.disk = disk
    disk.connections.append(connection)
    return connection


class NoThread:
    """In the place of aiosqlite's thread: what is asked of it is done by `InlineQueue`."""

    daemon = True

    def __init__(self, target: object = None, args: tuple[object, ...] = ()) -> None:
        """Nothing runs."""

    def start(self) -> None:
        """Nothing starts."""


class InlineQueue:
    """In the place of the queue to aiosqlite's thread: jobs are done where they are put, a commit takes its time."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[asyncio.Future | None, Callable[[], Any]]] = deque()
        self._busy = False

    def put_nowait(self, job: tuple[asyncio.Future | None, Callable[[], Any]]) -> None:
        """Do it, in its turn."""
        self._waiting.append(job)
        if not self._busy:
            self._work()

    def _work(self) -> None:
        while self._waiting:
            future, function = self._waiting.popleft()
            loop = None if future is None else future.get_loop()
            commits = getattr(getattr(function, "func", None), "__name__", "") == "commit"
            if commits and isinstance(loop, ProcessLoop):
                self._busy = True
                before_s, after_s = loop._patience()
                loop.world.after(before_s, partial(self._commit, future, function, loop, after_s), loop)
                return
            _answer(future, *_do(function))

    def _commit(
        self, future: asyncio.Future | None, function: Callable[[], Any], loop: ProcessLoop, after_s: float
    ) -> None:
        outcome = _do(function)
        loop.world.after(after_s, lambda: self._go_on(future, outcome), loop)

    def _go_on(self, future: asyncio.Future | None, outcome: tuple[Any, BaseException | None]) -> None:
        _answer(future, *outcome)
        self._busy = False
        self._work()


def _do(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return function(), None
    except Exception as error:  # noqa: BLE001 - it is the caller's
        return None, error


def _answer(future: asyncio.Future | None, result: Any, error: BaseException | None) -> None:
    if future is None or future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
