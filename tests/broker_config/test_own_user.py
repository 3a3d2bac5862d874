"""Root is warned, and kept out of another user's folder; everybody else is left alone."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker_config.cli import broker_app
from broker_config.errors import ConfigError
from broker_config.own_user import keep_root_out, warn_of_root

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")


@as_root
def test_root_is_warned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keep_root_out(tmp_path / "not" / "there")
    warn_of_root()
    assert "running as root" in caplog.text


@as_root
@pytest.mark.parametrize("data", ["", "data/of/it"])
def test_root_leaves_no_files_in_the_folder_of_a_service(tmp_path: Path, data: str) -> None:
    os.chown(tmp_path, 1, 1)
    with pytest.raises(ConfigError, match=f"{tmp_path} belongs to daemon.*sudo -u daemon"):
        keep_root_out(tmp_path / data)
    os.chown(tmp_path, 54_321, 1)
    with pytest.raises(ConfigError, match="sudo -u #54321"):
        keep_root_out(tmp_path / data)


def test_an_ordinary_user_hears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    keep_root_out(tmp_path)
    warn_of_root()
    assert caplog.text == ""


@as_root
@pytest.mark.parametrize(
    "command",
    ["", "init", "add agent gw-2", "renew --all", "revoke agent-gw-1", "rotate-ca"],
    ids=lambda command: command.partition(" ")[0] or "run",
)
def test_root_makes_no_credential_or_certificate_that_the_brokers_user_could_not_open(
    tmp_path: Path, command: str
) -> None:
    config, identity = tmp_path / "broker.toml", tmp_path / "identity"
    config.write_text('site = "site.toml"\nidentity = "identity"\ndata = "broker"\n')
    identity.mkdir()
    os.chown(identity, 1, 1)
    said = CliRunner().invoke(broker_app, [*command.split(), "--config", str(config)]).exception
    assert "sudo -u daemon" in str(said)
    assert list(identity.iterdir()) == []
