"""What is too long for a broker: it would end the connection of whoever sends it, and again after each new one.

So it is held back where it would be published: said once for a topic, counted each time, and in nobody's way.
"""

import logging

from broker_config.limits import MAX_PACKET_BYTES

log = logging.getLogger(__name__)
AROUND_BYTES = 1 + 4 + 2 + 2
"""Of a PUBLISH, beside topic and payload: its first byte, its length at its longest, the topic's length, its number."""


class LengthGuard:
    """Of one publisher.

    Args:
        held_back: messages since the start.
    """

    def __init__(self) -> None:
        self.held_back = 0
        self._topics: dict[str, None] = {}  # whose newest message was held back

    def refuses(self, topic: str, payload: bytes) -> bool:
        """Whether this message must not be sent; if so it is counted, and the first of a topic is told."""
        size_bytes = len(topic.encode()) + len(payload) + AROUND_BYTES
        if size_bytes <= MAX_PACKET_BYTES:
            self._topics.pop(topic, None)
            return False
        self.held_back += 1
        if topic not in self._topics:
            said = "a message on %s is held back: %s bytes, and a broker takes %s; shorten the texts, or the list, behind it"
            log.error(said, topic, size_bytes, MAX_PACKET_BYTES)
            self._topics[topic] = None
        return True

    @property
    def alarm(self) -> str | None:
        """The topics that lack their newest message."""
        if not self._topics:
            return None
        return f"too long for the broker, and not sent: {', '.join(self._topics)}; shorten the texts, or the list, behind it"
