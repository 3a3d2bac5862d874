"""The topic table: who may say what to whom, how surely, and for how long.  ACL files and AsyncAPI are generated from it.

Levels are places and devices only, never a person or a single item: topics leak into logs and ACLs.
State is retained; events and commands never are.
"""

from dataclasses import dataclass
from typing import Literal

from broker_config.site import Site

Party = Literal["server", "agent", "display", "client"]
ROOT = "tacet/1"


@dataclass(frozen=True, slots=True)
class Topic:
    """One row.

    Args:
        pattern: below `tacet/1/{site}/`; `{agent}`, `{zone}`, `{shelf}`, `{display}`, `{actuator}`, `{source}` stand for one level.
        publisher: the only party that may publish here; an agent or display only on what the site file gives it.
        subscribers: the parties that may subscribe; an agent or display only to its own.
        expiry_s: a receiver drops an older message; None: no expiry.
        durable: an event of the edge outbox, acknowledged by the server after its commit.
        signed: an order; it carries a code (`broker_config.command_mac`), and is refused without.
    """

    name: str
    pattern: str
    publisher: Party
    subscribers: tuple[Party, ...]
    qos: Literal[0, 1] = 1
    retained: bool = False
    expiry_s: int | None = None
    durable: bool = False
    signed: bool = False


def _event(name: str, pattern: str, expiry_s: int | None) -> Topic:
    return Topic(name, pattern, "agent", ("server",), expiry_s=expiry_s, durable=True)


TOPICS: tuple[Topic, ...] = (
    Topic("edge_state", "edge/{agent}/$state", "agent", ("server",), retained=True),
    Topic("edge_description", "edge/{agent}/$description", "agent", ("server",), retained=True),
    Topic("edge_stats", "edge/{agent}/stats", "agent", ("server",), qos=0, expiry_s=60),
    Topic("edge_dropped", "edge/{agent}/dropped", "agent", ("server",)),
    Topic("edge_backlog", "edge/{agent}/backlog", "agent", ("server",)),
    Topic("edge_ack", "edge/{agent}/ack", "server", ("agent",), expiry_s=60),
    Topic("edge_members", "edge/{agent}/cmd/members", "server", ("agent",), expiry_s=3600, signed=True),
    Topic("edge_quarantine", "edge/{agent}/cmd/quarantine", "server", ("agent",), expiry_s=3600, signed=True),
    _event("item_arrived", "zone/{zone}/item/arrived", 300),
    _event("item_moved", "zone/{zone}/item/moved", 300),
    _event("item_departed", "zone/{zone}/item/departed", 300),
    _event("item_returned", "zone/{zone}/item/returned", 300),
    _event("visit_entered", "zone/{zone}/visit/entered", 15),
    _event("visit_left", "zone/{zone}/visit/left", 15),
    _event("visit_dwelled", "zone/{zone}/visit/dwelled", 15),
    Topic("zone_coverage", "zone/{zone}/coverage", "agent", ("server", "client"), retained=True),
    Topic("zone_count", "zone/{zone}/count", "agent", ("server", "client"), retained=True),
    Topic("shelf_state", "shelf/{shelf}/state", "agent", ("server",), retained=True),
    _event("shelf_pick", "shelf/{shelf}/event/pick", 120),
    _event("shelf_putback", "shelf/{shelf}/event/putback", 120),
    _event("shelf_anomaly", "shelf/{shelf}/event/anomaly", 120),
    Topic("display_state", "display/{display}/$state", "display", ("server",), retained=True),
    Topic("display_description", "display/{display}/$description", "display", ("server",), retained=True),
    Topic("display_base", "display/{display}/base/set", "server", ("display",), retained=True, signed=True),
    Topic("moment_set", "display/{display}/moment/set", "server", ("display",), expiry_s=15, signed=True),
    Topic("moment_clear", "display/{display}/moment/clear", "server", ("display",), expiry_s=60, signed=True),
    Topic("display_shown", "display/{display}/shown", "display", ("server",)),
    Topic("actuator_state", "actuator/{actuator}/state", "agent", ("server",), retained=True),
    Topic("actuator_cmd", "actuator/{actuator}/cmd", "server", ("agent",), expiry_s=5, signed=True),
    Topic("actuator_result", "actuator/{actuator}/result", "agent", ("server",), expiry_s=60, durable=True),
    Topic("server_state", "server/$state", "server", ("agent", "display", "client"), retained=True),
    Topic("txn_settled", "txn/settled", "server", ("agent",), expiry_s=86_400, signed=True),
    Topic("decision_made", "decision/made", "server", ("client",), expiry_s=3600),
    Topic("visit_ended", "privacy/visit-ended", "server", ("agent", "display"), expiry_s=86_400, signed=True),
    Topic("privacy_receipt", "privacy/receipt/{agent}", "agent", ("server",), retained=True),
    Topic("bad", "bad/{source}", "server", ("client",)),
)
BY_NAME = {topic.name: topic for topic in TOPICS}


def user_name(party: Party, own_id: str) -> str:
    """The MQTT user name of a client."""
    return party if party == "server" else f"{party}-{own_id}"


def topic_for(name: str, site: str, **levels: str) -> str:
    """The full topic of row `name`, e.g. `topic_for("edge_ack", "demo", agent="gw-1")`."""
    return f"{ROOT}/{site}/{BY_NAME[name].pattern.format(**levels)}"


def parse_topic(topic: str) -> tuple[Topic, str, str] | None:
    """The row a full topic belongs to, its site and its variable level (`""` where the row has none); None for a foreign topic."""
    levels = topic.split("/")
    if levels[:2] != ROOT.split("/") or len(levels) < 4:
        return None
    for row in TOPICS:
        pattern = row.pattern.split("/")
        if len(pattern) == len(levels) - 3 and all(
            p == level or p.startswith("{") for p, level in zip(pattern, levels[3:], strict=True)
        ):
            variable = next((level for p, level in zip(pattern, levels[3:], strict=True) if p.startswith("{")), "")
            return row, levels[2], variable
    return None


def filters_for(party: Party, site: Site, own_id: str = "") -> tuple[list[str], list[str]]:
    """The topic filters that one client may publish to, and those it may subscribe to.

    Args:
        own_id: the agent's or display's id; unused for the server and for plain clients.
    """
    publish: list[str] = []
    subscribe: list[str] = []
    for row in TOPICS:
        for concrete in _concrete(row, site, party, own_id):
            if row.publisher == party:
                publish.append(f"{ROOT}/{site.id}/{concrete}")
            if party in row.subscribers:
                subscribe.append(f"{ROOT}/{site.id}/{concrete}")
    return publish, subscribe


def _concrete(row: Topic, site: Site, party: Party, own_id: str) -> list[str]:
    """The row's pattern with `+` for the server and plain clients, with the ids the site file assigns for the others."""
    if "{" not in row.pattern:
        return [row.pattern]
    level = row.pattern[row.pattern.index("{") + 1 : row.pattern.index("}")]
    if party in ("server", "client"):
        return [row.pattern.replace(f"{{{level}}}", "+")]
    owned: dict[str, list[str]] = {"agent": [], "display": [], "zone": [], "shelf": [], "actuator": [], "source": []}
    owned[party] = [own_id]
    if party == "agent":
        owned["zone"] = [zone.id for zone in site.zones if zone.agent == own_id]
        owned["shelf"] = [shelf.id for shelf in site.shelves if shelf.agent == own_id]
        owned["actuator"] = [actuator.id for actuator in site.actuators if actuator.agent == own_id]
    return [row.pattern.replace(f"{{{level}}}", name) for name in owned[level]]
