"""Credentials for every party of a site, made where they are missing.  There is no default password anywhere."""

import os
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.identity import (
    Credential,
    add_credential,
    load_credential,
    make_credential,
    with_command_key,
    write_credential,
)
from broker_config.private_files import write_private
from broker_config.site import Site, is_level
from broker_config.topics import Party, user_name

SHUT_OUT = ".revoked"
"""The ending of an empty file that stands for a credential which was taken away."""


def parties_of(site: Site) -> list[tuple[Party, str]]:
    """Who must be able to connect: the server, every agent, every display of the site file."""
    parties: list[tuple[Party, str]] = [("server", "server")]
    parties += [("agent", agent) for agent in site.agents]
    parties += [("display", display.id) for display in site.displays]
    return parties


def ensure_credentials(site: Site, identity_dir: Path) -> list[Path]:
    """Make what is missing, touch nothing that is there or comes meanwhile; returns the files made.

    A file of an earlier release is given its command key; what it has stays.
    Who was shut out stays out until `tacet broker add` lets it in again, although the site file still names it.

    Raises:
        ConfigError: the folder cannot be written, or others can look into it.
    """
    make_private_folder(identity_dir)
    wanted = {f"{user_name(party, own_id)}.toml": (party, own_id) for party, own_id in parties_of(site)}
    there = {path.name for path in identity_dir.glob("*.toml")}
    there |= {f"{path.stem}.toml" for path in identity_dir.glob(f"*{SHUT_OUT}")}
    made = [add_credential(identity_dir, make_credential(*wanted[name])) for name in wanted if name not in there]
    completed = [
        write_credential(identity_dir, with_command_key(credential))
        for credential in load_credentials(identity_dir)
        if credential.takes_commands and credential.command_key is None
    ]
    return completed + [path for path in made if path is not None]


def shut_out(identity_dir: Path, user: str) -> None:
    """Take the user's credential away, and make no other.

    Raises:
        ConfigError: the user never had one.
    """
    credential, mark = identity_dir / f"{user}.toml", identity_dir / f"{user}{SHUT_OUT}"
    if not credential.exists() and not mark.exists():
        raise ConfigError(f"{credential}: no such credential; `tacet broker acl` lists the users there are")
    write_private(mark, b"")  # first: a running broker would make another credential at once
    credential.unlink(missing_ok=True)


def let_in(identity_dir: Path, user: str) -> None:
    """Forget that the user was shut out."""
    (identity_dir / f"{user}{SHUT_OUT}").unlink(missing_ok=True)


def make_private_folder(folder: Path) -> None:
    """A folder that only its owner can enter.

    Raises:
        ConfigError: it cannot be made, or it is there and open to others.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be made: {error.strerror}; choose another folder") from error
    if folder.stat().st_mode & 0o077:
        raise ConfigError(f"{folder}: other users can enter this folder of secrets; run: chmod 700 {folder}")
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{folder}: cannot be written by this user; run as its owner")


def load_credentials(identity_dir: Path) -> list[Credential]:
    """Every credential in the folder, in the order of their user names.

    Raises:
        ConfigError: a file is malformed or readable by others, or its name is not its user's, or its id is no topic level.
    """
    credentials = []
    for path in sorted(identity_dir.glob("*.toml")):
        credential = load_credential(path)
        own_name = user_name(credential.party, credential.id)
        if credential.user != own_name or path.stem != own_name:
            raise ConfigError(f"{path}: party and id make this user {own_name!r}, so file name and user must be that")
        if not is_level(credential.id):
            raise ConfigError(
                f"{path}: id {credential.id!r} cannot stand in a topic; it would open other clients' topics"
            )
        credentials.append(credential)
    return credentials
