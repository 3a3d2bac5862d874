"""The whole store once with certificates: broker, server, agent and a kiosk in a real browser, and a renewal of them all."""

from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from broker_config.cli import broker_app
from tests.support.brokers import free_port
from tests.support.chain import Chain, running_chain
from tests.support.chromium import chromium
from tests.support.programs import program

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.xdist_group("system")]
FILES = """
[broker.tls]
ca = "identity/pki/ca.pem"
certificate = "identity/pki/{user}.pem"
key = "identity/pki/{user}.key"
"""


def broker_command(folder: Path, *arguments: str) -> None:
    """`tacet broker …` for this store."""
    result = CliRunner().invoke(broker_app, [*arguments, "--config", str(folder / "broker.toml")])
    assert result.exit_code == 0, result.output


def secured(folder: Path, port: int) -> None:
    """The store's configuration with server and agent on the broker's network side."""
    broker = folder / "broker.toml"
    plain = next(line for line in broker.read_text().splitlines() if line.startswith("port = "))
    broker.write_text(f'{broker.read_text()}\n[tls]\nhost = "127.0.0.1"\nport = {port}\nnames = ["localhost"]\n')
    for name, user in (("edge.toml", "agent-gw-1"), ("server.toml", "server")):
        file = folder / name
        head, broker_table, rest = file.read_text().partition("[broker]")
        there = rest.replace(plain, f"port = {port}").replace('host = "127.0.0.1"', 'host = "localhost"')
        file.write_text(head + broker_table + there + FILES.format(user=user))
    broker_command(folder, "init")


def connected_to(port: int) -> int:
    """How many connections that stand lead to the port."""
    standing = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_ESTABLISHED]
    return sum(bool(each.raddr) and each.raddr.port == port for each in standing)


async def events(chain: Chain) -> int:
    return int(chain.rows("SELECT count(*) FROM event")[0][0])


async def test_a_store_lives_over_tls_alone_and_goes_on_when_all_certificates_are_renewed(warm_folder) -> None:
    program("mosquitto")
    port, folder = free_port(), warm_folder("tls")
    async with running_chain(folder, lambda where: secured(where, port)) as chain, chromium() as browser:
        page = await browser.open(f"{chain.state.server_url}/display/d-shoes", width=1280, height=720)
        await page.wait_for("document.querySelector('.moment')", 90)
        assert connected_to(port) >= 3, "server, agent and the kiosk's own"
        assert connected_to(chain.state.broker_port) == 0, "somebody went by password"
        served = folder / "broker" / "mosquitto" / "broker.pem"
        before = served.read_bytes()
        broker_command(folder, "renew", "--all")
        counted = await events(chain)

        async def goes_on() -> bool:
            return served.read_bytes() != before and await events(chain) > counted + 5 and connected_to(port) >= 2

        await chain.until(goes_on)
        assert (await chain.client.summary())["events_lost"] == 0
