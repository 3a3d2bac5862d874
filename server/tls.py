"""The server's own TLS: 1.2 or later, and the files read again once they were renewed."""

import asyncio
import logging
import ssl
from contextlib import suppress
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.pki.expiry import Warner, read_certificate, utc_now, validity_of
from server.config import ServerConfig, TlsFiles

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0
REMEDY = "renew it, and put it in its place: it is taken up within a minute"


def open_tls(files: TlsFiles) -> ssl.SSLContext:
    """What connections are opened with.

    Raises:
        ConfigError: a file is missing, no PEM, readable by everybody, or key and certificate are no pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_files(context, files)
    return context


def load_files(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Take the files as they are now; where they are wrong, the context keeps what it has.

    Raises:
        ConfigError: as `open_tls`.
    """
    try:
        if Path(files.key).stat().st_mode & 0o007:
            raise ConfigError(f"{files.key}: everybody can read this key; run: chmod o= {files.key}")
        # First into a context of no use: one half of a wrong pair would push the good pair out of the other.
        for each in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), context):
            each.load_cert_chain(files.certificate, files.key)
    except ssl.SSLError as error:
        why = f"{files.certificate}, {files.key}: not a PEM certificate and its key ({error.reason}); set [tls] right"
        raise ConfigError(why) from error
    except OSError as error:
        raise ConfigError(
            f"{error.filename or files.certificate}: cannot be read ({error.strerror}); set [tls] right"
        ) from error


async def follow_renewals(context: ssl.SSLContext, files: TlsFiles, every_s: float = LOOK_EVERY_S) -> None:
    """Give new connections the renewed certificate, and log 30, 7 and 1 days before the one in use ends.

    The old one stays in use while the new files are wrong.
    """
    known, warner = _stamp(files), Warner()
    while True:
        with suppress(ConfigError):  # said below, when it was replaced by this
            warner.say(validity_of(read_certificate(Path(files.certificate))), utc_now(), REMEDY)
        await asyncio.sleep(every_s)
        if (now := _stamp(files)) == known:
            continue
        known = now
        try:
            load_files(context, files)
            log.info("the renewed certificate is in use")
        except ConfigError as error:
            log.warning("the certificate was not renewed: %s", error)


def ending(config: ServerConfig) -> list[str]:
    """What is, or will be within 30 days, wrong with the certificates that the server shows to browsers and to the broker."""
    shown: list[tuple[Path, str | None]] = [] if config.tls is None else [(Path(config.tls.certificate), REMEDY)]
    if config.broker.tls is not None:
        shown.append((config.broker.tls.certificate, None))
    warnings = []
    for path, remedy in shown:
        try:
            warnings.append(validity_of(read_certificate(path)).warning(utc_now(), remedy))
        except ConfigError as error:
            warnings.append(str(error))
    return [each for each in warnings if each]


def _stamp(files: TlsFiles) -> tuple[int, ...]:
    """Changes whenever a file does."""
    stamps = []
    for name in (files.certificate, files.key):
        try:
            found = Path(name).stat()
            stamps += [found.st_mtime_ns, found.st_ino, found.st_size]
        except OSError:
            stamps.append(0)
    return tuple(stamps)
