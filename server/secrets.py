"""The server's own secrets, made at first start and readable by their owner only: owner token and card keys."""

import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.private_files import refuse_readable, write_private

OWNER_FILE = "owner.token"
CARD_KEYS_FILE = "card.keys"
KEY_BYTES = 32
LEAST_TOKEN = 32
"""Letters of an owner token.  Of an empty one a caller that shows nothing would be the owner."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What only this server knows.

    Args:
        owner_token: the bearer token of owner calls.
        card_key: AES-256 key of the stored card numbers.
        card_hash_key: key of the hash by which a card is found again.
    """

    owner_token: str
    card_key: bytes
    card_hash_key: bytes

    def __repr__(self) -> str:
        return "Secrets(...)"

    @property
    def code_key(self) -> bytes:
        """The key of the hashes of members' one-time codes."""
        return hmac.digest(self.card_hash_key, b"tacet member code", "sha256")

    @property
    def erasure_key(self) -> bytes:
        """The key of the hashes in tombstones."""
        return hmac.digest(self.card_hash_key, b"tacet erasure", "sha256")

    @property
    def audit_key(self) -> bytes:
        """The key under which the access log writes members down."""
        return hmac.digest(self.card_hash_key, b"tacet audit", "sha256")


def load_secrets(data: Path) -> Secrets:
    """The secrets in the data folder, made now where they are not there yet.

    Raises:
        ConfigError: a folder that cannot be made or used, a file that others can read, or that was cut short.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        token = _read_or_make(data / OWNER_FILE, secrets.token_urlsafe(32).encode())
        keys = _read_or_make(data / CARD_KEYS_FILE, secrets.token_bytes(2 * KEY_BYTES).hex().encode())
    except OSError as error:
        raise ConfigError(
            f"{data}: the data folder cannot be used ({error.strerror}); set data to another one"
        ) from error
    try:
        raw = bytes.fromhex(keys.decode())
    except ValueError as error:
        raise ConfigError(f"{data / CARD_KEYS_FILE} is damaged; restore it from the backup of this folder") from error
    if len(raw) != 2 * KEY_BYTES:
        raise ConfigError(f"{data / CARD_KEYS_FILE} was cut short; restore it from the backup of this folder")
    if len(token) < LEAST_TOKEN:
        raise ConfigError(f"{data / OWNER_FILE} was cut short; remove it, and the server makes another one")
    return Secrets(token.decode(), raw[:KEY_BYTES], raw[KEY_BYTES:])


def read_owner_token(data: Path) -> str:
    """The owner token, for the command line.

    Raises:
        ConfigError: the server has never been started on this folder.
    """
    path = data / OWNER_FILE
    if not path.exists():
        raise ConfigError(f"{path}: no owner token; start the server once: tacet server --config FILE")
    return _read_private(path).decode()


def _read_or_make(path: Path, fresh: bytes) -> bytes:
    if not path.exists():
        write_private(path, fresh)
    return _read_private(path)


def _read_private(path: Path) -> bytes:
    refuse_readable(path)
    return path.read_bytes().strip()
