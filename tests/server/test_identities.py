"""Whom the server takes for an agent, while credentials come, change and go."""

import base64
from pathlib import Path

import pytest

from broker_config.identity import make_credential, write_credential
from broker_config.provision import ensure_credentials, shut_out
from broker_config.site import AgentId, load_site
from server.errors import Unauthenticated
from server.identities import Identities
from tests.support.brokers import DEMO_SITE

AGENT = AgentId("gw-1")


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    site = load_site(DEMO_SITE)
    ensure_credentials(site, tmp_path / "identity")
    return Identities(tmp_path / "identity", site)


def basic(identities: Identities) -> str:
    found = identities.agent(AGENT)
    assert found is not None
    return "Basic " + base64.b64encode(f"{found.user}:{found.password}".encode()).decode()


def test_who_is_shut_out_is_nobody_at_once(identities: Identities) -> None:
    shown = basic(identities)
    assert identities.agent_of(shown) == AGENT
    shut_out(identities.folder, "agent-gw-1")
    with pytest.raises(Unauthenticated):
        identities.agent_of(shown)
    assert identities.match_key(AGENT) is identities.seal_key(AGENT) is None


def test_a_replaced_credential_is_taken_up_and_the_old_one_ends(identities: Identities) -> None:
    shown = basic(identities)
    write_credential(identities.folder, made := make_credential("agent", "gw-1"))
    assert identities.agent(AGENT) == made
    with pytest.raises(Unauthenticated):
        identities.agent_of(shown)


def test_a_file_that_became_unusable_leaves_the_old_secrets(
    identities: Identities, caplog: pytest.LogCaptureFixture
) -> None:
    before = identities.agent(AGENT)
    (identities.folder / "agent-gw-1.toml").chmod(0o644)
    assert [identities.agent(AGENT) for _ in range(3)] == [before] * 3
    assert caplog.text.count("chmod 600") == 1
