"""One simulated device on the command line."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.cli import simulate_app


def test_a_device_alone_answers_at_its_port_until_it_is_told_to_stop(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tacet", "simulate", "device", "rdm6300", "--port", str(tmp_path / "port")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"rdm6300 at {tmp_path / 'port'}; Ctrl-C ends it\n"
        port = os.open(tmp_path / "port", os.O_RDONLY | os.O_NOCTTY)
        assert select.select([port], [], [], 15)[0], "a card comes every twelve seconds"
        assert os.read(port, 1) == b"\x02"
        os.close(port)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert not (tmp_path / "port").is_symlink()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("toaster",), "unknown type 'toaster'; known: escpos-label"),
        (("mercury", "--epc", "xyz"), "is not hex"),
        (("mercury", "--epc", "aabbcc"), "1 to 31 words"),
    ],
)
def test_what_cannot_be_simulated_is_said(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    outcome = CliRunner().invoke(simulate_app, ["device", *arguments, "--port", str(tmp_path / "port")])
    assert outcome.exit_code == 2
    assert said in " ".join(outcome.output.replace("│", " ").split())


def test_a_port_that_cannot_be_made_is_said_with_an_option_that_there_is(tmp_path: Path) -> None:
    port = tmp_path / "nowhere" / "port"
    outcome = CliRunner().invoke(simulate_app, ["device", "rdm6300", "--port", str(port)])
    said = " ".join(outcome.output.replace("│", " ").split())
    assert outcome.exit_code == 2
    assert "choose a place in a folder that there is" in said
    assert "--out" not in said


def test_the_types_are_listed() -> None:
    assert CliRunner().invoke(simulate_app, ["device", "--list"]).output.split()[:2] == ["escpos-label", "hlk-ld2410"]
