"""The credentials of everybody the server deals with, read from the identity folder."""

import base64
import binascii
import hmac
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.identity import Credential, load_credential
from broker_config.site import AgentId, Site
from broker_config.topics import user_name
from server.errors import Refused, Unauthenticated


class Identities:
    """Who is who.  Agents' files are read again when asked for an agent that had none, so `tacet broker add` needs no restart."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.folder = folder
        self._site = site
        self._agents: dict[AgentId, Credential] = {}

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
        """An agent's credential with its keys; None where the site has no such agent or its file is not there yet."""
        if agent not in self._agents and agent in self._site.agents:
            path = self.folder / f"{user_name('agent', agent)}.toml"
            if path.exists():
                self._agents[agent] = load_credential(path)
        return self._agents.get(agent)

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
