"""What aiomqtt 2.5 leaves out, for edge and server alike."""

import asyncio

import aiomqtt
from paho.mqtt import client as paho


def fail_fast(client: aiomqtt.Client) -> None:
    """Let a connection that ends before the broker's answer fail at once.

    aiomqtt would wait its whole time-out for the answer.  TLS 1.3 refuses a certificate in just this way, and a client that
    is renewed must not be held up by its last refusal.  To be called before the client is entered.
    """
    inner, answer = client._client, client._connected  # noqa: SLF001  aiomqtt offers no way to be told
    tell_aiomqtt, loop = inner.on_disconnect, asyncio.get_running_loop()
    assert tell_aiomqtt is not None, "aiomqtt sets it"

    def give_up() -> None:
        if not answer.done():
            answer.set_exception(aiomqtt.MqttError("the broker closed the connection before it answered"))
            answer.exception()  # whoever waited may have been cancelled meanwhile

    def on_disconnect(
        _client: paho.Client, userdata: object, flags: object, reason: object, properties: object = None
    ) -> None:
        tell_aiomqtt(_client, userdata, flags, reason, properties)  # type: ignore[call-arg, arg-type]
        loop.call_soon_threadsafe(give_up)

    inner.on_disconnect = on_disconnect
