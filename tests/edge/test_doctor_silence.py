"""Nothing answered a driver: the doctor looks for the device at other speeds, then for another reader, and says what it found."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge import doctor_silence
from edge.doctor_findings import Finding
from edge.doctor_silence import examine_silence
from readers.errors import FrameError, ReaderDisconnected, ReaderError, ReaderRefused, ReaderTimeout, SettingsError
from readers.probe import Answered

SILENCE = ReaderTimeout("no answer to I4; check power")
PORT = Path("/dev/ttyUSB7")


class Scale:
    """A device that does this at each speed; silent at the others."""

    def __init__(self, at: Mapping[int, ReaderError | None] | None = None) -> None:
        self.at, self.tried = at or {}, list[int]()

    @asynccontextmanager
    async def open(self, settings: Mapping[str, object]) -> AsyncIterator[object]:
        baud = settings["baud"]
        assert isinstance(baud, int)
        assert settings["line"] == "7E1"
        self.tried.append(baud)
        error = self.at.get(baud, SILENCE)
        if error is not None:
            raise error
        yield self


async def finding_of(scale: Scale, *, is_reader: bool = False) -> Finding:
    return await examine_silence(
        "mt-sics", "w-1", PORT, {"baud": 9600, "line": "7E1"}, scale.open, SILENCE, is_reader=is_reader
    )


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The ports that were asked for known readers; none is there."""
    ports: list[Path] = []

    async def identify(port: Path) -> Answered | None:
        ports.append(port)
        return None

    monkeypatch.setattr(doctor_silence, "identify", identify)
    return ports


def answered_by(monkeypatch: pytest.MonkeyPatch, *type_names: str) -> None:
    async def identify(_: Path) -> Answered | None:
        return Answered(type_names, "a Thing", 57600)

    monkeypatch.setattr(doctor_silence, "identify", identify)


async def test_every_other_speed_is_tried_once_and_the_one_that_works_is_told(asked: list[Path]) -> None:
    scale = Scale({19200: None, 4800: FrameError("noise"), 2400: SettingsError("baud: cannot")})
    finding = await finding_of(scale, is_reader=True)
    assert finding == Finding(2, "w-1: mt-sics answers at 19200 baud, not at 9600", "write baud = 19200 in its stanza")
    assert scale.tried[-1] == 19200
    assert 9600 not in scale.tried
    assert not asked


async def test_who_refuses_is_there() -> None:
    finding = await finding_of(Scale({4800: ReaderRefused("no", 1)}))
    assert "answers at 4800 baud" in finding.what


async def test_a_port_that_is_lost_meanwhile_is_said() -> None:
    scale = Scale({4800: ReaderDisconnected("/dev/ttyUSB7: disconnected; check the cable"), 2400: None})
    finding = await finding_of(scale)
    assert finding == Finding(2, "w-1: /dev/ttyUSB7: disconnected", "check the cable")
    assert scale.tried == [4800]


async def test_really_nothing(asked: list[Path]) -> None:
    scale = Scale()
    finding = await finding_of(scale, is_reader=True)
    assert finding == Finding(2, "w-1: mt-sics does not answer: no answer to I4", "check power")
    assert len(scale.tried) == len(set(scale.tried)) >= 4
    assert asked == [PORT]


async def test_only_where_a_reader_should_be_readers_questions_are_asked(asked: list[Path]) -> None:
    await finding_of(Scale())
    assert not asked


async def test_another_reader_is_named_with_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    answered_by(monkeypatch, "uhfreader18", "uhfreader288")
    finding = await finding_of(Scale(), is_reader=True)
    assert finding.what == "w-1: no mt-sics answers, but a Thing does, at 57600 baud"
    assert 'type = "uhfreader18" or type = "uhfreader288"' in finding.next_step


async def test_the_same_reader_that_answers_a_plain_question_has_its_drivers_trouble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered_by(monkeypatch, "mt-sics")
    finding = await finding_of(Scale(), is_reader=True)
    assert finding == Finding(2, "w-1: a Thing answers, but no answer to I4", "check power")
