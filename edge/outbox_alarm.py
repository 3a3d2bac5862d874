"""What the outbox warns of, each with what to do, and its figures for `stats`."""

from dataclasses import dataclass

from edge.outbox_store import OutboxStore

ALARM_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Fill:
    """How full things are.

    Args:
        outbox: of what there is room for, what unacknowledged events take, 0 to 1.
        disk: of the disk, what is taken by whomever, 0 to 1.
        disk_short: the disk will be full before the outbox has had its quota.
    """

    outbox: float
    disk: float
    disk_short: bool

    @classmethod
    def of(cls, store: OutboxStore, waiting: int) -> "Fill":
        """As it is now."""
        return cls(store.room.filled(waiting), store.room.disk_filled(), store.room.disk_is_short())


def warnings(store: OutboxStore, fill: Fill, trouble: str, alarm_share: float = ALARM_SHARE) -> str | None:
    """All that is wrong, the worst first; None where nothing is.  It tells no counts, since each change is published.

    Args:
        trouble: why the disk refused the last commit; empty where it did not.
    """
    said: list[str] = []
    if trouble:
        said.append(f"events cannot be written ({trouble}); free some space on the disk of the data folder")
    if fill.outbox >= alarm_share:
        said.append("the outbox is nearly full; see to the broker and the server, or raise quota_mb under [outbox]")
    if fill.disk_short or fill.disk >= alarm_share:
        said.append("the disk of the data folder is nearly full; free some space on it")
    if store.damaged_events:
        said.append("events were damaged on the disk, and declared as dropped; check the disk")
    if store.quarantined:
        aside = store.quarantined[-1]
        said.append(
            f"a damaged outbox was set aside as {aside.name}; check the disk, then remove that file from {aside.parent}"
        )
    return ". Also: ".join(said) or None
