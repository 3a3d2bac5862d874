"""`tacet privacy`: how the erasures stand."""

import typer

from server.cli_options import DEFAULT_CONFIG, AsJson, Config, owner_client

privacy_app = typer.Typer(
    no_args_is_help=True,
    help="""Follow erasures.  The server must be running.

    Example: tacet privacy status --config server.toml""",
)


@privacy_app.callback()
def privacy() -> None:
    """Follow erasures."""


@privacy_app.command()
def status(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Every erasure, newest first: done here, and at each gateway; exit code 1 where something is wrong.

    Example:

      tacet privacy status --config server.toml
    """
    from server.erasure.schemas import PAGE, PrivacyStatus

    client = owner_client(config)
    said = page = PrivacyStatus.model_validate_json(client.get("/api/privacy").text)
    while len(page.erasures) == PAGE:
        path = f"/api/privacy?after={page.erasures[-1].request}"
        page = PrivacyStatus.model_validate_json(client.get(path).text)
        said = PrivacyStatus(erasures=[*said.erasures, *page.erasures], alarm=page.alarm)
    if as_json:
        typer.echo(said.model_dump_json())
    elif not said.erasures:
        typer.echo("nobody has been erased")
    else:
        for each in said.erasures:
            places = [f"server: {'done' if each.here else 'not yet'}, old files removed: {each.removed_files}"]
            places += [
                f"{agent.agent}: {agent.state} since {agent.since:%Y-%m-%d %H:%M:%S} UTC" for agent in each.agents
            ]
            word = "complete" if each.complete else "under way"
            typer.echo(f"{each.request}  asked {each.asked_at:%Y-%m-%d %H:%M:%S} UTC  {word}; {'; '.join(places)}")
    if said.alarm:
        typer.echo(f"erasures are missing here that a gateway has applied: {said.alarm}", err=True)
        raise typer.Exit(1)
