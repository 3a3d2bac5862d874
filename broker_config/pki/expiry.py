"""How long a certificate still holds, and what to say of it."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from broker_config.errors import ConfigError

log = logging.getLogger(__name__)
WARN_DAYS = (1, 7, 30)
"""Each is said once: while there is time, while there is little, and when there is none."""


@dataclass(frozen=True, slots=True)
class Validity:
    """Whom a certificate names, and from when to when it holds."""

    user: str
    not_before: datetime
    not_after: datetime

    def stage(self, now: datetime) -> int | None:
        """The smallest of `WARN_DAYS` that is more than what is left; 0 when it does not hold; None while all is well."""
        if not self.not_before <= now < self.not_after:
            return 0
        return next((days for days in WARN_DAYS if self.not_after - now <= timedelta(days=days)), None)

    def warning(self, now: datetime, remedy: str | None = None) -> str | None:
        """What is wrong or soon will be, and what to do about it; None while all is well.

        Args:
            remedy: where renewing it on the broker's machine is not the thing to do.
        """
        remedy = remedy or f"on the broker's machine: tacet broker renew {self.user}, then carry it over"
        if now < self.not_before:
            return f"the certificate of {self.user} is not valid before {_day(self.not_before)}; is the clock right?"
        if now >= self.not_after:
            return f"the certificate of {self.user} expired on {_day(self.not_after)}; {remedy}"
        if self.stage(now) is None:
            return None
        left = self.not_after - now
        words = f"{left.days} days" if left >= timedelta(days=2) else f"{left.total_seconds() / 3600:.0f} hours"
        return f"the certificate of {self.user} expires in {words}, on {_day(self.not_after)}; {remedy}"


class Warner:
    """Logs what ends, once per stage."""

    def __init__(self) -> None:
        self._told: dict[str, int | None] = {}

    def say(self, validity: Validity, now: datetime, remedy: str | None = None) -> str | None:
        """What was said, if anything."""
        stage, warning = validity.stage(now), validity.warning(now, remedy)
        is_news = warning is not None and self._told.get(validity.user) != stage
        if is_news:
            log.log(logging.ERROR if stage == 0 else logging.WARNING, "%s", warning)
        self._told[validity.user] = stage
        return warning if is_news else None


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def utc_now() -> datetime:
    """The wall clock: certificates know no other."""
    return datetime.now(UTC)


def read_certificate(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file.

    Raises:
        ConfigError: missing, unreadable, or no certificate.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; make it: tacet broker init") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is no PEM certificate; carry it over again: tacet broker export") from error


def validity_of(certificate: x509.Certificate) -> Validity:
    """From when to when, and of whom."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    user = str(names[0].value) if names else ""
    return Validity(user, certificate.not_valid_before_utc, certificate.not_valid_after_utc)
