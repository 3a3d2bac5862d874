"""`tacet server` and `tacet members`."""

import asyncio
import json
import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from broker_config.errors import ConfigError
from server.backup_cli import backup, restore
from server.cli_options import DEFAULT_CONFIG, AsJson, Config, owner_client
from server.delivery.cli import bad, clones
from server.staff_cli import setup_link, staff_app

server_app = typer.Typer()
server_app.add_typer(staff_app, name="staff")
server_app.command("setup-link")(setup_link)
server_app.command()(backup)
server_app.command()(restore)
server_app.command()(bad)
server_app.command()(clones)
MOST_COLUMNS = 10_000
members_app = typer.Typer(
    no_args_is_help=True,
    help="""Import members, show and change their consent.  The server must be running.

    Example: tacet members import members.csv --config server.toml""",
)


class Change(StrEnum):
    """What to do with a consent."""

    GRANT = "grant"
    WITHDRAW = "withdraw"


class Purpose(StrEnum):
    """What a member can agree to."""

    RECOGNISE = "recognise"
    RECOMMEND = "recommend"


@server_app.callback(invoke_without_command=True)
def run(context: typer.Context, config: Config = DEFAULT_CONFIG) -> None:
    """Run the site server until Ctrl-C or SIGTERM.

    Start the broker first: it makes the server's credential.

    Examples:

        tacet server --config server.toml

        tacet server setup-link --config server.toml

        tacet server staff add ming --role staff --config server.toml

        tacet server pair K7QF3M --config server.toml

        tacet server reload --config server.toml
    """
    if context.invoked_subcommand is not None:
        return
    from broker_config.own_user import keep_root_out
    from broker_config.service_notify import ServiceNotifier
    from server.config import load_config
    from server.serving import serve

    loaded = load_config(config)
    keep_root_out(Path(loaded.data))
    with suppress(asyncio.CancelledError):  # told to end before it was up
        asyncio.run(serve(loaded, typer.echo, ServiceNotifier.from_environment(os.environ)))


@server_app.command()
def pair(
    code: Annotated[str, typer.Argument(help="The code that the display shows.")], config: Config = DEFAULT_CONFIG
) -> None:
    """Approve a display that shows a code.

    Example:

        tacet server pair K7QF3M --config server.toml
    """
    owner_client(config).post(f"/api/pairings/{quote(code.strip().upper(), safe='')}/approve")
    typer.echo(f"paired: {code.strip().upper()}")


@server_app.command()
def reload(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Read the rule file again; a bad file changes nothing.

    Example:

        tacet server reload --config server.toml
    """
    answer = owner_client(config).post("/api/rules/reload")
    said = answer.json()
    typer.echo(answer.text if as_json else f"{said['rules']} rules in force, file version {said['version']}")


@members_app.command("import")
def import_members(
    file: Annotated[Path, typer.Argument(help="CSV, with the header that stands above.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
    readmit: Annotated[
        bool, typer.Option("--readmit", help="Also cards whose member was erased: they joined anew.")
    ] = False,
) -> None:
    """Take members in from a CSV file; bad rows are named, the rest imported.

    A known card updates its member.  Exit code 1 when rows were left out.

    The header: card,alias,language,interests,disinterests,purposes,quiet,cap

    A card is an EPC in hex, em4100:0008075634 (the ten digits on it) or nfc:04a1b2c3d4e5f6 (its UID).

    Example:

        tacet members import members.csv --config server.toml
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    answer = owner_client(config).post(f"/api/members/import?readmit={str(readmit).lower()}", content=content)
    report = answer.json()
    if as_json:
        typer.echo(answer.text)
    else:
        typer.echo(f"{report['imported']} imported, {report['updated']} updated, {len(report['bad_rows'])} left out")
        for bad in report["bad_rows"]:
            typer.echo(f"  {file}, line {bad['row']}: {bad['why']}", err=True)
    if report["bad_rows"]:
        raise typer.Exit(1)


@members_app.command("list")
def list_members(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the members and what they agreed to; never their cards.

    Example:

        tacet members list --json --config server.toml
    """
    from rich.console import Console
    from rich.table import Table

    from server.members.schemas import PAGE

    client = owner_client(config)
    members = page = client.get("/api/members").json()
    while len(page) == PAGE:
        page = client.get(f"/api/members?after={page[-1]['member']}").json()
        members += page
    if as_json:
        typer.echo(json.dumps(members, ensure_ascii=False))
        return
    table = Table(box=None)
    for heading in ("Member", "Alias", "Language", "Purposes", "Likes", "Dislikes", "Quiet", "Cap"):
        table.add_column(heading, no_wrap=True)
    for row in members:
        lists = (", ".join(row[name]) or "-" for name in ("purposes", "interests", "disinterests"))
        cap = "not set" if row["cap"] is None else str(row["cap"])
        table.add_row(row["member"], row["alias"], row["language"], *lists, row["quiet"] or "-", cap)
    # A line for each member, however narrow the terminal is: they are copied, searched and counted.
    wide = Console(width=MOST_COLUMNS)
    Console(width=wide.measure(table).maximum).print(table)


@members_app.command()
def code(
    member: Annotated[str, typer.Argument(help="As `tacet members list` shows it: m-…")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Make a one-time code by which a member signs in at /me, to be told at the desk; good for 15 minutes.

    Example:

        tacet members code m-1f2e3d4c5b6a7988 --config server.toml
    """
    from server.client import OwnerClient
    from server.config import load_config

    checked = load_config(config)
    made = OwnerClient(checked).post(f"/api/members/{quote(member, safe='')}/code").json()["code"]
    typer.echo(f"{made[:4]} {made[4:]}   at {checked.origin}/me")


@members_app.command()
def erase(
    member: Annotated[str, typer.Argument(help="As `tacet members list` shows it: m-…")],
    config: Config = DEFAULT_CONFIG,
    sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a member everywhere: screens and server at once, gateways as soon as they are heard.

    Example:

        tacet members erase m-1f2e3d4c5b6a7988 --config server.toml
    """
    from server.client import OwnerClient
    from server.config import load_config

    if not sure:
        typer.confirm(f"Erase {member}, for good?", abort=True)
    checked = load_config(config)
    number = OwnerClient(checked).post(f"/api/members/{quote(member, safe='')}/erase").json()["request"]
    typer.echo(f"erased here; gateways: {checked.origin}/privacy/{number}")


@members_app.command()
def consent(
    member: Annotated[str, typer.Argument(help="As `tacet members list` shows it: m-…")],
    change: Annotated[Change, typer.Argument()],
    purpose: Annotated[Purpose, typer.Argument()],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Grant or withdraw a purpose for a member.

    Withdrawing `recognise` ends the member's visit on every screen and at every gateway.

    Example:

        tacet members consent m-1f2e3d4c5b6a7988 withdraw recognise --config server.toml
    """
    body = {"purpose": purpose.value, "granted": change is Change.GRANT}
    owner_client(config).post(f"/api/members/{quote(member, safe='')}/consent", json=body)
    typer.echo(f"{member}: {purpose.value} {'granted' if body['granted'] else 'withdrawn'}")
