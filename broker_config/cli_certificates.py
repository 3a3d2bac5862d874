"""`tacet broker init | renew | revoke | export | rotate-ca`: who may come in over the network, and for how long."""

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives import hashes

from broker_config.cli_options import Config, path_of, settings_of
from broker_config.config import BrokerSettings, load_broker_settings
from broker_config.errors import ConfigError
from broker_config.identity import make_credential, write_credential
from broker_config.pki.bundle import bundle_of, export_bundle
from broker_config.pki.door import Door
from broker_config.pki.expiry import read_certificate, utc_now, validity_of
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.provision import ensure_credentials, let_in, load_credentials, make_private_folder, shut_out
from broker_config.site import load_site
from broker_config.topics import Party

SERVER: Party = "server"
User = Annotated[str, typer.Argument(help="A user, e.g. agent-gw-1, display-d-door, server.")]


def door_of(path: Path, settings: BrokerSettings) -> Door:
    """The network's side of the broker.

    Raises:
        ConfigError: the broker has none.
    """
    if settings.tls is None:
        raise ConfigError(
            f'{path}: no [tls] table: add one with host = "0.0.0.0" and names = ["what the gateways call this machine"]'
        )
    return Door(settings.tls, PkiStore(settings.identity))


def init(context: typer.Context, config: Config = None) -> None:
    """Make a private CA, the broker's certificate, and one for every client; again later, what is missing.

    Whoever has the CA's key can make certificates: keep a copy in a safe place. It may be moved off this machine altogether, and
    brought back to add, renew or revoke.

    Examples:

        tacet broker init --config broker.toml
    """
    path, settings = settings_of(context, config)
    door, site = door_of(path, settings), load_site(settings.site)
    make_private_folder(settings.identity)
    ensure_credentials(site, settings.identity)
    if not door.store.exists():
        door.store.create(site.id, utc_now())
        typer.echo(f"made a CA: {door.store.ca_key}; keep a copy of it in a safe place")
    made = door.prepare(credential.user for credential in load_credentials(settings.identity))
    typer.echo(
        f"made {len(made)} certificates, good for {door.listener.certificate_days} days: {', '.join(made) or 'all are there'}"
    )
    typer.echo(f"  the CA's fingerprint: {fingerprint(door.store.ca)}")
    typer.echo("  for each gateway: tacet broker export agent-NAME DIR, then carry that one file over")


def renew(
    context: typer.Context,
    user: Annotated[str | None, typer.Argument(help="A user, or `broker` for the broker's own certificate.")] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Everybody's; the broker's own too, but not while the CA is changed.")
    ] = False,
    config: Config = None,
) -> None:
    """Make a new certificate and key; the old ones stay valid until they expire.

    A running broker, server or agent takes up its new files by itself.

    Examples:

        tacet broker renew agent-gw-1 --config broker.toml

        tacet broker renew --all
    """
    path, settings = settings_of(context, config)
    door = door_of(path, settings)
    known = [LISTENER, *(credential.user for credential in load_credentials(settings.identity))]
    if everybody == (user is not None):
        raise ConfigError("name one user, or give --all")
    if user is not None and user not in known:
        raise ConfigError(f"no user {user!r}; there are {', '.join(known)}")
    waits = user is None and door.store.exists() and door.store.is_rotating()
    for each in (known[1:] if waits else known) if user is None else [user]:
        door.renew(each)
        until = validity_of(read_certificate(door.store.pair(each)[0])).not_after
        typer.echo(f"renewed {each}: good until {until:%Y-%m-%d}")
    typer.echo("  carry a gateway's over: tacet broker export agent-NAME DIR")
    if waits:
        typer.echo(
            "  the broker's own waits until all are carried over, or they would be shut out: tacet broker renew broker"
        )


def revoke(context: typer.Context, user: User, config: Config = None) -> None:
    """Shut a client out: its credential is taken away and its certificates are put on the list of the revoked.

    `tacet broker add` with --force lets it in again, with new secrets. The server is given new ones at once.

    Examples:

        tacet broker revoke agent-gw-1 --config broker.toml
    """
    _, settings = settings_of(context, config)
    shut_out(settings.identity, user)
    if settings.tls is not None:
        count = PkiStore(settings.identity).revoke(user, utc_now())
        typer.echo(f"revoked {count} certificates of {user}")
    if user == SERVER:
        write_credential(settings.identity, make_credential(SERVER, SERVER))
        let_in(settings.identity, SERVER)
        if settings.tls is not None:
            Door(settings.tls, PkiStore(settings.identity)).renew(SERVER)
        typer.echo("the server has new secrets: start it again")
        return
    typer.echo(f"{user} is shut out; a running broker knows within a second")


def export(
    context: typer.Context,
    user: User,
    folder: Annotated[Path, typer.Argument(help="Where to write USER.tar.")],
    config: Config = None,
) -> None:
    """Write one file with what one client needs: its credential, certificate and key, and the CA's certificate.

    Examples:

        tacet broker export agent-gw-1 /media/stick --config broker.toml
    """
    path = path_of(context, config)
    settings = load_broker_settings(path)
    door = door_of(path, settings)
    written = export_bundle(folder, user, bundle_of(settings.identity, door.store, user))
    typer.echo(f"made {written}; who has it is {user}: carry it over, unpack it, destroy it")
    typer.echo(f'[broker]\nhost = "{door.listener.names[0]}"\nport = {door.listener.port}\n')
    typer.echo(f'[broker.tls]\nca = "ca.pem"\ncertificate = "{user}.pem"\nkey = "{user}.key"')


def rotate_ca(
    context: typer.Context,
    finish: Annotated[bool, typer.Option("--finish", help="End the change: trust the new CA only.")] = False,
    config: Config = None,
) -> None:
    """Begin to use another CA; both are trusted until --finish, which refuses while a certificate is the older one's.

    Then: restart the broker; renew --all, which leaves `broker` out; carry the bundles over; renew broker; --finish; restart.

    Examples:

        tacet broker rotate-ca --config broker.toml
    """
    path, settings = settings_of(context, config)
    store = door_of(path, settings).store
    if not store.exists():
        raise ConfigError(f"{store.folder}: no CA here yet; make it: tacet broker init")
    if finish:
        users = (credential.user for credential in load_credentials(settings.identity))
        if behind := [user for user in (*users, LISTENER) if store.is_of_older(user)]:
            raise ConfigError(
                f"the older CA made the certificates of {', '.join(behind)}, who would be shut out; "
                "for each: tacet broker renew USER, then carry it over; `broker` last"
            )
        store.drop_older()
        typer.echo("one CA is trusted; restart the broker")
        return
    store.create(load_site(settings.site).id, utc_now())
    typer.echo(f"two CAs are trusted, certificates are made by the new one: {fingerprint(store.ca)}")
    typer.echo("  restart the broker, renew the clients and carry them over, renew broker, then rotate-ca --finish")


def fingerprint(certificate: Path) -> str:
    """The SHA-256 of a certificate, as people compare it."""
    return read_certificate(certificate).fingerprint(hashes.SHA256()).hex(":").upper()
