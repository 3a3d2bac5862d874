"""What the doctor says of a broker on another machine."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from broker_config.pki.expiry import utc_now
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.tls import BrokerTls
from edge.config import BrokerAddress
from edge.doctor_certificate import examine_certificate
from tests.support.brokers import free_port, network_door, running_broker
from tests.support.certificates import DAY, FAULTS
from tests.support.patience import WAIT_S

USER = "agent-gw-1"


async def test_it_names_what_either_side_refuses_and_the_next_step(tmp_path: Path) -> None:
    async with running_broker(tmp_path, engine="mosquitto", tls=network_door()) as broker:
        assert broker.tls is not None
        files = broker.files(USER)
        near = BrokerAddress("127.0.0.1", broker.tls.port, files)
        assert [finding.level for finding in await examine_certificate(near, files)] == [0, 0]
        broker.pki.issue(USER, utc_now() - 360 * DAY, 365)
        own, place = await examine_certificate(near, files)
        assert (own.level, place.level) == (1, 0)
        assert "tacet broker renew" in own.next_step
        for fault in ("expired", "of-another-ca"):
            FAULTS[fault](broker.pki, USER)
            *_, place = await examine_certificate(near, files)
            assert (place.level, bool(place.next_step)) == (2, True), fault


@pytest.mark.parametrize("what", ["key", "place"])
async def test_files_and_places_that_are_not_there_are_wrong(tmp_path: Path, what: str) -> None:
    pki = PkiStore(tmp_path)
    pki.create("demo", utc_now())
    pki.issue(USER, utc_now(), 365)
    certificate, key = pki.pair(USER)
    if what == "key":
        key.chmod(0o644)
    files = BrokerTls(ca=pki.ca, certificate=certificate, key=key)
    finding = (await examine_certificate(BrokerAddress("127.0.0.1", free_port(), files), files))[-1]
    assert finding.level == 2
    assert ("chmod 600" if what == "key" else "tacet broker") in finding.next_step + finding.what


@contextmanager
def listening(pki: PkiStore) -> Iterator[tuple[int, list[str]]]:
    """A TLS server's port, and how each connection to it ended."""
    pki.issue(LISTENER, utc_now(), 365, ("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pki.pair(LISTENER))
    ends: list[str] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                plain.settimeout(WAIT_S)
                try:
                    with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as link:
                        link.sendall(b"x")  # so that nobody has to wait for a word
                        ends.append("said good-bye" if link.recv(1) == b"" else "spoke")
                except OSError as error:
                    ends.append(str(error))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], ends
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(WAIT_S)


async def test_it_leaves_with_a_good_bye_so_that_the_brokers_log_has_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.doctor_certificate.PROBE_S", WAIT_S)
    pki = PkiStore(tmp_path)
    pki.create("demo", utc_now())
    pki.issue(USER, utc_now(), 365)
    certificate, key = pki.pair(USER)
    files = BrokerTls(ca=pki.ca, certificate=certificate, key=key)
    with listening(pki) as (port, ends):
        await examine_certificate(BrokerAddress("127.0.0.1", port, files), files)
    assert ends == ["said good-bye"]
