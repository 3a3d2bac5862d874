"""What the server's commands have in common: where the configuration is, and a way to the running server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from server.client import OwnerClient

Config = Annotated[Path, typer.Option("--config", "-c", help="The server's TOML file.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
DEFAULT_CONFIG = Path("server.toml")


def owner_client(config: Path) -> "OwnerClient":
    """Calls the running server as its owner.

    Raises:
        ConfigError: the configuration cannot be used, or the server was never started.
    """
    from server.client import OwnerClient  # only where it is needed: `--help` must come at once
    from server.config import load_config

    return OwnerClient(load_config(config))
