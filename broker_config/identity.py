"""Who a client is, what keys it holds, and the two transforms that keep members off the bus.

A credential is one 0600 TOML file per client under the identity folder.  The broker and the server read the folder; an
agent or a display is given only its own file.  Nothing has a default password.
"""

import base64
import os
import secrets
from pathlib import Path
from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker_config.command_mac import KEY_BYTES
from broker_config.errors import MessageError
from broker_config.private_files import refuse_readable, sync, write_part, write_private
from broker_config.site import Strict, load_toml
from broker_config.topics import Party, user_name

_MASK = (1 << 64) - 1
HANDLE_BYTES = 16
NONCE_BYTES = 12
# Held to in files, where an editor or a bad copy may leave an empty text: with an empty key anybody signs.
Password = Annotated[str, msgspec.Meta(min_length=16)]
Key128 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Key256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Credential(Strict, frozen=True):
    """One client's secret.

    Args:
        user: the MQTT user name and client id: `server`, `agent-gw-1`, `display-d-door`, `client-watch`.
        party, id: what it is, and its id in the site file.
        match_key, seal_key: agents only: hex of the 16-byte SipHash key and the 32-byte AES-GCM key.
        command_key: agents and displays: hex of the 32-byte key with which the server's commands to it are signed.
    """

    user: str
    password: Password
    party: Party
    id: str
    match_key: Key128 | None = None
    seal_key: Key256 | None = None
    command_key: Key256 | None = None

    @property
    def takes_commands(self) -> bool:
        """Whether the server commands it."""
        return self.party in ("agent", "display")


def make_credential(party: Party, own_id: str) -> Credential:
    """A fresh random credential."""
    agent = party == "agent"
    return Credential(
        user=user_name(party, own_id),
        password=secrets.token_urlsafe(24),
        party=party,
        id=own_id,
        match_key=secrets.token_hex(16) if agent else None,
        seal_key=secrets.token_hex(32) if agent else None,
        command_key=secrets.token_hex(KEY_BYTES) if party in ("agent", "display") else None,
    )


def with_command_key(credential: Credential) -> Credential:
    """The credential of an earlier release, completed."""
    return msgspec.structs.replace(credential, command_key=secrets.token_hex(KEY_BYTES))


def write_credential(folder: Path, credential: Credential) -> Path:
    """Write it as `<user>.toml`, readable by the owner only, in place of the one there was."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{credential.user}.toml"
    write_private(path, _to_toml(credential))
    return path


def add_credential(folder: Path, credential: Credential) -> Path | None:
    """As `write_credential`, but None, and nothing written, where there is one: another program may have just made it."""
    path = folder / f"{credential.user}.toml"
    part = write_part(path, _to_toml(credential))
    try:
        path.hardlink_to(part)
    except FileExistsError:
        return None
    finally:
        part.unlink()
    sync(folder)
    return path


def _to_toml(credential: Credential) -> bytes:
    fields = {key: value for key, value in msgspec.to_builtins(credential).items() if value is not None}
    # Every value is hex, base64url or a topic level, so quoting is all that TOML asks for.
    return "".join(f'{key} = "{value}"\n' for key, value in fields.items()).encode()


def load_credential(path: Path) -> Credential:
    """Read one credential file.

    Raises:
        ConfigError: missing, malformed, a secret in it too short to be one, or readable by others than its owner.
    """
    credential = load_toml(path, Credential)
    refuse_readable(path)
    return credential


def siphash_2_4_128(key: bytes, data: bytes) -> bytes:
    """SipHash-2-4 with 128-bit output: the reference that `hotpath`'s kernel is held equal to.

    Args:
        key: 16 bytes.
    Source: Aumasson and Bernstein, SipHash, reference implementation with 16-byte output.
    """
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:16], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D ^ 0xEE, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    tail = len(data) % 8
    for start in range(0, len(data) - tail, 8):
        word = int.from_bytes(data[start : start + 8], "little")
        v[3] ^= word
        _sip_rounds(v, 2)
        v[0] ^= word
    word = (len(data) & 0xFF) << 56 | int.from_bytes(data[len(data) - tail :], "little")
    v[3] ^= word
    _sip_rounds(v, 2)
    v[0] ^= word
    v[2] ^= 0xEE
    _sip_rounds(v, 4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    _sip_rounds(v, 4)
    return first.to_bytes(8, "little") + (v[0] ^ v[1] ^ v[2] ^ v[3]).to_bytes(8, "little")


def _sip_rounds(v: list[int], rounds: int) -> None:
    for _ in range(rounds):
        v[0] = (v[0] + v[1]) & _MASK
        v[1] = _rotate(v[1], 13) ^ v[0]
        v[0] = _rotate(v[0], 32)
        v[2] = (v[2] + v[3]) & _MASK
        v[3] = _rotate(v[3], 16) ^ v[2]
        v[0] = (v[0] + v[3]) & _MASK
        v[3] = _rotate(v[3], 21) ^ v[0]
        v[2] = (v[2] + v[1]) & _MASK
        v[1] = _rotate(v[1], 17) ^ v[2]
        v[2] = _rotate(v[2], 32)


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _MASK


def seal_handle(seal_key: bytes, handle: bytes, event_id: str) -> str:
    """The member handle sealed for the server: base64url of nonce, ciphertext and tag, bound to the event it travels in."""
    nonce = os.urandom(NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + AESGCM(seal_key).encrypt(nonce, handle, event_id.encode())).decode()


def open_handle(seal_key: bytes, who: str, event_id: str) -> bytes:
    """The handle inside `who`.

    Raises:
        MessageError: not base64, another key's, altered, or moved to another event.
    """
    try:
        sealed = base64.b64decode(who, altchars=b"-_", validate=True)
        return AESGCM(seal_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], event_id.encode())
    except (ValueError, InvalidTag) as error:
        raise MessageError("`who` cannot be opened with this gateway's key") from error
