"""The kiosk's modules by themselves, in a real browser: whose word counts, which version, whose moment, what time."""

import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from broker_config.command_mac import append_mac, sign_time
from server.web import static_files
from tests.support.chromium import Page, chromium

STATIC = Path(static_files.__file__).parent / "static"
ME, KEY, OTHER = "display-d-shoes", bytes(range(32)), b"o" * 32
TOPIC = "tacet/1/demo/display/d-shoes/moment/set"
PAGE = """<!doctype html><meta charset="utf-8"><main class="base"></main><section class="pairing" hidden></section>
<script type="application/json" id="page">{"site": "demo", "display": "d-shoes", "screenClass": "semi", "language": "en",
"texts": {}}</script>"""
LOAD = """(async () => {
  for (const name of ["clock", "fence", "moment", "trust"]) Object.assign(window, await import(`/kiosk/${name}.js`));
  window.answer = { ok: true, json: async () => (%s) };
  window.fetch = async () => answer ?? Promise.reject(new TypeError("away"));
})()"""


class Files(SimpleHTTPRequestHandler):
    """The static files, and in front of them a page that runs nothing by itself."""

    def do_GET(self) -> None:
        if self.path == "/":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE.encode())
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(STATIC))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
async def page(address: str) -> AsyncIterator[Page]:
    async with chromium() as browser:
        page = await browser.open(address)
        await load(page)
        yield page


async def load(page: Page, then: str = "null") -> None:
    """The modules anew in the page's window, and one answer, the display's key, to whatever they fetch."""
    await page.call("Page.reload")
    await page.wait_for("document.readyState === 'complete' && !window.Moment")
    await page.evaluate(LOAD % json.dumps({"user": ME, "key": KEY.hex()}))
    await page.evaluate(then)


async def test_a_kiosk_believes_nobody_but_the_server(page: Page) -> None:
    await only_the_servers_own_word_to_this_display_on_this_topic_is_opened(page)
    await load(page)
    await a_time_is_the_servers_answer_to_this_very_question(page)


async def only_the_servers_own_word_to_this_display_on_this_topic_is_opened(page: Page) -> None:
    order = '{"type":"x","data":{"say":"%s"}}'
    said = [order % ("越" * wide + "n" * long) for wide in (0, 1) for long in (*range(60), 1000)]
    good = [append_mac(TOPIC, text.encode(), {"agent-gw-1": OTHER, ME: KEY}).decode() for text in said]
    one, plain = good[7], said[7]
    anothers = append_mac(TOPIC, plain.encode(), {"display-d-door": KEY, ME: OTHER}).decode()
    bad = [
        plain, anothers, one.replace("nnn", "nno"), one[:-1] + ',"data":{}}', one + " ", one[:-2] + '0"}',
        one.replace(ME, "display-d-shoe"), one[:-3] + '"}', append_mac(TOPIC + "x", plain.encode(), {ME: KEY}).decode(),
        plain[:-1] + ',"mac":""}', plain[:-1] + f',"mac":"{ME}:"}}', plain[:-1] + f',"mac":"{ME}:undefined"}}', "", "{}",
    ]  # fmt: skip
    inner = append_mac(TOPIC, one.encode(), {ME: KEY}).decode()
    open_all = "(texts => texts.map((text) => opened(%s, new TextEncoder().encode(text))?.data ?? null))(%s)"

    async def opens(texts: list[str]) -> object:
        return await page.evaluate(open_all % (json.dumps(TOPIC), json.dumps(texts)))

    assert await opens([one]) == [None], "there is no key yet"
    assert await page.evaluate("timeQuestion()") is None
    assert await page.evaluate("isTimeSigned({ user: '', nonce: '' }, { mac: '' })") is False
    assert await page.evaluate("fetchKey()") is True
    assert await opens(good) == [json.loads(text)["data"] for text in said]
    assert await opens(bad) == [None] * len(bad)
    assert await opens([inner]) == [json.loads(plain)["data"]], "the last code is the one that counts"
    await page.evaluate("window.key = answer, window.answer = null")
    assert await page.evaluate("fetchKey()") is True
    assert await opens([one]) != [None], "a server that is away takes no key"
    await page.evaluate("window.answer = { ok: false }")
    assert await page.evaluate("fetchKey()") is False
    assert await opens([one]) == [None], "a display that is no longer paired believes nobody"


async def a_time_is_the_servers_answer_to_this_very_question(page: Page) -> None:
    await page.evaluate("fetchKey()")
    question = await page.evaluate("window.asked = timeQuestion()")
    assert isinstance(question, dict)
    nonce = question["nonce"]
    assert question == {"url": f"/time?who={ME}&nonce={nonce}", "nonce": nonce, "user": ME}
    assert len(bytes.fromhex(nonce)) == 16
    assert await page.evaluate("timeQuestion().nonce !== asked.nonce")
    for mac, believed in (
        (sign_time(ME, nonce, 1_795_000_000_000_000, KEY), True),
        (sign_time(ME, "0" * 32, 1_795_000_000_000_000, KEY), False),
        (sign_time(ME, nonce, 1_795_000_000_000_001, KEY), False),
        (sign_time("display-d-door", nonce, 1_795_000_000_000_000, KEY), False),
        (sign_time(ME, nonce, 1_795_000_000_000_000, OTHER), False),
        (None, False),
    ):
        told = json.dumps({"utc_us": 1_795_000_000_000_000, "mac": mac})
        assert await page.evaluate(f"isTimeSigned(asked, {told})") is believed, mac


async def test_a_kiosk_shows_a_moment_once_where_and_while_it_is_meant(page: Page) -> None:
    await a_version_is_taken_once_and_never_again_also_after_a_reload(page)
    for shown in (
        a_screen_shows_its_own_moment_only_and_only_while_it_is_meant,
        a_moment_goes_with_its_decision_its_visit_its_time_or_a_newer_one,
    ):
        await load(page, MOMENTS)
        await shown(page)


async def a_version_is_taken_once_and_never_again_also_after_a_reload(page: Page) -> None:
    assert await page.evaluate(
        "localStorage.clear(), window.first = new Fence('d'),"
        "[[1, 5], [1, 5], [1, 4], [1, 6], [0, 9], [2, 0], [1, 7], [2, 0]].map((version) => first.pass(version))"
    ) == [True, False, False, True, False, True, False, False]  # fmt: skip
    assert await page.evaluate(
        "(again => [[2, 0], [1, 9], [2, 1]].map((version) => again.pass(version)))(new Fence('d'))"
    ) == [False, False, True]
    assert await page.evaluate("new Fence('another').pass([0, 0])"), "each display has its own"
    for stored in ("null", "no JSON", "[9]", "[9,9,9]", "[9.5,9]", '["9","9"]', '{"length":2}', "9"):
        await page.evaluate(f"localStorage.setItem('tacet-fence-d', {json.dumps(stored)})")
        assert await page.evaluate("new Fence('d').pass([0, 0])"), f"{stored}: what is no version shuts nobody out"
    await page.evaluate("Storage.prototype.setItem = () => { throw new Error('full') }")
    assert await page.evaluate("(one => [one.pass([3, 0]), one.pass([3, 0])])(new Fence('e'))") == [True, False]


MOMENTS = """(() => {
  localStorage.clear();
  let version = 0;
  window.time = { trusted: true, now: () => 1_000_000 };
  window.receipts = [];
  window.moment = new Moment(time, new Fence("d-shoes"), (one) => receipts.push([one.decision, one.phase, one.ended_by]));
  window.order = (changes) => ({ display: "d-shoes", version: [1, ++version], decision: "one", visit: "v1", content: "c",
    text: { en: "for you" }, because: { en: "because" }, language: "en", screen_class: "semi", picture: null,
    issued_at: new Date(1_000_000).toISOString(), ttl_ms: 600_000, ...changes });
  window.told = () => receipts.splice(0);
  window.set = (changes) => (moment.set(order(changes)), told());
  window.clear = (changes) => (moment.clear(order({ decision: null, visit: null, ...changes })), told());
})()"""
SHOWN, NOT_SHOWN = [["one", "started", None]], []
CLEARED = [["one", "ended", "clear"]]


async def a_screen_shows_its_own_moment_only_and_only_while_it_is_meant(page: Page) -> None:
    for changes, told in (
        ("{ display: 'd-door' }", NOT_SHOWN),
        ("{ version: [0, 9] }", SHOWN),
        ("{ version: [0, 9] }", NOT_SHOWN),
        ("{ screen_class: 'private' }", NOT_SHOWN),
        ("{ screen_class: 'unheard of' }", NOT_SHOWN),
        ("{ screen_class: undefined }", NOT_SHOWN),
        ("{ screen_class: 'public' }", SHOWN),
        ("{ issued_at: new Date(400_000).toISOString() }", NOT_SHOWN),
        ("{ issued_at: 'never' }", NOT_SHOWN),
        ("{ ttl_ms: 0 }", NOT_SHOWN),
        ("{ ttl_ms: undefined }", NOT_SHOWN),
        ("{ issued_at: new Date(400_001).toISOString() }", SHOWN),
    ):
        assert await page.evaluate(f"moment.end('link'), told(), set({changes})") == told, changes
    await page.evaluate("moment.end('link'), told(), time.trusted = false")
    assert await page.evaluate("set({})") == NOT_SHOWN, "without a clock nobody knows when it ends"
    await page.evaluate("time.trusted = true")
    assert await page.evaluate("set({ issued_at: new Date(9_000_000).toISOString() })") == SHOWN
    left = "document.querySelector('.moment:not(.away) .left').getAnimations()[0].effect.getTiming().duration"
    assert await page.evaluate(left) == 600_000, "an order from the future lasts no longer than it may"


async def a_moment_goes_with_its_decision_its_visit_its_time_or_a_newer_one(page: Page) -> None:
    for order, told in (
        ("clear({ display: 'd-door' })", []),
        ("clear({ version: [0, 1] })", []),
        ("clear({ decision: 'two' })", []),
        ("clear({ visit: 'v2' })", []),
        ("clear({ decision: 'two', visit: 'v2' })", []),
        ("clear({ decision: 'one' })", CLEARED),
        ("clear({ visit: 'v1' })", CLEARED),
        ("clear({})", CLEARED),
        ("(moment.forget(['v2']), told())", []),
        ("(moment.forget([null]), told())", []),
        ("(moment.forget(['v2', 'v1']), told())", CLEARED),
    ):
        assert await page.evaluate(f"moment.end('link'), told(), set({{}}), {order}") == told, order
    assert await page.evaluate("clear({})") == [], "what is gone is not told twice"
    assert await page.evaluate("set({ visit: null }), clear({ visit: null, decision: 'two' })") == []
    await page.wait_for("!document.querySelector('.moment.away')")
    replaced = await page.evaluate("[set({ ttl_ms: 30 }), set({ decision: 'two' })]")  # at once: 30 ms are soon over
    assert replaced == [[["one", "ended", "replaced"], [who, "started", None]] for who in ("one", "two")]
    await page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert await page.evaluate("told()") == [], "the time of the one before is not its own"
    assert await page.evaluate("document.querySelectorAll('.moment').length") == 1
    assert await page.evaluate("clear({}), set({ ttl_ms: 30 })") == SHOWN
    await page.wait_for("receipts.length && !document.querySelector('.moment')")
    assert await page.evaluate("told()") == [["one", "ended", "ttl"]]
    assert await page.evaluate("document.documentElement.outerHTML.includes('for you')") is False


CLOCKS = """(async () => {
  const { hmac } = await import("/kiosk/hmac.js");
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const day = Date.now, run = performance.now.bind(performance);
  window.ahead = { day: 0, run: 0, each: 0, server: 7_200_000 };
  Date.now = () => day() + ahead.day;
  performance.now = () => run() + ahead.run;
  await fetchKey();
  window.lies = (words) => words;
  window.fetch = async (url) => {
    const [who, nonce] = ["who", "nonce"].map((name) => new URL(url, location).searchParams.get(name));
    ahead.run += ahead.each;
    ahead.day += ahead.each;
    const utc_us = Math.round((day() + ahead.run + ahead.server) * 1000);
    const words = `\\ntime\\n${who}\\n${lies(nonce)}\\n${utc_us}`;
    const mac = hmac(key, new TextEncoder().encode(words)).slice(0, 32);
    return { url, json: async () => ({ utc_us, mac }) };
  };
  window.told = [];
  window.clock = new Clock((trusted) => told.push(trusted));
})()"""


async def test_a_kiosk_knows_the_time_from_the_server_or_not_at_all(page: Page) -> None:
    for trouble in ("window.lies = () => '0'.repeat(32)", "ahead.each = 1_500"):
        await load(page, CLOCKS)
        await a_clock_trusts_no_answer_that_is_forged_or_late(page, trouble)
    await load(page, CLOCKS)
    await a_clock_asks_again_soon_where_the_server_was_too_busy_to_answer_in_time(page)
    await load(page, CLOCKS)
    await a_clock_is_the_servers_until_it_is_old_or_the_day_has_jumped(page)


async def a_clock_trusts_no_answer_that_is_forged_or_late(page: Page, trouble: str) -> None:
    await page.evaluate(f"{trouble}, clock.run(), null")
    await page.evaluate("new Promise((done) => setTimeout(done, 200))")
    assert await page.evaluate("[clock.trusted, told]") == [False, []]


async def a_clock_asks_again_soon_where_the_server_was_too_busy_to_answer_in_time(page: Page) -> None:
    await page.evaluate("ahead.each = 1_500, clock.run(), null")
    await page.evaluate("new Promise((done) => setTimeout(done, 200))")
    await page.evaluate("ahead.each = 0, ahead.run += 6_000, ahead.day += 6_000, null")
    await page.wait_for("clock.trusted", 30)  # by itself it would be within the minute


async def a_clock_is_the_servers_until_it_is_old_or_the_day_has_jumped(page: Page) -> None:
    await page.evaluate("clock.run(), null")
    await page.wait_for("told.length")
    assert await page.evaluate("Math.abs(clock.now() - Date.now() - ahead.server) < 1_000")
    await page.evaluate("ahead.day = 5_000, ahead.server -= 3_600_000, clock.ask()")
    await page.wait_for("told.length === 3")
    assert await page.evaluate("told.splice(0)") == [True, False, True], "it asked again before it trusted again"
    assert await page.evaluate("clock.trusted")
    assert await page.evaluate("ahead.run += 181_000, clock.trusted") is False
