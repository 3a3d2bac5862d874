"""`tacet audit`: is the access log whole, and what is its head."""

from typing import Annotated

import typer

from broker_config.errors import ConfigError
from server.cli_options import DEFAULT_CONFIG, AsJson, Config

audit_app = typer.Typer(
    no_args_is_help=True,
    help="""Check the log of who looked at members and who changed what.  Works with the server running or stopped.

    Example: tacet audit verify --config server.toml""",
)


@audit_app.command()
def verify(
    config: Config = DEFAULT_CONFIG,
    anchor: Annotated[str, typer.Option(help="An earlier head: shows also what was cut off at the end.")] = "",
    as_json: AsJson = False,
) -> None:
    """Check every row against the one before; exit code 1 names the first that is not as it was written.

    An anchor is written to the server's log each day, and printed by `tacet audit head`.

    Examples:

      tacet audit verify --config server.toml

      tacet audit verify --anchor 41:9f86d081.884c7d65.9a2feaa0.c55ad015.a3bf4f1b.2b0b822c.d15d6c15.b0f00a08
    """
    import json

    from server.audit.chain import EMPTY, parse_anchor
    from server.audit.reading import verify_file
    from server.config import load_config

    try:
        known = parse_anchor(anchor) if anchor else EMPTY
    except ValueError as error:
        raise ConfigError(str(error)) from error
    found = verify_file(load_config(config).database, known)
    whole = found.broken is None
    if as_json:
        typer.echo(json.dumps({"whole": whole, "head": str(found.head), "broken": found.broken, "why": found.why}))
    elif whole:
        typer.echo(f"the audit log is whole: {found.head.number} rows; head {found.head}")
    else:
        typer.echo(f"the audit log is broken at row {found.broken}: {found.why}", err=True)
    if not whole:
        raise typer.Exit(1)


@audit_app.command()
def head(config: Config = DEFAULT_CONFIG) -> None:
    """Print the anchor of now: keep it outside this machine, and give it to `verify` later.

    Example:

      tacet audit head --config server.toml
    """
    from server.audit.reading import head_of
    from server.config import load_config

    typer.echo(str(head_of(load_config(config).database)))
