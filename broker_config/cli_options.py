"""What the subcommands of `tacet broker` share: which file they mean."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The broker's TOML file; otherwise broker.toml here.")
]
DEFAULT_CONFIG = Path("broker.toml")


def path_of(context: typer.Context, config: Path | None) -> Path:
    """The file that `--config` names, after the subcommand or before it."""
    before = context.obj if isinstance(context.obj, Path) else None
    return config or before or DEFAULT_CONFIG
