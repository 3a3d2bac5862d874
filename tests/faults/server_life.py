"""A process of the server for the rig to kill: the real `tacet server`, which can end itself between commit and acknowledgement."""

import asyncio
import os
import re
import signal
from collections.abc import Iterable
from pathlib import Path

from broker_config.service_notify import ServiceNotifier
from server.clones import Speech
from server.config import load_config
from server.inbox import Inbox
from server.link import Incoming
from server.marks import Key, Marks
from server.serving import serve
from server.work import Work
from tests.faults.truth import TruthWriter

SEQ = re.compile(rb'"seq":"(\d+)"')


def live_as_server(
    config: Path, truth: Path, kill_after: int | None = None, tell_above: int | None = None, slow_s: float = 0.0
) -> None:
    """The process's whole life.

    Args:
        truth: where it says that something was committed.
        kill_after: dies at the so manyth transaction with events, after its commit and before anybody is told of it.
        tell_above: it notes each event beyond this number once it is committed.
        slow_s: so long every transaction takes beyond its own time.
    """
    writer = TruthWriter(truth)
    _tell_of_commits(writer, kill_after)
    if tell_above is not None:
        _tell_of_events(writer, tell_above)
    if slow_s:
        _slow_down(slow_s)
    writer.note("begun")
    asyncio.run(serve(load_config(config), lambda _: writer.note("ready"), ServiceNotifier()))


def _tell_of_commits(writer: TruthWriter, kill_after: int | None) -> None:
    """Put the hook where the server has just committed and the acknowledgement is not yet due."""
    committed, count = Marks.committed, 0

    def hooked(self: Marks, keys: Iterable[Key]) -> None:
        nonlocal count
        keys = list(keys)
        if keys:
            count += 1
            writer.note("committed", count)
            if count == kill_after:
                writer.note("killed")
                os.kill(os.getpid(), signal.SIGKILL)
        committed(self, keys)

    Marks.committed = hooked  # type: ignore[method-assign]


def _slow_down(slow_s: float) -> None:
    """A disk that takes its time."""
    flush = Work.flush

    async def slow(self: Work) -> None:
        await asyncio.sleep(slow_s)
        await flush(self)

    Work.flush = slow  # type: ignore[method-assign]


def _tell_of_events(writer: TruthWriter, above: int) -> None:
    """Note the numbers of a batch when it has been handled, which is after its commit."""
    handle = Inbox.handle

    async def told(self: Inbox, batch: list[Incoming], speech: Speech | None = None) -> set[Key]:
        touched = await handle(self, batch, speech)
        found = [SEQ.search(message.payload) for message in batch]
        seqs = [int(each[1]) for each in found if each is not None]
        if news := [seq for seq in seqs if seq > above]:
            writer.note("through", *news)
        return touched

    Inbox.handle = told  # type: ignore[method-assign]
