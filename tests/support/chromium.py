"""A real headless Chromium, driven through its DevTools protocol with websockets and the standard library only.

async with chromium() as browser:
    page = await browser.open(url)
    await page.wait_for("document.querySelector('.moment')", 5)
    await page.screenshot(Path("moment.png"))
    assert page.console_errors == []
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.patience import WAIT_S
from tests.support.programs import program

POLL_S = 0.02
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--disable-background-timer-throttling",  # a kiosk is never in the background; a second tab would push it there
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--remote-debugging-port=0",
)


class PageError(AssertionError):
    """The browser refused a call, a script threw, or what was waited for did not come."""


class Page:
    """One tab.  `console_errors` holds every error the page logged, threw, or was refused by its own policy."""

    def __init__(self, browser: "Browser", session: str, target: str) -> None:
        self.console_errors: list[str] = []
        self._browser, self._session, self._target = browser, session, target

    async def call(self, method: str, **parameters: object) -> dict[str, object]:
        """A DevTools method of this tab."""
        return await self._browser.call(method, parameters, self._session)

    async def evaluate(self, script: str) -> object:
        """The JSON value of a JavaScript expression; a promise is awaited."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise PageError(f"{script}: {details.get('exception', {}).get('description', details['text'])}")
        return answer["result"].get("value")

    async def wait_for(self, condition: str, timeout_s: float = WAIT_S) -> object:
        """The first truthy value of `condition`.

        Raises:
            PageError: it stayed falsy; the message holds the text on the page.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(PageError):  # mid-navigation there is nothing to ask
                if value := await self.evaluate(
                    f"(() => {{ const v = ({condition}); return v instanceof Node ? true : v; }})()"
                ):
                    return value
            await asyncio.sleep(POLL_S)
        text = await self.evaluate("document.body ? document.body.innerText.slice(0, 800) : '(no page)'")
        raise PageError(f"not within {timeout_s} s: {condition}\nconsole: {self.console_errors}\npage: {text}")

    async def go(self, url: str) -> None:
        """Load another address in this tab and wait for its document."""
        await self.call("Page.navigate", url=url)
        await self.wait_for(
            f"document.readyState === 'complete' && location.href !== 'about:blank' && {json.dumps(url)}"
        )

    async def resize(self, width: int, height: int) -> None:
        """Set the size of the view in CSS pixels."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    async def prefer(self, **features: str) -> None:
        """Set media features, e.g. `prefer(prefers_color_scheme="dark")`."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        await self.call("Emulation.setEmulatedMedia", features=wanted)

    async def screenshot(self, path: Path) -> None:
        """Write what the tab shows as PNG."""
        answer = await self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(str(answer["data"])))

    async def close(self) -> None:
        """Close the tab, as a person would."""
        await self._browser.call("Target.closeTarget", {"targetId": self._target})

    def receive(self, method: str, event: dict[str, object]) -> None:
        """Note what the console would show in red."""
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.console_errors.append(str(details.get("exception", {}).get("description", details["text"])))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "assert"):
            self.console_errors.append(" ".join(str(a.get("value", a.get("description"))) for a in event["args"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] == "error":
            entry = event["entry"]
            self.console_errors.append(f"{entry['text']} {entry.get('url', '')}")


class Browser:
    """One Chromium process."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, object]]] = {}
        self._pages: dict[str, Page] = {}

    async def open(self, url: str, *, width: int = 1280, height: int = 800, own_cookies: bool = False) -> Page:
        """A new tab at `url`.

        Args:
            own_cookies: as if it were another browser on another machine.
        """
        context = {}
        if own_cookies:
            context = {"browserContextId": (await self.call("Target.createBrowserContext", {}))["browserContextId"]}
        target = str((await self.call("Target.createTarget", {"url": "about:blank", **context}))["targetId"])
        session = str((await self.call("Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"])
        page = self._pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.call(f"{domain}.enable")
        await page.resize(width, height)
        await page.go(url)
        return page

    async def call(self, method: str, parameters: dict[str, object], session: str | None = None) -> dict[str, object]:
        """The result of a DevTools method.

        Raises:
            PageError: Chromium refused it or did not answer.
        """
        call_id = next(self._ids)
        self._waiting[call_id] = asyncio.get_running_loop().create_future()
        message = {"id": call_id, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        try:
            await self._socket.send(json.dumps(message))
            answer = await asyncio.wait_for(self._waiting[call_id], WAIT_S)
        except (TimeoutError, ConnectionClosed) as error:
            raise PageError(f"{method}: no answer from Chromium") from error
        finally:
            self._waiting.pop(call_id, None)
        if "error" in answer:
            raise PageError(f"{method}: {answer['error']}")
        return answer["result"]

    async def receive(self) -> None:
        """Hand answers to who asked and events to their tab, until the connection closes."""
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                asked = self._waiting.get(message["id"])
                if asked is not None and not asked.done():
                    asked.set_result(message)
            elif message.get("sessionId") in self._pages:
                self._pages[message["sessionId"]].receive(message["method"], message["params"])


@asynccontextmanager
async def chromium(*extra_flags: str) -> AsyncIterator[Browser]:
    """A running Chromium with an empty profile; ended, with all its children, when the block is left."""
    path = program("chromium")
    with tempfile.TemporaryDirectory(prefix="tacet-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            path, *FLAGS, *extra_flags, f"--user-data-dir={profile}", "about:blank",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True, env=os.environ | {"HOME": profile},
        )  # fmt: skip
        try:
            url = await _devtools_url(Path(profile) / "DevToolsActivePort")
            async with connect(url, max_size=None, open_timeout=WAIT_S) as socket:
                browser = Browser(socket)
                receiving = asyncio.create_task(browser.receive())
                try:
                    yield browser
                    with contextlib.suppress(PageError):
                        await browser.call("Browser.close", {})
                finally:
                    receiving.cancel()
                    await asyncio.gather(receiving, return_exceptions=True)
        finally:
            await _end(process)


async def _devtools_url(port_file: Path) -> str:
    """The address Chromium writes once it listens."""
    async with asyncio.timeout(WAIT_S):
        while True:
            lines = port_file.read_text().splitlines() if port_file.exists() else []
            if len(lines) == 2:
                return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
            await asyncio.sleep(POLL_S)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let it finish its farewell, then end its whole process group."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 15)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
