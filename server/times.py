"""Times in messages, put right where their sender's clock was wrong: a gateway may begin in 1970, or a year ahead.

An agent that knows the server's time says how far its own is off.  One that does not says how old the message was when it
left.  Its clock is believed all the same where that is possible: a message may wait in a broker for as long as agents keep
theirs, so only one from the future, or from before that, is dated by its arrival.
"""

from datetime import datetime, timedelta

import msgspec

from broker_config.errors import MessageError
from broker_config.messages import Data, Envelope
from server.clock import NS_PER_MS, NS_PER_S, to_datetime, to_ns

MAX_AHEAD_NS = 60 * NS_PER_S
MAX_WAIT_NS = 48 * 3600 * NS_PER_S
"""As long as an agent keeps what was acknowledged; what is older when it comes was not sent by this clock."""


def put_right(envelope: Envelope[Data], received_ns: int) -> Envelope[Data]:
    """The envelope with its times, and those of its data, by the server's clock.

    Raises:
        MessageError: a correction that leads out of the calendar.
    """
    try:
        shift = _shift(envelope, received_ns)
        return envelope if not shift else _shifted(envelope, shift)
    except OverflowError as error:
        raise MessageError("clockms or agems lead out of the calendar") from error


def _shift(envelope: Envelope[Data], received_ns: int) -> timedelta:
    if envelope.clockms is not None:
        return timedelta(milliseconds=envelope.clockms)
    if envelope.agems is None:
        return timedelta()
    sent_ns = to_ns(envelope.time) + envelope.agems * NS_PER_MS
    if -MAX_AHEAD_NS <= received_ns - sent_ns <= MAX_WAIT_NS:
        return timedelta()
    return to_datetime(received_ns) - timedelta(milliseconds=envelope.agems) - envelope.time


def _shifted(envelope: Envelope[Data], shift: timedelta) -> Envelope[Data]:
    data, expires = envelope.data, envelope.expires
    times = {
        name: value + shift for name in data.__struct_fields__ if isinstance(value := getattr(data, name), datetime)
    }
    return msgspec.structs.replace(
        envelope,
        time=envelope.time + shift,
        expires=None if expires is None else expires + shift,
        data=msgspec.structs.replace(data, **times),
    )
