"""Raw MQTT QoS 1, the control: a paho publisher and a subscriber with a persistent session, as an application would use them.

The publisher hands each event to `publish()` and goes on; the subscriber has stored one as soon as it is in its file, and
lets paho acknowledge afterwards.  There is no outbox and no acknowledgement from the one to the other: that is the point.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt

from tests.faults.truth import TruthWriter

TOPIC = "raw/events"
KEEPALIVE_S = 15
MAX_RECONNECT_S = 5


@dataclass(frozen=True, slots=True)
class RawPlan:
    """What one life of a client does.

    Args:
        first: the first event's number.
        count: events in all; None for as long as it lives.
        promise: an event counts as promised once the broker has acknowledged it, or once paho has taken it.
        kill_after: the subscriber dies at the so manyth event, after storing it and before it is acknowledged.
    """

    port: int
    truth: Path
    first: int = 1
    per_s: float = 200.0
    count: int | None = None
    promise_at_hand_over: bool = False
    kill_after: int | None = None


def live_as_publisher(plan: RawPlan) -> None:
    """Publish until killed."""
    truth, client = TruthWriter(plan.truth), _client(plan, "raw-publisher")
    seqs: dict[int, int] = {}
    early: set[int] = set()

    def acknowledged(_client: object, _data: object, mid: int, *_: object) -> None:
        if mid in seqs:
            number = seqs.pop(mid)
            truth.promised([("raw", number, number, b"")])
        else:
            early.add(mid)

    if not plan.promise_at_hand_over:
        client.on_publish = acknowledged
    client.loop_start()
    truth.note("born")
    due_s, seq = time.monotonic(), plan.first
    while plan.count is None or seq < plan.first + plan.count:
        message = client.publish(TOPIC, str(seq), qos=1)
        if plan.promise_at_hand_over or message.mid in early:
            truth.promised([("raw", seq, seq, b"")])
        else:
            seqs[message.mid] = seq
        seq += 1
        due_s += 1 / plan.per_s
        time.sleep(max(0.0, due_s - time.monotonic()))
    signal.pause()


def live_as_subscriber(plan: RawPlan) -> None:
    """Store what comes until killed."""
    truth, client, came = TruthWriter(plan.truth), _client(plan, "raw-subscriber"), 0

    def connected(client: mqtt.Client, *_: object) -> None:
        client.subscribe(TOPIC, 1)

    def subscribed(*_: object) -> None:
        truth.note("ready")

    def stored(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        nonlocal came
        came += 1
        number = int(message.payload)
        truth.promised([("raw", number, number, b"")])
        truth.note("stored", int(message.payload))
        if came == plan.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    client.on_connect, client.on_subscribe, client.on_message = connected, subscribed, stored
    client.loop_start()
    signal.pause()


def _client(plan: RawPlan, name: str) -> mqtt.Client:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, name, clean_session=False)
    client.reconnect_delay_set(1, MAX_RECONNECT_S)
    client.connect_async("127.0.0.1", plan.port, KEEPALIVE_S)
    return client
