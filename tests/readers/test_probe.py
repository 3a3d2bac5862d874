"""Which UHF reader is it: only a whole, checked answer to the question counts, and nothing but questions is asked."""

from pathlib import Path

import pytest

from readers import probe
from readers.errors import ReaderDisconnected
from readers.magicrf_m100 import codec as m100
from readers.mercury import codec as mercury
from readers.probe import Answered, identify
from readers.r2000_a0 import codec as r2000
from readers.uhfreader18 import codec as uhf
from simulators.alone import EPCS, make_alone
from tests.readers.peers import Peer
from tests.readers.simulated import simulated

QUESTIONS = {
    "magicrf-m100": bytes.fromhex("bb0003000100047e"),
    "r2000-a0": bytes.fromhex("a003ff72ec"),
    "mercury": bytes.fromhex("ff00031d0c"),
    "uhfreader18": bytes.fromhex("04ff211995"),
}
ANSWERS = {
    "magicrf-m100": bytes.fromhex("bb0103000b004d3130302056312e3030227e"),
    "r2000-a0": bytes.fromhex("a00501720802de"),
    "mercury": bytes.fromhex("ff1403000007102300010000032014100701070209000000105bd1"),
    "uhfreader18": bytes.fromhex("0d0021000502860231801a14975c"),
}
"""The R2000's is made by its manual, the others were published."""


OTHER_COMMANDS = {
    "magicrf-m100": m100.Frame(1, 0x08, b"\x00M100 V1.0").to_bytes(),
    "r2000-a0": r2000.Frame(1, 0x7B, b"\x01\x29").to_bytes(),
    "mercury": mercury.Answer(0x72, 0, bytes(20)).to_bytes(),
    "uhfreader18": uhf.Frame(0, 0x25, bytes(8), 0).to_bytes(),
}
"""Sound answers to other commands: a reader that is busy with another host's order."""
MISSHAPEN = {
    "magicrf-m100": m100.Frame(1, 0x03, b"\x00\x01\x02").to_bytes(),
    "r2000-a0": r2000.Frame(1, 0x72, b"\x01\x02\x03").to_bytes(),
    "mercury": mercury.Answer(0x03, 0, bytes(3)).to_bytes(),
    "uhfreader18": uhf.Frame(0, 0x21, bytes(3), 0).to_bytes(),
}
REFUSALS = {
    "mercury": mercury.Answer(0x03, 0x0101, bytes(20)).to_bytes(),
    "uhfreader18": uhf.Frame(0, 0x21, bytes(8), 0xFE).to_bytes(),
    "magicrf-m100": m100.Frame(2, 0x03, b"\x00M100 V1.0").to_bytes(),
    "r2000-a0": r2000.Frame(0xFF, 0x72, b"\x01\x02").to_bytes(),
}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough where no answer is expected."""
    monkeypatch.setattr(probe, "ANSWER_S", 0.02)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "ANSWER_S", 0.25)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("type_name", "name", "baud"),
    [
        ("magicrf-m100", "M100 26dBm V1.0", 115200),
        ("mercury", "M6e Nano, firmware 01.07.02.00", 115200),
        ("r2000-a0", "R2000 firmware 8.2", 115200),
        ("uhfreader18", "UHFReader18", 57600),
        ("uhfreader288", "UHFReader288M", 57600),
    ],
)
async def test_each_reader_is_known_by_its_answer(type_name: str, name: str, baud: int, tmp_path: Path) -> None:
    async with simulated(make_alone(type_name, EPCS, 1, print), tmp_path / "port", minds_baud=True):
        assert await identify(tmp_path / "port") == Answered((type_name,), name, baud)


async def test_only_questions_are_asked_each_as_its_manual_has_it() -> None:
    async with Peer() as peer:
        assert await identify(peer.path) is None
        heard = bytes(peer.heard)
    for question in QUESTIONS.values():
        assert question in heard
        heard = heard.replace(question, b"")
    assert not heard


async def identify_by(answer: bytes, question: bytes) -> Answered | None:
    """Who it is that says this when asked that."""
    async with Peer(lambda asked: [answer] if question in asked else []) as peer:
        return await identify(peer.path)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("type_name", ANSWERS)
async def test_published_answers_are_recognised_also_behind_noise(type_name: str) -> None:
    for noise in (b"", b"\x00\xa0\xff\xbb"):
        found = await identify_by(noise + ANSWERS[type_name], QUESTIONS[type_name])
        assert found is not None
        assert found.type_names == (type_name,)


@pytest.mark.parametrize("type_name", ANSWERS)
@pytest.mark.parametrize("harm", ["flip", "cut", "echo", "alien"])
async def test_nothing_less_than_a_whole_checked_answer_counts(type_name: str, harm: str) -> None:
    question, answer = QUESTIONS[type_name], ANSWERS[type_name]
    said = {
        "flip": answer[:-4] + bytes([answer[-4] ^ 1]) + answer[-3:],
        "cut": answer[:-1],
        "echo": question,
        "alien": OTHER_COMMANDS[type_name],
    }
    assert await identify_by(said[harm], question) is None


@pytest.mark.parametrize("type_name", ANSWERS)
async def test_an_answer_of_another_shape_or_a_refusal_is_no_introduction(type_name: str) -> None:
    for said in (MISSHAPEN[type_name], REFUSALS[type_name]):
        assert await identify_by(said, QUESTIONS[type_name]) is None


@pytest.mark.usefixtures("patient")
async def test_a_model_nobody_knows_may_be_of_either_family() -> None:
    found = await identify_by(uhf.Frame(0, 0x21, b"\x01\x02\x55" + bytes(5), 0).to_bytes(), QUESTIONS["uhfreader18"])
    assert found is not None
    assert found.type_names == ("uhfreader18", "uhfreader288")


async def test_a_port_that_is_lost_while_asking_is_said() -> None:
    async with Peer() as peer:
        peer.script = lambda _: peer.unplug() or []
        with pytest.raises(ReaderDisconnected):
            await identify(peer.path)
