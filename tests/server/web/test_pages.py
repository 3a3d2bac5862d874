"""The pages: each language, no script or style in the HTML, small, and honest about what is not there."""

import asyncio
import hashlib
import json
import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import httpx
import pytest

from server.decisions.model import DecisionRecord, GateResult
from server.feed import Feed, Happening
from server.floor import router as floor
from server.floor.router import MAX_LISTENERS, stream_happenings
from server.web.decision_page import describe
from server.web.i18n import load_catalogues
from server.web.pages import page_data
from tests.server.web.conftest import Store
from tests.support.patience import WAIT_S, eventually

INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|\sstyle=|<style|\son\w+=|javascript:", re.IGNORECASE
)
STATIC = Path(floor.__file__).parents[1] / "web" / "static"
MAX_PAGE_BYTES = 200_000


async def test_pages_render_in_each_language_without_inline_code(store: Store) -> None:
    pages = (
        ("/", 200, "What happened", "發生了什麼", "发生了什么"),
        ("/display/d-door", 200, "To pair this screen", "配對此螢幕", "配对这块屏幕"),
        ("/display/d-nowhere", 404, "d-door, d-shoes", "d-door, d-shoes", "d-door, d-shoes"),
        ("/decisions/unknown", 404, "This decision is not kept", "這項決定沒有保存", "这项决定没有保存"),
        ("/nowhere", 404, "nothing at this address", "這個網址沒有內容", "这个网址没有内容"),
    )
    async with store.owner_client() as client:
        for path, status, english, chinese, simplified in pages:
            for accept, language, word in (
                ("en-GB,en;q=0.9", "en", english),
                ("zh-TW,en;q=0.1", "zh-Hant", chinese),
                ("zh-CN,zh;q=0.9,en;q=0.1", "zh-Hans", simplified),
            ):
                answer = await client.get(path, headers={"Accept-Language": accept, "Accept": "text/html"})
                assert answer.status_code == status, path
                assert word in answer.text
                assert f'<html lang="{language}">' in answer.text
                assert not INLINE.search(answer.text), path
                assert "script-src 'self'" in answer.headers["content-security-policy"]
                assert "unsafe" not in answer.headers["content-security-policy"]
            asked = await client.get(
                path, params={"lang": "zh-Hant"}, headers={"Accept-Language": "en", "Accept": "text/html"}
            )
            assert chinese in asked.text


async def test_the_way_in_offers_every_language_and_loses_nothing_on_the_way(store: Store) -> None:
    async with httpx.AsyncClient(base_url=store.url) as stranger:
        page = await stranger.get("/sign-in?next=/staff", headers={"Accept-Language": "zh-CN"})
        assert '<span lang="zh-Hans" aria-current="true">简体中文</span>' in page.text
        offered = [unescape(href) for href in re.findall(r'<a href="([^"]+)" lang=', page.text)]
        assert len(offered) == 2
        (english,) = (href for href in offered if "lang=en" in href)
        other = await stranger.get(english, headers={"Accept-Language": "zh-CN"})
        assert '<html lang="en">' in other.text
        assert '<input type="hidden" name="next" value="/staff">' in other.text


async def test_a_program_that_asks_for_nothing_gets_json(store: Store) -> None:
    async with store.owner_client() as client:
        assert (await client.get("/nowhere")).json() == {"error": "Not Found"}
        assert (await client.get("/api/nowhere", headers={"Accept": "text/html"})).headers[
            "content-type"
        ] == "application/json"


async def test_every_page_is_light(store: Store) -> None:
    """What goes over the wire, compressed, following every script that a page names or imports."""
    async with store.owner_client() as client:
        for path in ("/", "/display/d-door"):
            html = await client.get(path)
            total, seen, waiting = len(html.content), set(), re.findall(r'(?:src|href)="(/static/[^"]+)"', html.text)
            while waiting:
                url = waiting.pop()
                if url in seen:
                    continue
                seen.add(url)
                answer = await client.get(url)
                assert answer.status_code == 200, url
                total += answer.num_bytes_downloaded
                base = httpx.URL(store.url + url)
                waiting += [base.join(name).path for name in re.findall(r'from "(\.[^"]+)"', answer.text)]
            assert len(seen) > 5
            assert total < MAX_PAGE_BYTES, (path, total)


def test_vendored_files_are_what_they_are_said_to_be() -> None:
    table = (STATIC / "vendor" / "VENDORED.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)`.*`([0-9a-f]{64})` \|$", table, re.MULTILINE)
    assert {name for name, _ in rows} == {path.name for path in (STATIC / "vendor").glob("*.js")}
    for name, digest in rows:
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


def test_signs_are_the_same_in_script_and_picture() -> None:
    drawn = re.findall(r'<symbol id="(\w+)"', (STATIC / "signs.svg").read_text())
    named = re.search(r"new Set\(\[(.*?)\]\)", (STATIC / "kiosk" / "signs.js").read_text(), re.DOTALL)
    assert named is not None
    assert sorted(re.findall(r'"(\w+)"', named[1])) == sorted(drawn)


def test_page_data_cannot_end_its_element() -> None:
    text = page_data({"name": "</script><script>alert(1)</script>&"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><script>alert(1)</script>&"}


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(outcome: str = "not_shown", **changes: object) -> DecisionRecord:
    fields: dict[str, object] = {
        "decision": "d" * 32, "at": NOON, "rule": "trail-runners", "rule_version": 2,
        "rule_why": {"en": "because you like running", "zh-Hant": "因為您喜歡跑步"}, "rule_author": "owner", "outcome": outcome,
        "reason": "quiet_hours", "place": "shoes", "display": "d-shoes", "content": "trail-runners", "visit": None,
        "event": "gw-1.00.7", "data": {"trigger": "visit.entered", "member": {"interests": ["running"], "cap": None}},
        "context": {"screen_class": "public", "rule": {"secret": "x"}},
        "gates": (GateResult("purpose", True, {}), GateResult("quiet_hours", False, {}), GateResult("interest", None, {})),
        "say": {"en": "Stayed silent: quiet hours.", "zh-Hant": "保持安靜。"}, "latency_ms": 1.23,
    }  # fmt: skip
    return DecisionRecord(**(fields | changes))  # type: ignore[arg-type]


async def test_a_decision_marks_the_step_that_stopped_it(store: Store) -> None:
    page = describe(record(), store.state.site, store.state.catalog, load_catalogues("en").choose("en", None), NOON)
    assert [(step.name, step.mark) for step in page.steps] == [
        ("Consent", "passed"), ("Quiet hours", "stopped"), ("Declared interest", "not-run"),
    ]  # fmt: skip
    assert page.say == "Stayed silent: quiet hours."
    assert page.clock == "2026-03-01 20:00:00"  # the store's time, not the machine's
    facts = {fact.name: fact.value for fact in page.facts}
    assert facts["Visit"] == "forgotten"
    assert facts["Likes"] == "running"
    assert facts["At most, in a visit"] == "not set"
    assert "x" not in facts.values()


@pytest.mark.parametrize(
    ("language", "article", "shelf"),
    [("en", "Trail runner (00614141008124)", "Running shoes"), ("zh-Hant", "越野跑鞋 (00614141008124)", "跑鞋")],
)
async def test_a_shelf_decision_names_its_article_and_shelf(
    store: Store, language: str, article: str, shelf: str
) -> None:
    catalogue = load_catalogues(language).choose(language, None)
    about = record("acted", data={"trigger": "shelf.pick", "shelf": "s1", "gtin": "00614141008124"})
    page = describe(about, store.state.site, store.state.catalog, catalogue, NOON)
    facts = {fact.name: fact.value for fact in page.facts}
    assert facts[catalogue.text("fact.gtin")] == article
    assert facts[catalogue.text("fact.shelf")] == shelf
    unknown = describe(record("acted", data={"gtin": "1" * 14}), store.state.site, store.state.catalog, catalogue, NOON)
    assert {fact.name: fact.value for fact in unknown.facts}[catalogue.text("fact.gtin")] == "1" * 14


async def test_the_decision_page_names_the_stop_in_words_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def find(_decision: str) -> DecisionRecord:
        return record(say={"en": "<b>bold</b>", "zh-Hant": "保持安靜。"})

    monkeypatch.setattr(store.state.decisions, "get", find)
    async with store.owner_client() as client:
        answer = await client.get("/decisions/x?lang=en")
        assert answer.text.count("stopped here") == 1
        assert 'class="stopped"' in answer.text
        assert "&lt;b&gt;bold" in answer.text
        assert not INLINE.search(answer.text)
        assert "在此停下" in (await client.get("/decisions/x?lang=zh-Hant")).text


async def test_happenings_stream_until_the_client_leaves(store: Store) -> None:
    feed = store.state.feed
    async with store.owner_client() as client, client.stream("GET", "/api/happenings", timeout=WAIT_S) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.aiter_lines()
        assert (await anext(lines)).startswith(":")
        feed.publish(Happening("visit", "entered", datetime(2026, 3, 1, tzinfo=UTC), "door", {"visit": "ab"}))
        got: list[str] = []
        async for line in lines:
            if line and not line.startswith(":"):
                got.append(line)
            if len(got) == 2:
                break
        assert got[0] == "event: visit"
        assert json.loads(got[1].removeprefix("data: "))["facts"] == {"visit": "ab"}
        assert feed.listeners == 1
    await eventually(lambda: feed.listeners == 0)


async def test_a_quiet_stream_has_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "HEARTBEAT_S", 0.01)
    stream = stream_happenings(Feed())
    async with asyncio.timeout(WAIT_S):
        assert [await anext(stream) for _ in range(3)] == [floor.HEARTBEAT] * 3
    await stream.aclose()


async def test_followers_of_the_floor_are_bounded(store: Store) -> None:
    listening = [store.state.feed.listen() for _ in range(MAX_LISTENERS)]
    for one in listening:
        await one.__aenter__()
    async with store.owner_client() as client:
        assert (await client.get("/api/happenings")).status_code == 429
    for one in listening:
        await one.__aexit__(None, None, None)
