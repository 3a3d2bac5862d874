"""What the subcommands of `tacet broker` share: which file they mean."""

from pathlib import Path
from typing import Annotated

import typer

from broker_config.config import BrokerSettings, load_broker_settings
from broker_config.own_user import keep_root_out

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="The broker's TOML file; otherwise broker.toml here.")
]
DEFAULT_CONFIG = Path("broker.toml")


def path_of(context: typer.Context, config: Path | None) -> Path:
    """The file that `--config` names, after the subcommand or before it."""
    before = context.obj if isinstance(context.obj, Path) else None
    return config or before or DEFAULT_CONFIG


def settings_of(context: typer.Context, config: Path | None) -> tuple[Path, BrokerSettings]:
    """The file and what it says, for a command that writes credentials or certificates.

    Raises:
        ConfigError: the file is wrong, or root was about to leave there what the broker's own user cannot open.
    """
    path = path_of(context, config)
    settings = load_broker_settings(path)
    keep_root_out(settings.identity)
    return path, settings
