"""The CA: what it makes, what it takes back, what it says of time."""

import stat
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from broker_config.config import TlsListener
from broker_config.errors import ConfigError
from broker_config.identity import make_credential, write_credential
from broker_config.pki.bundle import bundle_of, export_bundle
from broker_config.pki.door import Door
from broker_config.pki.expiry import Validity, read_certificate
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.provision import ensure_credentials, let_in, shut_out
from broker_config.site import load_site
from tests.support.brokers import DEMO_SITE

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
NAMES = ("broker.store.example", "192.168.1.10")
AGENT = "agent-gw-1"
USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
    "crl_sign",
)  # fmt: skip
ON_DEMAND = TlsListener(host="127.0.0.1", names=NAMES)


@pytest.fixture
def store(tmp_path: Path) -> PkiStore:
    store = PkiStore(tmp_path / "identity")
    store.create("demo", NOW)
    return store


def serials(store: PkiStore) -> list[set[int]]:
    """The revoked, list by list."""
    blocks = store.revocations.read_bytes().split(b"-----BEGIN ")[1:]
    lists = [x509.load_pem_x509_crl(b"-----BEGIN " + block) for block in blocks]
    return [{revoked.serial_number for revoked in each} for each in lists]


def test_a_client_certificate_names_its_user_and_opens_no_listener(store: PkiStore) -> None:
    store.issue(AGENT, NOW, 365)
    certificate, authority = read_certificate(store.pair(AGENT)[0]), read_certificate(store.ca)
    certificate.verify_directly_issued_by(authority)
    assert certificate.subject.rfc4514_string() == f"CN={AGENT}"
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)


def test_the_brokers_certificate_has_its_names_and_logs_in_nowhere(store: PkiStore) -> None:
    store.issue(LISTENER, NOW, 365, NAMES)
    extensions = read_certificate(store.pair(LISTENER)[0]).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [NAMES[0]]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == [NAMES[1]]
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_no_certificate_outlives_its_ca(store: PkiStore) -> None:
    late = NOW + timedelta(days=3600)
    assert store.issue(AGENT, late, 365).not_after <= read_certificate(store.ca).not_valid_after_utc
    with pytest.raises(ConfigError, match="rotate-ca"):
        store.issue(AGENT, NOW + timedelta(days=3651), 365)


def test_everything_in_the_folder_is_its_owners_alone(store: PkiStore) -> None:
    store.issue(AGENT, NOW, 365)
    store.revoke(AGENT, NOW)
    store.issue(AGENT, NOW, 365)
    assert {stat.S_IMODE(path.stat().st_mode) for path in store.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700


def test_revoking_takes_back_every_certificate_that_still_holds(store: PkiStore) -> None:
    for _ in range(3):
        store.issue(AGENT, NOW, 365)
    store.issue("agent-gw-2", NOW, 365)
    assert store.revoke(AGENT, NOW) == 3
    assert serials(store) == [{int(each.serial, 16) for each in store.issued() if each.user == AGENT}]
    assert not store.has(AGENT)
    assert store.has("agent-gw-2")


def test_each_list_is_newer_than_the_one_before_also_within_a_second(store: PkiStore) -> None:
    """Mosquitto keeps the lists it once read; OpenSSL takes the newest, and of two of one second the first."""
    dates = []
    for _ in range(3):
        store.revoke(AGENT, NOW)
        dates.append(x509.load_pem_x509_crl(store.revocations.read_bytes()).last_update_utc)
    assert dates == sorted(set(dates))


def test_without_the_cas_key_nothing_is_signed_and_the_broker_goes_on(store: PkiStore, tmp_path: Path) -> None:
    door = Door(ON_DEMAND, store, lambda: NOW)
    door.prepare([AGENT])
    store.ca_key.rename(tmp_path / "safe.key")
    assert door.prepare([AGENT, "agent-gw-2"]) == []
    with pytest.raises(ConfigError, match="bring the CA's key back"):
        store.issue("agent-gw-2", NOW, 365)
    with pytest.raises(ConfigError, match="bring the CA's key back"):
        store.revoke(AGENT, NOW)


def test_nothing_is_signed_with_a_key_that_is_not_the_cas(store: PkiStore) -> None:
    store.issue(AGENT, NOW, 365)
    store.ca_key.write_bytes(store.pair(AGENT)[1].read_bytes())
    with pytest.raises(ConfigError, match="is not the key of the CA"):
        store.issue("agent-gw-2", NOW, 365)
    store.ca_key.write_bytes(b"a page of something else")
    with pytest.raises(ConfigError, match="is no key"):
        store.issue("agent-gw-2", NOW, 365)
    assert not store.has("agent-gw-2")


def test_a_certificate_is_good_for_its_purpose_only_and_every_reader_must_heed_that(store: PkiStore) -> None:
    store.issue(AGENT, NOW, 365)
    for path, allowed, may_sign, below in (
        (store.ca, {"key_cert_sign", "crl_sign"}, True, 0),
        (store.pair(AGENT)[0], {"digital_signature"}, False, None),
    ):
        extensions = read_certificate(path).extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        assert {name for name in USAGES if getattr(usage.value, name)} == allowed
        basic = extensions.get_extension_for_class(x509.BasicConstraints)
        assert (basic.value.ca, basic.value.path_length) == (may_sign, below)
        assert (usage.critical, basic.critical) == (True, True)


def test_while_the_ca_is_changed_both_are_trusted_and_both_can_take_back(store: PkiStore) -> None:
    store.issue(AGENT, NOW, 365)
    store.issue("agent-gw-2", NOW, 365)
    store.create("demo", NOW + timedelta(days=1))
    store.issue("agent-gw-2", NOW, 365)
    assert len(x509.load_pem_x509_certificates(store.ca.read_bytes())) == 2
    store.revoke(AGENT, NOW)
    assert len(serials(store)) == 2
    assert all(len(each) == 1 for each in serials(store))
    with pytest.raises(ConfigError, match="--finish"):
        store.create("demo", NOW)
    store.drop_older()
    assert len(x509.load_pem_x509_certificates(store.ca.read_bytes())) == len(serials(store)) == 1
    read_certificate(store.pair("agent-gw-2")[0]).verify_directly_issued_by(read_certificate(store.ca))


@pytest.mark.parametrize(
    ("left", "stage", "said"),
    [
        (timedelta(days=200), None, None),
        (timedelta(days=30), 30, "30 days"),
        (timedelta(days=8), 30, "8 days"),
        (timedelta(days=7), 7, "7 days"),
        (timedelta(hours=20), 1, "20 hours"),
        (timedelta(0), 0, "expired on"),
        (timedelta(days=-3), 0, "expired on"),
        (timedelta(days=900), 0, "not valid before"),
    ],
)
def test_it_warns_30_7_and_1_days_before_the_end(left: timedelta, stage: int | None, said: str | None) -> None:
    held = Validity(AGENT, NOW, NOW + timedelta(days=365))
    now = held.not_after - left
    assert held.stage(now) == stage
    warning = held.warning(now)
    assert (warning is None) == (said is None)
    assert said is None or said in str(warning)


def test_the_broker_renews_what_stays_with_it_and_says_once_per_stage_what_does_not(store: PkiStore) -> None:
    clock = [NOW]
    door = Door(ON_DEMAND, store, lambda: clock[0])
    door.prepare(["server", AGENT])
    assert door.look() == []
    clock[0] = NOW + timedelta(days=340)
    assert [AGENT in said for said in door.look()] == [True]
    assert door.look() == []
    ends = {each.user: each.not_after for each in store.validities()}
    assert ends[LISTENER] == ends["server"] == clock[0] + timedelta(days=365)
    clock[0] = NOW + timedelta(days=366)
    assert [AGENT in said and "expired" in said for said in door.look()] == [True]


def test_a_ca_at_its_end_is_said_and_keeps_no_broker_down(store: PkiStore) -> None:
    clock = [NOW]
    door = Door(ON_DEMAND, store, lambda: clock[0])
    door.prepare([])
    clock[0] = NOW + timedelta(days=3651)
    (said,) = door.look()
    assert "rotate-ca" in said


def test_while_the_ca_is_changed_the_broker_keeps_the_certificate_that_everybody_trusts(store: PkiStore) -> None:
    clock = [NOW]
    door = Door(ON_DEMAND, store, lambda: clock[0])
    door.prepare([])
    store.create("demo", NOW)
    before = store.pair(LISTENER)[0].read_bytes()
    clock[0] = NOW + timedelta(days=350)
    assert len(door.look()) == 1
    assert store.pair(LISTENER)[0].read_bytes() == before


def test_a_half_replaced_pair_is_not_given_to_the_broker(store: PkiStore) -> None:
    door = Door(ON_DEMAND, store, lambda: NOW)
    door.prepare([])
    assert set(door.served()) == {"ca.pem", "crl.pem", "broker.pem", "broker.key"}
    key = store.pair(LISTENER)[1]
    store.issue(AGENT, NOW, 1)
    key.write_bytes(store.pair(AGENT)[1].read_bytes())
    with pytest.raises(ConfigError, match="is not the key of"):
        door.served()


def test_a_broker_without_a_pair_of_its_own_says_what_to_do(store: PkiStore, tmp_path: Path) -> None:
    door = Door(ON_DEMAND, store, lambda: NOW)
    store.ca_key.rename(tmp_path / "safe.key")
    with pytest.raises(ConfigError, match="the broker's certificate cannot be made"):
        door.prepare([])
    with pytest.raises(ConfigError, match="tacet broker init"):
        door.served()
    (tmp_path / "safe.key").rename(store.ca_key)
    door.prepare([])
    store.pair(LISTENER)[1].write_bytes(b"a page of something else")
    with pytest.raises(ConfigError, match=r"is no key.*tacet broker renew"):
        door.served()


def test_a_bundle_holds_one_clients_things_and_nobody_elses(store: PkiStore, tmp_path: Path) -> None:
    identity = store.folder.parent
    for party, own_id in (("agent", "gw-1"), ("agent", "gw-2")):
        write_credential(identity, make_credential(party, own_id))  # type: ignore[arg-type]
    store.issue(AGENT, NOW, 365)
    path = export_bundle(tmp_path, AGENT, bundle_of(identity, store, AGENT))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        held = {entry.name: (entry.mode, archive.extractfile(entry).read()) for entry in archive}  # type: ignore[union-attr]
    assert set(held) == {f"{AGENT}.toml", f"{AGENT}.pem", f"{AGENT}.key", "ca.pem"}
    assert {mode for mode, _ in held.values()} == {0o600}
    assert store.ca_key.read_bytes() not in [content for _, content in held.values()]
    with pytest.raises(ConfigError, match="tacet broker init"):
        bundle_of(identity, store, "agent-gw-2")


def test_who_was_shut_out_is_given_nothing_until_let_in(tmp_path: Path) -> None:
    site, identity = load_site(DEMO_SITE), tmp_path / "identity"
    ensure_credentials(site, identity)
    shut_out(identity, AGENT)
    assert ensure_credentials(site, identity) == []
    assert not (identity / f"{AGENT}.toml").exists()
    shut_out(identity, AGENT)  # again: the list of the revoked could not be signed at the first time
    let_in(identity, AGENT)
    assert [path.stem for path in ensure_credentials(site, identity)] == [AGENT]
    with pytest.raises(ConfigError, match="no such credential"):
        shut_out(identity, "agent-gw-9")


def test_the_end_of_the_ca_asks_for_another_ca(store: PkiStore) -> None:
    door = Door(ON_DEMAND, store, lambda: NOW + timedelta(days=3640))
    assert [said for said in door.look() if "rotate-ca" in said and "tacet broker renew" not in said]
