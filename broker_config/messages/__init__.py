"""Every message on the bus: a CloudEvents 1.0 JSON envelope around one of the `Data` kinds below.

Readers ignore unknown fields, so that a newer edge does not break an older server.  No message holds a card's EPC, a
member id, an alias or a pseudonym that outlives a visit.
"""

from broker_config.messages.actuator import ActuatorCommand, ActuatorResult, ActuatorState
from broker_config.messages.base import MIN_GROUP, Data, Direction, Evidence, Instant, Version, group_safe
from broker_config.messages.display import BaseItem, BaseSet, DisplayState, MomentClear, MomentSet, MomentShown
from broker_config.messages.edge import (
    Device,
    EdgeAck,
    EdgeBacklog,
    EdgeDescription,
    EdgeDropped,
    EdgeQuarantined,
    EdgeState,
    EdgeStats,
    ErasureReceipt,
    MembersOffered,
    PostedRow,
    ReaderReport,
    SensorReport,
)
from broker_config.messages.envelope import BY_TYPE, KINDS, MAX_PAYLOAD_BYTES, Envelope, decode, encode
from broker_config.messages.post import MAX_POST_BYTES, MAX_POST_ROWS, EventPost, PostAnswer
from broker_config.messages.server import HOST_EVERY_S, Bad, DecisionMade, HostState, TransactionSettled, VisitEnded
from broker_config.messages.shelf import ShelfAnomaly, ShelfPick, ShelfPutback, ShelfState
from broker_config.messages.zone import (
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    ItemReturned,
    VisitDwelled,
    VisitEntered,
    VisitLeft,
    ZoneCount,
    ZoneCoverage,
)

__all__ = [
    "BY_TYPE",
    "HOST_EVERY_S",
    "KINDS",
    "MAX_PAYLOAD_BYTES",
    "MAX_POST_BYTES",
    "MAX_POST_ROWS",
    "MIN_GROUP",
    "ActuatorCommand",
    "ActuatorResult",
    "ActuatorState",
    "Bad",
    "BaseItem",
    "BaseSet",
    "Data",
    "DecisionMade",
    "Device",
    "Direction",
    "DisplayState",
    "EdgeAck",
    "EdgeBacklog",
    "EdgeDescription",
    "EdgeDropped",
    "EdgeQuarantined",
    "EdgeState",
    "EdgeStats",
    "Envelope",
    "ErasureReceipt",
    "EventPost",
    "Evidence",
    "HostState",
    "Instant",
    "ItemArrived",
    "ItemDeparted",
    "ItemMoved",
    "ItemReturned",
    "MembersOffered",
    "MomentClear",
    "MomentSet",
    "MomentShown",
    "PostAnswer",
    "PostedRow",
    "ReaderReport",
    "SensorReport",
    "ShelfAnomaly",
    "ShelfPick",
    "ShelfPutback",
    "ShelfState",
    "TransactionSettled",
    "Version",
    "VisitDwelled",
    "VisitEnded",
    "VisitEntered",
    "VisitLeft",
    "ZoneCount",
    "ZoneCoverage",
    "decode",
    "encode",
    "group_safe",
]
