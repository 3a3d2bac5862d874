"""TLS as a client of the broker speaks it: 1.2 or newer, the broker's name checked, the client's own certificate shown.

    [broker.tls]
    ca = "agent-gw-1/ca.pem"
    certificate = "agent-gw-1/agent-gw-1.pem"
    key = "agent-gw-1/agent-gw-1.key"

Files that are replaced are taken up at the next connection.  One that has expired is no reason to stay down: the program
goes on without the broker, says what to do, and is back once the files are.
"""

import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from broker_config.errors import ConfigError
from broker_config.hosts import is_loopback
from broker_config.pki.expiry import Validity, read_certificate, utc_now, validity_of
from broker_config.private_files import refuse_readable
from broker_config.site import Strict

log = logging.getLogger(__name__)
Signature = tuple[tuple[int, int] | None, ...]
ADD_NAME = "add `host` to `names` under [tls] there, then: tacet broker renew broker"
SAID_OF_THE_BROKER = (
    ("certificate has expired", "the broker's certificate has expired; on its machine: tacet broker renew broker"),
    ("not yet valid", "the broker's certificate is not valid yet; is this machine's clock right?"),
    ("hostname mismatch", f"the broker's certificate is for other names; {ADD_NAME}"),
    ("ip address mismatch", f"the broker's certificate is for other addresses; {ADD_NAME}"),
    ("certificate verify failed", "the broker's certificate was not made by our CA; `ca` under [broker.tls] must be that broker's"),
    ("wrong version number", "no TLS is spoken there; check `port` under [broker]"),
)  # fmt: skip
SAID_BY_THE_BROKER = (
    ("alert certificate expired", "it says that our certificate has expired; tacet broker renew, and carry it over"),
    ("alert certificate revoked", "it says that our certificate was revoked; to come in again: tacet broker add, and carry it over"),
    ("alert unknown ca", "it does not know the CA that made our certificate; carry the bundle over again: tacet broker export"),
    ("alert certificate required", "it asks for a certificate, and we showed none"),
    ("alert bad certificate", "it does not take our certificate; carry the bundle over again: tacet broker export"),
)  # fmt: skip
"""By what OpenSSL says, in lower case and without underscores."""


class BrokerTls(Strict, frozen=True, kw_only=True):
    """What a client needs to reach the broker over a network.

    Args:
        ca: the certificates that it trusts.
        certificate, key: its own.
    """

    ca: Path
    certificate: Path
    key: Path


def check_reach(path: Path, host: str, tls: BrokerTls | None) -> None:
    """Check how a program is told to reach the broker, before it opens anything.

    Raises:
        ConfigError: over a network without TLS, where the password would be read on the way; or files that cannot be used.
    """
    if tls is not None:
        load_context(tls)
    elif not is_loopback(host):
        raise ConfigError(
            f"{path}: [broker] host {host!r} is another machine, and the password would be read on the way; "
            "unpack what `tacet broker export` makes, and name its files under [broker.tls]: ca, certificate, key"
        )


class ClientTls:
    """The files, as they are now.

    Args:
        clock: the wall clock; certificates know no other.
    """

    def __init__(self, files: BrokerTls, clock: Callable[[], datetime] = utc_now) -> None:
        self.files, self._clock = files, clock
        self._context: ssl.SSLContext | None = None
        self._validity: Validity | None = None
        self._seen: Signature = ()
        self._faulty: Signature = ()

    def context(self) -> ssl.SSLContext:
        """For the next connection: of the files as they are now.

        Raises:
            ConfigError: they cannot be used; says which, and what to do.
        """
        seen = self._signature()
        if self._context is None or seen != self._seen:
            self._context, self._validity = (
                load_context(self.files),
                validity_of(read_certificate(self.files.certificate)),
            )
            self._seen = seen
        return self._context

    def is_renewed(self) -> bool:
        """Whether there are other files than those last used, and they can be used: time to connect anew."""
        now = self._signature()
        if now in (self._seen, self._faulty):
            return False
        try:
            load_context(self.files)
        except ConfigError as error:  # half-way carried over: the connection that stands is better
            self._faulty = now
            log.warning("the renewed certificate cannot be used: %s", error)
            return False
        return True

    def warning(self) -> str | None:
        """What is, or soon will be, wrong with our own certificate, and what to do."""
        if self._validity is None:
            return None
        return self._validity.warning(self._clock())

    def why(self, host: str, port: int, within_s: float) -> str | None:
        """As `ask`, and None also where nothing answers."""
        try:
            return self.ask(host, port, within_s)
        except OSError:
            return None

    def ask(self, host: str, port: int, within_s: float) -> str | None:
        """Ask the broker why it, or we, refuse; None where nobody does.  Blocks for up to `within_s` at each of three steps.

        Raises:
            OSError: nothing answers there.
        """
        try:
            with (
                socket.create_connection((host, port), within_s) as plain,
                self.context().wrap_socket(plain, server_hostname=host) as link,
            ):
                with suppress(TimeoutError):
                    link.recv(1)  # of TLS 1.3's refusals one hears after the handshake; who is let in hears nothing
                with suppress(OSError):  # whatever the broker says to a good-bye; without one its log has an error
                    link.unwrap()
        except ssl.SSLError as error:
            return explain(error)
        except ConfigError as error:
            return str(error)
        return None

    def _signature(self) -> Signature:
        return tuple(_stamp(path) for path in (self.files.ca, self.files.certificate, self.files.key))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ctime_ns, stat.st_ino


class ClosingSocket(ssl.SSLSocket):
    """Closes itself when its handshake fails; paho forgets to, and a gateway may be refused for days."""

    def do_handshake(self, block: bool = False) -> None:
        """As usual."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def load_context(files: BrokerTls) -> ssl.SSLContext:
    """A context for connections to the broker.

    Raises:
        ConfigError: a file is missing, unreadable, broken, or open to others, or key and certificate do not belong together.
    """
    certificate = read_certificate(files.certificate)
    read_certificate(files.ca)
    _check_key(files, certificate.public_key())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the broker's chain and name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = ClosingSocket
    try:
        context.load_verify_locations(files.ca)
        context.load_cert_chain(files.certificate, files.key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"{files.certificate}: cannot be used: {error}; carry the bundle over again") from error
    return context


def _check_key(files: BrokerTls, public: object) -> None:
    try:
        refuse_readable(files.key, "key")
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    except OSError as error:
        raise ConfigError(f"{files.key}: cannot be read: {error.strerror}; run as its owner") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{files.key}: is no unencrypted PEM key; carry the bundle over again") from error
    if key.public_key() != public:
        raise ConfigError(f"{files.key}: is not the key of {files.certificate}; carry both over again")


def explain(error: Exception) -> str:
    """What a TLS failure means, and what to do."""
    said = str(error).lower().replace("_", " ")
    for words, meaning in (*SAID_BY_THE_BROKER, *SAID_OF_THE_BROKER):
        if words in said:
            return meaning
    return f"TLS failed: {error}"
