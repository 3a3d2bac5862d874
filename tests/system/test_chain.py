"""From a serial byte to a screen in a real browser, through every process; and the traffic keeps to the topic table."""

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from broker_config.messages import BY_TYPE, MAX_PAYLOAD_BYTES, decode
from broker_config.topics import parse_topic
from server.displays.mqtt_packets import PacketSplitter
from server.web.visit_label import label_visit
from tests.support.chain import Chain, running_chain
from tests.support.chromium import Page, chromium
from tests.support.patience import STANDSTILL_S
from tests.support.programs import program

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.xdist_group("system")]

CARD = "document.querySelector('.moment')"
LIVE = "document.body.dataset.clock === 'trusted' && document.body.dataset.link === 'ready'"
TTL_S = 10.0
MARKS = "[...document.querySelectorAll('.uncovered')]"
TIMED_OUT = "SELECT 1 FROM event WHERE type = 'tacet.visit.left.v1' AND payload LIKE '%\"timeout\"%'"
PUBLISH, QOS, RETAIN = 3, 0x06, 0x01


async def open_kiosk(page: Page) -> None:
    """Until it is paired, connected and knows the time; the chain approves its code by itself."""
    await page.wait_for(LIVE)


async def test_a_moment_comes_to_a_browser_says_why_and_goes_by_itself(warm_folder) -> None:
    async with running_chain(warm_folder("screen")) as chain, chromium() as browser:
        page = await browser.open(f"{chain.state.server_url}/display/d-shoes", width=1920, height=1080)
        await open_kiosk(page)
        said = str(await page.wait_for(f"{CARD}?.innerText"))
        assert re.search("Trail runners|Rain jackets|越野跑鞋|防水外套", said)
        assert re.search("because you like|因為您喜歡", said)
        assert not re.search("River|Ash|Wren|Sky|Moss|Fern|Reed|Brook|Clay|小雨|阿松|小禾|阿海", said)
        await page.wait_for(f"!{CARD}")
        started, ended = await proofs(chain)
        assert 0 < ended - started <= (TTL_S + STANDSTILL_S) * 1e9
        assert page.console_errors == []


async def proofs(chain: Chain) -> tuple[int, int]:
    """When the first moment of the shoe screen appeared and ended, UTC ns."""

    async def both() -> list[tuple[int, int]]:
        return chain.rows(
            "SELECT a.at_ns, b.at_ns FROM proof a JOIN proof b USING (decision)"
            " WHERE a.display = 'd-shoes' AND a.phase = 'started' AND b.phase = 'ended' ORDER BY a.at_ns"
        )

    return (await chain.until(both))[0]


SHOWS_AFTER_DWELLING = """import("/static/floor/plan.js").then((plan) => {
    const at = new Date(Date.now() + 60_000).toISOString();
    for (const what of ["entered", "dwelled"]) plan.hear({ kind: "visit", what, place: "shoes", facts: { visit: "%s" }, at });
    plan.update({ zones: [{ zone: "shoes", visits: 1, people: "<5", items: 0, covered: true }], displays: [], agents: [] });
    plan.draw(Date.now());
    return document.querySelector('.room[data-zone="shoes"] .visit').textContent;
})"""


async def test_the_floor_page_lives_and_a_lost_reader_is_named_with_what_to_do(warm_folder) -> None:
    async with running_chain(warm_folder("floor")) as chain, chromium() as browser:
        page = await browser.open(await chain.client.sign_in_link(""), width=1280, height=800)
        await page.wait_for("document.querySelector('.story')")  # the link signs in by itself, once
        await page.go(f"{chain.state.server_url}/?lang=en")
        await page.wait_for("/Visit v\\d+ came to/.test(document.body.innerText)")
        await page.wait_for("/Readers 6 of 6/.test(document.body.innerText)")
        token = "ab" * 16
        assert await page.evaluate(SHOWS_AFTER_DWELLING % token) == label_visit(token), (
            "who stays was taken off the plan"
        )
        await page.wait_for(f"{MARKS}.every((mark) => mark.textContent === '')")
        left = chain.rows(TIMED_OUT)
        await chain.children["store"].stop()
        await page.wait_for(f"{MARKS}.every((mark) => /^Not covered since/.test(mark.textContent))")
        await page.wait_for("/Readers 0 of 6/.test(document.body.innerText)")
        await page.wait_for("/r-door/.test(document.body.innerText) && /cable/.test(document.body.innerText)")
        await asyncio.sleep(9)  # longer than the limit after which a person departs
        assert len(chain.rows(TIMED_OUT)) - len(left) <= 1, "pulled cables made people depart"
        assert page.console_errors == []


@pytest.mark.parametrize("engine", ["mosquitto", "amqtt"])
async def test_all_that_is_said_is_in_the_topic_table_and_only_state_is_retained(warm_folder, engine: str) -> None:
    if engine == "mosquitto":
        program(engine)

    def choose(folder: Path) -> None:
        settings = folder / "broker.toml"
        settings.write_text(settings.read_text().replace('engine = "auto"', f'engine = "{engine}"'))

    async with running_chain(warm_folder("table"), choose) as chain:

        async def lamp_has_been_on() -> bool:
            return (await chain.client.summary())["actuations"] >= 1

        await chain.until(lamp_has_been_on)
        spoken = published(map(bytes, chain.recorder.streams))
        assert {"visit_entered", "item_arrived", "shelf_pick", "edge_ack", "moment_set", "actuator_cmd"} <= set(spoken)
        for name, payloads in spoken.items():
            kinds = {BY_TYPE[decode(payload).type].topic for payload in payloads}
            assert kinds == {name}


def published(streams: Iterable[bytes]) -> dict[str, list[bytes]]:
    """The payloads of every PUBLISH on the wire by its row of the topic table; a topic in no row fails here."""
    found: dict[str, list[bytes]] = {}
    for stream in streams:
        for packet in PacketSplitter(MAX_PAYLOAD_BYTES * 2).feed(stream):
            if packet[0] >> 4 == PUBLISH:
                topic, payload = split_publish(packet)
                parsed = parse_topic(topic)
                assert parsed is not None, f"{topic} is in no row of the topic table"
                assert not packet[0] & RETAIN or parsed[0].retained, f"{topic} is retained, and is no state"
                found.setdefault(parsed[0].name, []).append(payload)
    return found


def split_publish(packet: bytes) -> tuple[str, bytes]:
    """Topic and payload.  Source: MQTT 3.1.1, section 3.3."""
    start = next(index for index in range(1, 5) if packet[index] < 0x80) + 1
    end = start + 2 + int.from_bytes(packet[start : start + 2], "big")
    return packet[start + 2 : end].decode(), packet[end + 2 if packet[0] & QOS else end :]
