"""A process of the server for the rig to kill: the real `tacet server`, which can end itself between commit and acknowledgement."""

import asyncio
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from broker_config.service_notify import ServiceNotifier
from server.config import load_config
from server.marks import Key, Marks
from server.serving import serve
from tests.faults.truth import TruthWriter


def live_as_server(config: Path, truth: Path, kill_after: int | None = None) -> None:
    """The process's whole life.

    Args:
        truth: where it says that something was committed.
        kill_after: dies at the so manyth transaction with events, after its commit and before anybody is told of it.
    """
    writer = TruthWriter(truth)
    _tell_of_commits(writer, kill_after)
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
