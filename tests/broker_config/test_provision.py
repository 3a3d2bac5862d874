"""Credentials at first start: everyone has one, none is a default, and a second start changes nothing."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from broker_config.access import Access
from broker_config.errors import ConfigError
from broker_config.identity import Credential, load_credential, make_credential, write_credential
from broker_config.provision import ensure_credentials, load_credentials
from broker_config.site import load_site
from broker_config.topics import Party
from tests.support.brokers import DEMO_SITE

SITE = load_site(DEMO_SITE)
EVERYONE = ["agent-gw-1", "display-d-door", "display-d-fitting", "display-d-shoes", "display-d-till", "server"]


def test_every_party_of_the_site_gets_one_in_a_private_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "identity"
    made = ensure_credentials(SITE, folder)
    assert sorted(path.stem for path in made) == EVERYONE
    assert [credential.user for credential in load_credentials(folder)] == EVERYONE
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made} == {0o600}


def test_a_second_start_makes_only_what_is_missing(tmp_path: Path) -> None:
    ensure_credentials(SITE, tmp_path / "identity")
    before = load_credentials(tmp_path / "identity")
    assert ensure_credentials(SITE, tmp_path / "identity") == []
    assert load_credentials(tmp_path / "identity") == before
    (tmp_path / "identity" / "display-d-door.toml").unlink()
    assert [path.stem for path in ensure_credentials(SITE, tmp_path / "identity")] == ["display-d-door"]


def test_a_credential_of_an_earlier_release_gets_its_command_key_and_keeps_the_rest(tmp_path: Path) -> None:
    ensure_credentials(SITE, tmp_path / "identity")
    (agent,) = (each for each in load_credentials(tmp_path / "identity") if each.party == "agent")
    assert len(agent.command_key or "") == 64
    write_credential(tmp_path / "identity", replace(agent, command_key=None))
    assert [path.stem for path in ensure_credentials(SITE, tmp_path / "identity")] == ["agent-gw-1"]
    (again,) = (each for each in load_credentials(tmp_path / "identity") if each.party == "agent")
    assert replace(again, command_key=None) == replace(agent, command_key=None)
    assert again.command_key not in (None, agent.command_key)
    assert (tmp_path / "identity" / "agent-gw-1.toml").stat().st_mode & 0o777 == 0o600


def test_a_credential_that_another_program_made_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever read the first one would be shut out."""
    others = {}

    def make_late(party: Party, own_id: str) -> Credential:
        others[own_id] = make_credential(party, own_id)
        write_credential(tmp_path / "identity", others[own_id])
        return make_credential(party, own_id)

    monkeypatch.setattr("broker_config.provision.make_credential", make_late)
    assert ensure_credentials(SITE, tmp_path / "identity") == []
    assert {credential.id: credential for credential in load_credentials(tmp_path / "identity")} == others
    assert {path.suffix for path in (tmp_path / "identity").iterdir()} == {".toml"}


def test_a_secret_closed_again_is_read_without_a_restart(tmp_path: Path) -> None:
    access = Access(DEMO_SITE, tmp_path / "identity")
    path = write_credential(tmp_path / "identity", make_credential("client", "watch"))
    path.chmod(0o644)
    assert access.has_changed()
    assert not access.reload()
    path.chmod(0o600)
    assert access.has_changed()
    assert access.reload()
    assert "client-watch" in access.passwords


def test_two_fresh_installs_share_no_secret(tmp_path: Path) -> None:
    secrets = set()
    for install in ("one", "two"):
        ensure_credentials(SITE, tmp_path / install)
        for credential in load_credentials(tmp_path / install):
            secrets |= {credential.password, credential.match_key, credential.seal_key}
    assert len(secrets - {None}) == 2 * (len(EVERYONE) + 2)


def test_an_open_folder_of_secrets_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        ensure_credentials(SITE, folder)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        ensure_credentials(SITE, tmp_path / "file" / "identity")


def test_a_credential_copied_to_another_name_grants_nothing(tmp_path: Path) -> None:
    path = write_credential(tmp_path / "identity", make_credential("display", "d-door"))
    path.rename(path.with_name("display-d-shoes.toml"))
    with pytest.raises(ConfigError, match="display-d-door"):
        load_credentials(tmp_path / "identity")


def test_a_display_cannot_call_itself_the_server(tmp_path: Path) -> None:
    path = write_credential(tmp_path / "identity", make_credential("display", "d-door"))
    path.write_text(path.read_text().replace('user = "display-d-door"', 'user = "server"'))
    with pytest.raises(ConfigError, match="display-d-door"):
        load_credentials(tmp_path / "identity")


@pytest.mark.parametrize("own_id", ["+", "#", "", "D"])
def test_an_id_that_is_no_topic_level_grants_nothing(tmp_path: Path, own_id: str) -> None:
    write_credential(tmp_path / "identity", make_credential("display", own_id))
    with pytest.raises(ConfigError, match="cannot stand in a topic"):
        load_credentials(tmp_path / "identity")


def access(tmp_path: Path) -> Access:
    (tmp_path / "site.toml").write_text(DEMO_SITE.read_text())
    return Access(tmp_path / "site.toml", tmp_path / "identity")


def test_only_the_right_password_of_a_known_user_lets_in(tmp_path: Path) -> None:
    known = access(tmp_path)
    password = load_credential(tmp_path / "identity" / "server.toml").password
    assert known.authenticate("server", password)
    for user, tried in [("server", password[:-1]), ("server", ""), ("server", None), (None, password), ("", ""), ("stranger", ""),
                        (None, None), ("stranger", password), ("agent-gw-1", password), ("server", password + "é")]:  # fmt: skip
        assert not known.authenticate(user, tried), (user, tried)


def test_a_faulty_file_leaves_the_clients_as_they_were(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = access(tmp_path)
    assert not known.has_changed()
    (tmp_path / "identity" / "display-x.toml").write_text("user = ")
    assert known.has_changed()
    assert not known.reload()
    assert "display-x.toml" in caplog.text
    assert not known.has_changed(), "the same fault is not said twice"
    assert sorted(known.passwords) == EVERYONE


def test_a_display_added_to_the_site_file_gets_its_credential(tmp_path: Path) -> None:
    known = access(tmp_path)
    more = '\n[[displays]]\nid = "d-new"\nzone = "till"\nscreen_class = "public"\nname = { en = "New" }\n'
    (tmp_path / "site.toml").write_text(DEMO_SITE.read_text() + more)
    assert known.has_changed()
    assert known.reload()
    assert "display-d-new" in known.passwords
    assert not known.has_changed()
