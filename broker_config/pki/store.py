"""The folder of the CA: what it has issued, to whom, and what it took back.

    <identity>/pki/ca.key       signs; may be kept elsewhere, and is then brought back to issue or to revoke
                   ca.pem       what clients and broker trust; while the CA is changed, the older one follows the new
                   ca-older.key until the change is over, so that the older one's certificates can be revoked
                   crl.pem      the revoked
                   issued.json  serial numbers by user
                   USER.pem, USER.key   one pair per client, and `broker` for the listener

Everything is written whole or not at all, 0600; the key of a pair goes first, so that a new certificate finds its key.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from broker_config.errors import ConfigError
from broker_config.pki.certificates import (
    BACKDATED,
    Identity,
    make_authority,
    make_client,
    make_listener,
    make_revocations,
)
from broker_config.pki.expiry import Validity, read_certificate, validity_of
from broker_config.private_files import write_private

LISTENER = "broker"
"""No client has this name: theirs are `server` or begin with their party."""
NO_CA = "no CA here yet; make it: tacet broker init --config broker.toml"
ONE_SECOND = timedelta(seconds=1)


class Issued(msgspec.Struct, frozen=True):
    """One certificate of ours."""

    user: str
    serial: str
    not_after: datetime
    revoked_at: datetime | None = None


class PkiStore:
    """The CA's folder below the identity folder."""

    def __init__(self, identity: Path) -> None:
        self.folder = identity / "pki"
        self.ca, self.ca_key = self.folder / "ca.pem", self.folder / "ca.key"
        self._older_key = self.folder / "ca-older.key"
        self.revocations, self._index = self.folder / "crl.pem", self.folder / "issued.json"

    def pair(self, user: str) -> tuple[Path, Path]:
        """Where a user's certificate and key are."""
        return self.folder / f"{user}.pem", self.folder / f"{user}.key"

    def exists(self) -> bool:
        """Whether there is a CA."""
        return self.ca.exists()

    def has(self, user: str) -> bool:
        """Whether the user has a certificate."""
        return self.pair(user)[0].exists()

    def can_sign(self) -> bool:
        """Whether the CA's key is here."""
        return self.ca_key.exists()

    def is_rotating(self) -> bool:
        """Whether an older CA is still trusted beside the one that signs."""
        return self.ca.read_bytes().count(b"BEGIN CERTIFICATE") > 1

    def is_of_older(self, user: str) -> bool:
        """Whether the user has a certificate, and another CA than the newest made it."""
        if not self.has(user):
            return False
        try:
            read_certificate(self.pair(user)[0]).verify_directly_issued_by(read_certificate(self.ca))
        except (ValueError, InvalidSignature):
            return True
        return False

    def create(self, site: str, now: datetime) -> None:
        """A new CA, in front of the one there may be, whose certificates and revocations stay in force meanwhile.

        Raises:
            ConfigError: the last change of CA is not over yet.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if self.exists():
                if self.is_rotating():
                    raise ConfigError(f"{self.ca}: two CAs already; end that change: tacet broker rotate-ca --finish")
                write_private(self._older_key, self._authorities()[0].key_pem)
            trusted = self.ca.read_bytes() if self.ca.exists() else b""
            revocations = self.revocations.read_bytes() if self.revocations.exists() else b""
            authority = make_authority(f"Tacet {site} CA {now:%Y-%m-%d}", now)
            write_private(self.ca_key, authority.key_pem)
            write_private(self.revocations, make_revocations(authority, {}, now - BACKDATED) + revocations)
            write_private(self.ca, authority.certificate_pem + trusted)

    def drop_older(self) -> None:
        """Trust the newest CA only."""
        with self._locked():
            write_private(self.ca, _first_block(self.ca.read_bytes()))
            write_private(self.revocations, _first_block(self.revocations.read_bytes()))
            self._older_key.unlink(missing_ok=True)

    def issue(self, user: str, now: datetime, days: int, names: Sequence[str] = ()) -> Validity:
        """A fresh certificate and key for the user, in place of those there were, which stay valid until they expire.

        Args:
            names: what clients call the broker by; for the listener's own certificate only.
        Raises:
            ConfigError: the CA's key is not here.
        """
        with self._locked():
            authority = self._authorities()[0]
            left = validity_of(authority.certificate).not_after - now
            days = min(days, left.days)  # what outlives its CA is refused anyway, and would be warned of too late
            if days < 1:
                raise ConfigError(f"{self.ca}: this CA is at its end; make another: tacet broker rotate-ca")
            whose = (authority, user, now, days)
            made = make_listener(*whose, names) if user == LISTENER else make_client(*whose)
            certificate, key = self.pair(user)
            issued = Issued(user, f"{made.certificate.serial_number:x}", made.certificate.not_valid_after_utc)
            self._write_index([*self.issued(), issued])  # first: what is not noted could not be revoked
            write_private(key, made.key_pem)
            write_private(certificate, made.certificate_pem)
            return validity_of(made.certificate)

    def revoke(self, user: str, now: datetime) -> int:
        """Put every certificate of the user's that still holds on the list, and remove its key; how many these are.

        Raises:
            ConfigError: the CA's key is not here.
        """
        with self._locked():
            authorities, before = self._authorities(), self.issued()
            gone = [each for each in before if each.user == user and each.revoked_at is None and each.not_after > now]
            index = [msgspec.structs.replace(each, revoked_at=now) if each in gone else each for each in before]
            self._write_index(index)
            revoked = {int(each.serial, 16): each.revoked_at for each in index if each.revoked_at is not None}
            lists = zip(authorities, _blocks(self.revocations.read_bytes()), strict=True)
            made = [make_revocations(authority, revoked, _after(old, now)) for authority, old in lists]
            write_private(self.revocations, b"".join(made))
            for path in self.pair(user):
                path.unlink(missing_ok=True)
            return len(gone)

    def issued(self) -> list[Issued]:
        """Every certificate there has been, in the order of issue."""
        if not self._index.exists():
            return []
        try:
            return msgspec.json.decode(self._index.read_bytes(), type=list[Issued])
        except msgspec.DecodeError as error:
            raise ConfigError(f"{self._index}: {error}; bring it back from a backup, or rotate the CA") from error

    def validities(self) -> list[Validity]:
        """Of every certificate in the folder, by user."""
        paths = sorted(path for path in self.folder.glob("*.pem") if path not in (self.ca, self.revocations))
        return [validity_of(read_certificate(path)) for path in [self.ca, *paths]]

    def watched(self) -> list[Path]:
        """The files whose change the broker has to hear of."""
        return [self.ca, self.revocations, *self.pair(LISTENER)]

    def _authorities(self) -> list[Identity]:
        """The CA that signs; behind it, while it is changed, the older one.

        Raises:
            ConfigError: there is none, or its key is not here.
        """
        if not self.exists():
            raise ConfigError(f"{self.folder}: {NO_CA}")
        certificates = x509.load_pem_x509_certificates(self.ca.read_bytes())
        return [
            Identity(certificate, _load_key(path, certificate))
            for certificate, path in zip(certificates, (self.ca_key, self._older_key), strict=False)
        ]

    def _write_index(self, issued: list[Issued]) -> None:
        write_private(self._index, msgspec.json.format(msgspec.json.encode(issued)))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone: two commands at a time would lose one's serial numbers."""
        try:
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError as error:
            raise ConfigError(f"{self.folder}: {NO_CA}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _load_key(path: Path, certificate: x509.Certificate) -> EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; bring the CA's key back to sign anything"
        ) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: is no key; bring it back from a backup") from error
    if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ConfigError(f"{path}: is not the key of the CA in ca.pem; bring back the one that is")
    return key


def _after(revocations: bytes, now: datetime) -> datetime:
    """When a new list is dated: a little back, as certificates are, and later than the one before."""
    return max(now - BACKDATED, x509.load_pem_x509_crl(revocations).last_update_utc + ONE_SECOND)


def _blocks(pem: bytes) -> list[bytes]:
    """The parts of a PEM file, each from its BEGIN to its END."""
    parts = pem.split(b"-----BEGIN ")
    return [b"-----BEGIN " + part for part in parts[1:]]


def _first_block(pem: bytes) -> bytes:
    return _blocks(pem)[0]
