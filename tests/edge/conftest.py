"""Fixtures of the edge's tests; what they import lies in `tests/support/edge.py`."""

from pathlib import Path

import pytest

from broker_config.identity import make_credential, write_credential
from tests.support.edge import DEMO, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def edge_folder(tmp_path: Path) -> Path:
    """A folder with the demo's `edge.toml`, `site.toml` and a fresh credential; no port in it answers."""
    (tmp_path / "site.toml").write_text((DEMO / "site.toml").read_text())
    text = (DEMO / "edge.toml").read_text().replace("$broker_port", "1").replace("$server_port", "2")
    (tmp_path / "edge.toml").write_text(text)
    write_credential(tmp_path / "identity", make_credential("agent", "gw-1"))
    return tmp_path
