"""An agent's folder for tests of its restart; the kernels are compiled before."""

from pathlib import Path

import pytest

from edge.config import load_config
from edge.kernels import cache_folder, prepare_kernels
from tests.edge.restart.rig import CARD, LONG, write_members


@pytest.fixture(scope="session", autouse=True)
def _kernels() -> None:
    prepare_kernels(cache_folder(), lambda *_: None)


@pytest.fixture
def folder(edge_folder: Path) -> Path:
    """An agent's folder with a member table of one card, snapshots only on demand, and long limits."""
    path = edge_folder / "edge.toml"
    given = f"[snapshot]\nevery_s = 3600\n[presence.door]\n{LONG}\n[presence.shelf]\n{LONG}\n[broker]"
    path.write_text(path.read_text().replace("[broker]", given, 1))
    config = load_config(path)
    config.data.mkdir(mode=0o700)
    write_members(config, 3, [CARD])
    return edge_folder
