"""Whoever looks at, takes or changes something personal leaves one line in the access log, and its word is the right one."""

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from server.access.passwords import Cost, Passwords
from server.access.sessions import form_token
from server.audit.service import Thing
from server.erasure.journal import Journal
from server.tables import AuditRow
from tests.support.callers import COOKIE, ORIGIN, World, peopled

GOOD = "seven quiet otters hum"
FORM = {"Origin": ORIGIN}
CARD_LIST = {"Content-Type": "text/csv"}


@dataclass
class Log:
    """The access log as it grows."""

    world: World
    _seen: int = field(default=0)

    async def new(self) -> list[tuple[str, str, str, str, str, str]]:
        """Actor's kind, action, kind and id of the object, outcome and detail of what came since the last call."""
        async with self.world.state.db.session() as session:
            rows = list(await session.scalars(select(AuditRow).where(AuditRow.number > self._seen)))
        self._seen = max([self._seen, *(row.number for row in rows)])
        return [
            (row.actor_kind, row.action, row.object_kind, row.object_id, row.outcome, row.detail)
            for row in sorted(rows, key=lambda row: row.number)
        ]

    async def says(self, *rows: tuple[str, ...]) -> None:
        """That these lines came, and no other."""
        assert await self.new() == [(*row, *("", "done", "")[len(row) - 3 :]) for row in rows]


async def test_whatever_is_done_with_a_members_things_is_written_down(tmp_path):
    async with peopled(tmp_path) as world:
        log, client = Log(world), world.client
        await log.new()
        owner, member, agent = (world.callers[name].headers for name in ("owner", "member 0", "gw-1"))
        form = {"token": world.callers["member 0"].token}
        who = world.state.audit.opaque(Thing("member", world.members[0]))

        cards = (tmp_path / "members.csv").read_bytes()
        assert (await client.post("/api/members/import", content=cards, headers=owner | CARD_LIST)).is_success
        await log.says(("owner", "import", "members", "", "done", "rows 1 on"))
        assert (await client.get("/api/members", headers=owner)).is_success
        await log.says(("owner", "read", "members"))
        code = (await client.post(f"/api/members/{world.members[0]}/code", headers=owner)).json()["code"]
        await log.says(("owner", "issue", "member", who, "done", "code"))

        table = await client.get("/api/edge/gw-1/members", headers=agent)
        await log.says(("agent", "read", "members", "", "done", f"table {table.headers['etag'][1:-1]}"))
        again = await client.get("/api/edge/gw-1/members", headers=agent | {"If-None-Match": table.headers["etag"]})
        assert again.status_code == 304
        await log.says()

        assert (await client.post("/me/code", data={"code": "AAAA-AAAA"}, headers=FORM)).status_code == 401
        await log.says(("nobody", "sign-in", "member", "", "refused"))
        assert (await client.post("/me/code", data={"code": code}, headers=FORM)).status_code == 303
        client.cookies.clear()
        await log.says(("member", "sign-in", "member", who))
        assert (await client.get("/me", headers=member)).is_success
        await log.says(("member", "read", "member", who))
        assert (await client.get("/me/export", headers=member)).is_success
        await log.says(("member", "export", "member", who))
        wishes = form | {"quiet": "12:00-13:00", "cap": "2"}
        assert (await client.post("/me/wishes", data=wishes, headers=member | FORM)).status_code == 303
        await log.says(("member", "wishes", "member", who))
        interest = form | {"tag": "running", "wish": "dislike"}
        assert (await client.post("/me/interests", data=interest, headers=member | FORM)).status_code == 303
        await log.says(("member", "wishes", "member", who, "done", "interests"))
        for granted, word in (("no", "withdraw"), ("yes", "grant")):
            change = form | {"purpose": "recognise", "granted": granted}
            assert (await client.post("/me/consent", data=change, headers=member | FORM)).status_code == 303
            await log.says(("member", word, "member", who, "done", "recognise, by member"))
        assert (await client.post("/me/erase", data=form | {"sure": "yes"}, headers=member | FORM)).is_redirect
        erased = [row for row in await log.new() if row[1] == "erase"]
        (version,) = [each.version for each in Journal(Path(world.state.config.data)).read()]
        assert erased == [("member", "erase", "member", who, "done", f"version {version}")]


async def test_whatever_is_done_with_accounts_and_screens_is_written_down(tmp_path):
    async with peopled(tmp_path) as world:
        log, client, staff = Log(world), world.client, world.state.access.staff
        staff._passwords = Passwords(Cost(n=16, r=1, p=1))  # what they cost is another test's
        await log.new()
        owner = world.callers["owner"]
        own_id = await staff.id_of("owner")

        made = await client.post("/api/staff", json={"name": "new", "role": "staff"}, headers=owner.headers)
        assert made.status_code == 201
        new_id = await staff.id_of("new")
        await log.says(("owner", "issue", "account", new_id))
        await client.post("/api/staff/new/link", json={"purpose": "password"}, headers=owner.headers)
        await log.says(("owner", "issue", "account", new_id))
        secret, _ = await staff.make_link("new", "password")
        assert (await client.post(f"/enter/{secret}", data={"password": GOOD}, headers=FORM)).status_code == 303
        client.cookies.clear()
        await log.says(("nobody", "sign-in", "account", new_id))
        for name, password, account, outcome in (
            ("new", GOOD, new_id, "done"), ("new", "wrong", new_id, "refused"), ("who", "wrong", "", "refused"),
        ):  # fmt: skip
            await client.post("/sign-in", data={"name": name, "password": password}, headers=FORM)
            client.cookies.clear()
            await log.says(("nobody", "sign-in", "account", account, outcome))
        assert (await client.delete("/api/staff/new", headers=owner.headers)).status_code == 204
        await log.says(("owner", "revoke", "account", new_id))

        secret, _ = await staff.make_link("ming", "password")
        begun = await staff.use_link(secret, GOOD)
        cookie, token = {"Cookie": f"{COOKIE}={begun.secret}"} | FORM, form_token(begun.secret)
        others = await client.post("/account/others", data={"token": token}, headers=cookie)
        assert others.headers["location"] == "/account"
        await log.says(("staff", "sign-out", "account", begun.staff, "done", "everywhere else"))
        change = {"old": GOOD, "new": GOOD + " on", "token": token}
        for field, wrong, status in (("old", "no idea", 401), ("new", "short", 422)):
            said = await client.post("/account/password", data=change | {field: wrong}, headers=cookie)
            assert said.status_code == status
            await log.says(*[("staff", "password", "account", begun.staff, "refused")] * (field == "old"))
        assert (await client.post("/account/password", data=change, headers=cookie)).status_code == 303
        client.cookies.clear()
        await log.says(("staff", "password", "account", begun.staff))
        member = world.callers["member 0"]
        assert (await client.post("/sign-out", data={"token": member.token}, headers=member.headers | FORM)).is_redirect
        await log.says(("member", "sign-out", "account", ""))
        out = {"token": owner.token}
        assert (await client.post("/sign-out", data=out, headers=owner.headers | FORM)).is_redirect
        await log.says(("owner", "sign-out", "account", own_id))

        assert (await client.get("/api/displays/d-door/key", headers=world.callers["display"].headers)).is_success
        await log.says(("display", "issue", "display", "d-door", "done", "command key"))
        code = (await client.post("/api/displays/d-till/pairing")).json()["code"]
        token_holder = world.callers["token"].headers
        assert (await client.post(f"/api/pairings/{code}/approve", headers=token_holder)).status_code == 204
        await log.says(("owner", "pair", "display", "d-till"))
