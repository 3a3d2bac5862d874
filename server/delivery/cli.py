"""`tacet server bad` and `tacet server clones`."""

from typing import Annotated
from urllib.parse import quote

import typer

from server.cli_options import DEFAULT_CONFIG, AsJson, Config, owner_client


def bad(
    ids: Annotated[list[str] | None, typer.Argument(help="Only these, as the list names them.")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Try them again, as after an upgrade.")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the messages that could not be read, or try them again.

    They are acknowledged, so no agent sends them for ever, and kept (the newest 10 000).  What is read at last counts as
    history: it is stored, and moves presence only where that is newer than what is known.

    Examples:

        tacet server bad --config server.toml

        tacet server bad --replay --config server.toml
    """
    client = owner_client(config)
    if replay:
        answer = client.post("/api/bad/replay", json={"ids": ids or []})
        said = answer.json()
        typer.echo(answer.text if as_json else f"{said['replayed']} taken in, {said['still_bad']} still cannot be read")
        return
    answer = client.get("/api/bad")
    rows = [row for row in answer.json() if not ids or row["id"] in ids]
    if as_json:
        typer.echo(answer.text)
    elif not rows:
        typer.echo("nothing is set aside")
    else:
        for row in rows:
            typer.echo(f"{row['id']}  {row['received']}  {row['topic']}  {row['size_bytes']} bytes: {row['why']}")


def clones(
    release: Annotated[str | None, typer.Option(metavar="AGENT", help="There is one again: let it act.")] = None,
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """List the agents that are there twice, or let one act again.

    Two computers with a copy of one disk speak under one name.  What both say is stored and has no effect, until one is gone.
    Switch the copy off; where it is not at hand, give the agent a new credential.  Then release the agent, and start it anew
    without its presence file, so that it tells who is there now.

    Examples:

        tacet server clones --config server.toml

        tacet server clones --release gw-1 --config server.toml
    """
    client = owner_client(config)
    if release is not None:
        client.post(f"/api/clones/{quote(release, safe='')}/release")
        typer.echo(f"{release}: released")
        return
    answer = client.get("/api/clones")
    rows = answer.json()
    if as_json:
        typer.echo(answer.text)
    elif not rows:
        typer.echo("no agent is there twice")
    else:
        for row in rows:
            typer.echo(f"{row['agent']}: {row['why']}")
