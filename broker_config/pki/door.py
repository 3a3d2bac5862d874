"""The broker's side of the certificates: all that are wanted are there, none runs out unnoticed."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from broker_config.config import TlsListener
from broker_config.errors import ConfigError
from broker_config.pki.expiry import Warner, read_certificate, utc_now, validity_of
from broker_config.pki.store import LISTENER, PkiStore

log = logging.getLogger(__name__)
STAYS_HERE = (LISTENER, "server")
"""Renewed by the running broker itself, since nothing has to be carried anywhere."""
RENEW_DAYS = 30
CHANGE_CA = "every certificate ends with it; on the broker's machine: tacet broker rotate-ca"


class Door:
    """The listener that other machines reach, and the certificates that open it.

    Args:
        clock: the wall clock; certificates know no other.
    """

    def __init__(self, listener: TlsListener, store: PkiStore, clock: Callable[[], datetime] = utc_now) -> None:
        self.listener, self.store, self._clock = listener, store, clock
        self._warner = Warner()

    def prepare(self, users: Iterable[str]) -> list[str]:
        """Make the certificates that are missing; whose these are.  Where the CA's key is kept elsewhere, none.

        Raises:
            ConfigError: there is no CA, or the listener has no certificate and none can be made.
        """
        if not self.store.exists():
            raise ConfigError(f"{self.store.folder}: no certificates yet; make them: tacet broker init")
        missing = [user for user in (LISTENER, *users) if not self.store.has(user)]
        if not self.store.can_sign():
            if LISTENER in missing:
                raise ConfigError(f"{self.store.ca_key}: is not here, so the broker's certificate cannot be made")
            return []
        for user in missing:
            self.renew(user)
        return missing

    def renew(self, user: str) -> None:
        """A new certificate for the user."""
        validity = self.store.issue(user, self._clock(), self.listener.certificate_days, self.listener.names)
        log.info("certificate of %s: made, good until %s", user, validity.not_after)

    def look(self) -> list[str]:
        """Renew what stays here and is about to run out; say of the others, once per stage, that they are.  What was said.

        While the CA is changed nothing is renewed: a client that does not know the new one yet would be shut out.  What
        cannot be read or renewed is said, and is no reason for the broker to stay down: what there is may hold for weeks.
        """
        try:
            return self._look()
        except ConfigError as error:
            log.error("certificates: %s", error)  # noqa: TRY400  the one line is the whole story
            return [str(error)]

    def _look(self) -> list[str]:
        now, said, authority = self._clock(), [], validity_of(read_certificate(self.store.ca)).user
        may_renew = self.store.can_sign() and not self.store.is_rotating()
        for validity in self.store.validities():
            left_days = (validity.not_after - now).days
            if may_renew and validity.user in STAYS_HERE and left_days < min(RENEW_DAYS, self._half_life_days()):
                self.renew(validity.user)
                continue
            remedy = CHANGE_CA if validity.user == authority else None
            if (warning := self._warner.say(validity, now, remedy)) is not None:
                said.append(warning)
        return said

    def _half_life_days(self) -> float:
        return self.listener.certificate_days / 2

    def served(self) -> dict[str, bytes]:
        """The broker's files by the name it reads them under, checked: Mosquitto would take halves of a pair as they come.

        Raises:
            ConfigError: key and certificate are not of one pair, or cannot be read.
        """
        certificate, key = self.store.pair(LISTENER)
        paths = {
            "ca.pem": self.store.ca,
            "crl.pem": self.store.revocations,
            "broker.pem": certificate,
            "broker.key": key,
        }
        try:
            files = {name: path.read_bytes() for name, path in paths.items()}
            public = serialization.load_pem_private_key(files["broker.key"], None).public_key()
        except OSError as error:
            raise ConfigError(f"{error.filename}: cannot be read: {error.strerror}; run: tacet broker init") from error
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{key}: is no key; make another: tacet broker renew {LISTENER}") from error
        if public != read_certificate(certificate).public_key():
            raise ConfigError(f"{key}: is not the key of {certificate}; make both anew: tacet broker renew {LISTENER}")
        return files

    def watched(self) -> tuple[Path, ...]:
        """The files whose change the broker has to hear of."""
        return tuple(self.store.watched())
