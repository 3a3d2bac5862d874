"""Run whichever broker the settings name, and let in new clients while it runs."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Protocol

from broker_config.access import Access
from broker_config.config import BrokerSettings
from broker_config.errors import ConfigError
from broker_config.mosquitto.network import Network, needs_mosquitto, network_of
from broker_config.mosquitto.process import find_mosquitto, run_mosquitto

log = logging.getLogger(__name__)
WATCH_EVERY_S = 0.5
LOOK_EVERY_S = 3600.0


class RunningBroker(Protocol):
    """What both engines offer while they run; `engine` is its name and version."""

    engine: str

    def apply(self, access: Access) -> None:
        """Let in whom `access` knows now, and nobody else."""

    async def ended(self) -> str:
        """Return when the engine ended by itself, with a word on how."""


class AmqttBroker:
    """The embedded engine, which reads its `Access` at every question."""

    def __init__(self) -> None:
        self.engine = f"amqtt {version('amqtt')}"

    def apply(self, access: Access) -> None:
        """Nothing is cached, so nothing is to be done."""

    async def ended(self) -> str:
        """It lives as long as this process."""
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that event")


@asynccontextmanager
async def run_broker(settings: BrokerSettings) -> AsyncIterator[RunningBroker]:
    """A broker that accepts connections, until the block ends.

    Credentials that the site file asks for are made first.  Clients added to the identity folder while it runs are let
    in within a second.

    Raises:
        ConfigError: the port is taken, the engine is not installed or does not start, a file is wrong.
    """
    program = find_mosquitto() if settings.engine in ("auto", "mosquitto") else None
    if settings.engine == "mosquitto" and program is None:
        raise ConfigError('engine = "mosquitto", but no such program is installed: install it, or set engine = "auto"')
    if program is None:
        needs_mosquitto(settings)
    network = network_of(settings)
    access = Access(settings.site, settings.identity, network.watched())
    for host, port in listeners(settings):
        check_port_is_free(host, port)
    network.prepare(access.rights)
    network.look()
    engine = run_mosquitto(settings, program, access, network) if program else run_amqtt(settings, access)
    async with engine as broker:
        watch = asyncio.create_task(_watch(access, broker, network), name="watch clients")
        try:
            yield broker
        finally:
            watch.cancel()
            await asyncio.wait([watch])


def listeners(settings: BrokerSettings) -> list[tuple[str, int]]:
    """Every address the broker will listen on."""
    own = [(settings.host, settings.port)]
    return own if settings.tls is None else [*own, (settings.tls.host, settings.tls.port)]


@asynccontextmanager
async def run_amqtt(settings: BrokerSettings, access: Access) -> AsyncIterator[RunningBroker]:
    """The embedded engine, until the block ends."""
    from broker_config.embedded.broker import EmbeddedBroker  # a tenth of a second that Mosquitto's users need not pay

    broker = EmbeddedBroker(settings.host, settings.port, access)
    await broker.start()
    try:
        yield AmqttBroker()
    finally:
        await broker.shutdown()


def check_port_is_free(host: str, port: int) -> None:
    """Refuse to start where another program listens.

    Raises:
        ConfigError: the address cannot be bound; names the port and what to do.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(
                    f"port {port} on {host} is in use by another program (perhaps another broker): stop that one, "
                    "or set another port in the broker's file and in those of its clients"
                ) from error
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another host or port"
            ) from error


async def _watch(access: Access, broker: RunningBroker, network: Network) -> None:
    """Look at the identity folder and the site file, and apply what changed; what cannot be applied waits for the next change.

    Rights come first: who was shut out must not keep them because a certificate cannot be made.  The certificates' own time
    runs too, which no file tells.
    """
    loop = asyncio.get_running_loop()
    look_at_s = loop.time() + LOOK_EVERY_S
    while True:
        await asyncio.sleep(WATCH_EVERY_S)
        try:
            if loop.time() >= look_at_s:
                look_at_s = loop.time() + LOOK_EVERY_S
                network.look()
            if access.has_changed() and access.reload():
                broker.apply(access)
                if network.prepare(access.rights):
                    broker.apply(access)
        except (ConfigError, OSError) as error:
            log.error("clients stay as they were: %s", error)  # noqa: TRY400  the one line is the whole story
