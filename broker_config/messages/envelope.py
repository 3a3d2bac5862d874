"""The CloudEvents 1.0 envelope, and bytes <-> messages by its `type`."""

from typing import Generic, Literal, TypeVar

import msgspec

from broker_config.errors import MessageError
from broker_config.messages.actuator import ActuatorCommand, ActuatorResult, ActuatorState
from broker_config.messages.base import Data, Instant
from broker_config.messages.display import BaseSet, DisplayState, MomentClear, MomentSet, MomentShown
from broker_config.messages.edge import (
    EdgeAck,
    EdgeBacklog,
    EdgeDescription,
    EdgeDropped,
    EdgeQuarantined,
    EdgeState,
    EdgeStats,
    ErasureReceipt,
    MembersOffered,
)
from broker_config.messages.server import Bad, DecisionMade, HostState, TransactionSettled, VisitEnded
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

MAX_PAYLOAD_BYTES = 64 * 1024

KINDS: tuple[type[Data], ...] = (
    ItemArrived, ItemReturned, ItemMoved, ItemDeparted, VisitEntered, VisitLeft, VisitDwelled, ZoneCoverage, ZoneCount,
    ShelfState, ShelfPick, ShelfPutback, ShelfAnomaly,
    EdgeState, EdgeDescription, EdgeStats, EdgeAck, EdgeDropped, EdgeBacklog, MembersOffered, EdgeQuarantined, ErasureReceipt,
    DisplayState, BaseSet, MomentSet, MomentClear, MomentShown, ActuatorCommand, ActuatorResult, ActuatorState,
    DecisionMade, TransactionSettled, VisitEnded, Bad, HostState,
)  # fmt: skip
BY_TYPE = {kind.type_name: kind for kind in KINDS}

D = TypeVar("D", bound=Data)


class Envelope(msgspec.Struct, Generic[D], frozen=True, kw_only=True, omit_defaults=True):
    """A CloudEvents 1.0 envelope in structured JSON.

    Args:
        id: `gateway.generation.seq` for durable edge events, random otherwise.
        generation, seq: 16 hex digits and a decimal string; durable edge events only.
        expires: a receiver drops the message after it; None: no expiry.
        sim: the event comes from a simulated device.
        clockms: to be added to every time in the message, in milliseconds: the sender's clock was so far from the server's.
        agems: the sender does not know the server's time; the message was so old, in milliseconds, when it was sent.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    time: Instant
    subject: str | None = None
    datacontenttype: str = "application/json"
    gateway: str | None = None
    generation: str | None = None
    seq: str | None = None
    expires: Instant | None = None
    sim: bool = False
    clockms: int | None = None
    agems: int | None = None
    data: D


_encoder = msgspec.json.Encoder()
_any = msgspec.json.Decoder(Envelope[msgspec.Raw])  # type: ignore[type-var]
_decoders = {kind.type_name: msgspec.json.Decoder(kind) for kind in KINDS}


def encode(envelope: Envelope[D]) -> bytes:
    """The envelope as JSON bytes."""
    return _encoder.encode(envelope)


def decode(payload: bytes) -> Envelope[Data]:
    """A whole envelope with its `data` decoded by `type`.

    Raises:
        MessageError: too large, no JSON, no envelope, an unknown type, or data of another shape; says which.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MessageError(f"{len(payload)} bytes, more than {MAX_PAYLOAD_BYTES}")
    try:
        raw = _any.decode(payload)
        decoder = _decoders.get(raw.type)
        if decoder is None:
            raise MessageError(f"unknown type {raw.type[:80]!r}")
        return msgspec.structs.replace(raw, data=decoder.decode(raw.data))  # type: ignore[arg-type]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(str(error)) from error
