"""A member's own page: in by a code, only one's own, every switch at work, and out for good."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import httpx
import pytest

from broker_config.messages import VisitEnded
from server.app import create_app
from server.audit.reading import verify_file
from server.clock import to_datetime
from server.config import load_config
from server.displays.pairing import MINUTE_NS
from server.errors import NotFound, TooMany, Unauthenticated
from server.me.codes import CODE_LIFE_NS
from tests.server.harness import RIVER, XIAOYU, Clock, Edge, token

ORIGIN = "http://127.0.0.1:18080"
FROM_HERE = {"Origin": ORIGIN}


@pytest.fixture
async def shop(store, clock: Clock) -> AsyncIterator["Shop"]:
    app = create_app(load_config(store / "server.toml"), clock_ns=clock)
    async with app.router.lifespan_context(app):
        state = app.state.tacet
        await state.members.import_csv((store / "members.csv").read_text())
        yield Shop(app, state, clock)


class Shop:
    """The server, and browsers at it."""

    def __init__(self, app, state, clock) -> None:
        self.app, self.state, self.clock = app, state, clock
        self.edge = Edge(state, clock)

    @asynccontextmanager
    async def browser(self, alias: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A browser, signed in as that member."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=FROM_HERE) as client:
            if alias is not None:
                answer = await self.enter(client, await self.code(alias))
                assert (answer.status_code, answer.headers["location"]) == (303, "/me")
            yield client

    async def member(self, alias: str) -> str:
        return next(m.member for m in await self.state.members.list_members() if m.alias == alias)

    async def code(self, alias: str) -> str:
        answer = await self.owner("POST", f"/api/members/{await self.member(alias)}/code")
        assert answer.status_code == 201
        return answer.json()["code"]

    async def owner(self, method: str, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.state.secrets.owner_token}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=ORIGIN) as client:
            return await client.request(method, path, headers=headers)

    @staticmethod
    async def enter(client: httpx.AsyncClient, code: str) -> httpx.Response:
        return await client.post("/me/code", data={"token": "", "code": code})


async def form_token(client: httpx.AsyncClient) -> str:
    page = await client.get("/me?lang=en")
    return re.findall(r'name="token" value="([^"]+)"', page.text)[0]


async def test_a_stranger_is_asked_for_a_code_and_sees_nothing(shop):
    async with shop.browser() as client:
        page = await client.get("/me?lang=en")
        assert (page.status_code, "Ask for a code" in page.text) == (200, True)
        for path in ("/me/export", "/me/erase"):
            assert (await client.get(path)).status_code == 303
        for path in ("/me/consent", "/me/interests", "/me/wishes", "/me/erase"):
            assert (await client.post(path, data={"token": ""})).status_code == 303


async def test_the_page_speaks_the_members_language_whatever_the_browsers_that_the_code_was_typed_in(shop):
    code = await shop.code("小雨")
    async with shop.browser() as client:
        client.headers["Accept-Language"] = "en"
        form = re.findall(r'action="([^"]+)"', (await client.get("/me")).text)[0]
        entered = await client.post(form, data={"token": "", "code": code})
        assert '<html lang="zh-Hant">' in (await client.get(entered.headers["location"])).text


async def test_a_code_works_once_and_is_typed_as_one_types(shop):
    code = await shop.code("River")
    assert re.fullmatch(r"[A-HJKMNP-Z2-9]{8}", code)
    async with shop.browser() as first, shop.browser() as second:
        assert (await shop.enter(first, f" {code[:4].lower()}-{code[4:]} ")).status_code == 303
        assert "River" in (await first.get("/me?lang=en")).text
        assert (await shop.enter(second, code)).status_code == 401


async def test_a_code_ends_by_time_and_with_a_newer_one(shop):
    old = await shop.code("River")
    new = await shop.code("River")
    shop.clock.now_ns += CODE_LIFE_NS - 1
    async with shop.browser() as client:
        assert (await shop.enter(client, old)).status_code == 401
        assert (await shop.enter(client, new)).status_code == 303
        late = await shop.code("River")
        shop.clock.now_ns += CODE_LIFE_NS
        assert (await shop.enter(client, late)).status_code in (401, 403)
    with pytest.raises(NotFound):
        await shop.state.codes.issue("m-nobody", None)


async def test_guessing_waits_longer_each_time_and_is_limited_for_all_together(shop):
    for _ in range(4):
        with pytest.raises(Unauthenticated):
            await shop.state.codes.use("AAAAAAAA", "one")
    with pytest.raises(TooMany):
        await shop.state.codes.use("AAAAAAAA", "one")
    code = await shop.code("River")
    with pytest.raises(TooMany):
        await shop.state.codes.use(code, "one")
    refusals = [await refusal_of(shop, f"from {number}") for number in range(30)]
    assert refusals[0] is Unauthenticated
    assert refusals[-1] is TooMany
    with pytest.raises(TooMany):
        await shop.state.codes.use(code, "another")  # else the limit would be none: a guess may be right
    shop.clock.now_ns += MINUTE_NS
    async with shop.browser() as client:
        assert (await shop.enter(client, code)).status_code == 303, "only for a while"


async def refusal_of(shop, address: str) -> type[Exception] | None:
    try:
        await shop.state.codes.use("AAAAAAAA", address)
    except (Unauthenticated, TooMany) as error:
        return type(error)
    return None


async def test_no_code_is_kept_as_it_is_and_none_reaches_the_log(shop, caplog):
    code = await shop.code("River")
    data = shop.state.config.database.parent
    for path in data.iterdir():
        assert code.encode() not in path.read_bytes()
    assert code not in caplog.text


async def test_the_page_shows_ones_own_and_nobody_elses(shop):
    await shop.edge.visit(RIVER, "door", token(1))
    await shop.edge.visit(XIAOYU, "shoes", token(2))
    async with shop.browser("River") as river, shop.browser("小雨") as xiaoyu:
        hers, other = (await xiaoyu.get("/me?lang=en")).text, (await river.get("/me?lang=en")).text
        assert (wishes_on(other)["Hiking"], wishes_on(hers)["Hiking"]) == ("like", "none")
        assert "River" not in hers
        held = (await river.get("/me/export")).json()
        assert held["member"][0]["alias"] == "River"
        assert held["cards"] == [RIVER]
        assert [visit["id"] for visit in held["visits"]] == [token(1)]
        assert len(held["decisions"]) >= 1
        assert {row["action"] for row in held["access_log"]} >= {"issue", "sign-in", "read", "export"}
        text = json.dumps(held)
        for foreign in (XIAOYU, token(2), await shop.member("小雨"), "小雨"):
            assert foreign not in text


async def test_only_a_screens_receipt_makes_a_moment_shown(shop):
    """A moment for a screen that was never connected was told as shown."""
    await shop.edge.visit(RIVER, "door", token(1))
    (moment,) = shop.edge.moments()

    async def told() -> tuple[str, str, str | None]:
        """Word and mark at `/me`, what the owner's page begins with, and when the API says that it was shown."""
        async with shop.browser("River") as river:
            (entry,) = re.findall(r'<li class="(?:spoke|silent)">.*?</li>', (await river.get("/me?lang=en")).text)
        assert "Sent to Door screen: “Welcome" in entry
        word = re.findall(r'class="fate">(.+?)(?: <time|</p>)', entry)[0]
        page = (await shop.owner("GET", f"/decisions/{moment.decision}?lang=en")).text
        (listed,) = (await shop.owner("GET", "/api/decisions")).json()
        assert listed == (await shop.owner("GET", f"/api/decisions/{moment.decision}")).json()
        assert re.findall(r'<p class="verdict">(.+?)</p>', page) == ["It spoke" if word == "Shown" else word]
        return word, re.findall(r'class="(spoke|silent)"', entry)[0], listed["shown_at"]

    assert await told() == ("Sent, not yet shown", "silent", None)
    shop.clock.pass_s(8)
    assert await told() == ("Sent; its screen has not said that it was shown", "silent", None)
    await shop.edge.deliver(shop.edge.shown(moment))
    assert await told() == (
        "Shown",
        "spoke",
        to_datetime(shop.clock.now_ns + 4_000_000).isoformat().replace("+00:00", "Z"),
    )


async def test_nothing_that_a_form_says_reaches_another_member(shop):
    """There is no member in any address or field to be changed; what one adds is refused."""
    other = await shop.member("小雨")
    async with shop.browser("River") as river:
        mine = {"token": await form_token(river), "purpose": "recognise", "granted": "no"}
        assert (await river.post("/me/consent", data=mine | {"member": other})).status_code == 422
        for path in (f"/api/members/{other}/consent", f"/api/members/{other}/erase", f"/api/members/{other}/code"):
            assert (await river.post(path, json={"purpose": "recognise", "granted": False})).status_code == 403
        assert (await river.get("/api/members")).status_code == 403
        assert (await river.get("/")).status_code == 403
    assert await shop.edge.handle_of(XIAOYU) is not None


async def test_a_form_needs_the_token_of_its_own_session(shop):
    async with shop.browser("River") as river, shop.browser("小雨") as other:
        stolen = await form_token(other)
        for wrong in ("", stolen):
            body = {"token": wrong, "purpose": "recognise", "granted": "no"}
            assert (await river.post("/me/consent", data=body)).status_code == 403
        foreign = {"Origin": "http://evil.example"}
        body = {"token": await form_token(river), "purpose": "recognise", "granted": "no"}
        assert (await river.post("/me/consent", data=body, headers=foreign)).status_code == 403
    assert await shop.edge.handle_of(RIVER) is not None


async def test_a_switch_withdraws_at_once_and_gives_again(shop):
    await shop.edge.visit(RIVER, "door", token(1))
    shop.edge.outgoing()
    async with shop.browser("River") as river:
        body = {"token": await form_token(river), "purpose": "recognise", "granted": "no"}
        assert (await river.post("/me/consent", data=body)).status_code == 303
        assert shop.edge.sent(VisitEnded)
        assert await shop.edge.handle_of(RIVER) is None
        assert 'aria-checked="false"' in (await river.get("/me")).text
        await river.post("/me/consent", data=body | {"granted": "yes"})
        assert await shop.edge.handle_of(RIVER) is not None
    with closing(sqlite3.connect(shop.state.config.database)) as db:
        sources = [row[0] for row in db.execute("SELECT source FROM consent ORDER BY id DESC LIMIT 2")]
    assert sources == ["member", "member"]


async def test_wishes_are_kept_and_nonsense_is_not(shop):
    async with shop.browser("River") as river:
        form = {"token": await form_token(river), "quiet": "20:00-10:00", "cap": "0"}
        assert (await river.post("/me/wishes", data=form)).status_code == 303
        page = (await river.get("/me?lang=en")).text
        assert 'value="20:00-10:00"' in page
        assert re.search(r'<option value="0" selected>', page)
        refused = await river.post("/me/wishes?lang=en", data=form | {"quiet": "at night"})
        assert (refused.status_code, "written like 20:00-10:00" in refused.text) == (422, True)
        assert 'value="at night"' in refused.text, "what was typed is there to be put right"
        assert (await river.post("/me/wishes", data=form | {"cap": "-1"})).status_code == 422
    await shop.edge.visit(RIVER, "door", token(1))
    assert not shop.edge.moments(), "none, ever"


def wishes_on(page: str) -> dict[str, str]:
    """What a member's page says of each subject, by the name it gives it."""
    rows = re.findall(r'<strong id="subject-.*?>(.*?)</strong>.*?value="(\w+)" aria-pressed="true"', page, re.DOTALL)
    return dict(rows)


async def test_interests_are_the_members_own_to_change_and_count_from_the_next_decision_on(shop):
    async with shop.browser("River") as river:
        before = {"Golf": "dislike", "Hiking": "like", "Running": "like"}
        assert wishes_on((await river.get("/me?lang=en")).text) == before
        assert wishes_on((await river.get("/me?lang=zh-Hans")).text).keys() == {"高尔夫", "徒步", "跑步"}
        form = {"token": await form_token(river), "tag": "running"}
        for wish in ("like", "none", "dislike"):
            said = await river.post("/me/interests?lang=en", data=form | {"wish": wish})
            assert (said.status_code, said.headers["location"]) == (303, "/me?lang=en#interests")
            assert wishes_on((await river.get("/me?lang=en")).text) == before | {"Running": wish}
        await shop.edge.visit(RIVER, "door", token(1))
        await shop.edge.visit(RIVER, "shoes", token(1))
        assert [moment.content for moment in shop.edge.moments()] == ["welcome", "rain-jackets"]
        await river.post("/me/interests", data=form | {"tag": "hiking", "wish": "none"})
        await shop.edge.visit(RIVER, "exit", token(1))
        await shop.edge.visit(RIVER, "shoes", token(1))
        assert not [moment for moment in shop.edge.moments() if moment.content == "rain-jackets"]
        held = (await river.get("/me/export")).json()["interests"]
    assert sorted((row["tag"], row["liked"]) for row in held) == [("golf", False), ("running", False)]


async def test_only_subjects_that_the_store_speaks_of_are_taken_and_any_can_be_taken_back(shop, store):
    text = (store / "members.csv").read_text().replace("running;hiking", "running;chess")
    await shop.state.members.import_csv(text)
    async with shop.browser("River") as river:
        form = {"token": await form_token(river), "tag": "chess", "wish": "none"}
        assert wishes_on((await river.get("/me?lang=en")).text)["chess"] == "like"
        for wrong in (
            {"wish": "like"},
            {"tag": "poker"},
            {"tag": "poker", "wish": "like"},
            {"wish": "love"},
            {"tag": "x" * 41},
        ):
            assert (await river.post("/me/interests", data=form | wrong)).status_code == 422
        for wrong in ("", "x"):
            assert (await river.post("/me/interests", data=form | {"token": wrong})).status_code == 403
        assert wishes_on((await river.get("/me?lang=en")).text)["chess"] == "like"
        assert (await river.post("/me/interests", data=form)).status_code == 303
        assert "chess" not in (await river.get("/me?lang=en")).text


async def test_no_list_overrules_what_a_member_has_set(shop, store):
    text = (store / "members.csv").read_text()
    async with shop.browser("River") as river, shop.browser("小雨") as xiaoyu:
        form = {"token": await form_token(river), "tag": "running", "wish": "none"}
        await river.post("/me/interests", data=form)
        wishes = {"token": await form_token(xiaoyu), "quiet": "20:00-10:00", "cap": "1"}
        await xiaoyu.post("/me/wishes", data=wishes)
        await shop.state.members.import_csv(text.replace(",golf,", ",chess,").replace(",,3", ",22:00-23:00,2"))
    told = {each.alias: each for each in await shop.state.members.list_members()}
    river, xiaoyu = told["River"], told["小雨"]
    assert (river.interests, river.disinterests, river.quiet, river.cap) == (["hiking"], ["golf"], "22:00-23:00", 2)
    assert (xiaoyu.interests, xiaoyu.disinterests, xiaoyu.quiet, xiaoyu.cap) == (
        ["running"],
        ["chess"],
        "20:00-10:00",
        1,
    )


async def test_erasing_oneself_ends_the_session_and_leaves_an_address_to_look_at(shop):
    await shop.edge.visit(RIVER, "door", token(1))
    member = await shop.member("River")
    shop.state.config.database.with_name("tacet.db.replaced-7").write_bytes(b"")
    async with shop.browser("River") as river:
        assert "cannot be undone" in (await river.get("/me/erase?lang=en")).text
        unsure = {"token": await form_token(river)}
        assert (await river.post("/me/erase", data=unsure)).status_code == 422
        answer = await river.post("/me/erase?lang=en", data=unsure | {"sure": "yes"})
        assert answer.status_code == 303
        assert re.fullmatch(r"/privacy/[0-9a-f]{32}\?lang=en", answer.headers["location"])
        page = await river.get(answer.headers["location"])
        assert "waiting since" in page.text
        assert "old files removed with it: 1" in page.text
        assert "River" not in page.text
        assert "Ask for a code" in (await river.get("/me?lang=en")).text
        assert (await river.get("/privacy/" + "0" * 32)).status_code == 404
    with closing(sqlite3.connect(shop.state.config.database)) as db:
        assert db.execute("SELECT count(*) FROM member WHERE id = ?", (member,)).fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM session WHERE principal = ?", (member,)).fetchone() == (0,)
        assert db.execute("SELECT actor_kind FROM audit WHERE action = 'erase'").fetchone() == ("member",)
    assert verify_file(shop.state.config.database).broken is None
