"""What one client is given to carry away: one file with its own secrets and nobody else's."""

import io
import tarfile
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.pki.store import PkiStore
from broker_config.private_files import write_private

OWNER_ONLY = 0o600


def bundle_of(identity: Path, store: PkiStore, user: str) -> dict[str, bytes]:
    """The user's credential, certificate and key, and the CA's certificate, by file name.

    Raises:
        ConfigError: the user has no credential or no certificate.
    """
    credential, (certificate, key) = identity / f"{user}.toml", store.pair(user)
    try:
        return {path.name: path.read_bytes() for path in (credential, certificate, key, store.ca)}
    except OSError as error:
        raise ConfigError(
            f"{error.filename}: {error.strerror}; `tacet broker init` and `tacet broker add` make what a client needs"
        ) from error


def export_bundle(folder: Path, user: str, files: dict[str, bytes]) -> Path:
    """Write `<user>.tar`, readable by its owner only, as are the files in it.

    Raises:
        ConfigError: the folder cannot be written.
    """
    content, path = io.BytesIO(), folder / f"{user}.tar"
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), OWNER_ONLY
            archive.addfile(entry, io.BytesIO(data))
    try:
        write_private(path, content.getvalue())
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error.strerror}; choose another folder") from error
    return path
