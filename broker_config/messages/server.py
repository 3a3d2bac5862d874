"""What the server says of its decisions, of goods that are paid, of visits that are over, and of messages it could not read."""

from broker_config.messages.base import Data, EpcHex, Instant

HOST_EVERY_S = 3.0
"""How often the server says that it is there."""


class HostState(Data, frozen=True, kw_only=True):
    """Birth, life and last will of the server; retained, and said again every `HOST_EVERY_S`.

    Who hears none for longer than 10 s, or one whose envelope is older than that by a clock that can be trusted, is alone.

    Args:
        state: `ready`, `disconnected` (said good-bye) or `lost` (last will).
        session: random per connection.
        since: when that connection began.
    """

    type_name = "tacet.server.state.v1"
    topic = "server_state"
    state: str
    session: str
    since: Instant


class DecisionMade(Data, frozen=True, kw_only=True):
    """The outcome of a rule, also when it is no.  `reason` is the gate that stopped it."""

    type_name = "tacet.decision.made.v1"
    topic = "decision_made"
    decision: str
    rule: str
    rule_version: int
    outcome: str
    reason: str | None
    place: str
    visit: str | None
    latency_ms: float


class TransactionSettled(Data, frozen=True, kw_only=True):
    """These goods are paid: from now on their tags count at tills, desks and exits only.

    Args:
        transaction: random id, 32 hex digits; names nobody.
        epcs: the site's own goods; never a card.
    """

    type_name = "tacet.txn.settled.v1"
    topic = "txn_settled"
    transaction: str
    epcs: tuple[EpcHex, ...]
    settled_at: Instant


class VisitEnded(Data, frozen=True, kw_only=True):
    """These tokens are dead: displays drop their moments, agents forget them.  `cause` is `left`, `timeout`, `withdrawn` or `erased`."""

    type_name = "tacet.visit.ended.v1"
    topic = "visit_ended"
    visits: tuple[str, ...]
    cause: str


class Bad(Data, frozen=True, kw_only=True):
    """A message that could not be read, set aside.

    Args:
        payload: base64 of what came, cut at 4 096 bytes.
    """

    type_name = "tacet.bad.v1"
    topic = "bad"
    came_on: str
    why: str
    payload: str
