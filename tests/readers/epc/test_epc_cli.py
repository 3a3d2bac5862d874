"""`tacet epc` as other tools call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from readers.epc.cli import epc_app
from tests.readers.vectors import load

VALID = [vector for vector in load("epc-tds") if vector.valid]
ROOT = Path(__file__).parents[3]


def records(*arguments: str):
    result = CliRunner().invoke(epc_app, list(arguments))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_all_published_epcs_are_decoded_in_one_go():
    found = records("decode", *(vector.raw.hex() for vector in VALID))
    for record, vector in zip(found, VALID, strict=True):
        assert record.items() >= {"bytes_hex": vector.raw.hex(), **vector.decoded}.items()


def test_what_is_no_epc_is_raw_and_no_error():
    [record] = records("decode", "E28011700000020F1234ABCD")
    assert record == {
        "bytes_hex": "e28011700000020f1234abcd",
        "scheme": "raw",
        "tag_uri": "urn:epc:raw:96.xE28011700000020F1234ABCD",
        "why": "header E2 is a chip's own number, not read here",
    }


def test_a_plus_epc_may_end_at_its_last_digit():
    [record] = records("decode", "F43952114112345678906")
    assert (record["gsrn"], record["bytes_hex"]) == ("952114112345678906", "f439521141123456789060")


@pytest.mark.parametrize(
    ("arguments", "hex_text"),
    [
        (["urn:epc:tag:sgtin-96:3.0614141.812345.6789"], "3074257bf7194e4000001a85"),
        (["urn:epc:tag:sgtin-96:0.0614141.812345.6789", "--filter", "3"], "3074257bf7194e4000001a85"),
        (["urn:epc:id:sgtin:0614141.812345.6789", "--filter", "3"], "3074257bf7194e4000001a85"),
        (["(01)80614141123458(21)6789", "--company-prefix-length", "7", "--filter", "3"], "3074257bf7194e4000001a85"),
        (
            ["https://example.com/go/01/80614141123458/21/6789?linkType=all", "--company-prefix-length", "7"],
            "3014257bf7194e4000001a85",
        ),
        (["(01)79521141123453(21)32a/b", "--scheme", "sgtin+", "--filter", "3"], "f73795211411234538566cb0afc4"),
        (["(01)79521141123453(21)32a/b(17)220630", "--filter", "3"], "fb342cde795211411234538566cb0afc4000"),
        (["(414)9521141123454", "--company-prefix-length", "7"], "3216451fd460720000000000"),
        (["urn:epc:id:gid:31415.271828.1414"], "350007ab70425d4000000586"),
        (["urn:epc:id:gdti:0614141.12345.01"], None),
    ],
)
def test_a_text_becomes_an_epc(arguments, hex_text):
    [record] = records("encode", *arguments)
    assert hex_text in (record["bytes_hex"], None)
    assert records("decode", record["bytes_hex"]) == [record]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["decode", "30742"], "'30742' is not hex text of whole bytes"),
        (["decode", "xyz0"], "not hex text"),
        (["decode"], "HEX"),
        (["encode", "urn:epc:tag:sgtin-96:3.0614141.812345.0123"], "leading zeros; sgtin-198 or sgtin+ can carry it"),
        (["encode", "(01)80614141123458(21)6789"], "needs the company prefix length (6 to 12); sgtin+ can carry it"),
        (["encode", "(01)80614141123459(21)6789"], "the check digit of 80614141123459 should be 8"),
        (["encode", "urn:epc:id:sgtin:0614141.812345.1", "--scheme", "sscc-96"], "sscc-96 carries no sgtin"),
        (["encode", "urn:epc:id:sgtin:0614141.812345.1", "--scheme", "sgtin"], "unknown scheme 'sgtin'"),
        (["encode", "urn:epc:id:sgtin:0614141.812345.1", "--filter", "8"], "a number from 0 to 7"),
        (["encode", "urn:epc:id:sgtin:0614141.812345.1", "--company-prefix-length", "8"], "7 digits, not 8"),
        (["encode", "urn:epc:id:sgtin:0614141.812345.1", "--company-prefix-length", "5"], "--company-prefix-length"),
        (["encode", "hello"], "'hello' is no tag URI"),
    ],
)
def test_what_the_user_can_mend_is_one_line_and_exit_code_2(arguments, words):
    run = subprocess.run(
        [sys.executable, ROOT / "tacet.py", "epc", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (run.returncode, run.stdout, run.stderr.count("\n")) == (2, "", 1)
    assert words in run.stderr
