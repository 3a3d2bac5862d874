"""The clients a running broker knows: read from the identity folder and the site file, and read again when these change."""

import contextlib
import hmac
import logging
from pathlib import Path

from broker_config.acl import Rights, rights_of
from broker_config.errors import ConfigError
from broker_config.identity import Credential
from broker_config.provision import ensure_credentials, load_credentials
from broker_config.site import load_site

log = logging.getLogger(__name__)
Signature = tuple[tuple[str, int, int], ...]


class Access:
    """Credentials and rights by user name; swapped whole by `reload`.

    Args:
        also: further files whose change is a change of who may connect.
    Raises:
        ConfigError: the site file or a credential is wrong.
    """

    def __init__(self, site_file: Path, identity: Path, also: tuple[Path, ...] = ()) -> None:
        self._site_file, self._identity, self._also = site_file, identity, also
        self._credentials: dict[str, Credential] = {}
        self.rights: dict[str, Rights] = {}
        self._load()

    def _load(self) -> None:
        self._seen = self._signature()  # before reading, so that a change meanwhile is read next time
        site = load_site(self._site_file)
        if ensure_credentials(site, self._identity):
            self._seen = self._signature()
        credentials = {credential.user: credential for credential in load_credentials(self._identity)}
        self.rights = {user: rights_of(credential, site) for user, credential in credentials.items()}
        self._credentials = credentials

    def reload(self) -> bool:
        """Read everything again; whether there is anything to apply.

        On a faulty file say so in the log and keep what was, but for those whose own file is gone: they were shut out.
        """
        try:
            self._load()
        except ConfigError as error:
            log.error("clients stay as they were, but for those taken out: %s", error)  # noqa: TRY400  one line is enough
            return self._drop_removed()
        log.info("%d clients may connect", len(self._credentials))
        return True

    def _drop_removed(self) -> bool:
        gone = [user for user in self._credentials if not (self._identity / f"{user}.toml").exists()]
        self._credentials = {user: kept for user, kept in self._credentials.items() if user not in gone}
        self.rights = {user: rights for user, rights in self.rights.items() if user not in gone}
        return bool(gone)

    def has_changed(self) -> bool:
        """Whether a file was added, removed, written or given another mode since the last load."""
        return self._signature() != self._seen

    def _signature(self) -> Signature:
        """By the time of the last change of content, name or mode, so that a `chmod 600` we asked for is seen, too."""
        with contextlib.suppress(FileNotFoundError):  # removed between the listing and the look: seen next time
            also = [path for path in self._also if path.exists()]
            paths = [self._site_file, *sorted(self._identity.glob("*.toml")), *also]
            stats = [(str(path), path.stat()) for path in paths]
            return tuple((name, stat.st_ctime_ns, stat.st_ino) for name, stat in stats)
        return ()

    @property
    def passwords(self) -> dict[str, str]:
        """Password by user name, for an engine that keeps its own hashed file."""
        return {user: credential.password for user, credential in self._credentials.items()}

    def authenticate(self, user: str | None, password: str | None) -> bool:
        """Whether the two belong together; takes the same time for a wrong password wherever it differs."""
        credential = self._credentials.get(user or "")
        expected = credential.password if credential else ""
        return hmac.compare_digest(expected.encode(), (password or "").encode()) and credential is not None

    def rights_of(self, user: str | None) -> Rights:
        """The rights of a user; none for a stranger or one whose credential was removed."""
        return self.rights.get(user or "", Rights((), ()))
