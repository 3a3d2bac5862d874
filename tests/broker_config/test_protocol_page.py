"""docs/protocol.md: its table is the code's, its envelope is one, and its example display works as printed."""

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from broker_config.messages import (
    BaseItem,
    BaseSet,
    Data,
    DisplayState,
    Envelope,
    MomentSet,
    MomentShown,
    decode,
    encode,
)
from broker_config.site import DisplayId
from broker_config.topics import TOPICS, topic_for
from tests.support.brokers import running_broker
from tests.support.patience import WAIT_S
from tests.support.signing import signed

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
DOOR = DisplayId("d-door")


def topic_table() -> str:
    """The topic table as Markdown."""
    lines = ["| topic | from | to | QoS | retained | expiry | durable |", "|---|---|---|---|---|---|---|"]
    for row in TOPICS:
        expiry = "" if row.expiry_s is None else f"{row.expiry_s} s"
        cells = [f"`{row.pattern}`", row.publisher, ", ".join(row.subscribers), str(row.qos)]
        lines.append(
            "| " + " | ".join([*cells, "yes" if row.retained else "", expiry, "yes" if row.durable else ""]) + " |"
        )
    return "\n".join(lines) + "\n"


def test_the_topic_table_is_the_codes() -> None:
    printed = PAGE.split("test_protocol_page.py -->\n")[1].split("<!-- end of topics -->")[0]
    assert printed == topic_table(), "put topic_table() into docs/protocol.md"


def test_the_topics_named_as_signed_are_the_codes() -> None:
    printed = PAGE.split("<!-- signed:")[1].split("-->\n")[1].split("<!-- end of signed -->")[0]
    assert re.findall(r"`([^`]+)`", printed) == [row.pattern for row in TOPICS if row.signed]


def test_the_envelope_shown_is_one() -> None:
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    msgspec.json.decode(text, type=Envelope[msgspec.Raw])  # type: ignore[type-var]


def message(data: Data) -> bytes:
    now = datetime.now(UTC)
    return encode(
        Envelope(specversion="1.0", id="1", source="/tacet/demo/server", type=data.type_name, time=now, data=data)
    )


def moment(count: int = 2) -> MomentSet:
    now = datetime.now(UTC)
    return MomentSet(
        display=DOOR,
        version=(1, count),
        decision="d" * 32,
        content="welcome",
        visit=None,
        text={"en": "Welcome."},
        because={"en": "you asked"},
        language="en",
        screen_class="public",
        issued_at=now,
        cause_at=now,
        ttl_ms=400,
    )


async def said_of_one(out: asyncio.StreamReader, send: Callable[[int], Awaitable[None]]) -> bytes:
    """What the display says of a moment; one that comes too late, from a machine at a standstill, it passes over."""
    for count in range(2, 7):
        await send(count)
        with suppress(TimeoutError):
            async with asyncio.timeout(10):
                return await out.readline()
    raise AssertionError("no moment was shown")


async def test_the_example_display_shows_says_so_and_is_missed_when_it_dies(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "display.py").write_text(program)
    async with running_broker(tmp_path) as broker, broker.client("server") as server:
        await server.subscribe(
            [(topic_for(name, "demo", display="+"), 1) for name in ("display_state", "display_shown")]
        )
        base = BaseSet(display=DOOR, version=(1, 1), items=(BaseItem(content="open", text={"en": "Take your time."}),))
        base_topic = topic_for("display_base", "demo", display=DOOR)
        signed_base = signed(base_topic, message(base), broker.identity, broker.site_file)
        await server.publish(base_topic, signed_base, qos=1, retain=True)
        arguments = [
            tmp_path / "display.py",
            broker.identity / "display-d-door.toml",
            "demo",
            broker.host,
            str(broker.port),
        ]
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=-1, env=dict(os.environ))
        assert process.stdout is not None
        try:
            async with asyncio.timeout(WAIT_S):
                state = decode(bytes((await anext(server.messages)).payload)).data
                assert isinstance(state, DisplayState)
                assert state.state == "ready"
                assert await process.stdout.readline() == b"BASE   Take your time.\n"
                orders = topic_for("moment_set", "demo", display=DOOR)
                unsigned = message(moment())
                sign = partial(signed, identity=broker.identity, site_file=broker.site_file)
                await server.publish(orders, unsigned, qos=1)
                await server.publish(orders, sign(orders, unsigned).replace(b"Welcome.", b"Go away."), qos=1)
                for _ in range(2):
                    assert await process.stdout.readline() == b"FORGED " + orders.encode() + b"\n"
                shown = await said_of_one(
                    process.stdout,
                    lambda count: server.publish(orders, sign(orders, message(moment(count))), qos=1),
                )
                assert shown == b"MOMENT Welcome. - you asked\n"
                phases = []
                for _ in range(2):
                    receipt = decode(bytes((await anext(server.messages)).payload)).data
                    assert isinstance(receipt, MomentShown)
                    phases.append((receipt.phase, receipt.ended_by))
                assert phases == [("started", None), ("ended", "ttl")]
                process.kill()
                lost = decode(bytes((await anext(server.messages)).payload)).data
                assert isinstance(lost, DisplayState)
                assert (lost.state, lost.session) == ("lost", state.session)
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()
