"""What every fault's run reports: one line of the table, by the conservation law."""

import math
import os
from collections.abc import Sequence
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
        injected: faults, where one life had several.
        extra: other figures by name: of all outcomes whole numbers are added up, of others the largest is reported.
    """

    seed: int
    generated: int = 0
    stored_once: int = 0
    dropped: int = 0
    in_outbox: int = 0
    duplicates: int = 0
    broken: list[str] = field(default_factory=list)
    recovery_s: float = 0.0
    injected: int = 1
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """What the law lacks."""
        return self.generated - self.stored_once - self.dropped - self.in_outbox

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing twice, nothing broken."""
        return not (self.lost or self.duplicates or self.broken)

    def expect(self, held: bool, otherwise: str) -> None:
        """Note a broken promise in words, unless it held."""
        if not held:
            self.broken.append(otherwise)


class FaultRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: a fault that was injected.

    Args:
        numbers: of the fault matrix.
        status: `held` or `failed`; a control is meant to fail, or the rig could not see the damage.
        unsound: injected faults after which something was lost, twice or broken.
        seeds, broken: of the first unsound ones.
        figures: what else was measured.
        cpu_s: what this process and those that it has waited for spent on it; a busy machine lengthens it less.
        load: how many programs wanted a processor meanwhile, this one among them; of a busy machine times say little.
        searched_bytes, traffic_bytes: files and traffic that were searched for the members of its stores.
        stores: how many stores with members there were.
        identities: the first finds where none may be.
    """

    numbers: tuple[int, ...]
    fault: str
    status: str
    injected: int
    events_generated: int
    stored_once: int
    counted_drops: int
    in_outbox: int
    lost: int
    duplicates_visible: int
    unsound: int
    seeds: list[int]
    broken: list[str]
    recovery_ms_p50: float
    recovery_ms_max: float
    figures: dict[str, float]
    seconds: float
    cpu_s: float = 0.0
    load: float = 0.0
    searched_bytes: int = 0
    traffic_bytes: int = 0
    stores: int = 0
    identities_found: int = 0
    identities: list[str] = msgspec.field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the run is a proof."""
        return self.status in ("held", CAUGHT)


class SearchLine(msgspec.Struct, frozen=True, kw_only=True):
    """The line about all rows: whether their files and their traffic tell of the members.

    Args:
        planted, missed: of the control: what was put there, and what of it was not found.
        seconds: the whole run, this search and all that ran beside something else included.
    """

    fault: str = "members' identities in files and traffic"
    numbers: tuple[int, ...] = ()
    status: str
    identities_found: int
    identities: list[str]
    searched_bytes: int
    traffic_bytes: int
    stores: int
    planted: int
    missed: list[str]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the run is a proof."""
        return self.status == "held"

    def __str__(self) -> str:
        return (
            f"identities found: {self.identities_found} in {self.searched_bytes:,} bytes of files and"
            f" {self.traffic_bytes:,} bytes of traffic of {self.stores} stores with members;"
            f" control: {self.planted - len(self.missed)} of {self.planted} planted ones found"
        )


class NotRun(msgspec.Struct, frozen=True, kw_only=True):
    """A line for a fault that was not injected, and why."""

    numbers: tuple[int, ...]
    fault: str
    why: str
    status: str = "not run"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many per cent of all do not exceed; 0 of none."""
    ordered = sorted(values) or [0.0]
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * percent / 100) - 1)]


CAUGHT = "control: fails, as it must"
MISSED = "control: saw no damage, so proves nothing"


def as_row(
    numbers: tuple[int, ...], fault: str, outcomes: list[Outcome], seconds: float, *, control: bool = False
) -> FaultRow:
    """All of one kind of fault."""
    bad = [each for each in outcomes if not each.sound]
    waits_ms = sorted(each.recovery_s * 1e3 for each in outcomes) or [0.0]
    statuses = (MISSED, CAUGHT) if control else ("held", "failed")
    return FaultRow(
        numbers=numbers,
        fault=fault,
        status=statuses[bool(bad)],
        injected=sum(each.injected for each in outcomes),
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
        figures=_figures(outcomes),
        seconds=round(seconds, 1),
        load=round(os.getloadavg()[0], 1),
    )


def _figures(outcomes: list[Outcome]) -> dict[str, float]:
    """Counts added up, measures at their largest."""
    figures: dict[str, float] = {}
    for outcome in outcomes:
        for name, value in outcome.extra.items():
            if isinstance(value, int):
                figures[name] = figures.get(name, 0) + value
            else:
                figures[name] = round(max(figures.get(name, value), value), 3)
    return figures
