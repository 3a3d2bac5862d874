"""A client's side of TLS: what it refuses before it opens anything, and what it says of a refusal."""

import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.pki.expiry import utc_now
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.tls import BrokerTls, ClientTls, check_reach, load_context
from tests.support.patience import WAIT_S

AGENT = "agent-gw-1"


@pytest.fixture
def store(tmp_path: Path) -> PkiStore:
    store = PkiStore(tmp_path / "identity")
    store.create("demo", utc_now())
    store.issue(AGENT, utc_now(), 365)
    store.issue(LISTENER, utc_now(), 365, ("localhost",))
    return store


def files_of(store: PkiStore, user: str = AGENT) -> BrokerTls:
    certificate, key = store.pair(user)
    return BrokerTls(ca=store.ca, certificate=certificate, key=key)


@contextmanager
def server(store: PkiStore, certificate: Path, key: Path) -> Iterator[int]:
    """One TLS connection at a time as the broker takes it, until the block ends; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(store.ca)
    context.load_verify_locations(store.revocations)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        while not ended.is_set():
            plain, _ = listener.accept()
            plain.settimeout(WAIT_S)
            try:
                with context.wrap_socket(plain, server_side=True):
                    pass
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join(WAIT_S)
        listener.close()


def test_what_a_refusal_means_is_said_with_what_to_do(store: PkiStore, tmp_path: Path) -> None:
    now, other = utc_now(), PkiStore(tmp_path / "other")
    other.create("demo", now)
    other.issue(AGENT, now, 365)
    other.issue(LISTENER, now, 365, ("localhost",))
    listener, tls = store.pair(LISTENER), ClientTls(files_of(store))
    with server(store, *listener) as port:
        assert tls.why("localhost", port, WAIT_S) is None
        assert "names" in str(tls.why("127.0.0.1", port, WAIT_S))
        store.issue(AGENT, now - timedelta(days=2), 1)
        assert "our certificate has expired" in str(tls.why("localhost", port, WAIT_S))
        stranger = files_of(other)
        mixed = BrokerTls(ca=store.ca, certificate=stranger.certificate, key=stranger.key)
        assert "does not know the CA" in str(ClientTls(mixed).why("localhost", port, WAIT_S))
    with server(store, *other.pair(LISTENER)) as port:
        assert "not made by our CA" in str(tls.why("localhost", port, WAIT_S))
    store.issue(LISTENER, now - timedelta(days=2), 1, ("localhost",))
    with server(store, *listener) as port:
        assert "broker's certificate has expired" in str(tls.why("localhost", port, WAIT_S))
    store.issue(LISTENER, now + timedelta(days=2), 1, ("localhost",))
    with server(store, *listener) as port:
        assert "clock" in str(tls.why("localhost", port, WAIT_S))


def test_a_revoked_certificate_is_told_from_others(store: PkiStore, tmp_path: Path) -> None:
    for path in store.pair(AGENT):
        shutil.copy(path, tmp_path)
    kept = BrokerTls(ca=store.ca, certificate=tmp_path / f"{AGENT}.pem", key=tmp_path / f"{AGENT}.key")
    store.revoke(AGENT, utc_now())
    with server(store, *store.pair(LISTENER)) as port:
        assert "was revoked" in str(ClientTls(kept).why("localhost", port, WAIT_S))


def test_files_that_cannot_be_used_are_named_with_the_remedy(store: PkiStore, tmp_path: Path) -> None:
    files = files_of(store)
    files.key.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_context(files)
    files.key.chmod(0o600)
    load_context(files)
    store.issue("agent-gw-2", utc_now(), 365)
    with pytest.raises(ConfigError, match="is not the key of"):
        load_context(BrokerTls(ca=files.ca, certificate=store.pair("agent-gw-2")[0], key=files.key))
    with pytest.raises(ConfigError, match=r"missing\.pem: cannot be read"):
        load_context(BrokerTls(ca=tmp_path / "missing.pem", certificate=files.certificate, key=files.key))
    with pytest.raises(ConfigError, match=r"ca\.key: is no PEM certificate"):
        load_context(BrokerTls(ca=store.ca_key, certificate=files.certificate, key=files.key))
    files.key.write_bytes(b"nonsense")
    with pytest.raises(ConfigError, match="is no unencrypted PEM key"):
        load_context(files)


def test_a_key_that_cannot_be_read_is_named(store: PkiStore, tmp_path: Path) -> None:
    folder = tmp_path / "folder.key"
    folder.mkdir(mode=0o700)
    with pytest.raises(ConfigError, match=r"folder\.key: cannot be read"):
        load_context(BrokerTls(ca=store.ca, certificate=store.pair(AGENT)[0], key=folder))


def test_older_tls_is_not_spoken(store: PkiStore) -> None:
    context = load_context(files_of(store))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_an_expired_certificate_is_warned_of_and_no_reason_to_stay_down(store: PkiStore) -> None:
    store.issue(AGENT, utc_now() - timedelta(days=2), 1)
    tls = ClientTls(files_of(store))
    tls.context()
    assert "expired on" in str(tls.warning())


def test_other_files_are_a_renewal_once_they_can_be_used(store: PkiStore) -> None:
    tls = ClientTls(files_of(store))
    tls.context()
    assert not tls.is_renewed()
    before = store.pair(AGENT)[0].read_bytes()
    store.issue(AGENT, utc_now(), 365)
    after = store.pair(AGENT)[0].read_bytes()
    store.pair(AGENT)[0].write_bytes(before)  # the new key is there, its certificate not yet
    assert not tls.is_renewed()
    store.pair(AGENT)[0].write_bytes(after)
    assert tls.is_renewed()
    tls.context()
    assert not tls.is_renewed()


def test_no_password_crosses_a_network_in_clear(store: PkiStore, tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    check_reach(path, "127.0.0.1", None)
    check_reach(path, "broker.store.example", files_of(store))
    for host in ("broker.store.example", "192.168.1.10", "::"):
        with pytest.raises(ConfigError, match=r"\[broker\.tls\]"):
            check_reach(path, host, None)
