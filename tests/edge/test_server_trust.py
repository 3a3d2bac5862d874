"""A server that speaks HTTPS with a certificate of the store's own CA: every way in which the agent asks it."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from broker_config.errors import ConfigError
from broker_config.identity import load_credential
from broker_config.pki.expiry import utc_now
from broker_config.pki.store import LISTENER, PkiStore
from edge.config import EdgeConfig, load_config
from edge.doctor_probes import examine_server
from edge.members import Members
from edge.posting import Poster
from edge.server_clock import ServerClock
from tests.support.edge import ManualClock
from tests.support.patience import WAIT_S, eventually

CREDENTIAL = "identity/agent-gw-1.toml"


def authority(folder: Path) -> PkiStore:
    """A CA, with certificates of the broker and of the agent."""
    store = PkiStore(folder)
    store.create("demo", utc_now())
    for user in (LISTENER, "agent-gw-1"):
        store.issue(user, utc_now(), 365, ["localhost"])
    return store


@asynccontextmanager
async def answering(store: PkiStore) -> AsyncIterator[tuple[str, list[str]]]:
    """A server with the broker's certificate: its address, and what it was asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*store.pair(LISTENER))
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1].decode())
        writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "localhost", 0, ssl=context) as server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}", asked


def config_of(folder: Path, server: str, top: str = "", tables: str = "") -> EdgeConfig:
    """The demo's agent with another address of the server."""
    path = folder / "edge.toml"
    lines = path.read_text().splitlines()
    lines[lines.index(next(line for line in lines if line.startswith("server = ")))] = f'server = "{server}"\n{top}'
    path.write_text("\n".join(lines).replace("[[readers]]", f"{tables}\n[[readers]]", 1))
    return load_config(path)


def with_broker(store: PkiStore) -> str:
    certificate, key = store.pair("agent-gw-1")
    return f'[broker.tls]\nca = "{store.ca}"\ncertificate = "{certificate}"\nkey = "{key}"\n'


async def test_whatever_the_agent_asks_a_server_of_the_stores_own_ca_gets_there(edge_folder, tmp_path) -> None:
    store = authority(tmp_path / "identity")
    async with answering(store) as (address, asked):
        config = config_of(edge_folder, address, tables=with_broker(store))
        trust, credential = config.server_trust, load_credential(edge_folder / CREDENTIAL)
        await Members(tmp_path, address, credential, list, ManualClock(), trust=trust).begin()
        clock = ServerClock(address, credential, ManualClock(), trust=trust)
        running = asyncio.create_task(clock.run())
        await eventually(lambda: any("time" in path for path in asked))
        running.cancel()
        await asyncio.wait([running])
        idle = SimpleNamespace(acked_upto=0, away_s=0.0)
        async with Poster(config, idle, idle, idle)._client() as client:
            await client.post(f"{address}/events")
        await examine_server(address, credential, trust)
        assert {path.rpartition("/")[2].partition("?")[0] for path in asked} >= {"members", "time", "events", "status"}
        findings, _ = await examine_server(address, credential)
        assert "server_ca" in findings[0].next_step


async def test_a_ca_that_takes_over_is_trusted_from_the_next_connection_on(edge_folder, tmp_path) -> None:
    old, new = authority(tmp_path / "old"), authority(tmp_path / "new")
    ca = tmp_path / "ca.pem"
    shutil.copy(old.ca, ca)
    async with answering(new) as (address, _):
        trust = config_of(edge_folder, address, top=f'server_ca = "{ca}"').server_trust
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=WAIT_S) as client:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(address)
            ca.write_text("half carried over")
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(address)
            shutil.copy(new.ca, ca)
            assert (await client.get(address)).status_code == 503


async def test_with_a_ca_named_for_the_server_no_other_may_vouch_for_it(edge_folder, tmp_path) -> None:
    store, other = authority(tmp_path / "identity"), authority(tmp_path / "other")
    async with answering(store) as (address, _):
        config = config_of(edge_folder, address, top=f'server_ca = "{other.ca}"', tables=with_broker(store))
        async with httpx.AsyncClient(verify=config.server_trust, trust_env=False, timeout=WAIT_S) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(address)
    assert isinstance(config.server_trust, ssl.SSLContext)
    assert config.server_trust.cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    ("server", "top", "words"),
    [
        ("http://192.168.1.5:8080", "", "password would be read on the way; write it as https://"),
        ("http://127.0.0.1:8080", 'server_ca = "ca.pem"', "server_ca is for a server that speaks TLS"),
        ("https://store.example", 'server_ca = "ca.pem"', "ca.pem: cannot be read"),
        ("https://store.example", 'server_ca = "site.toml"', "no PEM certificate"),
    ],
)
def test_what_cannot_be_trusted_is_refused_in_one_line(edge_folder, server: str, top: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        config_of(edge_folder, server, top)
    assert "\n" not in str(refused.value)
