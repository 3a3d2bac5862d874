"""The command line: one door that dispatches to `<folder>/cli.py`, imported only when called."""

import importlib
import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Annotated, Literal

import structlog
import typer

from broker_config.errors import ConfigError
from broker_config.log_redaction import RedactingFormatter, redact
from readers.errors import ReaderError

ROOT = Path(__file__).parent
COMMANDS = {
    "demo": ("simulators.demo", "demo_app", "A simulated store, live, from serial bytes to screens."),
    "edge": ("edge.cli", "edge_app", "Run the agent of a store gateway."),
    "server": ("server.cli", "server_app", "Run the site server, or pair a display with it."),
    "broker": ("broker_config.cli", "broker_app", "Run the store's broker, or make credentials for one more client."),
    "simulate": ("simulators.cli", "simulate_app", "Run simulated readers, scales, relays and displays."),
    "replay": ("edge.cli", "replay_app", "Run a recorded read log through the presence engine."),
    "decode": ("readers.cli", "decode_app", "Decode raw captures of a serial protocol."),
    "epc": ("readers.epc.cli", "epc_app", "Read and write EPCs by the GS1 Tag Data Standard."),
    "members": ("server.cli", "members_app", "Import members, show and change their consent."),
    "audit": ("server.audit.cli", "audit_app", "Check the log of who looked at members and who changed what."),
    "privacy": (
        "server.erasure.cli",
        "privacy_app",
        "Say how each erasure stands, and which gateway is still to be heard.",
    ),
    "bench": ("edge.cli", "bench_app", "Measure the hot path here, beside what it compares with."),
    "bench faults": ("tests.faults.cli", "faults_app", "Inject faults, and count what is lost; in a checkout."),
    "doctor": ("edge.cli", "doctor_app", "Say what is configured, what answers, and what to do about the rest."),
}


app = typer.Typer(
    help="Tacet: silent commerce for physical stores.  Start with: tacet demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # a bug's traceback is for reading and pasting, not for framing
)


@app.callback()
def tacet(
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="How much to say on stderr.")
    ] = "warning",
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and debug logs.")] = False,
) -> None:
    """Set up what all commands share."""
    set_up_logs("debug" if debug else log_level)


def set_up_logs(level: str) -> None:
    """Logs go to stderr, a line each, formatted by structlog; the modules call stdlib `logging` only.  A bug's traceback likewise."""
    handler = logging.StreamHandler()
    colours = sys.stderr.isatty()
    handler.setFormatter(
        RedactingFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # The other formatters print every local variable, keys and names among them.
                structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    sys.excepthook = write_redacted


def write_redacted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A bug's traceback on stderr, with nothing in it that the logs would hide."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))


def find_command(arguments: list[str]) -> str | None:
    """The first word that is no option, with the next where the two name a command: the command's name, or None."""
    for place, word in enumerate(arguments):
        if not word.startswith("-") and word in COMMANDS:
            pair = " ".join(arguments[place : place + 2])
            return pair if pair in COMMANDS else word
    return None


def add_commands(called: str | None) -> None:
    """Put the called command in place; the others stand as their one-line summary, so that none is imported in vain."""
    for name, (module, attribute, summary) in COMMANDS.items():
        if name == called:
            group, _, own = name.rpartition(" ")
            parent = typer.Typer() if group else app
            parent.add_typer(find_app(module, attribute), name=own)
            if group:
                app.add_typer(parent, name=group)
        elif called is None or not called.startswith(f"{name} "):
            app.command(name, help=summary)(lambda: None)


def find_app(module: str, attribute: str) -> typer.Typer:
    """A command's app, imported now.

    Raises:
        ConfigError: it is part of the tests, which are not installed.
    """
    if module.startswith("tests."):
        if not ROOT.joinpath(*module.split(".")).with_suffix(".py").exists():
            raise ConfigError("the tests are not installed: get the source, make install, and run it there")
        sys.path.insert(0, str(ROOT))
    found: typer.Typer = getattr(importlib.import_module(module), attribute)
    return found


def main() -> None:
    """Run a command.  What the user can mend is one line on stderr and exit code 2; `--debug` shows the traceback."""
    try:
        add_commands(find_command(sys.argv[1:]))
        sys.exit(app(standalone_mode=False))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (typer.TyperException, ConfigError, ReaderError) as error:
        if "--debug" in sys.argv:
            raise
        words = error.format_message() if isinstance(error, typer.TyperException) else str(error)  # names the option
        if words:  # no arguments at all: the help has been shown, and says enough
            sys.stderr.write(f"tacet: {' '.join(words.split())}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
