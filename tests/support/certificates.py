"""Certificates that must not work, each put in the place of a client's own."""

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from broker_config.pki.expiry import utc_now
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.private_files import write_private

Fault = Callable[[PkiStore, str], None]
DAY = timedelta(days=1)


def expired(store: PkiStore, user: str) -> None:
    """It ended yesterday."""
    store.issue(user, utc_now() - 2 * DAY, 1)


def not_yet_valid(store: PkiStore, user: str) -> None:
    """It begins the day after tomorrow."""
    store.issue(user, utc_now() + 2 * DAY, 1)


def of_another_ca(store: PkiStore, user: str) -> None:
    """A CA of the same name made it."""
    other = PkiStore(store.folder / "other")
    if not other.exists():
        other.create("demo", utc_now())
    other.issue(user, utc_now(), 365)
    put(other.pair(user), store.pair(user))


def revoked(store: PkiStore, user: str) -> None:
    """It was taken back; whoever kept a copy shows it again."""
    kept = [path.read_bytes() for path in store.pair(user)]
    store.revoke(user, utc_now())
    for path, content in zip(store.pair(user), kept, strict=True):
        write_private(path, content)


def the_brokers_own(store: PkiStore, user: str) -> None:
    """The listener's: good for a server only."""
    put(store.pair(LISTENER), store.pair(user))


def the_cas(store: PkiStore, user: str) -> None:
    """The CA's own certificate and key."""
    put((store.ca, store.ca_key), store.pair(user))


FAULTS: dict[str, Fault] = {
    "expired": expired,
    "not-yet-valid": not_yet_valid,
    "of-another-ca": of_another_ca,
    "revoked": revoked,
}
"""Those that a gateway can meet in its life."""
FORGERIES: dict[str, Fault] = FAULTS | {"the-brokers-own": the_brokers_own, "the-cas": the_cas}


def put(pair: tuple[Path, Path], place: tuple[Path, Path]) -> None:
    """Copy certificate and key, the key first."""
    for source, target in reversed(list(zip(pair, place, strict=True))):
        write_private(target, source.read_bytes())


def without_certificate(store: PkiStore) -> ssl.SSLContext:
    """A client that trusts the broker and shows nothing."""
    context = ssl.create_default_context(cafile=store.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
