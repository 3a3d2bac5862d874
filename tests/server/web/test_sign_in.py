"""The way in, in a real browser: by a link, by a password, and out again."""

import httpx

from tests.server.web.conftest import Store
from tests.support.chromium import Page, chromium

GOOD = "seven quiet otters hum"
TITLE = "document.querySelector('h1').textContent"


async def type_into(page: Page, field: str, text: str) -> None:
    """Type as a person would, and press Enter at the end."""
    await page.evaluate(f"document.getElementById('{field}').focus()")
    await page.call("Input.insertText", text=text)


async def submit(page: Page) -> None:
    await page.call("Input.dispatchKeyEvent", type="keyDown", key="Enter", text="\r", windowsVirtualKeyCode=13)
    await page.call("Input.dispatchKeyEvent", type="keyUp", key="Enter", windowsVirtualKeyCode=13)


async def test_in_by_a_link_out_by_a_button_and_in_again_by_a_password(store: Store) -> None:
    async with store.owner_client() as owner, chromium() as browser:
        made = (await owner.post("/api/staff", json={"name": "ming", "role": "staff"})).json()
        page = await browser.open(f"{store.url}{httpx.URL(made['link']).path}?lang=en")
        assert await page.evaluate(TITLE) == "Welcome, ming"
        await type_into(page, "password", "password1234")
        await submit(page)
        assert "among the first" in str(await page.wait_for("document.querySelector('[role=alert]')?.textContent"))
        await type_into(page, "password", GOOD)
        await submit(page)
        await page.wait_for("location.pathname === '/' && document.querySelector('.trouble li')")

        await page.go(f"{store.url}/staff")
        assert "Not possible" in str(await page.evaluate("document.title")), "staff do not see the staff page"
        await page.go(f"{store.url}/account?lang=en")
        assert await page.evaluate(TITLE) == "ming"
        await page.evaluate("document.querySelector('form[action=\"/sign-out\"] button').click()")
        await page.wait_for(f"location.pathname === '/sign-in' && {TITLE}")

        await page.go(f"{store.url}/decisions/x?lang=en")
        await page.wait_for("location.pathname === '/sign-in'")
        await type_into(page, "name", "Ming")
        await type_into(page, "password", "seven quiet otters")
        await submit(page)
        assert (
            await page.wait_for("document.querySelector('[role=alert]')?.textContent") == "Name or password is wrong."
        )
        assert await page.evaluate("document.getElementById('name').value") == "Ming"
        await type_into(page, "password", GOOD)
        await submit(page)
        await page.wait_for("location.pathname === '/decisions/x'")


async def test_a_page_whose_session_ended_leads_to_where_one_signs_in(store: Store) -> None:
    async with chromium() as browser:
        await store.sign_in(browser)
        page = await browser.open(f"{store.url}/?lang=en")
        await page.wait_for("document.querySelector('.trouble li')")
        await store.state.access.sessions.end_all("staff", await store.state.access.staff.id_of("owner"))
        await page.wait_for("location.pathname === '/sign-in'")
