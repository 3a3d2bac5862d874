"""`mosquitto.conf`, for Mosquitto 2.0.11 (Debian 12) and newer.

No WebSocket listener: Mosquitto before 2.0.12 opens it to every network whatever it is told.
Source: mosquitto.conf(5) of 2.0.11 and 2.0.18.
"""

from pathlib import Path

from broker_config.config import TlsListener
from broker_config.limits import MAX_CONNECTIONS, MAX_KEEPALIVE_S, MAX_PACKET_BYTES

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2, those with forward secrecy and authenticated encryption; 1.3 has no others."""
LIMITS = (
    f"max_packet_size {MAX_PACKET_BYTES}",
    "max_inflight_messages 200",
    "max_queued_messages 10000",
    "max_queued_bytes 67108864",
    "memory_limit 536870912",  # all together; a client at its limits takes an eighth of it
    f"max_keepalive {MAX_KEEPALIVE_S}",
    "allow_zero_length_clientid false",
    "check_retain_source true",  # what was retained ends with its publisher's right
    "persistent_client_expiration 7d",
)


def render_listeners(host: str, port: int, tls: TlsListener | None, folder: Path) -> list[str]:
    """This machine's own listener, by password, and the network's, by certificate.

    Everybody's client id is the user name, so that nobody takes over another's session.
    """
    lines = [f"listener {port} {host}", f"max_connections {MAX_CONNECTIONS}", "use_username_as_clientid true"]
    if tls is None:
        return lines
    return [
        *lines,
        f"listener {tls.port} {tls.host}",
        f"max_connections {MAX_CONNECTIONS}",
        f"cafile {folder}/ca.pem",
        f"certfile {folder}/broker.pem",
        f"keyfile {folder}/broker.key",
        f"crlfile {folder}/crl.pem",
        "tls_version tlsv1.2",
        f"ciphers {CIPHERS}",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
    ]


def render_rest(folder: Path, passwords: Path, acl: Path) -> list[str]:
    """What holds for both listeners."""
    return [
        "per_listener_settings false",
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {acl}",
        "set_tcp_nodelay true",
        *LIMITS,
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 60",
        "sys_interval 0",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",
        "connection_messages false",
    ]
