"""A real broker for a test: either engine, a free port, fresh credentials.

async with running_broker(tmp_path, site) as broker:
    async with broker.client("agent-gw-1") as client:
        await client.publish(...)
"""

import asyncio
import json
import secrets
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import msgspec

from broker_config.config import Bridge, BrokerSettings, Engine, TlsListener
from broker_config.engine import run_broker
from broker_config.identity import Credential, load_credential, make_credential, write_credential
from broker_config.mqtt_client import fail_fast
from broker_config.pki.expiry import utc_now
from broker_config.pki.store import PkiStore
from broker_config.site import Site, load_site
from broker_config.tls import BrokerTls, load_context
from tests.support.patience import WAIT_S
from tests.support.programs import program

PROBE = "client-probe"
DEMO_SITE = Path(__file__).parents[2] / "simulators" / "demo_store" / "site.toml"
ENGINES: tuple[Engine, ...] = ("amqtt", "mosquitto")
NODELAY = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


@dataclass(frozen=True, slots=True)
class TestBroker:
    """Where it listens and who may connect; `site_file` and `identity` may be changed while it runs."""

    __test__ = False
    host: str
    port: int
    identity: Path
    site_file: Path
    engine: str
    tls: TlsListener | None = None

    @property
    def pki(self) -> PkiStore:
        """The CA and its certificates."""
        return PkiStore(self.identity)

    def files(self, user: str) -> BrokerTls:
        """What a client shows and trusts."""
        certificate, key = self.pki.pair(user)
        return BrokerTls(ca=self.pki.ca, certificate=certificate, key=key)

    def credential(self, user: str) -> Credential:
        """The credential of `server`, `agent-gw-1`, `display-d-door` …"""
        return load_credential(self.identity / f"{user}.toml")

    def client(self, user: str, **options: object) -> aiomqtt.Client:
        """An MQTT client with the user's own credential, as the project's clients connect; `options` override it."""
        own: dict[str, object] = {
            "username": user,
            "identifier": user,
            "protocol": aiomqtt.ProtocolVersion.V311,
            "socket_options": NODELAY,
            "timeout": WAIT_S,
        }
        if self.tls is not None:  # who comes by certificate needs no password
            context = options.pop("tls_context", None) or load_context(self.files(user))
            client = aiomqtt.Client(self.host, self.tls.port, **(own | options), tls_context=context)  # type: ignore[arg-type]
            fail_fast(client)
            return client
        if "password" not in options:
            own["password"] = self.credential(user).password
        return aiomqtt.Client(self.host, self.port, **(own | options))  # type: ignore[arg-type]


class BrokerDiedError(AssertionError):
    """The program ended by itself, which no test asked for."""


@asynccontextmanager
async def running_broker(
    folder: Path,
    site: Site | None = None,
    engine: Engine = "auto",
    port: int = 0,
    host: str = "127.0.0.1",
    tls: TlsListener | None = None,
    bridge: Bridge | None = None,
) -> AsyncIterator[TestBroker]:
    """A broker for `site` (the demo store's where None), alive on its port; skips where `engine` is not installed.

    Args:
        folder: its files; start again with the same folder and port to get the same clients and data.
        tls: a listener with certificates, to which `client` then connects; Mosquitto only.
        bridge: a link to another broker; Mosquitto only.
    """
    if engine == "mosquitto":
        program("mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    site_file = folder / "site.toml"
    if not site_file.exists():
        if site is None:
            shutil.copy(DEMO_SITE, site_file)
        else:
            site_file.write_text(site_toml(site))
        load_site(site_file)
    settings = BrokerSettings(
        engine=engine,
        host=host,
        port=port or free_port(),
        site=site_file,
        identity=folder / "identity",
        data=folder / "data",
        tls=tls,
        bridge=bridge,
    )
    if not (settings.identity / f"{PROBE}.toml").exists():
        write_credential(settings.identity, make_credential("client", PROBE.removeprefix("client-")))
    if tls is not None and not (pki := PkiStore(settings.identity)).exists():
        pki.create("demo", utc_now())
    async with run_broker(settings) as broker:
        running = TestBroker(settings.host, settings.port, settings.identity, site_file, broker.engine, tls)
        async with running.client(PROBE):  # a client of our own: as `server` it would push out the one under test
            pass  # only the broker we spawned knows this password
        ended = asyncio.create_task(broker.ended())
        try:
            yield running
        finally:
            if ended.done():
                raise BrokerDiedError(f"the broker died under the test: {ended.result()}")
            ended.cancel()
            await asyncio.wait([ended])


def network_door() -> TlsListener:
    """A listener with certificates, on loopback."""
    return TlsListener(host="127.0.0.1", port=free_port(), names=("127.0.0.1", "localhost"))


def site_toml(site: Site) -> str:
    """A site as the text of a site file."""
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in msgspec.to_builtins(site).items())


def toml_value(value: object) -> str:
    """A value of strings, numbers, lists and tables as TOML; JSON's strings and numbers are TOML's."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value)


def free_port() -> int:
    """A port that is free now, and that the kernel gives to no outgoing connection before it is used (Linux: 32768 and up)."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
