"""The one door: what is mistyped is one line and exit code 2, and help is whole."""

import importlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text

import tacet
from broker_config.errors import ConfigError

ROOT = Path(__file__).parents[1]


@pytest.mark.system
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--log-level", "loud", "decode", "--list"], "'warning'"),
        (["brokr"], "broker"),
        (["decode", "--lst"], "--lst"),
        (["replay", "-", "--confirm-reads", "0"], "--confirm-reads"),
    ],
)
def test_a_mistyped_word_is_one_line_and_exit_code_2(arguments: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tacet.py", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr


def every_command() -> Iterator[tuple[str, Any]]:
    """Each command and subcommand with its name."""
    for name, (module, attribute, _) in tacet.COMMANDS.items():
        command = typer.main.get_command(getattr(importlib.import_module(module), attribute))
        yield name, command
        for own, subcommand in getattr(command, "commands", {}).items():
            yield f"{name} {own}", subcommand


COMMANDS = dict(every_command())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_swallows_no_word_in_square_brackets(name: str) -> None:
    """rich takes `[n]` for markup, unless it is written `\\[n]`."""
    command = COMMANDS[name]
    for text in [command.help, command.epilog, *(getattr(parameter, "help", None) for parameter in command.params)]:
        shown = Text.from_markup(text or "").plain
        assert shown == (text or "").replace("\\[", "[")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example(name: str) -> None:
    command = COMMANDS[name]
    assert f"tacet {name}" in f"{command.help} {command.epilog}"


def test_a_command_without_arguments_shows_its_help_and_no_empty_complaint() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tacet", "members"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "import" in done.stdout
    assert done.stderr == ""


def test_two_words_may_name_a_command() -> None:
    assert tacet.find_command(["--debug", "bench", "faults", "--cuts", "5"]) == "bench faults"
    assert tacet.find_command(["bench", "presence"]) == "bench"
    assert tacet.find_command(["--log-level", "info"]) is None


def test_without_the_source_a_command_of_the_rig_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tacet, "ROOT", tmp_path)
    with pytest.raises(ConfigError, match="get the source"):
        tacet.find_app("tests.faults.cli", "faults_app")


def test_a_logged_traceback_names_lines_and_nobody_that_was_in_a_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    tacet.set_up_logs("warning")
    try:
        greet("River")
    except ZeroDivisionError:
        logging.getLogger("server.members").exception("a bug")
    said = capsys.readouterr().err
    assert "in greet" in said, "an engineer finds the place"
    assert "ZeroDivisionError" in said
    assert "River" not in said.replace('greet("River")', "")


def greet(alias: str) -> float:
    """Fail with a name in a local variable."""
    return len(alias) / 0
