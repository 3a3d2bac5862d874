"""The agent's counters, as `stats` tells them."""

from collections.abc import Callable
from dataclasses import asdict

from broker_config.messages import EdgeStats, ReaderReport
from edge.clock import NS_PER_S, Clock
from edge.coverage import CoverageWatch
from edge.health import Health
from edge.keeper import Keeper
from edge.members import Members
from edge.outbox import Outbox
from edge.presence_model import Counters
from edge.sensors import SensorStates


class Statistics:
    """Gathers what everything counts.

    Args:
        counters: the engine's.
        resent: events sent again.
    """

    def __init__(
        self,
        counters: Callable[[], Counters],
        health: Health,
        outbox: Outbox,
        members: Members,
        coverage: CoverageWatch,
        keeper: Keeper,
        sensors: SensorStates,
        resent: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._counters, self._health, self._outbox, self._members = counters, health, outbox, members
        self._coverage, self._keeper, self._sensors = coverage, keeper, sensors
        self._resent, self._clock = resent, clock
        self._counted = (clock(), 0)  # when the reads were last counted, and how many

    def __call__(self) -> EdgeStats:
        """The counters since start."""
        counters, tally = self._counters(), self._health.tally
        now_ns = self._clock()
        before_ns, before = self._counted
        self._counted = (now_ns, counters.reads)
        return EdgeStats(
            reads=counters.reads,
            reads_per_s=round((counters.reads - before) * NS_PER_S / max(now_ns - before_ns, 1), 1),
            present_items=counters.present_items,
            present_visits=counters.present_people,
            strays=counters.strays,
            bad_frames=self._health.totals().bad_frames,
            dropped_reads=tally.dropped_reads,
            events=tally.events,
            outbox=self._outbox.waiting,
            dropped_events=self._outbox.dropped_events,
            members_version=self._members.version,
            member_lease_s=max(self._members.leased_until_ns - now_ns, 0) // NS_PER_S,
            counters=self._others(counters),
            sensors=self._sensors.now(),
            readers=tuple(
                ReaderReport(id=each, has_read=each in tally.have_read, has_unnamed=each in tally.unnamed)
                for each in self._coverage.reader_ids
            ),
        )

    def _others(self, counters: Counters) -> dict[str, int]:
        tally = self._health.tally
        return {
            **{name: count for name, count in asdict(counters).items() if count},
            **{name: count for name, count in asdict(self._keeper.counters).items() if count},
            **self._outbox.figures(),
            "silent_readers": len(self._coverage.silent),
            "bad_messages": tally.bad_messages,
            "held_back": self._health.outgoing.held_back,
            "forged_orders": tally.forged_orders,
            "refused_commands": tally.refused_commands,
            "refused_member_tables": self._members.refused,
            "unknown_antenna": tally.unknown_antenna,
            "link_losses": tally.link_losses,
            "resent": self._resent(),
            "discarded_bytes": self._health.totals().discarded_bytes,
            "device_alarms": self._health.totals().alarms,
            "clock_step_ms": self._clock.step_ns() // 1_000_000,
        }
