"""Product code made wrong on purpose, in the ways that matter: the simulation has to notice each of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from edge import outbox_store
from edge.actuators import manager
from edge.uplink import Uplink
from server import inbox
from server.commands.service import CommandService
from server.inbox import Inbox
from server.link import Incoming
from server.marks import Key, Marks


@contextmanager
def ack_before_commit() -> Iterator[None]:
    """The server says that it has what it is about to store."""
    handle, reader_of = Inbox.handle, Marks.take

    async def eager(self: Inbox, batch: list[Incoming], *rest: Any) -> None:
        marks, touched = self._on.marks, set[Key]()

        def take(ref: Any) -> bool:
            new = reader_of(marks, ref)
            touched.add((ref.gateway, ref.generation))
            marks.committed(touched)
            return new

        with patch.object(marks, "take", take):
            await handle(self, batch, *rest)

    with patch.object(Inbox, "handle", eager):
        yield


@contextmanager
def no_dedupe() -> Iterator[None]:
    """Every message is new, and an event's row is written again without a word."""
    take = Marks.take

    def always(self: Marks, ref: Any) -> bool:
        take(self, ref)
        return True

    with patch.object(Marks, "take", always):
        yield


@contextmanager
def outbox_believes_the_broker() -> Iterator[None]:
    """A broker's PUBACK counts as stored."""
    publish = Uplink._publish

    async def trusting(self: Uplink, client: Any, row: Any, slots: Sequence[Any]) -> None:
        await publish(self, client, row, slots)

        def forget(store: outbox_store.OutboxStore) -> None:
            with store._transaction():
                store._db.execute(f"DELETE FROM event_{row.event_class.lower()} WHERE seq = ?", (row.seq,))

        await self._outbox.with_store(forget)

    with patch.object(Uplink, "_publish", trusting):
        yield


@contextmanager
def no_fence() -> Iterator[None]:
    """An actuator obeys whatever comes, as often as it comes."""
    judge: Callable[..., Any] = manager.judge

    def obedient(*args: Any, **options: Any) -> Any:
        verdict = judge(*args, **options)
        return "act" if verdict in ("repeat", "stale") else verdict

    with patch.object(manager, "judge", obedient):
        yield


@contextmanager
def no_expiry() -> Iterator[None]:
    """Neither an actuator nor the server looks at how old a thing is."""
    judge: Callable[..., Any] = manager.judge

    def patient(*args: Any, **options: Any) -> Any:
        verdict = judge(*args, **options)
        return "act" if verdict == "expired" else verdict

    with patch.object(manager, "judge", patient), patch.object(inbox, "is_stale", lambda _heard: False):
        yield


@contextmanager
def versions_begin_anew() -> Iterator[None]:
    """Every start of the server numbers its orders from the same epoch."""

    async def first(self: CommandService, _session: Any) -> None:
        self._epoch = 1

    with patch.object(CommandService, "start_epoch", first):
        yield


MUTANTS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        ack_before_commit,
        no_dedupe,
        outbox_believes_the_broker,
        no_fence,
        no_expiry,
        versions_begin_anew,
    )
}
