import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from readers.cli import decode_app
from tests.readers.vectors import ALL, Vector, wire_direction

TAG = bytes.fromhex("bb02220011c9340030751feb705c5904e3d50d703a76ef7e")


def decode(*arguments: str, given: bytes = b""):
    result = CliRunner().invoke(decode_app, list(arguments), input=given)
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")], result


@pytest.mark.parametrize("vector", ALL, ids=str)
def test_every_golden_frame_from_a_file(vector: Vector, tmp_path):
    (tmp_path / "capture").write_bytes(vector.raw)
    code, [record], _ = decode(vector.protocol, str(tmp_path / "capture"), "--direction", wire_direction(vector))
    assert (code, record["valid"], record["offset"], record["length"]) == (0, vector.valid, 0, len(vector.raw))
    assert vector.valid == ("decoded" in record) != ("why" in record)
    assert not vector.valid or record["decoded"].items() >= vector.decoded.items()


def test_hex_text_from_standard_input_may_be_cut_by_white_space():
    text = "\n".join(TAG.hex()[at : at + 7] for at in range(0, len(TAG) * 2, 7)).encode()
    _, [record], _ = decode("magicrf-m100", "--hex", given=text)
    assert record["decoded"]["epc"] == "30751feb705c5904e3d50d70"


def test_whatever_the_input_holds_the_exit_code_is_0():
    code, [record], _ = decode("mt-sics", "-", given=b"\x00\x01")
    assert (code, record) == (0, {"offset": 0, "length": 2, "valid": False, "why": "no start of a frame"})


def test_the_protocols_are_listed():
    assert decode("--list")[2].stdout.split() == [
        "escpos-label",
        "hlk-ld2410",
        "lcus-relay",
        "line-cards",
        "line-weight",
        "magicrf-m100",
        "mercury",
        "modbus-relay",
        "modbus-rtu",
        "modbus-weight",
        "mt-sics",
        "pn532-hsu",
        "r2000-a0",
        "rdm6300",
        "tfmini",
        "uhfreader18",
        "uhfreader288",
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], "unknown protocol 'nope'; known: escpos-label, hlk-ld2410, lcus-relay"),
        (["mt-sics", "/no/such/file"], "No such file"),
        (["mt-sics", "--hex"], "not hex text"),
        ([], "--list"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_exit_code_2(arguments, words):
    run = subprocess.run(
        [sys.executable, "-m", "tacet", "decode", *arguments], input="zz", capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (2, "", 1)
    assert words in run.stderr


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    (tmp_path / "capture").write_bytes(b"S S     100.00 g\r\n" * 20000)
    command = f"{sys.executable} -m tacet decode mt-sics {tmp_path}/capture | head -1"
    run = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr, len(run.stdout.splitlines())) == (0, "", 1)
