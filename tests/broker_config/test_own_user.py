"""Root is warned, and kept out of another user's folder; everybody else is left alone."""

import os
from pathlib import Path

import pytest

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
