"""What every broker of ours allows one client, whichever engine it is."""

from broker_config.messages import MAX_PAYLOAD_BYTES

MAX_PACKET_BYTES = MAX_PAYLOAD_BYTES + 1024
"""A payload at its limit, and a topic."""
MAX_CONNECTIONS = 1000
MAX_KEEPALIVE_S = 300
"""A client that may be silent for longer, or for ever, is refused; by Mosquitto 2.0.11 only where it speaks MQTT 5."""
MAX_SUBSCRIPTIONS = 1000
"""Of one session, in the embedded broker; ours have a few dozen.  More are refused."""
