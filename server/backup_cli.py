"""`tacet server backup` and `tacet server restore`."""

from pathlib import Path
from typing import Annotated

import typer

from server.cli_options import DEFAULT_CONFIG, Config


def backup(
    file: Annotated[Path, typer.Argument(help="The copy to make; must not be there yet.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Copy the database into FILE, also while the server runs.

    Only its owner can read the copy.  It lacks the keys of the card numbers: keep card.keys, of the data folder, elsewhere.

    Example:

        tacet server backup /backup/tacet-monday.db --config server.toml
    """
    from server.backup import back_up
    from server.config import load_config

    size = back_up(load_config(config).database, file)
    typer.echo(f"{file}: {size / 1e6:.1f} MB; keep card.keys and erasures.log of the data folder too, elsewhere")


def restore(
    file: Annotated[Path, typer.Argument(help="A copy made by `tacet server backup`.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Put a copy of the database back; the server must be stopped.

    What it replaces is set aside for 48 hours, and consent that was withdrawn since is withdrawn in the copy too.  Agents send again
    what they still have, 48 hours at least where their disk allows; erased members are erased again at the next start.

    Example:

        tacet server restore /backup/tacet-monday.db --config server.toml
    """
    from server import backup as copies
    from server.config import load_config

    replaced, taken_over = copies.restore(load_config(config).database, file)
    typer.echo(f"{file} is in place; start the server")
    if replaced is not None:
        kept = "it holds personal data, and is removed after 48 hours or with the next erasure"
        typer.echo(f"what it replaced is {replaced}; {kept}")
    if taken_over is None:
        typer.echo("consent that was withdrawn since the copy was made could not be read; withdraw it again", err=True)
    elif taken_over:
        typer.echo(f"{taken_over} withdrawals of consent are newer than the copy, and hold")
