"""From bytes on a topic to a message that may be believed: decoded, and its topic checked against what it says."""

import re
from dataclasses import dataclass

import msgspec

from broker_config.errors import MessageError
from broker_config.messages import Data, EdgeBacklog, Envelope, decode
from broker_config.site import AgentId, Site
from broker_config.topics import Topic, parse_topic
from server.link import Incoming
from server.times import put_right

GENERATION = re.compile(r"[0-9a-f]{16}")
SEQ = re.compile(r"[1-9][0-9]{0,15}")
MAX_SEQ = 10**16 - 1


@dataclass(frozen=True, slots=True)
class EventRef:
    """The place of a durable event in its outbox."""

    gateway: AgentId
    generation: str
    seq: int

    @property
    def id(self) -> str:
        """As the envelope writes it."""
        return f"{self.gateway}.{self.generation}.{self.seq}"


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that may be believed.

    Args:
        level: the topic's variable level.
        owner: the agent that the site file gives this topic to; None for displays.
        ref: durable events only.
    """

    incoming: Incoming
    row: Topic
    level: str
    owner: AgentId | None
    envelope: Envelope[Data]
    ref: EventRef | None


class Header(msgspec.Struct, frozen=True):
    """What an acknowledgement needs of an envelope that otherwise cannot be read."""

    id: str
    gateway: str
    generation: str
    seq: str


_header = msgspec.json.Decoder(Header)


class ForeignTopicError(MessageError):
    """An agent has posted what is not its own to say."""


def may_be_posted(row: Topic) -> bool:
    """Whether messages of this row may come over HTTP: what an outbox keeps, and what it had to drop."""
    return row.durable or row.name == "edge_dropped"


class MessageReader:
    """Decodes and checks; knows which agent owns which place."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._owners: dict[str, dict[str, str]] = {
            "edge": {agent: agent for agent in site.agents},
            "privacy": {agent: agent for agent in site.agents},
            "zone": {zone.id: zone.agent for zone in site.zones},
            "shelf": {shelf.id: shelf.agent for shelf in site.shelves},
            "actuator": {actuator.id: actuator.agent for actuator in site.actuators},
        }
        self._displays = frozenset(display.id for display in site.displays)
        self._places: dict[str, tuple[Topic, str, AgentId | None]] = {}  # by topic; as many as the site has

    def read(self, incoming: Incoming) -> Heard:
        """The message, checked.

        Raises:
            MessageError: unreadable, or topic and payload disagree; says how.
        """
        row, level, owner = self._place(incoming.topic)
        if incoming.publisher is not None and (owner != incoming.publisher or not may_be_posted(row)):
            raise ForeignTopicError(f"{incoming.topic} is not for {incoming.publisher} to post on")
        envelope = decode(incoming.payload)
        if envelope.data.topic != row.name:
            raise MessageError(f"{envelope.type} does not belong on {row.pattern}")
        if envelope.time.tzinfo is None:
            raise MessageError("time has no zone")
        self._check_place(row, level, envelope.data)
        envelope = put_right(envelope, incoming.received_ns)
        if envelope.gateway is not None and envelope.gateway != owner:
            raise MessageError(f"gateway {envelope.gateway[:40]!r} does not own {incoming.topic}")
        ref = None
        if row.durable:
            ref = _ref(Header(envelope.id, envelope.gateway or "", envelope.generation or "", envelope.seq or ""))
        return Heard(incoming, row, level, owner, envelope, ref)

    def unpack(self, incoming: Incoming) -> list[Incoming]:
        """The messages in this one: the events of a backlog, as if their agent had posted them; of any other, itself.

        One that cannot be read is left whole, to be set aside.
        """
        if not incoming.topic.endswith("/backlog") or incoming.publisher is not None:
            return [incoming]
        try:
            heard = self.read(incoming)
        except MessageError:
            return [incoming]
        data = heard.envelope.data
        if not isinstance(data, EdgeBacklog) or not data.rows:
            return [incoming]
        return [Incoming(row.topic, row.payload.encode(), incoming.received_ns, heard.owner) for row in data.rows]

    def read_ref(self, incoming: Incoming) -> EventRef | None:
        """Which event an unreadable message was, so that it can be acknowledged all the same; None where even that is unclear."""
        try:
            ref = _ref(_header.decode(incoming.payload))
            if incoming.publisher is not None:  # known by its password, whatever it says
                return ref if ref.gateway == incoming.publisher else None
            row, _, owner = self._place(incoming.topic)
        except (MessageError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return ref if row.durable and ref.gateway == owner else None

    def _place(self, topic: str) -> tuple[Topic, str, AgentId | None]:
        place = self._places.get(topic)
        if place is None:
            place = self._places[topic] = self._find_place(topic)
        return place

    def _find_place(self, topic: str) -> tuple[Topic, str, AgentId | None]:
        parsed = parse_topic(topic)
        if parsed is None or parsed[1] != self._site.id:
            raise MessageError("not a topic of this site")
        row, _, level = parsed
        kind = row.pattern.partition("/")[0]
        if kind == "display":
            if level not in self._displays:
                raise MessageError(f"the site has no display {level[:40]!r}")
            return row, level, None
        owner = self._owners.get(kind, {}).get(level)
        if owner is None:
            raise MessageError(f"the site has no {kind} {level[:40]!r}")
        return row, level, AgentId(owner)

    def _check_place(self, row: Topic, level: str, data: Data) -> None:
        kind = row.pattern.partition("/")[0]
        said = getattr(data, kind, level)  # a payload that names its place must name the topic's
        if said != level:
            raise MessageError(f"the payload says {kind} {str(said)[:40]!r}, the topic {level!r}")


def _ref(header: Header) -> EventRef:
    if not GENERATION.fullmatch(header.generation) or not SEQ.fullmatch(header.seq):
        raise MessageError("generation or seq is missing or malformed")
    ref = EventRef(AgentId(header.gateway), header.generation, int(header.seq))
    if ref.id != header.id:
        raise MessageError(f"id {header.id[:80]!r} is not {ref.id}")
    return ref
