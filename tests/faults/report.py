"""What every fault's run reports: one line of the table, by the conservation law."""

from dataclasses import dataclass, field

import msgspec


@dataclass(slots=True)
class Outcome:
    """What one injected fault did, by truth kept outside the system.

    Args:
        seed: makes this very fault again.
        generated: events whose commit was reported, at the edge, or that were acknowledged, by the server.
        stored_once: of those, held by the server.
        dropped: not stored, but declared as dropped.
        in_outbox: neither, but still there to be sent.
        duplicates: events that show twice.
        broken: what else the fault did that must not be, in words.
        recovery_s: from opening the files to being ready.
    """

    seed: int
    generated: int = 0
    stored_once: int = 0
    dropped: int = 0
    in_outbox: int = 0
    duplicates: int = 0
    broken: list[str] = field(default_factory=list)
    recovery_s: float = 0.0

    @property
    def lost(self) -> int:
        """What the law lacks."""
        return self.generated - self.stored_once - self.dropped - self.in_outbox

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing twice, nothing broken."""
        return not (self.lost or self.duplicates or self.broken)


class FaultRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the table.

    Args:
        number: of the fault matrix.
        status: `control` is meant to fail: it shows that the rig can see the damage.
        why: of one that was not run.
        unsound: injected faults after which something was lost, twice or broken.
        seeds: of the first unsound ones.
    """

    number: int
    fault: str
    status: str
    why: str = ""
    injected: int = 0
    events_generated: int = 0
    stored_once: int = 0
    counted_drops: int = 0
    in_outbox: int = 0
    lost: int = 0
    duplicates_visible: int = 0
    unsound: int = 0
    seeds: list[int] = []
    broken: list[str] = []
    recovery_ms_p50: float = 0.0
    recovery_ms_max: float = 0.0
    seconds: float = 0.0


def as_row(number: int, fault: str, outcomes: list[Outcome], seconds: float, *, control: bool = False) -> FaultRow:
    """All of one kind of fault."""
    bad = [each for each in outcomes if not each.sound]
    waits_ms = sorted(each.recovery_s * 1e3 for each in outcomes)
    caught = "control: fails, as it must" if bad else "control: the rig saw no damage, so it proves nothing"
    return FaultRow(
        number=number,
        fault=fault,
        status=caught if control else "failed" if bad else "held",
        injected=len(outcomes),
        events_generated=sum(each.generated for each in outcomes),
        stored_once=sum(each.stored_once for each in outcomes),
        counted_drops=sum(each.dropped for each in outcomes),
        in_outbox=sum(each.in_outbox for each in outcomes),
        lost=sum(each.lost for each in outcomes),
        duplicates_visible=sum(each.duplicates for each in outcomes),
        unsound=len(bad),
        seeds=[each.seed for each in bad[:5]],
        broken=sorted({word for each in bad for word in each.broken})[:5],
        recovery_ms_p50=round(waits_ms[len(waits_ms) // 2], 1),
        recovery_ms_max=round(waits_ms[-1], 1),
        seconds=round(seconds, 1),
    )
