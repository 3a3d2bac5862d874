"""A program's certificate while its connection uses it: taken up anew when its files are replaced, warned of before it ends."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Protocol

import aiomqtt

from broker_config.errors import ConfigError
from broker_config.tls import BrokerTls, ClientTls

log = logging.getLogger(__name__)
CHECK_EVERY_S = 0.5
WARN_EVERY_S = 3600.0
ASK_S = 1.5


class Reach(Protocol):
    """Where the broker is, and what it asks for."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def tls(self) -> BrokerTls | None: ...


class LinkCertificate:
    """What secures one connection to the broker; on the broker's own machine nothing has to.

    Args:
        on_warning: told what the certificate's end asks for, whenever that changes; None: nothing.
    """

    def __init__(self, broker: Reach, on_warning: Callable[[str | None], None] = lambda _: None) -> None:
        self._broker, self._on_warning = broker, on_warning
        self._tls = None if broker.tls is None else ClientTls(broker.tls)
        self._warned: str | None = None

    def context(self) -> ssl.SSLContext | None:
        """For the next connection, from the files as they are now.

        Raises:
            aiomqtt.MqttError: they cannot be used; a later try finds them mended.
        """
        if self._tls is None:
            return None
        try:
            context = self._tls.context()
        except ConfigError as error:
            raise aiomqtt.MqttError(str(error)) from error
        self._warn(self._tls)
        return context

    async def watch(self) -> None:
        """Return only where there is nothing to watch.

        Raises:
            aiomqtt.MqttError: the files were replaced: connect anew.
        """
        if self._tls is None:
            return
        loop = asyncio.get_running_loop()
        warn_at_s = loop.time() + WARN_EVERY_S
        while not self._tls.is_renewed():
            await asyncio.sleep(CHECK_EVERY_S)
            if loop.time() >= warn_at_s:
                warn_at_s = loop.time() + WARN_EVERY_S
                self._warn(self._tls)
        raise aiomqtt.MqttError("the certificate was renewed")

    async def explain(self, reason: str) -> str:
        """Why the connection was refused: the MQTT library often knows only that it was, and its word is `reason`."""
        if self._tls is None:
            return reason
        return await asyncio.to_thread(self._tls.why, self._broker.host, self._broker.port, ASK_S) or reason

    def _warn(self, tls: ClientTls) -> None:
        warning = tls.warning()
        if warning == self._warned:
            return
        self._warned = warning
        if warning is not None:
            log.warning("%s", warning)
        self._on_warning(warning)
