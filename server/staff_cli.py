"""`tacet server staff` and `tacet server setup-link`."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from server.cli_options import DEFAULT_CONFIG, AsJson, Config, owner_client

if TYPE_CHECKING:
    import httpx

Name = Annotated[str, typer.Argument(help="The account's name: small letters, digits, dot, dash.")]

staff_app = typer.Typer(
    no_args_is_help=True,
    help="""Accounts of the people who work here.  The server must be running.

    Example: tacet server staff add ming --role staff --config server.toml""",
)


class Role(StrEnum):
    """What an account may do."""

    OWNER = "owner"
    STAFF = "staff"
    PARTNER = "partner"


@staff_app.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="owner: all; staff: the floor, no members; partner: figures only.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Make an account, and print the one-time link by which its owner sets a password.

    Example:

        tacet server staff add ming --role staff --config server.toml
    """
    tell_link(owner_client(config).post("/api/staff", json={"name": name, "role": role.value}), as_json)


@staff_app.command("list")
def list_staff(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show the accounts.

    Example:

        tacet server staff list --config server.toml
    """
    from rich.console import Console
    from rich.table import Table

    answer = owner_client(config).get("/api/staff")
    if as_json:
        typer.echo(answer.text)
        return
    table = Table("Name", "Role", "Password", "Signed in", box=None)
    for row in answer.json():
        table.add_row(row["name"], row["role"], "set" if row["ready"] else "not yet", str(row["sessions"]))
    Console().print(table)


@staff_app.command()
def link(name: Name, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Print a fresh one-time link for an account; the one before is void.

    Example:

        tacet server staff link ming --config server.toml
    """
    setup_link(name, config, as_json)


@staff_app.command()
def remove(name: Name, config: Config = DEFAULT_CONFIG) -> None:
    """Close an account; its browsers are signed out at once.

    Example:

        tacet server staff remove ming --config server.toml
    """
    owner_client(config).delete(f"/api/staff/{quote(name, safe='')}")
    typer.echo(f"removed: {name}")


def setup_link(
    name: Annotated[str, typer.Argument(help="The account.")] = "owner",
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Print a fresh one-time link by which the owner sets a password, the first or another.

    Example:

        tacet server setup-link --config server.toml
    """
    tell_link(
        owner_client(config).post(f"/api/staff/{quote(name, safe='')}/link", json={"purpose": "password"}), as_json
    )


def tell_link(answer: "httpx.Response", as_json: bool) -> None:
    """Print a link and how long it is good."""
    if as_json:
        typer.echo(answer.text)
        return
    said = answer.json()
    until = datetime.fromisoformat(said["expires_at"]).astimezone()
    typer.echo(
        f"{said['name']} ({said['role']}) sets a password here, once, until {until:%Y-%m-%d %H:%M}: {said['link']}"
    )
