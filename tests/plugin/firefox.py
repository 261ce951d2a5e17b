"""The other real browser on the tab: Firefox, headless, by the protocol that it speaks itself."""

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.bidi import BidiError, Connection
from tests.plugin.window import Window, address_of_tab
from tests.waiting import PATIENCE_S, until

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")

needs_firefox = pytest.mark.skipif(not FIREFOX, reason="no Firefox: apt-get install firefox-esr")

NOWHERE_PORT = 9  # of this machine, where nothing listens: what is not on this machine goes there

# Beside these, a Firefox that is driven switches off by itself what asks, updates or reports.
PREFERENCES: Mapping[str, bool | int | str] = {
    # nothing of the network but this machine
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": NOWHERE_PORT,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": NOWHERE_PORT,
    "network.proxy.allow_bypass": False,
    "network.proxy.failover_direct": False,
    "network.proxy.no_proxies_on": "127.0.0.1, localhost",
    "network.dns.disablePrefetch": True,
    "network.http.speculative-parallel-limit": 0,
    "network.prefetch-next": False,
    "network.trr.mode": 5,
    "media.gmp-manager.updateEnabled": False,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.unified": False,
    # an empty first page
    "browser.aboutwelcome.enabled": False,
    "browser.newtabpage.enabled": False,
    "browser.startup.page": 0,
    # the same on every machine
    "intl.accept_languages": "en-US, en",
    "layout.css.devPixelsPerPx": "1",
    "ui.prefersReducedMotion": 0,
    "ui.systemUsesDarkTheme": 0,
}

# What is downloaded goes into a folder, without a question.
SAVE_INTO = "browser.download.dir"
SAVING: Mapping[str, bool | int | str] = {
    "browser.download.folderList": 2,
    "browser.download.useDownloadDir": True,
    "browser.download.always_ask_before_handling_new_types": False,
    "browser.download.alwaysOpenPanel": False,
    "browser.helperApps.neverAsk.saveToDisk": "image/png, image/apng, image/webp, video/webm, application/octet-stream",
}

# The middle of the first element in sight, with a name if one is asked for; null if there is none.
MIDDLE = """
const [selector, name] = arguments;
const isNamed = (one) => [one.innerText.trim(), one.ariaLabel].includes(name);
const found = [...document.querySelectorAll(selector)].find(
  (one) => one.checkVisibility() && (name === null || isNamed(one)));
if (!found) return null;
found.scrollIntoView({ block: "nearest", inline: "nearest" });
const { left, top, width, height } = found.getBoundingClientRect();
const [x, y] = [Math.floor(left + width / 2), Math.floor(top + height / 2)];
const over = document.elementFromPoint(x, y);
return { x, y, isFree: found.contains(over), over: over?.outerHTML.slice(0, 200) };
"""

# No driver opens the list of a select: what is chosen there, and said to the page, as a user's choice is.
CHOOSE = """
const [label, option] = arguments;
const choice = [...document.querySelectorAll("label.choice")].find(
  (one) => one.checkVisibility() && one.querySelector(".choice-label").innerText === label);
if (!choice) return `no choice "${label}"`;
const select = choice.querySelector("select");
const wanted = [...select.options].find((one) => one.text === option);
if (!wanted) return [...select.options].map((one) => one.text).join(", ");
select.value = wanted.value;
for (const type of ["input", "change"]) select.dispatchEvent(new Event(type, { bubbles: true }));
return null;
"""


class Firefox(Window):
    """The tab in a window of Firefox; what is found there is named by its selector."""

    unsettled = BidiError  # documents come and go while a page builds itself

    def __init__(self, connection: Connection, downloads: Path) -> None:
        self.connection, self.downloads = connection, downloads
        self.window: str = connection.command("browsingContext.getTree")["contexts"][0]["context"]
        self.frame = self.window  # which document scripts, keys and clicks go to

    def go(self, address: str) -> None:
        """Go to an address, in a new tab: Firefox loses a page now and then if it follows another one at once."""
        new = self.connection.command("browsingContext.create", type="tab")["context"]
        self.connection.command("browsingContext.close", context=self.window)
        self.window = new
        self.leave()
        self.connection.command("browsingContext.navigate", context=new, url=address, wait="none")
        self.wait(
            lambda: self.run("return document.readyState === 'complete' && document.URL !== 'about:blank'"), address
        )

    def open(self, address: str, *, dark: bool = False) -> None:
        """Go to an address of TensorBoard, and into the frame of the tab."""
        self.go(address_of_tab(address, dark=dark))
        self.enter()

    def open_alone(self, address: str) -> None:
        """Go to a page that is the tab, with nothing around it."""
        self.go(address)
        self.wait(lambda: self.count("main.page"), "the tab")

    def enter(self) -> None:
        """Into the frame of the tab, wherever in the window TensorBoard is."""

        def frames(tree: Any) -> Iterator[str]:
            for one in tree:
                if "plugin_entry.html?name=filterviz" in one["url"]:
                    yield one["context"]
                yield from frames(one["children"])

        def frame() -> str | None:
            return next(frames(self.connection.command("browsingContext.getTree", root=self.window)["contexts"]), None)

        self.leave()
        self.frame = self.wait(frame, "the frame of the tab")
        self.wait(lambda: self.count("main.page"), "the tab")

    def leave(self) -> None:
        """Out of the frame, into the window."""
        self.frame = self.window

    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function returns, or comes to later; both ways as JSON."""
        return self._call(f"async function () {{ {script}\n}}", arguments, self.frame)

    def _call(self, function: str, arguments: Sequence[Any], context: str) -> Any:
        said = self.connection.command(
            "script.callFunction",
            functionDeclaration=f"async (json) => JSON.stringify(await ({function})(...JSON.parse(json)) ?? null)",
            arguments=[{"type": "string", "value": json.dumps(arguments)}],
            target={"context": context},
            awaitPromise=True,
        )
        if said["type"] == "exception":
            raise BidiError(said["exceptionDetails"]["text"])
        return json.loads(said["result"]["value"])

    def count(self, selector: str) -> int:
        found: int = self.run("return document.querySelectorAll(arguments[0]).length", selector)
        return found

    def shown(self, selector: str) -> bool:
        script = "return [...document.querySelectorAll(arguments[0])].some((one) => one.checkVisibility())"
        return bool(self.run(script, selector))

    def text(self, selector: str = "body") -> str:
        """The words of the first element in sight; none if there is none."""
        script = "return [...document.querySelectorAll(arguments[0])].find((one) => one.checkVisibility())?.innerText"
        return self.run(script, selector) or ""

    def press(self, *keys: str) -> None:
        """Into whatever has the focus: characters, or those that `selenium.webdriver.common.keys.Keys` names."""
        strokes = [{"type": way, "value": key} for key in "".join(keys) for way in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": strokes})

    def press_at(self, selector: str, *keys: str) -> None:
        """Into one element, which takes the focus."""
        self.wait(lambda: self.shown(selector), selector)
        self.run("[...document.querySelectorAll(arguments[0])].find((one) => one.checkVisibility()).focus()", selector)
        self.press(*keys)

    def click(self, name: str) -> None:
        """A button, by its text or label."""
        self._click(self._middle("button", name))

    def click_at(self, selector: str) -> None:
        """The middle of the first element in sight, or what lies over it."""
        self._click(self._middle(selector))

    def _middle(self, selector: str, name: str | None = None) -> Mapping[str, Any]:
        middle = self.run(MIDDLE, selector, name)
        assert middle, f"no {name or selector!r}"
        assert name is None or middle["isFree"], f"{name!r} is covered by {middle['over']}"
        found: Mapping[str, Any] = middle
        return found

    def _click(self, at: Mapping[str, Any]) -> None:
        ways = [{"type": "pointerMove", "x": at["x"], "y": at["y"]}]
        ways += [{"type": way, "button": 0} for way in ("pointerDown", "pointerUp")]
        self._act({"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": ways})

    def _act(self, source: Mapping[str, Any]) -> None:
        self.connection.command("input.performActions", context=self.frame, actions=[source])
        self.settle()

    def choose(self, label: str, option: str) -> None:
        """An option of a labelled select."""
        wrong = self.run(CHOOSE, label, option)
        assert wrong is None, wrong
        self.settle()

    def settle(self) -> None:
        """Once nothing is being fetched, two frames later."""
        self.wait(lambda: not self.count("main[aria-busy=true]"), "an end of waiting")
        self.run("await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")

    def complaints(self) -> list[str]:
        """Errors in the console, and whatever else it says about files of ours; TensorBoard misses fonts of its own."""
        self.connection.command("session.status")  # events that wait come before its answer
        ours = []
        for said in self.connection.events("log.entryAdded"):
            frames = (said.get("stackTrace") or {}).get("callFrames", [])
            words = f"{said['text']} {' '.join(frame['url'] for frame in frames)}"
            if said["level"] == "error" or "filterviz/static" in words:
                ours.append(words)
        return [words for words in ours if "/font-roboto/" not in words]

    def screenshot(self, path: Path) -> None:
        self.settle()
        path.parent.mkdir(parents=True, exist_ok=True)
        taken = self.connection.command("browsingContext.captureScreenshot", context=self.window)
        path.write_bytes(base64.b64decode(taken["data"]))

    def resize(self, width: int, height: int) -> None:
        """Give the page a size, in pixels."""
        size = {"width": width, "height": height}
        self.connection.command("browsingContext.setViewport", userContexts=["default"], viewport=size)  # all tabs
        self.settle()


def _preference(name: str, value: bool | int | str) -> str:
    return f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"


@contextmanager
def firefox(profile: Path, *, width: int = 1280, height: int = 720, downloads: Path | None = None) -> Iterator[Firefox]:
    """A new Firefox with an empty profile; the page itself gets `width` x `height`."""
    downloads = downloads or profile / "downloads"
    preferences = {**PREFERENCES, **SAVING, SAVE_INTO: str(downloads)}
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "user.js").write_text("".join(_preference(*one) for one in preferences.items()), encoding="utf-8")
    said = profile / "said.txt"
    command = [FIREFOX or "", "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"]
    with (
        said.open("w", encoding="utf-8") as output,
        subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, "MOZ_CRASHREPORTER_DISABLE": "1"}
        ) as process,
    ):
        try:
            address = until(lambda: _address(said), lives=lambda: process.poll() is None)
            connection = Connection(f"{address}/session")
            connection.command("session.new", capabilities={})
            connection.command("session.subscribe", events=["log.entryAdded"])
            window = Firefox(connection, downloads)
            window.resize(width, height)
            yield window
            connection.command("browser.close")
            connection.close()
            process.wait(timeout=PATIENCE_S)
        finally:
            process.kill()


def _address(said: Path) -> str:
    text = said.read_text(encoding="utf-8")
    found = re.search(r"WebDriver BiDi listening on (ws://\S+)", text)
    assert found, f"Firefox did not start: {text}"
    return found[1]
