"""The kiosk in a real browser: from its code to its moments, and nothing personal left behind."""

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from broker_config.messages import MomentClear, MomentSet, MomentShown, VisitEnded, decode
from broker_config.site import DisplayId
from server.link import Incoming, Outgoing
from simulators.faults import FaultyProxy
from tests.server.web.conftest import WAIT_S, Store
from tests.support.chromium import Browser, Page, chromium
from tests.support.patience import eventually

pytestmark = pytest.mark.system

SHOES = DisplayId("d-shoes")
CARD = "document.querySelector('.moment')"
LINKED = "document.body.dataset.link === 'ready' && document.querySelector('.base .say')"
READY = f"document.body.dataset.clock === 'trusted' && {LINKED}"
LONG_MS = 600_000  # what has to be there still when the test looks
counters = itertools.count(1_000)


def moment(decision: str = "one", **changes: object) -> MomentSet:
    now = datetime.now(UTC)
    made = MomentSet(
        display=SHOES, version=(9, next(counters)), decision=decision, content="trail-runners", visit="f" * 32,
        text={"en": "Trail runners, new this week", "zh-Hant": "越野跑鞋本週新到"},
        because={"en": "because you like running", "zh-Hant": "因為您喜歡跑步"},
        language="zh-Hant", screen_class="public", picture="shoe", issued_at=now, cause_at=now, ttl_ms=LONG_MS,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def clear(**changes: object) -> MomentClear:
    made = MomentClear(display=SHOES, version=(9, next(counters)), reason="test", issued_at=datetime.now(UTC))
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def receipts(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[MomentShown]:
    """The proofs of play as they reach the server; none goes on, for no decision of these tests is real."""
    heard: list[MomentShown] = []
    take = store.state.link.incoming.put

    async def take_or_keep(message: Incoming) -> None:
        data = decode(message.payload).data
        if isinstance(data, MomentShown):
            heard.append(data)
        else:
            await take(message)

    monkeypatch.setattr(store.state.link.incoming, "put", take_or_keep)
    return heard


async def open_paired(browser: Browser, store: Store, **options: bool) -> Page:
    page = await browser.open(f"{store.url}/display/d-shoes?lang=en", **options)
    code = await page.wait_for("document.querySelector('.code').textContent")
    async with store.client() as owner:
        assert (await owner.post(f"/api/pairings/{code}/approve", headers=store.owner())).status_code == 204
    await page.wait_for(READY)
    return page


async def test_a_kiosk_from_its_code_to_an_empty_memory(store: Store, receipts: list[MomentShown]) -> None:
    send = store.state.link.send
    async with chromium() as browser:
        page = await browser.open(f"{store.url}/display/d-shoes?lang=en", width=1920, height=1080)
        code = str(await page.wait_for("document.querySelector('.code').textContent"))
        assert await page.evaluate("document.querySelector('.command').textContent") == f"tacet server pair {code}"
        assert await page.evaluate("getComputedStyle(document.querySelector('.base')).display") == "none"
        async with store.client() as owner:
            await owner.post(f"/api/pairings/{code}/approve", headers=store.owner())
        await page.wait_for(READY)
        await eventually(lambda: store.state.fleet.displays[SHOES].state == "ready")
        least = await page.evaluate(
            "Math.min(...[...document.querySelectorAll('.base p')].map((p) => parseFloat(getComputedStyle(p).fontSize)))"
        )
        assert float(str(least)) >= 1080 / 18

        # A moment appears, in the person's language; a newer one takes its place, and goes at its time.
        first = moment()
        send(first, display=SHOES)
        await page.wait_for(CARD)
        assert await page.evaluate(f"{CARD}.innerText.split(/\\n+/)") == ["越野跑鞋本週新到", "因為您喜歡跑步"]
        assert await page.evaluate(f"{CARD}.querySelector('use').getAttribute('href')") == "/static/signs.svg#shoe"
        assert await page.evaluate(
            f"[...{CARD}.querySelectorAll('p')].every((p) => parseFloat(getComputedStyle(p).fontSize) >= innerHeight / 18)"
        )
        assert await page.evaluate("document.querySelectorAll('.ring .left')[0].getAnimations().length") == 1
        short = await show_for_a_moment(store, receipts)
        await page.wait_for(f"!{CARD}")
        assert [(one.decision, one.phase, one.ended_by) for one in receipts] == [
            ("one", "started", None),
            ("one", "ended", "replaced"),
            (short.decision, "started", None),
            (short.decision, "ended", "ttl"),
        ]
        assert receipts[0].cause_at == first.cause_at
        assert receipts[3].at - short.issued_at >= timedelta(milliseconds=short.ttl_ms - 100), "not before its time"
        await assert_nothing_left(page)
        receipts.clear()

        # What is stale, another display's, over, too private or of nobody's class is not shown.
        old = (9, short.version[1])
        hour_ago = datetime.now(UTC) - timedelta(hours=1)
        send(moment("stale", version=old), display=SHOES)
        send(moment("wrong", display=DisplayId("d-door")), display=SHOES)
        send(moment("over", issued_at=hour_ago), display=SHOES)
        send(moment("private", screen_class="private"), display=SHOES)
        send(moment("good", visit="a" * 32), display=SHOES)
        await page.wait_for(CARD)
        await eventually(lambda: len(receipts) == 1)
        assert receipts[0].decision == "good"

        # It goes on `clear`, of its decision or its visit only, and when its visit ends; a newer one replaces it.
        send(clear(decision="another"), display=SHOES)
        send(moment("next", visit="b" * 32), display=SHOES)
        await eventually(
            lambda: [(one.decision, one.ended_by) for one in receipts[1:3]] == [("good", "replaced"), ("next", None)]
        )
        send(clear(visit="b" * 32), display=SHOES)
        await page.wait_for(f"!{CARD}")
        assert (await ended(receipts, "next")).ended_by == "clear"
        send(moment("last", visit="c" * 32), display=SHOES)
        await page.wait_for(CARD)
        send(VisitEnded(visits=("c" * 32,), cause="withdrawn"))
        await page.wait_for(f"!{CARD}")
        assert (await ended(receipts, "last")).ended_by == "clear"
        send(moment("set back", visit="d" * 32), display=SHOES)
        await page.wait_for(CARD)
        send_as_of(store, VisitEnded(visits=("d" * 32,), cause="erased"), timedelta(days=-2))
        await page.wait_for(f"!{CARD}")
        assert (await ended(receipts, "set back")).ended_by == "clear", "the server's clock was set back by two days"
        await assert_nothing_left(page)
        assert page.console_errors == []


def send_as_of(store: Store, said: VisitEnded, off: timedelta) -> None:
    """As a server would say it whose clock was set."""
    link = store.state.link
    topic, payload = link._message(said, time.time_ns() + off // timedelta(microseconds=1) * 1000, None, {})
    link._push(Outgoing(topic, payload, 1, False, None))


async def show_for_a_moment(store: Store, receipts: list[MomentShown]) -> MomentSet:
    """A moment that was shown until its short time was over; one that a machine at a standstill brings too late is none."""
    for attempt in range(5):
        short = moment(f"short-{attempt}", ttl_ms=1_500)
        store.state.link.send(short, display=SHOES)
        with suppress(TimeoutError):
            assert (await ended(receipts, short.decision, 10)).ended_by == "ttl"
            return short
    raise AssertionError("no short moment went at its time")


async def ended(receipts: list[MomentShown], decision: str, timeout_s: float = WAIT_S) -> MomentShown:
    await eventually(lambda: any(one.decision == decision and one.phase == "ended" for one in receipts), timeout_s)
    return next(one for one in receipts if one.decision == decision and one.phase == "ended")


async def assert_nothing_left(page: Page) -> None:
    """No word of a moment in the document, and nothing stored but the fence."""
    html = str(await page.evaluate("document.documentElement.outerHTML"))
    assert "越野跑鞋" not in html
    assert "running" not in html.replace("running a", "")
    assert await page.evaluate("Object.keys(localStorage)") == ["tacet-fence-d-shoes"]
    assert await page.evaluate("JSON.parse(localStorage['tacet-fence-d-shoes']).every(Number.isInteger)")
    assert await page.evaluate("sessionStorage.length") == 0
    assert await page.evaluate("indexedDB.databases().then((all) => all.length)") == 0


async def test_a_cut_link_takes_the_moment_and_leaves_the_base(store: Store, receipts: list[MomentShown]) -> None:
    async with chromium() as browser:
        page = await open_paired(browser, store)
        store.state.link.send(moment(), display=SHOES)
        await page.wait_for(CARD)
        async with store.broker.client("display-d-shoes"):  # the same client id: the broker cuts the kiosk off
            await page.wait_for(f"!{CARD}")
            assert await page.evaluate("document.querySelector('.base .say') !== null")
            await page.wait_for(READY)  # it comes back by itself
        await page.wait_for(READY)
        assert (await ended(receipts, "one")).ended_by == "link"  # told when the link was back
        await assert_nothing_left(page)


async def test_without_a_trusted_clock_there_is_only_base(store: Store, receipts: list[MomentShown]) -> None:
    async with chromium() as browser:
        page = await open_paired(browser, store)
        await page.call("Network.setBlockedURLs", urls=["*/time*"])
        await page.call("Page.reload")
        await page.wait_for("performance.now() < 60000 && " + LINKED)
        store.state.link.send(moment("unseen"), display=SHOES)
        store.state.link.send(clear(), display=SHOES)
        fence = "JSON.parse(localStorage['tacet-fence-d-shoes'] ?? '[0,0]')[1]"
        await page.wait_for(f"{fence} >= {next(counters) - 1}")  # both have come
        assert receipts == []
        await page.call("Network.setBlockedURLs", urls=[])
        store.state.link.send(moment("seen", ttl_ms=60_000), display=SHOES)
        async with asyncio.timeout(WAIT_S):
            while not receipts:
                store.state.link.send(moment("seen", ttl_ms=60_000), display=SHOES)
                await asyncio.sleep(0.25)
        assert {one.decision for one in receipts} == {"seen"}
        # The machine slept: nobody knows when the moment is over, so it is over now.
        await page.call("Network.setBlockedURLs", urls=["*/time*"])
        await page.evaluate("Date.now = ((day) => () => day() + 3_600_000)(Date.now)")
        await page.wait_for(f"document.body.dataset.clock === 'unknown' && !{CARD}")
        await eventually(lambda: receipts[-1].ended_by == "link")


async def test_two_windows_on_one_display_do_not_fight(store: Store, receipts: list[MomentShown]) -> None:
    async with chromium() as browser:
        older = await open_paired(browser, store)
        newer = await browser.open(f"{store.url}/display/d-shoes?lang=en")
        await newer.wait_for(READY)
        await older.wait_for("document.body.dataset.link === 'standby' && !document.querySelector('.dot').hidden")
        store.state.link.send(moment(), display=SHOES)
        await newer.wait_for(CARD)
        assert await older.evaluate(f"{CARD} === null")
        assert store.state.proxy.counters.taken_over == 1
        await newer.close()
        await older.wait_for(READY)
        assert store.state.proxy.counters.taken_over == 1  # nobody was pushed out for it
        assert older.console_errors == []


def say(store: Store, topic: str, payload: bytes) -> None:
    """As somebody with the server's rights at the broker, but without the display's key."""
    store.state.link._outgoing.append(Outgoing(topic, payload, 1, False, None))
    store.state.link._waiting.set()


async def test_a_moment_that_the_server_has_not_signed_for_this_screen_is_not_shown(
    store: Store, receipts: list[MomentShown]
) -> None:
    async with chromium() as browser:
        page = await open_paired(browser, store)
        now_ns = store.state.clock_ns()
        topic, good = store.state.link._message(moment("forged"), now_ns, None, {"display": SHOES})
        _, anothers = store.state.link._message(moment("forged"), now_ns, None, {"display": "d-door"})
        say(store, topic, good.partition(b',"mac"')[0] + b"}")
        say(store, topic, good.replace("週新到".encode(), "週特價".encode()))
        say(store, topic, good[:-1] + b',"data":{}}')
        say(store, topic, anothers)
        await page.wait_for("document.body.dataset.refused === '4'")
        assert await page.evaluate(f"{CARD} === null")
        await eventually(lambda: store.state.fleet.displays[SHOES].refused == 4)
        say(store, topic, good)
        await page.wait_for(CARD)
        say(store, topic, good)  # once more: the same version is not newer
        store.state.link.send(clear(), display=SHOES)
        await page.wait_for(f"!{CARD}")
        say(store, topic, good)
        store.state.link.send(moment("next"), display=SHOES)
        await eventually(lambda: any(one.decision == "next" for one in receipts))
        assert [one.decision for one in receipts if one.phase == "started"] == ["forged", "next"]
        assert page.console_errors == []


async def test_a_line_that_swallows_everything_leaves_the_screen_dark_within_ten_seconds(
    store: Store, receipts: list[MomentShown]
) -> None:
    async with chromium() as browser, FaultyProxy(int(store.url.rpartition(":")[2])) as proxy:
        behind = replace(store, url=f"http://127.0.0.1:{proxy.port}")
        page = await open_paired(browser, behind)
        for attempt in range(3):  # where the machine stands still meanwhile, ten seconds are more
            if await dark_after_ms(store, page, proxy, f"cut-{attempt}") <= 10_000:
                break
        else:
            raise AssertionError("lit for longer than ten seconds, each time")
        assert (await ended(receipts, f"cut-{attempt}")).ended_by == "link"
        await assert_nothing_left(page)


async def dark_after_ms(store: Store, page: Page, proxy: FaultyProxy, decision: str) -> float:
    """How long a moment stays on the screen when its line swallows everything; then the line is mended."""
    store.state.link.send(moment(decision), display=SHOES)
    await page.wait_for(CARD)
    proxy.hole()
    cut_ms = float(str(await page.evaluate("(window.darkMs = null, performance.now())")))
    await page.evaluate(
        "new MutationObserver(() => (window.darkMs ??= performance.now())).observe(document.body, {childList: true})"
    )
    await page.wait_for(f"!{CARD}")
    took_ms = float(str(await page.evaluate("window.darkMs"))) - cut_ms
    assert await page.evaluate("document.querySelector('.base .say') !== null")
    proxy.clear()
    proxy.reset()
    await page.wait_for(READY)
    return took_ms
