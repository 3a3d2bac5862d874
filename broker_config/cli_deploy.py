"""`tacet broker config`: the files for a broker of the store's own."""

from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from broker_config.access import Access
from broker_config.acl import render_acl_file
from broker_config.cli_certificates import door_of
from broker_config.cli_options import Config, path_of
from broker_config.config import load_broker_settings
from broker_config.emqx import render_acl, render_config
from broker_config.mosquitto.bridge import rights_at_centre
from broker_config.mosquitto.files import write_files
from broker_config.mosquitto.network import network_of
from broker_config.pki.door import Door
from broker_config.private_files import write_private
from broker_config.provision import make_private_folder
from broker_config.site import load_site


class Product(StrEnum):
    """A broker that the store runs itself."""

    MOSQUITTO = "mosquitto"
    EMQX = "emqx"


def config(
    context: typer.Context,
    product: Annotated[Product, typer.Argument(help="The broker that is to read them.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write; a folder of the product's name is made in it.")],
    folder: Annotated[
        str, typer.Option("--folder", help="EMQX: where the files will be on its machine.")
    ] = "/etc/emqx/tacet",
    config: Config = None,
) -> None:
    """Write the files for a Mosquitto or an EMQX of your own: TLS by certificate, ACL, limits, and the link to the centre.

    They hold the broker's key: keep them private, and write them again after each `add`, `renew` and `revoke`.

    Examples:

        tacet broker config mosquitto --out deploy --config broker.toml

        tacet broker config emqx --out deploy --folder /etc/emqx/tacet
    """
    path = path_of(context, config)
    settings = load_broker_settings(path)
    door, access = door_of(path, settings), Access(settings.site, settings.identity)
    door.prepare(access.rights)
    make_private_folder(out)
    if product is Product.MOSQUITTO:
        files = write_files(out, settings.host, settings.port, access, network_of(settings))
        typer.echo(f"made {files.folder}; start it: mosquitto -c {files.config}")
    else:
        make_private_folder(out / product)
        for name, content in _emqx_files(door, access, PurePosixPath(folder)).items():
            write_private(out / product / name, content)
        typer.echo(f"made {out / product}; copy it to {folder}, owned by emqx, and include emqx.conf in etc/emqx.conf")
    if settings.bridge is not None:
        at_centre = rights_at_centre(load_site(settings.site))
        write_private(out / "centre-acl", render_acl_file(at_centre).encode())
        write_private(out / "centre-acl.conf", render_acl(at_centre).encode())
        typer.echo(f"made {out}/centre-acl and centre-acl.conf: add them to the ACL of the centre's Mosquitto or EMQX")


def _emqx_files(door: Door, access: Access, folder: PurePosixPath) -> dict[str, bytes]:
    """Content by name, for a broker that has them in `folder`."""
    texts = {"emqx.conf": render_config(door.listener, folder).encode(), "acl.conf": render_acl(access.rights).encode()}
    served = {name: content for name, content in door.served().items() if name != "crl.pem"}  # it would not be read
    return texts | served
