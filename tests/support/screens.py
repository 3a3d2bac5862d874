"""Screenshots of every page with a realistic store behind them: `python -m tests.support.screens FOLDER`."""

import asyncio
import sys
import tempfile
from pathlib import Path

import httpx

from broker_config.messages import ActuatorState, Device, ItemArrived, ShelfPick, ShelfState
from tests.server.web.conftest import DEMO, Store, running_store
from tests.support.chromium import Browser, Page, chromium
from tests.support.fake_agent import EVIDENCE, FakeAgent, fake_agent, now
from tests.support.patience import eventually

RIVER, RAIN, ASH, WREN, SKY = (
    "2d14257bf52cb6916d000000",
    "2d14257bf49bf13331000000",
    "2d14257bf456670b14000000",
    "2d14257bf42e416788000000",
    "2d14257bf42bb29976000000",
)
READERS = ("door", "shoes", "fitting", "till", "desk", "exit")
WIDE, TALL = (1920, 1080), (720, 1280)


async def main(folder: Path) -> None:
    """Make them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        async with (
            running_store(Path(work) / "store") as store,
            chromium() as browser,
            fake_agent(store.broker, store.state.site) as agent,
        ):
            await shoot_sign_in(browser, store, folder)
            await shoot_first_words(browser, store, folder)
            kiosk = await shoot_pairing(browser, store, folder)
            await fill(store, agent)
            await shoot_floor(browser, store, agent, folder)
            await shoot_kiosk(kiosk, agent, folder)
            await shoot_decisions(browser, store, folder)
            await shoot_me(browser, store, agent, folder)
            await shoot_trouble(browser, store, agent, folder)


async def shoot_sign_in(browser: Browser, store: Store, folder: Path) -> None:
    """The way in, as a stranger, a newcomer and the owner see it."""
    for lang in ("en", "zh-Hant"):
        page = await browser.open(f"{store.url}/sign-in?lang={lang}")
        await shoot_door(page, folder, f"sign-in-{lang}")
    async with store.owner_client() as owner:
        made = (await owner.post("/api/staff", json={"name": "ming", "role": "staff"})).json()
        page = await browser.open(store.url + httpx.URL(made["link"]).path + "?lang=en")
        await shoot_door(page, folder, "enter")
    await store.sign_in(browser)
    for path in ("staff", "account"):
        for lang in ("en", "zh-Hant"):
            page = await browser.open(f"{store.url}/{path}?lang={lang}")
            if path == "staff":
                await page.evaluate("document.querySelector('.people form').requestSubmit()")
                await page.wait_for("document.querySelector('.told')")
            await shoot_door(page, folder, f"{path}-{lang}")


async def shoot_me(browser: Browser, store: Store, agent: FakeAgent, folder: Path) -> None:
    """A member's own page: the way in, the page, the last question, and what is left of it."""
    async with store.owner_client() as owner:
        members = (await owner.get("/api/members")).json()
        who = next(each["member"] for each in members if each["alias"] == "River")
        code = (await owner.post(f"/api/members/{who}/code")).json()["code"]
    page = await browser.open(f"{store.url}/me?lang=en", own_cookies=True)
    await page.resize(390, 844)
    await page.screenshot(folder / "me-code-phone.png")
    await page.evaluate(
        f"document.querySelector('#code').value = '{code}', document.querySelector('form').requestSubmit()"
    )
    await page.wait_for("document.querySelector('.switches')")
    for lang in ("en", "zh-Hant"):
        await page.go(f"{store.url}/me?lang={lang}")
        await page.wait_for("document.querySelector('.switches')")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
        for name, height in (("", 844), ("-whole", 2400)):
            await page.resize(390, height)
            await page.screenshot(folder / f"me-{lang}-phone{name}.png")
    await page.prefer(prefers_color_scheme="dark")
    await page.resize(390, 844)
    await page.screenshot(folder / "me-phone-dark.png")
    await page.prefer(prefers_color_scheme="light")
    await page.go(f"{store.url}/me/erase?lang=en")
    await page.wait_for("document.querySelector('.sure')")
    await page.screenshot(folder / "me-erase-phone.png")
    await page.evaluate(
        "document.querySelector('.sure input').click(), document.querySelector('main form').requestSubmit()"
    )
    await page.wait_for("document.querySelector('.places')")
    await page.screenshot(folder / "me-privacy-phone.png")
    assert page.console_errors == []
    await page.close()


async def shoot_door(page: Page, folder: Path, name: str) -> None:
    """A page of forms on a desk, on a phone, and in the dark."""
    await page.screenshot(folder / f"{name}.png")
    await page.resize(390, 844)
    await page.screenshot(folder / f"{name}-phone.png")
    await page.prefer(prefers_color_scheme="dark")
    await page.screenshot(folder / f"{name}-phone-dark.png")
    assert page.console_errors == []
    await page.close()


async def shoot_first_words(browser: Browser, store: Store, folder: Path) -> None:
    page = await browser.open(store.url + "/?lang=en")
    await page.wait_for("document.querySelector('.trouble li')")
    await page.screenshot(folder / "floor-empty.png")
    await page.go(store.url + "/nothing-here?lang=en")
    await page.screenshot(folder / "missing.png")
    await page.close()


async def shoot_pairing(browser: Browser, store: Store, folder: Path) -> Page:
    page = await browser.open(store.url + "/display/d-shoes?lang=en", width=WIDE[0], height=WIDE[1])
    await page.wait_for("document.querySelector('.code').textContent")
    await shoot_both(page, folder, "kiosk-unpaired")
    code = await page.evaluate("document.querySelector('.code').textContent")
    async with store.client() as owner:
        await owner.post(f"/api/pairings/{code}/approve", headers=store.owner())
    await page.wait_for(
        "document.body.dataset.clock === 'trusted' && document.body.dataset.link === 'ready' && document.querySelector('.base .say')"
    )
    await asyncio.sleep(0.4)
    await shoot_both(page, folder, "kiosk-base")
    return page


async def shoot_both(page: Page, folder: Path, name: str) -> None:
    """A page in both orientations."""
    for width, height in (TALL, WIDE):
        await page.resize(width, height)
        await asyncio.sleep(0.1)
        await page.screenshot(folder / f"{name}-{width}x{height}.png")


async def fill(store: Store, agent: FakeAgent) -> None:
    """Members, goods, devices."""
    async with store.client() as owner:
        content = (DEMO / "members.csv").read_bytes()
        await owner.post("/api/members/import", content=content, headers=store.owner() | {"Content-Type": "text/csv"})
    await agent.fetch_members(store.url)
    await agent.be("ready", devices())
    await agent.count(48_211, 812.4, 0)
    await agent.say(ActuatorState(actuator="lamp-s1", on=True, link="ok", version=None), actuator="lamp-s1")
    await agent.say(ShelfState(shelf="s1", grams=1080.0, items=4, sensor="ok"), shelf="s1")
    await agent.say(ShelfState(shelf="s1", grams=780.0, items=3, sensor="ok"), shelf="s1")
    for number in range(14):
        arrived = ItemArrived(
            zone="shoes", epc=f"3034257bf400cb{number:010x}", detected_at=now(), last_read_at=now(), evidence=EVIDENCE
        )
        await agent.say(arrived, zone="shoes")


def devices(lost: str = "") -> tuple[Device, ...]:
    """Six readers, a scale and a relay."""
    made = []
    for zone in READERS:
        gone = f"r-{zone}" == lost
        reason = "no device at sim/r-fitting; check the cable" if gone else None
        state = "lost" if gone else "ready"
        made.append(Device(id=f"r-{zone}", kind="magicrf-m100", state=state, since=now(), zone=zone, reason=reason))
    made.append(Device(id="w-s1", kind="mt-sics", state="ready", since=now(), zone="shoes"))
    made.append(Device(id="lamp-s1", kind="lcus-relay", state="ready", since=now(), zone="shoes"))
    return tuple(made)


async def walk(agent: FakeAgent) -> None:
    """Five members do what people do."""
    for visit, card, zones in (
        ("a1" * 16, SKY, ("door",)),
        ("b2" * 16, ASH, ("door", "shoes", "till")),
        ("c3" * 16, WREN, ("door", "shoes")),
        ("d4" * 16, RAIN, ("door", "fitting")),
        ("e5" * 16, RIVER, ("door", "shoes")),
    ):
        before = ""
        for zone in zones:
            await agent.enter(visit, card, zone)
            if before:
                await agent.leave(visit, before)
            before = zone
    pick = ShelfPick(
        shelf="s1", epc="3034257bf400cb0000000001", quantity=1, delta_g=-300.0, confidence=0.98, detected_at=now()
    )
    await agent.say(pick, shelf="s1")


async def shoot_floor(browser: Browser, store: Store, agent: FakeAgent, folder: Path) -> None:
    page = await browser.open(store.url + "/?lang=en")
    await page.wait_for("document.body.dataset.state === 'live'")
    await walk(agent)
    await page.wait_for(
        "document.querySelectorAll('.story li').length >= 15 && document.querySelectorAll('.visit').length >= 5"
    )
    await asyncio.sleep(2.5)
    await page.screenshot(folder / "floor-light.png")
    await page.prefer(prefers_color_scheme="dark")
    await page.screenshot(folder / "floor-dark.png")
    await page.resize(720, 1280)
    await page.screenshot(folder / "floor-narrow.png")
    assert page.console_errors == []
    await page.close()
    chinese = await browser.open(store.url + "/?lang=zh-Hant")
    await chinese.wait_for("document.querySelectorAll('.story li').length >= 10")
    await chinese.screenshot(folder / "floor-zh-Hant.png")
    await chinese.close()


async def shoot_kiosk(kiosk: Page, agent: FakeAgent, folder: Path) -> None:
    await kiosk.wait_for("!document.querySelector('.moment')")
    for name, card, visit in (("shoe-zh-Hant", RAIN, "d4" * 16), ("jacket-en", WREN, "c3" * 16)):
        await agent.enter(visit, card, "shoes")
        await kiosk.wait_for("document.querySelector('.moment')")
        await asyncio.sleep(1.2)
        await shoot_both(kiosk, folder, f"kiosk-moment-{name}")
        await kiosk.prefer(prefers_color_scheme="dark")
        await kiosk.screenshot(folder / f"kiosk-moment-{name}-dark.png")
        await kiosk.prefer(prefers_color_scheme="light")
        await kiosk.wait_for("!document.querySelector('.moment')")
    assert kiosk.console_errors == []


async def shoot_decisions(browser: Browser, store: Store, folder: Path) -> None:
    async with store.owner_client() as client:
        records = (await client.get("/api/decisions?limit=100")).json()
    for outcome in ("shown", "not_shown", "acted"):
        found = next((record for record in records if record["outcome"] == outcome), None)
        if found is None:
            continue
        for lang in ("en", "zh-Hant"):
            page = await browser.open(f"{store.url}/decisions/{found['decision']}?lang={lang}", height=1000)
            await page.screenshot(folder / f"decision-{outcome}-{lang}.png")
            await page.prefer(prefers_color_scheme="dark")
            await page.screenshot(folder / f"decision-{outcome}-{lang}-dark.png")
            await page.close()


async def shoot_trouble(browser: Browser, store: Store, agent: FakeAgent, folder: Path) -> None:
    await agent.be("alert", devices(lost="r-fitting"))
    await eventually(lambda: store.state.fleet.agents["gw-1"].state == "alert")  # type: ignore[index]
    page = await browser.open(store.url + "/?lang=en")
    await page.wait_for("document.querySelector('.trouble li')")
    await page.screenshot(folder / "floor-trouble.png")
    await page.call(
        "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
    )
    await page.wait_for("document.body.dataset.state === 'lost'")
    await page.screenshot(folder / "floor-lost.png")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
