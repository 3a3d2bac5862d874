"""The floor page in a real browser: empty, live, paused, in trouble, stale, lost and back; and why, one click away."""

from datetime import UTC, datetime

import pytest

from broker_config.messages import (
    ActuatorState,
    Device,
    Envelope,
    MomentShown,
    SensorReport,
    ShelfPick,
    ShelfPutback,
    ShelfState,
    ZoneCoverage,
    encode,
)
from broker_config.topics import topic_for
from server.feed import Happening
from tests.server.web.conftest import DEMO, Store
from tests.support.chromium import Page, chromium
from tests.support.fake_agent import FakeAgent, fake_agent, now

pytestmark = pytest.mark.system

RIVER = "2d14257bf52cb6916d000000"
SKY = "2d14257bf42bb29976000000"
SINCE = datetime(2026, 3, 1, tzinfo=UTC)


def state(name: str) -> str:
    return f"document.body.dataset.state === '{name}'"


def reader(zone: str, lost: str | None = None) -> Device:
    return Device(
        id=f"r-{zone}", kind="magicrf-m100", state="lost" if lost else "ready", since=SINCE, zone=zone, reason=lost
    )


async def prepare(store: Store, agent: FakeAgent) -> None:
    async with store.client() as owner:
        content = (DEMO / "members.csv").read_bytes()
        answer = await owner.post(
            "/api/members/import", content=content, headers=store.owner() | {"Content-Type": "text/csv"}
        )
        assert not answer.json()["bad_rows"]
    await agent.fetch_members(store.url)
    await agent.be(
        "ready", (reader("door"), reader("shoes"), Device(id="w-s1", kind="mt-sics", state="ready", since=SINCE))
    )
    await agent.count(1000, 812.4, 3)


MARK = "document.querySelector('[data-zone=shoes] .uncovered').textContent"


async def test_the_floor_through_its_states(store: Store) -> None:
    async with chromium() as browser, fake_agent(store.broker, store.state.site) as agent:
        await prepare(store, agent)
        await store.sign_in(browser)
        page = await browser.open(store.url + "/?lang=en")
        await page.wait_for(state("empty"))
        assert await page.evaluate("document.querySelector('.state').textContent") == "No one is here yet"
        await page.wait_for("document.querySelector('.readers').textContent === 'Readers 2 of 2'")
        assert await page.evaluate("document.querySelector('[data-figure=outbox]').textContent") == "3"

        # Somebody comes: one is spoken to, one is left in peace; both lines lead to their reason.
        await agent.enter("a1" * 16, RIVER, "shoes")
        await agent.enter("b2" * 16, SKY, "shoes")
        await agent.say(ActuatorState(actuator="lamp-s1", on=True, link="ok", version=None), actuator="lamp-s1")
        await agent.say(ShelfState(shelf="s1", grams=780.0, items=3, sensor="ok"), shelf="s1")
        await page.wait_for(state("live"))
        await page.wait_for("document.querySelectorAll('[data-zone=shoes] .visit').length === 2")
        await page.wait_for(
            "document.querySelector('[data-outcome=shown]') && document.querySelector('[data-outcome=not_shown]')"
        )
        await page.wait_for("document.querySelector('[data-thing=lamp-s1]').dataset.state === 'on'")
        await page.wait_for("document.querySelector('[data-thing=s1] .says').textContent === '0.78 kg'")
        table = "document.querySelector('.plan tbody tr[data-zone=shoes]').innerText"
        counts = await page.evaluate("document.querySelector('[data-zone=shoes] .counts').textContent")
        assert "Visits <5" in str(counts), "few people are not counted out"
        assert "Shelf lamp: on" in str(await page.evaluate(table))
        await tell_what_was_shown(page, store)
        await fit_a_phone(page)

        await sense_and_warn(page, agent)
        await name_the_articles(page, agent)
        await pause_and_resume(page, store)
        await trouble_and_relief(page, agent)
        await lose_and_find(page)
        assert [error for error in page.console_errors if "ERR_INTERNET_DISCONNECTED" not in error] == []

        await page.evaluate("document.querySelector('[data-outcome=not_shown]').click()")
        await page.wait_for("document.querySelectorAll('.steps .stopped').length === 1")
        assert "quiet" in str(await page.evaluate("document.querySelector('h1').textContent"))


async def tell_what_was_shown(page: Page, store: Store) -> None:
    """A moment is shown once its screen says so, also where that comes late; until then it was sent."""
    line = "document.querySelector('.story li:has([data-outcome=shown])')"
    fate = f"{line}.querySelector('.fate').textContent"
    assert await page.evaluate(fate) != "Shown", "no screen is connected"
    await page.evaluate("realNow = Date.now, Date.now = () => realNow() + 10_000")
    await page.wait_for(f"{fate} === 'Sent; its screen has not said that it was shown'")
    await page.evaluate("Date.now = realNow")
    link = str(await page.evaluate(f"{line}.querySelector('a').pathname"))
    (decision,) = [each for each in await store.state.decisions.latest(9) if each.decision in link]
    proof = MomentShown(
        display="d-shoes",
        decision=decision.decision,
        content="trail-runners",
        phase="started",
        at=now(),
        cause_at=now(),
    )
    async with store.broker.client("display-d-shoes") as screen:
        envelope = Envelope(
            specversion="1.0", id="p", source="/tacet/demo/d-shoes", type=proof.type_name, time=now(), data=proof
        )
        await screen.publish(topic_for("display_shown", "demo", display="d-shoes"), encode(envelope), qos=1)
        await page.wait_for(f"{fate} === 'Shown' && {line}.dataset.fate === 'shown'")
    await page.evaluate("location.reload()")
    await page.wait_for(f"{line} && {fate} === 'Shown'")
    await page.wait_for(state("live"))


async def sense_and_warn(page: Page, agent: FakeAgent) -> None:
    """What a presence sensor senses stands at its place, and what a device warns of among the troubles."""
    desk = "document.querySelector('[data-zone=desk] .counts').textContent"
    table = "document.querySelector('.plan tbody tr[data-zone=desk]').innerText"
    for occupied, words in ((True, "somebody"), (False, "nobody"), (None, "cannot tell")):
        report = SensorReport(id="p-desk", zone="desk", occupied=occupied, since=SINCE)
        await agent.count(1000, 812.4, 3, (report,))
        await page.wait_for(f"{desk}.endsWith(' · p-desk: {words}')")
        await page.wait_for(f"{table}.includes('p-desk: {words}')")
    await agent.be("disconnected")
    await page.wait_for(f"!{desk}.includes('p-desk')")
    hot = Device(id="r-door", kind="mercury", state="ready", since=SINCE, zone="door", alarm="82 C; give it air")
    await agent.be("ready", (hot, reader("shoes"), Device(id="p-desk", kind="tfmini", state="ready", since=SINCE)))
    await page.wait_for("document.querySelector('.trouble')?.textContent === 'r-door warns: 82 C; give it air'")
    assert await page.evaluate("document.querySelector('.readers').textContent") == "Readers 2 of 2"
    await agent.be("ready", (reader("door"), reader("shoes")))
    await page.wait_for("document.querySelectorAll('.trouble li').length === 0")


async def name_the_articles(page: Page, agent: FakeAgent) -> None:
    """What was taken and put back is called by its name; what nobody knows is not."""
    of_trail_runners = {"epc": None, "confidence": 0.9, "detected_at": SINCE, "gtin": "00614141008124"}
    await agent.say(ShelfPick(shelf="s1", quantity=2, delta_g=-560.0, **of_trail_runners), shelf="s1")
    await agent.say(ShelfPutback(shelf="s1", quantity=1, delta_g=280.0, **of_trail_runners), shelf="s1")
    unknown = of_trail_runners | {"gtin": None}
    await agent.say(ShelfPick(shelf="s1", quantity=1, delta_g=-280.0, **unknown), shelf="s1")
    story = "[...document.querySelectorAll('.story li p')].map((line) => line.textContent)"
    for line in (
        "Taken from Running shoes: 2 × Trail runner",
        "Put back on Running shoes: Trail runner",
        "Taken from Running shoes",
    ):
        await page.wait_for(f"{story}.includes('{line}')")


async def pause_and_resume(page: Page, store: Store) -> None:
    """While paused nothing moves under the reader's eyes; then all of it is told."""
    lines = int(str(await page.evaluate("document.querySelectorAll('.story li').length")))
    await page.evaluate("document.querySelector('.story button').click()")
    store.state.feed.publish(Happening("visit", "entered", SINCE, "till", {"visit": "c3" * 16}))
    await page.wait_for("document.querySelector('.story button').textContent === 'Resume, 1 waiting'")
    assert await page.evaluate("document.querySelectorAll('.story li').length") == lines
    await page.evaluate("document.querySelector('.story button').click()")
    assert await page.evaluate("document.querySelectorAll('.story li').length") == lines + 1


async def fit_a_phone(page: Page) -> None:
    """Nothing is wider than the phone, the table for screen readers included; the plan moves under the finger and can be read."""
    await page.resize(360, 844)
    await page.wait_for("innerWidth === 360 && document.documentElement.scrollWidth === 360")
    letters = "[...document.querySelectorAll('.plan svg text')].filter((one) => one.textContent)"
    sizes = f"{letters}.map((one) => parseFloat(getComputedStyle(one).fontSize) * one.getScreenCTM().a)"
    assert float(str(await page.evaluate(f"Math.min(...{sizes})"))) > 11.9
    last = "document.querySelector('.room:last-of-type .name').getBoundingClientRect().right"
    await page.evaluate("document.querySelector('.plan').scrollLeft = 10_000")
    assert float(str(await page.evaluate(last))) < 360
    await page.resize(1280, 800)


async def trouble_and_relief(page: Page, agent: FakeAgent) -> None:
    """A lost reader is named with what to do, and forgotten when it is back."""
    await agent.be("alert", (reader("door"), reader("shoes", "no device at /dev/ttyUSB1; check the cable")))
    await page.wait_for("document.querySelector('.trouble')?.textContent.includes('check the cable')")
    assert await page.evaluate("document.querySelector('.readers').textContent") == "Readers 1 of 2"
    full = Device(id="outbox.sqlite", kind="outbox", state="ready", since=SINCE, alarm="nearly full")
    await agent.be("alert", (reader("door"), reader("shoes", "gone"), full))
    await page.wait_for("document.querySelector('.trouble')?.textContent.includes('nearly full')")
    assert await page.evaluate("document.querySelector('.readers').textContent") == "Readers 1 of 2", "no outbox reads"
    await agent.say(ZoneCoverage(zone="shoes", covered=False, since=SINCE), zone="shoes")
    await page.wait_for(f"{MARK} === 'Not covered since 08:00:00'")
    table = "document.querySelector('.plan tbody tr[data-zone=shoes]').innerText"
    assert "Not covered since 08:00:00; " in str(await page.evaluate(table))
    assert await page.evaluate("document.querySelector('[data-zone=door] .uncovered').textContent") == ""
    await agent.be("ready", (reader("door"), reader("shoes")))
    await agent.say(ZoneCoverage(zone="shoes", covered=True, since=SINCE), zone="shoes")
    await page.wait_for("document.querySelectorAll('.trouble li').length === 0")
    await page.wait_for(f"{MARK} === ''")


async def lose_and_find(page: Page) -> None:
    """The server is gone: first the word is old, then it is lost with what to do; it comes back by itself.

    Its word is merely old for three seconds, which a machine at a standstill may swallow; then it is lost once more.
    """
    silent = f"({state('stale')} || {state('lost')}) && document.body.dataset.state"
    for _ in range(3):
        first = await lose_and_find_once(page, silent)
        if first == "stale":
            return
    raise AssertionError("lost at once")


async def lose_and_find_once(page: Page, silent: str) -> object:
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    await page.call("Network.emulateNetworkConditions", offline=True, **offline)
    first = await page.wait_for(silent)
    await page.wait_for(state("lost"))
    assert "tacet server" in str(await page.evaluate("document.querySelector('.trouble').textContent"))
    await page.call("Network.emulateNetworkConditions", offline=False, **offline)
    await page.wait_for(state("live"))
    return first
