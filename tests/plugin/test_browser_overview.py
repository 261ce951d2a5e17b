"""All layers of a run at once, as they are seen and used."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from tests.plugin.browser import AXE, Browser, check_accessibility, needs_browser, readout, view
from tests.plugin.serving import scalars, write
from tests.tensorboard import TensorBoard, tensorboard

pytestmark = [needs_browser, pytest.mark.slow]

BLOCKS = ("block1_conv1", "block1_conv2", "block2_conv1", "block2_conv2")
STEPS = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    log_dir = tmp_path_factory.mktemp("logs")
    layers = [{"layer": name, "position": at, "shape": (6, 7, 7, 1)} for at, name in enumerate(BLOCKS)]
    write(log_dir, range(-1, STEPS), *layers)
    scalars(log_dir / "validation", {"epoch_accuracy": [(epoch, 0.5 + 0.05 * epoch) for epoch in range(STEPS)]})
    with tensorboard(log_dir) as started:
        yield started


@pytest.fixture
def tab(server: TensorBoard, window: Browser) -> Iterator[Browser]:
    """What one sees first of a run with several layers; the console stays silent."""
    window.open(server.address)
    window.wait(lambda: window.shown(".layer-row"), "the layers")
    window.settle()
    yield window
    assert window.complaints() == []


def rows(tab: Browser) -> list[str]:
    return [str(one.get_attribute("data-layer")) for one in tab.all(".layer-row") if one.is_displayed()]


def test_it_is_what_one_sees_first(tab: Browser) -> None:
    assert rows(tab) == list(BLOCKS)
    assert [one.text for one in tab.all(".layer-group h2")] == ["block1", "block2"]
    assert tab.shown(".timeline") is None
    first = tab.all(".layer-row")[0]
    assert "6 filters, 7 \N{MULTIPLICATION SIGN} 7 px" in first.text
    assert "5 of 6" in first.text  # filter 2 is stuck
    assert "1 of 6 stuck since before training" in first.text
    assert "5 of 6 responsive" in str(first.get_attribute("textContent"))  # as a screen reader has it
    told = tab.one(".reading").text
    assert "4 filters are stuck in 4 layers" in told


def test_its_samples_are_the_filters_pictures(tab: Browser) -> None:
    """Small tiles are enlarged by a whole number, so that each pixel of the canvas is one of theirs."""
    row = tab.all(".layer-row")[0]
    pixels = tab.run(
        "const canvas = arguments[0].querySelector('canvas');"
        "const {data, width, height} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);"
        "return {width, height, gray: [...data].filter((_, at) => at % 4 === 0)}",
        row,
    )
    shown = np.array(pixels["gray"]).reshape(pixels["height"], pixels["width"])
    scale = pixels["height"] // 7
    assert pixels["height"] == 7 * scale
    first = shown[scale // 2 :: scale, : 7 * scale][:, scale // 2 :: scale]
    from tests.plugin.serving import pixels as truth

    tiles = truth(STEPS - 1, BLOCKS[0], (6, 7, 7, 1))[..., 0]
    assert any(np.array_equal(first, tile) for tile in tiles)


def test_layers_are_searched_and_ordered(tab: Browser) -> None:
    field = tab.one(".overview input")
    field.send_keys("^block2")
    assert rows(tab) == ["block2_conv1", "block2_conv2"]
    assert "2 of 4 layers" in tab.one(".overview-head").text
    field.clear()
    field.send_keys("(")
    assert "no regular expression" in tab.one(".overview-head").text
    field.clear()
    field.send_keys(Keys.BACKSPACE)
    tab.choose("Order", "Most change first")
    changes = [one.text for one in tab.all(".layer-change .quiet")]
    shares = [float(text.split(" ")[0]) for text in changes]
    assert shares == sorted(shares, reverse=True)


def test_a_click_opens_the_grid_and_back_returns(tab: Browser) -> None:
    tab.all(".layer-row")[2].click()
    tab.loaded()
    assert tab.one(".side h2").text == "block2_conv1"
    assert readout(tab) == "Epoch 7"
    assert "layer=block2_conv1" in tab.hash()
    tab.press_at(".stage .grid", Keys.ARROW_RIGHT, Keys.ENTER)
    assert tab.one(".side h2").text.startswith("Filter ")
    tab.run("parent.history.back()")
    tab.wait(lambda: tab.one(".side h2").text == "block2_conv1", "the layer again")
    tab.run("parent.history.back()")
    tab.wait(lambda: rows(tab) == list(BLOCKS), "the overview again")
    tab.run("parent.history.forward()")
    tab.wait(lambda: tab.shown(".side") and tab.one(".side h2").text == "block2_conv1", "the layer once more")


def test_everything_by_keyboard(tab: Browser) -> None:
    for _ in range(40):
        tab.press(Keys.TAB)
        if tab.run("return document.activeElement.classList.contains('layer-row')"):
            break
    tab.press(Keys.TAB, Keys.ENTER)
    tab.loaded()
    assert tab.one(".side h2").text == BLOCKS[1]
    tab.run("document.activeElement.blur()")
    tab.press_at("body", Keys.PAGE_DOWN)
    assert tab.one(".side h2").text == BLOCKS[2]
    tab.press_at("body", Keys.PAGE_UP, Keys.PAGE_UP)
    assert tab.one(".side h2").text == BLOCKS[0]
    tab.press_at("body", "o")
    assert rows(tab) == list(BLOCKS)
    tab.press_at("body", "?")
    assert "What you see" in tab.one("dialog[open]").text


def test_the_large_view_closes_when_the_address_leads_here(tab: Browser, server: TensorBoard) -> None:
    tab.open(view(server, view="grid", layer=BLOCKS[0], filter=1, large="true"))
    tab.loaded()
    assert tab.shown("dialog.large[open]")
    tab.run("parent.location.hash = '#filterviz&p.filterviz.view=overview'")
    tab.wait(lambda: tab.shown(".layer-row"), "the layers")
    assert tab.shown("dialog[open]") is None


def test_an_address_is_kept_until_there_is_something_to_show(window: Browser, tmp_path: Path) -> None:
    with tensorboard(tmp_path, "--reload_interval", "1") as server:
        window.open(server.address)
        window.wait(lambda: "No filters have been logged" in window.text(), "that there is nothing")
        window.run("parent.location.hash = '#filterviz&p.filterviz.view=grid&p.filterviz.layer=b'")
        window.settle()
        assert "No filters have been logged" in window.text()
        write(tmp_path, range(3), {"layer": "a"}, {"layer": "b", "position": 1}, {"layer": "c", "position": 2})
        server.wait_until_read()
        window.run("parent.document.querySelector('button.reload-button').click()")
        window.wait(lambda: window.shown(".side h2"), "the layer")
        assert window.one(".side h2").text == "b"
    assert window.complaints() == []


def test_a_short_outage_is_a_line_and_following_goes_on(tab: Browser) -> None:
    tab.run("window.real = fetch; window.asked = 0;")
    tab.run("window.fetch = () => { window.asked += 1; return Promise.reject(new Error('away')); }")
    tab.wait(lambda: tab.run("return window.asked") > 0, "a question of its own")
    tab.wait(lambda: tab.shown(".notice"), "the line")
    assert "does not answer" in tab.one(".notice").text
    assert rows(tab) == list(BLOCKS)
    tab.run("window.asked = 0; window.fetch = (...given) => { window.asked += 1; return window.real(...given); }")
    tab.click("Try again")
    tab.wait(lambda: tab.shown(".notice") is None, "an end of the line")
    asked = tab.run("return window.asked")
    tab.wait(lambda: tab.run("return window.asked") > asked, "the next question")


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: npm install, in tests/frontend")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_accessible(window: Browser, server: TensorBoard, width: int, dark: bool) -> None:
    window.resize(width, 844)
    window.open(view(server, view="overview"), dark=dark)
    window.wait(lambda: window.shown(".layer-row"), "the layers")
    check_accessibility(window)
    assert window.run("return document.documentElement.scrollWidth <= innerWidth")
    window.resize(1280, 720)
