"""The tab in Firefox, and files that it saves, in both browsers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.plugin.bidi import BidiError
from tests.plugin.browser import Browser, needs_browser, view
from tests.plugin.firefox import Firefox, needs_firefox
from tests.plugin.serving import pixels, write
from tests.tensorboard import TensorBoard, tensorboard

EPOCHS = 8
LAYER: dict[str, Any] = {"layer": "conv_a", "shape": (6, 5, 5, 1)}
SLIDER = "input[type=range]"

PICTURE = np.random.default_rng(1).integers(0, 256, (5, 7, 3), np.uint8)

# A picture as PNG, through the tab's own module, or by a link in the frame.
MADE = """
const [name, values, width] = arguments;
const canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [width, values.length / 4 / width];
canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(values), width), 0, 0);
const made = new Promise((done) => canvas.toBlob(done, "image/png"));
"""
SAVE = MADE + 'return Promise.all([made, import("./static/host/download.js")]).then(([it, m]) => m.download(it, name));'
LINK = MADE + (
    "return made.then((it) => Object.assign(document.createElement('a'), "
    "{ href: URL.createObjectURL(it), download: name }).click());"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    log_dir = tmp_path_factory.mktemp("logs")
    write(log_dir / "one", range(-1, EPOCHS), LAYER)
    with tensorboard(log_dir) as started:
        yield started


@pytest.fixture
def tab(server: TensorBoard, fox: Firefox) -> Iterator[Firefox]:
    """The grid of a layer; whatever a test does, the console stays silent."""
    fox.open(view(server, view="grid"))
    fox.loaded()
    yield fox
    assert fox.complaints() == []


def saved(tab: Browser | Firefox, name: str, script: str = SAVE) -> Any:
    """What a script returns that saves the picture."""
    opaque = np.dstack([PICTURE, np.full(PICTURE.shape[:2], 255, np.uint8)])
    return tab.run(script, name, opaque.ravel().tolist(), PICTURE.shape[1])


def arrived(tab: Browser | Firefox, name: str) -> npt.NDArray[np.uint8]:
    """The pixels of a downloaded file, once it is complete."""
    path = tab.downloads / name

    def is_complete() -> bool:
        return path.exists() and path.stat().st_size > 0 and not path.with_name(f"{name}.part").exists()

    tab.wait(is_complete, name)
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@contextmanager
def page_around(address: str, policy: str = "") -> Iterator[str]:
    """A page of another origin that shows an address in a frame, as a notebook does; its own address."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            if policy:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(f'<iframe src="{address}" width="1200" height="700"></iframe>'.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{served.server_port}/"
        finally:
            served.shutdown()
            thread.join()


@needs_firefox
def test_firefox_shows_every_step_by_the_slider_and_by_keys(tab: Firefox) -> None:
    plain = [0, 1, 4, 5]  # neither crossed out nor marked as flat

    def check(step: int) -> None:
        assert tab.text(".readout") == ("Before training" if step < 0 else f"Epoch {step}")
        truth = np.repeat(pixels(step, LAYER["layer"], LAYER["shape"]), 3, axis=-1)
        assert np.array_equal(tab.tiles("Filters", 5, 5)[plain], truth[plain])

    check(EPOCHS - 1)
    tab.press_at(SLIDER, Keys.HOME)
    for step in range(-1, EPOCHS - 1):
        check(step)
        tab.press(Keys.ARROW_RIGHT)
    check(EPOCHS - 1)
    tab.run("document.activeElement.blur()")
    tab.press(Keys.HOME)
    check(-1)
    tab.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    check(0)
    tab.wait(lambda: "step=0" in tab.hash(), "the address")


@needs_firefox
def test_a_click_in_firefox_chooses_a_filter(tab: Firefox) -> None:
    tab.click_at(".stage .grid [role=option][aria-label='Filter 4']")
    chosen = "return [...document.querySelectorAll('.stage [aria-selected=true]')].map((one) => one.ariaLabel)"
    assert tab.run(chosen) == ["Filter 4"]


@needs_firefox
def test_firefox_tells_what_goes_wrong_in_the_page(tab: Firefox) -> None:
    with pytest.raises(BidiError, match="planted 1"):
        tab.run("throw new Error('planted 1')")
    tab.run("console.error('planted 2'); setTimeout(() => { throw new Error('planted 3'); })")
    tab.settle()
    told = tab.complaints()
    assert [any(planted in words for words in told) for planted in ("planted 2", "planted 3")] == [True, True]


@pytest.mark.slow
@needs_firefox
def test_firefox_saves_what_the_tab_makes(tab: Firefox) -> None:
    assert saved(tab, "by_the_tab.png") is True
    assert np.array_equal(arrived(tab, "by_the_tab.png"), PICTURE)


@needs_firefox
def test_firefox_refuses_a_link_in_the_frame(tab: Firefox) -> None:
    saved(tab, "by_a_link.png", LINK)
    tab.wait(lambda: any("frame-src" in one for one in tab.complaints()), "the refusal")
    saved(tab, "later.png")
    assert np.array_equal(arrived(tab, "later.png"), PICTURE)
    assert not (tab.downloads / "by_a_link.png").exists()


@pytest.mark.slow
@needs_firefox
def test_firefox_in_a_page_of_another_origin(fox: Firefox, server: TensorBoard) -> None:
    with page_around(f"{server.address}#filterviz") as address:
        fox.go(address)
        fox.enter()
        fox.loaded()
        assert saved(fox, "in_a_page.png") is False  # the page might have forbidden it
        assert np.array_equal(arrived(fox, "in_a_page.png"), PICTURE)
        assert fox.complaints() == []
    with page_around(f"{server.address}#filterviz", f"frame-src {server.address}") as address:
        fox.go(address)
        fox.enter()
        fox.loaded()
        assert saved(fox, "forbidden.png") is False
        fox.wait(lambda: any("frame-src" in one for one in fox.complaints()), "the refusal")
        assert not (fox.downloads / "forbidden.png").exists()


@pytest.mark.slow
@needs_browser
def test_chromium_saves_what_the_tab_makes(window: Browser, server: TensorBoard) -> None:
    window.open(server.address)
    window.loaded()
    assert saved(window, "by_the_tab.png") is True
    assert np.array_equal(arrived(window, "by_the_tab.png"), PICTURE)
    assert window.complaints() == []
    with page_around(f"{server.address}#filterviz") as address:
        window.driver.get(address)
        window.driver.switch_to.frame(0)
        frame = window.wait(
            lambda: window.driver.find_elements(By.CSS_SELECTOR, "iframe[src*='filterviz']"), "the frame of the tab"
        )
        window.driver.switch_to.frame(frame[0])
        window.loaded()
        assert saved(window, "in_a_page.png") is False
        assert np.array_equal(arrived(window, "in_a_page.png"), PICTURE)
    window.complaints()  # the browser's own: it keeps the focus out of frames of another origin
