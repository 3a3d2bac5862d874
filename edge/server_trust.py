"""Who may vouch for the server's certificate, where the server speaks HTTPS."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from broker_config.errors import ConfigError
from broker_config.hosts import is_loopback
from broker_config.pki.expiry import read_certificate


class ServerTrust(ssl.SSLContext):
    """Trust in the CAs of one file, which is read again for the next connection once it is another: CAs are changed in running stores.

    Args:
        ca: the file.
        public: trust the public CAs also.
    """

    _ca: Path
    _seen: tuple[int, int] | None

    @classmethod
    def of(cls, ca: Path, *, public: bool) -> "ServerTrust":
        """Raises:
        ConfigError: no file with certificates.
        """
        read_certificate(ca)
        trust = cls(ssl.PROTOCOL_TLS_CLIENT)
        trust.minimum_version = ssl.TLSVersion.TLSv1_2
        if public:
            known = httpx.create_ssl_context(trust_env=False).get_ca_certs(binary_form=True)
            trust.load_verify_locations(cadata=b"".join(known))
        trust._ca, trust._seen = ca, None
        trust._look()
        return trust

    def wrap_bio(self, *given: object, **named: object) -> ssl.SSLObject:
        """The next connection."""
        self._look()
        return super().wrap_bio(*given, **named)  # type: ignore[arg-type]

    def _look(self) -> None:
        """A file that is away or half written changes nothing."""
        try:
            now = self._ca.stat()
            if (stamp := (now.st_ctime_ns, now.st_ino)) != self._seen:
                self.load_verify_locations(self._ca)
                self._seen = stamp
        except OSError:  # ssl.SSLError is one
            return


def server_trust(path: Path, server: str, own: Path | None, brokers: Path | None) -> ssl.SSLContext | bool:
    """What connections to the server are opened with; True: the public CAs.

    Args:
        path: the configuration, for messages.
        own: `server_ca`: then it alone may vouch.
        brokers: `ca` under [broker.tls]: the store's own CA, which may vouch for the server besides the public ones.
    Raises:
        ConfigError: `server_ca` cannot be used; or a server on another machine without TLS, where the password would be read.
    """
    parts = urlsplit(server)
    if parts.scheme != "https":
        if own is not None:
            raise ConfigError(f"{path}: server_ca is for a server that speaks TLS; write server as https://…")
        if not is_loopback(parts.hostname or ""):
            raise ConfigError(
                f"{path}: server {server!r} is another machine, and this agent's password would be read on the way; "
                "write it as https://… (the server's file: [tls])"
            )
        return True
    ca = own or brokers
    return True if ca is None else ServerTrust.of(ca, public=own is None)
