"""Commands of the gateway: the agent, recordings, benchmarks, the doctor."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from edge.bench import bench_app
from edge.doctor import doctor_app
from edge.replay import replay_app

__all__ = ["bench_app", "doctor_app", "edge_app", "replay_app"]

edge_app = typer.Typer()


@edge_app.callback(invoke_without_command=True)
def edge(
    config: Annotated[Path, typer.Option(help="The agent's TOML file.")] = Path("edge.toml"),
    check: Annotated[bool, typer.Option("--check", help="Only check the configuration.")] = False,
) -> None:
    """Run the agent of a store gateway: serial devices in, presence events out, commands to actuators.

    A device, broker or server that is not there is retried and shown as lost; `tacet doctor` says what to do about it.
    SIGTERM or Ctrl-C stops it: actuators in their safe state, undelivered events kept.

    Examples:

      tacet edge --config edge.toml

      tacet edge --config edge.toml --check
    """
    from edge.config import load_config
    from edge.presence_config import make_layout, make_settings

    checked = load_config(config)
    make_layout(checked)
    make_settings(checked)
    if check:
        typer.echo(f"{config}: agent {checked.agent}, {len(checked.readers)} readers: good")
        return
    from broker_config.own_user import keep_root_out
    from broker_config.service_notify import ServiceNotifier
    from edge.start import Teller, serve

    keep_root_out(checked.data)

    serve(checked, Teller(typer.echo, sys.stderr.isatty(), ServiceNotifier.from_environment(os.environ)))
