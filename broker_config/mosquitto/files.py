"""The files Mosquitto runs from: configuration, passwords, ACL, certificates.  Generated at each start, never edited."""

import base64
import grp
import hashlib
import os
import pwd
import secrets
from dataclasses import dataclass
from pathlib import Path

from broker_config.access import Access
from broker_config.acl import render_acl_file
from broker_config.errors import ConfigError
from broker_config.mosquitto.conf import render_rest
from broker_config.mosquitto.network import NOWHERE, Network
from broker_config.private_files import write_private

USER = "mosquitto"
HASH_ROUNDS = 101
"""Mosquitto's own default; our passwords are 192 random bits, which no number of rounds makes harder to guess."""
SALT_BYTES = 12


@dataclass(frozen=True, slots=True)
class Files:
    """Where the files are, and the user Mosquitto runs as; None: the user who started us."""

    config: Path
    passwords: Path
    acl: Path
    folder: Path
    user: str | None
    network: Network = NOWHERE


def write_files(data: Path, host: str, port: int, access: Access, network: Network = NOWHERE) -> Files:
    """Write all of them into a private folder below `data`, owned by the user that Mosquitto will be.

    As root, Mosquitto is run as its own user, so its files are given to that user.  Where that user cannot reach the
    folder (a state folder below /root, say), Mosquitto stays root: opening root's home to it would be the worse trade.

    Raises:
        ConfigError: the folder cannot be written.
    """
    folder = data / "mosquitto"
    try:
        return _write_files(folder, host, port, access, network)
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot be written: {error.strerror}; run as the folder's owner, or set another `data`"
        ) from error


def _write_files(folder: Path, host: str, port: int, access: Access, network: Network) -> Files:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    user = USER if os.geteuid() == 0 and can_reach(folder.parent.resolve(), USER) else None
    files = Files(folder / "mosquitto.conf", folder / "passwords", folder / "acl", folder, user, network)
    write_private(files.config, render_config(files, host, port).encode())
    write_clients(files, access)
    if user is not None:
        hand_over(folder, user)
        hand_over(files.config, user)
        for kept in folder.glob("*.db*"):
            hand_over(kept, user)
    return files


def write_clients(files: Files, access: Access) -> None:
    """Passwords, ACL and certificates anew, for Mosquitto to read at its start or on SIGHUP.

    Passwords and rights first: what is wrong with a certificate must not keep somebody in who was shut out.

    Raises:
        ConfigError: a certificate does not fit; those of before stay.
    """
    lines = [f"{user}:{hash_password(password)}\n" for user, password in access.passwords.items()]
    texts = {files.passwords: "".join(lines), files.acl: render_acl_file(access.rights | files.network.rights())}
    _write_all(files, {path: text.encode() for path, text in texts.items()})
    _write_all(files, {files.folder / name: content for name, content in files.network.files().items()})


def _write_all(files: Files, contents: dict[Path, bytes]) -> None:
    for path, content in contents.items():
        write_private(path, content)
        if files.user is not None:
            hand_over(path, files.user)


def render_config(files: Files, host: str, port: int) -> str:
    """`mosquitto.conf`."""
    folder = files.folder.resolve()
    rest = render_rest(folder, files.passwords.resolve(), files.acl.resolve())
    lines = [*rest, *files.network.lines(host, port, folder)]
    if files.user is None and os.geteuid() == 0:
        lines.append("user root")
    return "\n".join(lines) + "\n"


def hash_password(password: str) -> str:
    """Mosquitto's `$7$` form: PBKDF2 with SHA-512.  Made here, so that no program is handed a password in its arguments."""
    salt = secrets.token_bytes(SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, HASH_ROUNDS)
    return f"$7${HASH_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def can_reach(folder: Path, user: str) -> bool:
    """Whether `user` exists and may pass through every folder down to `folder`."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        return False
    groups = {entry.pw_gid} | {group.gr_gid for group in grp.getgrall() if user in group.gr_mem}
    return all(_may_enter(step.stat(), entry.pw_uid, groups) for step in (folder, *folder.parents))


def _may_enter(stat: os.stat_result, uid: int, groups: set[int]) -> bool:
    if stat.st_uid == uid:
        return bool(stat.st_mode & 0o100)
    if stat.st_gid in groups:
        return bool(stat.st_mode & 0o010)
    return bool(stat.st_mode & 0o001)


def hand_over(path: Path, user: str) -> None:
    """Give a file or folder to `user`; its mode stays.  A link is not followed: `user` could have put it there."""
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
