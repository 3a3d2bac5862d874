"""`tacet broker`: run the site's broker, make one more credential, show the ACL, write the AsyncAPI document."""

import asyncio
import os
import signal
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from broker_config.acl import render_acl_file, rights_of
from broker_config.cli_certificates import export, init, renew, revoke, rotate_ca
from broker_config.cli_deploy import config as write_config
from broker_config.cli_options import Config, path_of, settings_of
from broker_config.config import BrokerSettings, TlsListener, load_broker_settings
from broker_config.errors import ConfigError
from broker_config.heartbeats import Heartbeats, Watchdog
from broker_config.identity import Credential, make_credential, write_credential
from broker_config.pki.door import Door
from broker_config.pki.expiry import utc_now
from broker_config.pki.store import PkiStore
from broker_config.provision import let_in, load_credentials, make_private_folder
from broker_config.service_notify import ServiceNotifier
from broker_config.site import Site, is_level, load_site
from broker_config.topics import user_name

broker_app = typer.Typer()
for command in (init, renew, revoke, export):
    broker_app.command()(command)
broker_app.command("rotate-ca")(rotate_ca)
broker_app.command("config")(write_config)


class Kind(StrEnum):
    """Who can be given a credential; there is only one server, and it has its own."""

    DISPLAY = "display"
    AGENT = "agent"
    CLIENT = "client"


@broker_app.callback(invoke_without_command=True)
def run(context: typer.Context, config: Config = None) -> None:
    """Run the broker until Ctrl-C or SIGTERM: Mosquitto where it is installed, else the embedded one.

    Its first start makes a credential for the server and for every agent and display of the site file.

    Clients added while it runs are let in without a restart.

    Examples:

        tacet broker --config broker.toml

        tacet broker init --config broker.toml

        tacet broker add display d-window --config broker.toml
    """
    context.obj = config
    if context.invoked_subcommand is None:
        notifier = ServiceNotifier.from_environment(os.environ)
        raise typer.Exit(asyncio.run(serve(settings_of(context, config)[1], notifier)))


async def serve(settings: BrokerSettings, notifier: ServiceNotifier) -> int:
    """Run until a signal comes; the process's exit code, which is 1 when the engine ended by itself."""
    from broker_config.engine import listeners, run_broker

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with run_broker(settings) as broker:
        places = " and ".join(f"{host}:{port}" for host, port in listeners(settings))
        typer.echo(f"broker ready on {places} ({broker.engine})")
        notifier.ready(f"{broker.engine} on {places}")
        watching = asyncio.create_task(Watchdog(Heartbeats(), notifier).run(), name="watchdog")
        asked, ended = asyncio.create_task(stop.wait()), asyncio.create_task(broker.ended())
        await asyncio.wait([asked, ended], return_when=asyncio.FIRST_COMPLETED)
        notifier.stopping()
        if ended.done():
            typer.echo(f"tacet: {ended.result()}; start `tacet broker` again", err=True)
        for task in (asked, ended, watching):
            task.cancel()
        return 0 if stop.is_set() else 1


@broker_app.command()
def add(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(help="What it is; a client may only watch decisions and bad messages.")],
    name: Annotated[
        str, typer.Argument(help="Its id: lower-case letters, digits, hyphens; a display's as in site.toml.")
    ],
    config: Config = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the credential if there is one; the old one ends.")
    ] = False,
) -> None:
    """Make the credential of one more display, agent or client.

    Examples:

        tacet broker add display d-window --config broker.toml

        tacet broker add client dashboard --config broker.toml
    """
    _, settings = settings_of(context, config)
    site = load_site(settings.site)
    if not is_level(name):
        raise ConfigError(
            f"{name!r} cannot name a {kind}: use lower-case letters, digits and inner hyphens, e.g. d-window"
        )
    make_private_folder(settings.identity)
    path = settings.identity / f"{user_name(kind.value, name)}.toml"
    if path.exists() and not force:
        raise ConfigError(f"{path} is there already; --force replaces it, and whoever uses the old one is shut out")
    write_credential(settings.identity, credential := make_credential(kind.value, name))
    let_in(settings.identity, credential.user)
    typer.echo(f"made {path}")
    typer.echo(
        f"  connect to {settings.host}:{settings.port}, MQTT 3.1.1, user and client id {credential.user!r}, password in the file"
    )
    if settings.tls is not None:
        typer.echo(f"  {certify(settings, settings.tls, credential.user)}")
    for line in (*rights_in_words(credential, site), advice(kind, name, site)):
        typer.echo(f"  {line}")
    typer.echo("  a running broker lets it in within a second")


def rights_in_words(credential: Credential, site: Site) -> Iterator[str]:
    """What a new credential may do, a line each."""
    rights = rights_of(credential, site)
    for verb, filters in (("may subscribe to", rights.subscribe), ("may publish to", rights.publish)):
        yield f"{verb} {', '.join(filters) or 'nothing'}"


def certify(settings: BrokerSettings, tls: TlsListener, user: str) -> str:
    """Give the user a certificate, and take back those it had; what to do with it."""
    store = PkiStore(settings.identity)
    store.revoke(user, utc_now())
    Door(tls, store).renew(user)
    return f"made its certificate for {tls.names[0]}:{tls.port}; to carry it over: tacet broker export {user} DIR"


def advice(kind: Kind, name: str, site: Site) -> str:
    """What to do with a new credential."""
    if kind is Kind.AGENT:
        place = "" if name in site.agents else f" no zone of site.toml belongs to {name!r} yet: give it some;"
        return f"move the file to the gateway, and name it as `credential` in its edge.toml;{place} the server reads its own copy here"
    if kind is Kind.DISPLAY and name not in {display.id for display in site.displays}:
        return f"site.toml has no display {name!r} yet: add a [[displays]] entry, or the server will send it nothing"
    return "docs/protocol.md has the topics, the messages and a whole display in Python"


@broker_app.command()
def acl(context: typer.Context, config: Config = None) -> None:
    """Print the ACL of every credential there is, as a Mosquitto acl_file.

    Examples:

        tacet broker acl --config broker.toml > acl
    """
    path = path_of(context, config)
    settings = load_broker_settings(path)
    site = load_site(settings.site)
    rights = {credential.user: rights_of(credential, site) for credential in load_credentials(settings.identity)}
    if not rights:
        raise ConfigError(
            f"{settings.identity}: no credentials yet; `tacet broker --config {path}` makes them at its first start"
        )
    typer.echo(render_acl_file(rights), nl=False)


@broker_app.command()
def asyncapi() -> None:
    """Print the AsyncAPI 3.0 document of every topic and message.

    Examples:

        tacet broker asyncapi > docs/asyncapi.json
    """
    from broker_config.asyncapi import render_document

    typer.echo(render_document(), nl=False)
