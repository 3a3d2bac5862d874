"""The server beyond this machine: its own TLS, or a proxy's word, and nobody else's."""

import asyncio
import shutil
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker_config.errors import ConfigError
from broker_config.tls import BrokerTls
from server.client import only
from server.config import ServerConfig, TlsFiles, load_config
from server.summary import status
from server.tls import follow_renewals, load_files, open_tls
from tests.support.patience import WAIT_S, eventually
from tests.support.serving import serving

SHOP = "https://tacet.shop.example"
NAME = "tacet.shop.example"
FAR = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


def write_certificate(folder: Path, number: int = 1) -> TlsFiles:
    """A certificate of its own for the shop's name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(number)
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = TlsFiles(str(folder / "server.crt"), str(folder / "server.key"))
    Path(files.certificate).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    Path(files.key).touch(mode=0o600)
    Path(files.key).write_bytes(pem)
    return files


def config_of(store: Path, **changes: object) -> ServerConfig:
    return msgspec.structs.replace(load_config(store / "server.toml"), **changes)


async def test_over_tls_the_cookie_is_the_hosts_own_and_older_tls_is_refused(store):
    files = write_certificate(store)
    async with serving(config_of(store, tls=files, address=SHOP)) as (port, _):
        async with httpx.AsyncClient(
            base_url=f"https://127.0.0.1:{port}", verify=only(files), timeout=WAIT_S
        ) as client:
            asked = await client.post("/api/displays/d-door/pairing", headers={"Host": NAME})
            assert "Secure" in asked.headers["set-cookie"]
            assert asked.headers["strict-transport-security"].startswith("max-age=")
            token = (store / "server" / "owner.token").read_text()
            made = await client.post(
                "/api/staff/owner/link", headers={"Authorization": f"Bearer {token}"}, json={"purpose": "sign-in"}
            )
            link = made.json()["link"]
            assert link.startswith(f"{SHOP}/enter/")
            entered = await client.post(
                link.removeprefix(SHOP), headers={"Host": NAME, "Origin": SHOP, "Content-Type": FORM}, content=b""
            )
            assert entered.headers["set-cookie"].startswith("__Host-tacet=")
            assert {"secure", "httponly", "samesite=strict", "path=/"} <= {
                part.strip().lower() for part in entered.headers["set-cookie"].split(";")
            }
        older = only(files)
        older.minimum_version, older.maximum_version = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2
        async with httpx.AsyncClient(base_url=f"https://127.0.0.1:{port}", verify=older, timeout=WAIT_S) as client:
            assert (await client.get("/healthz")).status_code == 200
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client:
            with pytest.raises(httpx.TransportError):
                await client.get("/healthz")


FORM = "application/x-www-form-urlencoded"


def test_nothing_older_than_tls_1_2_is_spoken(tmp_path):
    assert open_tls(write_certificate(tmp_path)).minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_renewed_certificate_is_used_without_a_restart_and_a_broken_one_is_not(store):
    files = write_certificate(store, 1)
    async with serving(config_of(store, tls=files, address=SHOP)) as (port, context):
        assert context is not None
        following = asyncio.create_task(follow_renewals(context, files, every_s=0.01))
        assert await serial_of(port) == 1
        Path(files.certificate).write_text("no certificate")
        await asyncio.sleep(0.1)
        assert await serial_of(port) == 1
        write_certificate(store, 2)
        async with asyncio.timeout(WAIT_S):
            while await serial_of(port) != 2:
                await asyncio.sleep(0.01)
        following.cancel()


async def test_a_certificate_that_ends_within_thirty_days_is_told_in_the_log_and_the_status(state, tmp_path, caplog):
    files = write_certificate(tmp_path)
    broker = BrokerTls(ca=tmp_path / "ca.pem", certificate=Path(files.certificate), key=Path(files.key))
    assert status(state).warning is None
    for change in ({"tls": files}, {"broker": msgspec.structs.replace(state.config.broker, tls=broker)}):
        told = status(replace(state, config=msgspec.structs.replace(state.config, **change))).warning
        assert f"certificate of {NAME} expires in" in told
        assert "renew" in told
    following = asyncio.create_task(follow_renewals(open_tls(files), files))
    await eventually(lambda: "expires in" in caplog.text)
    following.cancel()
    Path(files.certificate).write_text("no certificate")
    assert (
        "no PEM certificate" in status(replace(state, config=msgspec.structs.replace(state.config, tls=files))).warning
    )


async def test_a_renewal_that_is_half_done_leaves_the_old_pair_in_use(store):
    files = write_certificate(store, 1)
    async with serving(config_of(store, tls=files, address=SHOP)) as (port, context):
        assert context is not None
        (store / "new").mkdir()
        shutil.copy(write_certificate(store / "new", 2).certificate, files.certificate)
        with pytest.raises(ConfigError):
            load_files(context, files)
        assert await serial_of(port) == 1


async def serial_of(port: int) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(der).serial_number


def world_readable(files: TlsFiles) -> None:
    Path(files.key).chmod(0o644)


def missing(files: TlsFiles) -> None:
    Path(files.certificate).unlink()


def no_pem(files: TlsFiles) -> None:
    Path(files.certificate).write_text("x")


def anothers_key(files: TlsFiles) -> None:
    other = Path(files.key).parent / "other"
    other.mkdir()
    shutil.copy(write_certificate(other).key, files.key)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (world_readable, "chmod o="),
        (missing, "cannot be read"),
        (no_pem, "set .tls. right"),
        (anothers_key, "set .tls. right"),
    ],
)
def test_files_that_are_no_pair_are_refused_in_one_line(tmp_path, spoil, words):
    files = write_certificate(tmp_path)
    spoil(files)
    with pytest.raises(ConfigError, match=words) as refused:
        open_tls(files)
    assert "\n" not in str(refused.value)


def test_the_command_line_trusts_this_servers_certificate_alone(tmp_path):
    files = write_certificate(tmp_path)
    context = only(files)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) + context.cert_store_stats()["x509"] >= 1
    with pytest.raises(ConfigError, match="not a certificate"):
        only(TlsFiles(str(tmp_path / "none"), files.key))


async def test_a_declared_proxy_is_believed_and_speaks_for_whom_it_says(store):
    async with (
        serving(config_of(store, trusted_proxy="127.0.0.1", address=SHOP)) as (port, _),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client,
    ):
        through = await client.get("/sign-in", headers=FAR | {"Host": NAME})
        assert (through.status_code, "strict-transport-security" in through.headers) == (200, True)
        for headers in (
            FAR | {"X-Forwarded-Proto": "http", "Host": NAME},
            FAR,  # a proxy that does not pass the name on would open what is for this machine's programs
            {"Host": NAME},
        ):
            assert (await client.get("/sign-in", headers=headers)).status_code == 421, headers
        assert (await client.get("/healthz")).status_code == 200, "a program on this machine"


async def test_nobody_else_can_pretend_to_be_a_proxy(store):
    async with (
        serving(config_of(store, trusted_proxy="10.0.0.4", address=SHOP)) as (port, _),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client,
    ):
        assert (await client.get("/sign-in", headers=FAR | {"Host": NAME})).status_code == 421
        assert (await client.get("/healthz", headers=FAR)).status_code == 200, "its word counts for nothing"
