"""Figures for Prometheus, read from the services at each scrape; no label names a person, a visit or an item."""

from collections.abc import Iterable

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from broker_config.site import ZoneId
from server.state import ServerState, State

router = APIRouter()


class ServerCollector(Collector):
    """What this server knows of itself."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._zones = [zone.id for zone in state.site.zones]

    def collect(self) -> Iterable[Metric]:
        """The families."""
        inbox, link, telemetry = self._state.inbox.counters, self._state.link, self._state.telemetry.counters
        yield CounterMetricFamily("tacet_inbox_duplicates", "Messages that had come before", inbox.duplicates)
        yield CounterMetricFamily("tacet_inbox_stale", "Events that came after their expiry", inbox.stale)
        yield CounterMetricFamily("tacet_inbox_bad", "Messages set aside", inbox.bad)
        yield CounterMetricFamily("tacet_inbox_foreign", "Events posted under another agent's topic", inbox.foreign)
        yield CounterMetricFamily("tacet_inbox_withheld", "Events of agents that are there twice", inbox.withheld)
        yield CounterMetricFamily("tacet_inbox_batches", "Inbox transactions", inbox.batches)
        yield CounterMetricFamily(
            "tacet_outgoing_expired", "Messages to the broker that waited too long", link.expired_outgoing
        )
        yield CounterMetricFamily(
            "tacet_outgoing_too_long", "Messages held back that no broker takes", link.guard.held_back
        )
        retries = self._state.commands.retries
        yield CounterMetricFamily("tacet_orders_retried", "Orders to actuators sent again", retries.retried)
        yield CounterMetricFamily("tacet_orders_unanswered", "Orders that no agent answered", retries.unanswered)
        yield CounterMetricFamily("tacet_telemetry_dropped", "Points dropped before the time series", telemetry.dropped)
        yield CounterMetricFamily("tacet_telemetry_errors", "Failed writes to the time series", telemetry.errors)
        yield GaugeMetricFamily("tacet_broker_connected", "Whether the broker link is up", float(link.connected))
        yield GaugeMetricFamily("tacet_events_lost", "Events skipped in a sequence", self._state.marks.lost())
        yield _per_zone("tacet_zone_items", "Items in a zone", self._state.items.counts())
        yield _per_zone("tacet_zone_visits", "Visits in a zone", self._state.visits.counts())
        covered = {zone: self._state.fleet.coverage(ZoneId(zone)).covered for zone in self._zones}
        known = {zone: int(is_covered) for zone, is_covered in covered.items() if is_covered is not None}
        yield _per_zone("tacet_zone_covered", "Whether a zone's readers deliver", known)
        agents = GaugeMetricFamily("tacet_agent_ready", "Whether an agent is there", labels=["agent"])
        for view in self._state.fleet.agents.values():
            agents.add_metric([view.agent], float(view.state in ("ready", "alert")))
        yield agents


def _per_zone(name: str, text: str, counts: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["zone"])
    for zone, count in sorted(counts.items()):
        family.add_metric([zone], count)
    return family


@router.get("/metrics")
async def get_metrics(state: State) -> Response:
    """The text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServerCollector(state))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
