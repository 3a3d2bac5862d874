"""The commands for certificates, as a person types them."""

import shutil
import stat
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker_config.cli import broker_app
from broker_config.errors import ConfigError
from broker_config.identity import load_credential
from broker_config.pki.expiry import read_certificate
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.tls import BrokerTls, load_context
from tests.support.brokers import DEMO_SITE

TLS = '[tls]\nhost = "0.0.0.0"\nport = 8883\nnames = ["broker.store.example", "192.168.1.10"]\n'
BRIDGE = """[bridge]
host = "centre.example"
tls = { ca = "identity/pki/ca.pem", certificate = "identity/pki/server.pem", key = "identity/pki/server.key" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(DEMO_SITE, tmp_path / "site.toml")
    text = f'site = "site.toml"\nidentity = "identity"\ndata = "broker"\n{TLS}'
    (tmp_path / "broker.toml").write_text(text)
    return tmp_path


def said(folder: Path, *arguments: str) -> str:
    """What the command prints; it must succeed."""
    result = CliRunner().invoke(broker_app, [*arguments, "--config", str(folder / "broker.toml")])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def serial(folder: Path, user: str) -> int:
    return read_certificate(PkiStore(folder / "identity").pair(user)[0]).serial_number


def test_init_makes_everybody_a_certificate_and_later_only_what_is_missing(folder: Path) -> None:
    assert "made 7 certificates" in said(folder, "init")
    store, before = PkiStore(folder / "identity"), serial(folder, "server")
    for user in ("server", "agent-gw-1", "display-d-door"):
        certificate, key = store.pair(user)
        load_context(BrokerTls(ca=store.ca, certificate=certificate, key=key))
    store.pair("agent-gw-1")[0].unlink()
    assert "made 1 certificates, good for 365 days: agent-gw-1" in said(folder, "init")
    assert serial(folder, "server") == before


def test_without_a_tls_table_it_says_what_to_write(folder: Path) -> None:
    file = folder / "broker.toml"
    file.write_text(file.read_text().replace(TLS, ""))
    with pytest.raises(ConfigError, match=r"no \[tls\] table: add one"):
        said(folder, "init")


@pytest.mark.parametrize(
    "command", [["renew", "--all"], ["add", "agent", "gw-2"], ["rotate-ca"], ["config", "emqx", "--out", "x"]]
)
def test_before_init_every_command_says_so(folder: Path, command: list[str]) -> None:
    with pytest.raises(ConfigError, match="tacet broker init"):
        said(folder, *command)


@pytest.mark.parametrize("name", ["", "a b", "-x", "broker..example", "*.example", "bröker.example", "a" * 300])
def test_a_name_that_no_certificate_can_hold_is_refused(folder: Path, name: str) -> None:
    file = folder / "broker.toml"
    file.write_text(file.read_text().replace("broker.store.example", name))
    with pytest.raises(ConfigError, match="is no host name or address"):
        said(folder, "init")


def test_add_makes_a_certificate_and_with_force_takes_the_old_one_back(folder: Path) -> None:
    said(folder, "init")
    assert "tacet broker export client-wall" in said(folder, "add", "client", "wall")
    store, first = PkiStore(folder / "identity"), serial(folder, "client-wall")
    said(folder, "add", "client", "wall", "--force")
    revoked = [int(each.serial, 16) for each in store.issued() if each.revoked_at is not None]
    assert revoked == [first] != [serial(folder, "client-wall")]


def test_renew_makes_one_or_all_anew_and_nobody_unknown(folder: Path) -> None:
    said(folder, "init")
    agent, server, listener = (serial(folder, user) for user in ("agent-gw-1", "server", LISTENER))
    said(folder, "renew", "agent-gw-1")
    assert (serial(folder, "agent-gw-1") != agent, serial(folder, "server") == server) == (True, True)
    said(folder, "renew", "--all")
    assert serial(folder, LISTENER) != listener
    assert serial(folder, "server") != server
    with pytest.raises(ConfigError, match="no user 'agent-gw-9'"):
        said(folder, "renew", "agent-gw-9")
    with pytest.raises(ConfigError, match="name one user, or give --all"):
        said(folder, "renew")


def test_revoke_shuts_out_until_add_lets_in_again(folder: Path) -> None:
    said(folder, "init")
    password = load_credential(folder / "identity" / "agent-gw-1.toml").password
    assert "revoked 1 certificates" in said(folder, "revoke", "agent-gw-1")
    said(folder, "init")  # the site file still names it
    assert not (folder / "identity" / "agent-gw-1.toml").exists()
    assert not PkiStore(folder / "identity").has("agent-gw-1")
    said(folder, "add", "agent", "gw-1")
    assert load_credential(folder / "identity" / "agent-gw-1.toml").password != password
    assert PkiStore(folder / "identity").has("agent-gw-1")
    with pytest.raises(ConfigError, match="no such credential"):
        said(folder, "revoke", "agent-gw-9")


def test_the_server_is_given_new_secrets_at_once(folder: Path) -> None:
    said(folder, "init")
    old, before = load_credential(folder / "identity" / "server.toml"), serial(folder, "server")
    assert "start it again" in said(folder, "revoke", "server")
    assert load_credential(folder / "identity" / "server.toml").password != old.password
    assert serial(folder, "server") != before


def test_export_writes_one_file_and_says_where_its_parts_go(folder: Path, tmp_path: Path) -> None:
    said(folder, "init")
    printed = said(folder, "export", "agent-gw-1", str(tmp_path))
    assert '[broker.tls]\nca = "ca.pem"\ncertificate = "agent-gw-1.pem"' in printed
    assert 'host = "broker.store.example"\nport = 8883' in printed
    assert stat.S_IMODE((tmp_path / "agent-gw-1.tar").stat().st_mode) == 0o600
    with tarfile.open(tmp_path / "agent-gw-1.tar") as archive:
        assert len(archive.getnames()) == 4


def test_another_ca_begins_and_ends(folder: Path) -> None:
    said(folder, "init")
    store = PkiStore(folder / "identity")
    assert "two CAs are trusted" in said(folder, "rotate-ca")
    assert store.is_rotating()
    before = serial(folder, LISTENER)
    with pytest.raises(ConfigError, match=r"agent-gw-1, .*server, broker, who would be shut out"):
        said(folder, "rotate-ca", "--finish")
    assert "the broker's own waits" in said(folder, "renew", "--all")
    assert serial(folder, LISTENER) == before, "gateways without the new CA would be shut out"
    with pytest.raises(ConfigError, match="certificates of broker, who"):
        said(folder, "rotate-ca", "--finish")
    said(folder, "renew", LISTENER)
    said(folder, "rotate-ca", "--finish")
    assert not store.is_rotating()


def test_config_writes_what_a_broker_of_ones_own_needs_and_nothing_secret_besides(folder: Path) -> None:
    with (folder / "broker.toml").open("a") as file:
        file.write(BRIDGE)
    said(folder, "init")
    for product, names in (
        ("mosquitto", {"mosquitto.conf", "acl", "passwords", "ca.pem", "crl.pem", "broker.pem", "broker.key",
                       "bridge-ca.pem", "bridge.pem", "bridge.key"}),
        ("emqx", {"emqx.conf", "acl.conf", "ca.pem", "broker.pem", "broker.key"}),
    ):  # fmt: skip
        said(folder, "config", product, "--out", str(folder / "deploy"))
        written = list((folder / "deploy" / product).iterdir())
        assert {path.name for path in written} == names
        assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
        key = PkiStore(folder / "identity").ca_key.read_bytes()
        assert all(key not in path.read_bytes() for path in written)
    assert "user bridge-demo" in (folder / "deploy" / "centre-acl").read_text()
    assert '{username, "bridge-demo"}' in (folder / "deploy" / "centre-acl.conf").read_text()
