"""The credentials of everybody the server deals with, read from the identity folder."""

import base64
import binascii
import hmac
import logging
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.identity import Credential, load_credential
from broker_config.site import AgentId, Site
from broker_config.topics import user_name
from server.errors import Refused, Unauthenticated

log = logging.getLogger(__name__)
Stamp = tuple[int, int]
"""Which file, and its last change."""


class Identities:
    """Who is who.  An agent's file is read again when it is another, so `tacet broker add` and `revoke` need no restart."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self._site = site
        self._agents: dict[AgentId, tuple[Stamp, Credential]] = {}

    def own(self) -> Credential:
        """The server's own credential.

        Raises:
            ConfigError: not there yet.
        """
        path = self.folder / f"{user_name('server', '')}.toml"
        if not path.exists():
            raise ConfigError(
                f"{path}: no credential for the server; start the broker first: tacet broker --config FILE"
            )
        return load_credential(path)

    def agent(self, agent: AgentId) -> Credential | None:
        """An agent's credential with its keys; None where the site has no such agent, or its file is not, or no longer, there."""
        if agent not in self._site.agents:
            return None
        path = self.folder / f"{user_name('agent', agent)}.toml"
        try:
            stat = path.stat()
        except FileNotFoundError:
            self._agents.pop(agent, None)  # shut out
            return None
        stamp, known = (stat.st_ino, stat.st_ctime_ns), self._agents.get(agent)
        if known is None:
            known = self._agents[agent] = stamp, load_credential(path)
        elif known[0] != stamp:
            known = self._agents[agent] = stamp, _load_or_keep(path, known[1])
        return known[1]

    def match_key(self, agent: AgentId) -> bytes | None:
        """The key under which this agent knows cards."""
        credential = self.agent(agent)
        return None if credential is None or credential.match_key is None else bytes.fromhex(credential.match_key)

    def seal_key(self, agent: AgentId) -> bytes | None:
        """The key under which this agent seals handles."""
        credential = self.agent(agent)
        return None if credential is None or credential.seal_key is None else bytes.fromhex(credential.seal_key)

    def check_basic(self, authorization: str | None, agent: AgentId) -> None:
        """Let through the agent itself, by HTTP Basic.

        Raises:
            Unauthenticated: nobody, or a wrong user or password.
            Refused: another agent.
        """
        if self.agent_of(authorization) != agent:
            raise Refused("an agent may fetch its own table only")

    def agent_of(self, authorization: str | None) -> AgentId:
        """The agent that HTTP Basic names.

        Raises:
            Unauthenticated: nobody, or a wrong user or password.
        """
        user, password = _basic(authorization)
        for known in self._site.agents:
            credential = self.agent(known)
            if credential is None or credential.user != user:
                continue
            if hmac.compare_digest(credential.password.encode(), password.encode()):
                return known
        raise Unauthenticated("show the agent's user and password")


def _load_or_keep(path: Path, known: Credential) -> Credential:
    """The file anew; what it said before where it cannot be used, since events go on coming."""
    try:
        return load_credential(path)
    except ConfigError as error:
        log.error("%s; until then its old secrets hold", error)  # noqa: TRY400  the one line is the whole story
        return known


def _basic(authorization: str | None) -> tuple[str, str]:
    """User and password of a Basic header."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated("show the agent's user and password")
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unauthenticated("malformed credentials") from error
    return user, password
