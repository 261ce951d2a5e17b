"""A real browser on the tab: Debian's Chromium, headless, that reaches nothing but this machine."""

import shutil
import socket
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.plugin.window import Window, address_of_tab
from tests.tensorboard import TensorBoard, tensorboard
from tests.waiting import PATIENCE_S

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
AXE = Path(__file__).parents[1] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"  # where .ci/run puts it

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver: apt-get install chromium chromium-driver"
)
needs_axe = pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm install, in tests/frontend")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)

VIEW = "p.filterviz."


class Browser(Window):
    """The tab in a window of Chromium."""

    unsettled = WebDriverException  # elements come and go while a page builds itself

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver
        self.downloads = Path()
        self.origin = ""

    def open(self, address: str, *, dark: bool = False) -> None:
        """Go to an address of TensorBoard, and into the frame of the tab."""
        self.driver.get("about:blank")
        self.origin = "/".join(address.split("/")[:3])
        self.driver.get(address_of_tab(address, dark=dark))
        self.enter()

    def open_alone(self, address: str) -> None:
        """Go to a page that is the tab, with nothing around it."""
        self.driver.get("about:blank")
        self.origin = address.partition("#")[0]
        self.driver.get(address)
        self.wait(lambda: self.all("main.page"), "the tab")

    def enter(self) -> None:
        """Into the frame of the tab."""
        self.driver.switch_to.default_content()
        frame = self.wait(
            lambda: next(
                (
                    one
                    for one in self.driver.find_elements(By.CSS_SELECTOR, "iframe[src*='filterviz']")
                    if one.is_displayed()
                ),
                None,
            ),
            "the frame of the tab",
        )
        self.driver.switch_to.frame(frame)
        self.wait(lambda: self.all("main.page"), "the tab")

    def all(self, selector: str) -> list[WebElement]:
        found: list[WebElement] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def one(self, selector: str) -> WebElement:
        found: WebElement = self.wait(lambda: self.shown(selector), selector)
        return found

    def shown(self, selector: str) -> WebElement | None:
        return next((element for element in self.all(selector) if element.is_displayed()), None)

    def text(self) -> str:
        words: str = self.driver.execute_script("return document.body.innerText")
        return words

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def press(self, *keys: str) -> None:
        """Into whatever has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)
        self.settle()

    def press_at(self, selector: str, *keys: str) -> None:
        """All at once, into one element; what they change is drawn in a frame to come."""
        self.one(selector).send_keys(*keys)
        self.settle()

    def settle(self) -> None:
        """Once nothing is being fetched, two frames later."""
        self.wait(lambda: not self.all("main[aria-busy=true]"), "an end of waiting")
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def choose(self, label: str, option: str) -> None:
        """An option of a labelled select, or of a picker: by its text, or by all of a name that is cut."""
        for choice in self.all("label.choice"):
            if choice.is_displayed() and choice.find_element(By.CSS_SELECTOR, ".choice-label").text == label:
                for one in choice.find_elements(By.TAG_NAME, "option"):
                    if one.text == option:
                        one.click()
                        self.settle()
                        return
                raise AssertionError([one.text for one in choice.find_elements(By.TAG_NAME, "option")])
        rows = self.open_picker(label)
        for row in rows:
            if option in (row.get_attribute("title"), row.find_element(By.CSS_SELECTOR, ".picker-name").text):
                row.click()
                self.settle()
                return
        raise AssertionError([row.text for row in rows])

    def open_picker(self, label: str) -> list[WebElement]:
        """What a picker has to choose from, once its button is pressed."""
        for picker in self.all(".picker"):
            if picker.is_displayed() and picker.find_element(By.CSS_SELECTOR, ".choice-label").text == label:
                picker.find_element(By.CSS_SELECTOR, ".picker-button").click()
                return list(picker.find_elements(By.CSS_SELECTOR, ".picker-row"))
        raise AssertionError(f"no choice {label!r}")

    def save(self, what: str) -> None:
        """An entry of the menu "Save"."""
        self.click("Save")
        for item in self.all(".menu-item"):
            if item.is_displayed() and item.text.startswith(what):
                item.click()
                self.settle()
                return
        raise AssertionError([item.text for item in self.all(".menu-item")])

    def click(self, name: str) -> None:
        """A button, by its text or label."""
        for button in self.all("button"):
            if button.is_displayed() and name in (button.text, button.get_attribute("aria-label")):
                button.click()
                self.settle()
                return
        raise AssertionError(f"no button {name!r}")

    def complaints(self) -> list[str]:
        """Errors in the console, and whatever else it says about files of ours; TensorBoard misses fonts of its own."""
        said: list[dict[str, str]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        ours = [one for one in said if one["level"] == "SEVERE" or "filterviz/static" in one["message"]]
        return [
            one["message"]
            for one in ours
            if "/font-roboto/" not in one["message"]
            and self.origin in one["message"]
            and "net::ERR_CONNECTION_REFUSED" not in one["message"]  # a training is followed until its server has gone
            and not ("net::ERR_EMPTY_RESPONSE" in one["message"] and self._server_has_gone())  # within an answer
        ]

    def _server_has_gone(self) -> bool:
        server = urllib.parse.urlsplit(self.origin)
        try:
            socket.create_connection((server.hostname, server.port), timeout=10).close()
        except ConnectionRefusedError:
            return True
        return False

    def resize(self, width: int, height: int) -> None:
        """The page itself."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def screenshot(self, path: Path) -> None:
        self.settle()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(path))


@contextmanager
def browser(profile: Path, *, width: int = 1280, height: int = 720, downloads: Path | None = None) -> Iterator[Browser]:
    """A new browser with an empty profile; the page itself gets `width` x `height`."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(PATIENCE_S)
    if downloads:
        allowed = {"behavior": "allow", "downloadPath": str(downloads)}
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", allowed)
    try:
        opened = Browser(driver)
        opened.resize(width, height)
        yield opened
    finally:
        driver.quit()


def view(server: TensorBoard, **state: object) -> str:
    """The address of the tab in a state."""
    pairs = "".join(f"&{VIEW}{name}={urllib.parse.quote(str(value), safe='')}" for name, value in state.items())
    return f"{server.address}#filterviz{pairs}"


@contextmanager
def showing(
    window: Browser, log_dir: Path | Mapping[str, Path], *options: str, **state: object
) -> Iterator[TensorBoard]:
    """A TensorBoard of its own for one log directory, the tab in a state; a grid, unless that says otherwise."""
    with tensorboard(log_dir, *options) as server:
        window.open(view(server, **{"view": "grid", **state}))
        yield server


def readout(tab: Browser) -> str:
    """Which step is shown."""
    return tab.one(".readout").text


def check_accessibility(tab: Browser) -> None:
    tab.run(AXE.read_text(encoding="utf-8"))
    found = tab.driver.execute_async_script("axe.run(document).then(arguments[0])")
    serious = [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
