"""Whether a packet that a client sends is one, before amqtt takes it apart.

amqtt reads field by field and believes each: a filter list that ends in the middle of an entry goes on in the next packet,
and a string that is no UTF-8 becomes another string.  What is refused here ends the connection, as the standard asks.
Source: MQTT 3.1.1, sections 2.2, 3.1, 3.3, 3.8, 3.10.
"""

from collections.abc import Iterator

from broker_config.mqtt_fields import HEAD_OF_CONNECT, PASSWORD, USER, WILL, Fields, Malformed

CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = (
    1, 3, 4, 5, 6, 7, 8, 10, 12, 14,
)  # fmt: skip
FLAGS = {PUBREL: 2, SUBSCRIBE: 2, UNSUBSCRIBE: 2}
"""Of the kinds that do not leave their flags at 0; PUBLISH has its own."""
ACKNOWLEDGEMENTS = (PUBACK, PUBREC, PUBREL, PUBCOMP)


def check_packet(first_byte: int, body: bytes) -> None:
    """Return if a client may send this.

    Raises:
        Malformed: says in words why not.
    """
    kind, flags, fields = first_byte >> 4, first_byte & 0x0F, Fields(body)
    if kind != PUBLISH and flags != FLAGS.get(kind, 0):
        raise Malformed(f"flags {flags} of kind {kind}")
    if kind == CONNECT:
        _check_connect(fields)
    elif kind == PUBLISH:
        _check_publish(flags, fields)
    elif kind in (SUBSCRIBE, UNSUBSCRIBE):
        _check_filters(fields, with_quality=kind == SUBSCRIBE)
    elif kind in ACKNOWLEDGEMENTS:
        fields.take(2)
    elif kind not in (PINGREQ, DISCONNECT):
        raise Malformed(f"kind {kind} comes from no client")
    fields.end()


def _check_connect(fields: Fields) -> None:
    """Of another version only the head is looked at, so that amqtt can say which one it speaks."""
    if fields.take(len(HEAD_OF_CONNECT)) != HEAD_OF_CONNECT:
        fields.take(fields.left)
        return
    flags = fields.take(1)[0]
    fields.take(2)
    for _ in _payload_of_connect(fields, flags):
        pass


def _payload_of_connect(fields: Fields, flags: int) -> Iterator[object]:
    yield fields.text()
    if flags & WILL:
        yield fields.text()
        yield fields.data()
    if flags & USER:
        yield fields.text()
    if flags & PASSWORD:
        yield fields.text()  # bytes by the standard, which amqtt takes for text


def _check_publish(flags: int, fields: Fields) -> None:
    quality = flags >> 1 & 3
    if quality == 3:
        raise Malformed("quality 3")
    fields.text()
    if quality and fields.take(2) == b"\0\0":
        raise Malformed("number 0")
    fields.take(fields.left)


def _check_filters(fields: Fields, *, with_quality: bool) -> None:
    if fields.take(2) == b"\0\0":
        raise Malformed("number 0")
    if not fields.left:
        raise Malformed("no filter")
    while fields.left:
        fields.text()
        if with_quality and fields.take(1)[0] > 2:
            raise Malformed("a quality above 2")
