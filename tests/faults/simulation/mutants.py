"""Product code made wrong on purpose, in the ways that matter: the simulation has to notice each of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from edge import outbox_store
from edge.actuators import manager
from edge.erasure import Eraser
from edge.timebase import Timebase
from edge.uplink import Uplink
from edge.visits import FORGETTING
from server import inbox
from server.commands.service import CommandService
from server.erasure.service import ErasureService
from server.inbox import Inbox
from server.link import Incoming
from server.marks import Key, Marks
from server.members.service import MemberService
from server.visits.model import Visit
from server.visits.service import VisitService
from server.work import Work


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


@contextmanager
def dates_as_the_host_has_them() -> Iterator[None]:
    """An agent's events say what its host's clock shows, and nothing of how wrong that is."""
    with patch.object(Timebase, "put_right", lambda _self, payload, _generation=None: payload):
        yield


@contextmanager
def withdrawal_in_silence() -> Iterator[None]:
    """Whoever withdraws or is erased is forgotten by the server, which tells neither screens nor agents."""
    end = VisitService._end

    def silent(self: VisitService, work: Work, visit: Visit, cause: str) -> None:
        sent = len(work.sends)
        end(self, work, visit, cause)
        if cause in FORGETTING:
            del work.sends[sent:]

    with patch.object(VisitService, "_end", silent):
        yield


@contextmanager
def receipt_without_erasure() -> Iterator[None]:
    """An agent says that it has erased somebody, and leaves their events in its outbox."""

    async def nothing(_self: Eraser, _rows: Any) -> int:
        return 0

    with patch.object(Eraser, "_erase", nothing):
        yield


@contextmanager
def backups_bring_the_erased_back() -> Iterator[None]:
    """Nobody looks at the tombstones when the server starts."""

    async def nothing(_self: ErasureService) -> int:
        return 0

    with patch.object(ErasureService, "reapply", nothing):
        yield


@contextmanager
def backups_bring_visits_back() -> Iterator[None]:
    """Nobody looks at the start whose visits are known, though they withdrew."""

    async def nothing(_self: MemberService) -> int:
        return 0

    with patch.object(MemberService, "forget_withdrawn", nothing):
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
"""What a rough plan shows."""

PRIVATE_MUTANTS: dict[str, Callable[[], Any]] = {
    each.__name__: each
    for each in (
        dates_as_the_host_has_them,
        withdrawal_in_silence,
        receipt_without_erasure,
        backups_bring_the_erased_back,
        backups_bring_visits_back,
    )
}
"""What a plan shows in which members go and clocks are wrong."""
