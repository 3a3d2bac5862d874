"""The demo's configuration, changed in one place."""

from pathlib import Path


def edit(folder: Path, old: str, new: str) -> Path:
    path = folder / "edge.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return path
