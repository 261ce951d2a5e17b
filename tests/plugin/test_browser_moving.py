"""Moving through a training, and what the browser's own means do: Back, links, keys, a server that goes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.plugin.browser import AXE, Browser, check_accessibility, needs_browser, readout, showing, view
from tests.plugin.serving import scalars, write
from tests.tensorboard import TensorBoard, tensorboard

pytestmark = [needs_browser, pytest.mark.slow]

EPOCHS = 12
BEST = 8
LAYER = {"layer": "conv_a", "shape": (6, 5, 5, 1)}
SLIDER = "input[type=range]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    log_dir = tmp_path_factory.mktemp("logs")
    write(log_dir, range(-1, EPOCHS), LAYER)
    accuracy = [(epoch, 0.9 - 0.01 * abs(epoch - BEST)) for epoch in range(EPOCHS)]
    scalars(log_dir / "validation", {"epoch_accuracy": accuracy})
    with tensorboard(log_dir) as started:
        yield started


def test_one_layer_plays_its_forming_once(window: Browser, server: TensorBoard) -> None:
    window.open(server.address)
    seen = set()

    def is_at_the_end() -> bool:
        seen.add(readout(window))
        return readout(window) == "Epoch 11" and len(seen) > 2

    window.wait(is_at_the_end, "the end of the forming")
    assert "Before training" in seen or "Epoch 0" in seen
    window.wait(lambda: window.all("button[aria-label=Play]"), "its end")


def test_epochs_go_by_both_names(tab: Browser) -> None:
    assert "13 of 13 pictures \N{MIDDLE DOT} Keras prints Epoch 12" in tab.text()
    tab.press_at(SLIDER, Keys.HOME)
    assert "Keras prints" not in tab.text()


def test_b_goes_to_the_best_on_validation_data(tab: Browser) -> None:
    tab.press_at("body", "b")
    assert readout(tab) == f"Epoch {BEST}"
    titles = [one.get_attribute("textContent") for one in tab.all(".timeline .sign title")]
    assert f"best on validation data (b): epoch {BEST}" in titles
    assert any(str(title).startswith("largest change: epoch ") for title in titles)


def test_the_curve_tells_what_is_below_the_cursor(tab: Browser) -> None:
    chart = tab.one(".timeline .chart-picture")
    left = chart.rect["width"] / 2
    ActionChains(tab.driver).move_to_element_with_offset(chart, int(left) - 10, 0).perform()
    tab.settle()
    assert tab.one(".chart-hint").text == "Epoch 11 \N{MIDDLE DOT} validation 0.87"
    assert readout(tab) == "Epoch 11"


def test_playing_in_a_loop_begins_again(tab: Browser) -> None:
    tab.choose("Speed", "30 / s")
    tab.press_at("body", "l", " ")
    seen: list[str] = []

    def has_begun_again() -> bool:
        seen.append(readout(tab))
        late = [at for at, name in enumerate(seen) if name in ("Epoch 9", "Epoch 10", "Epoch 11")]
        return bool(late) and any(
            name in ("Before training", "Epoch 0", "Epoch 1", "Epoch 2") for name in seen[late[0] :]
        )

    tab.wait(has_begun_again, "the second time")
    tab.press_at("body", " ", "l")
    stopped = readout(tab)
    tab.settle()
    assert readout(tab) == stopped


def test_space_does_not_repeat_a_button_that_was_clicked(tab: Browser) -> None:
    tab.click("First")
    assert readout(tab) == "Before training"
    ActionChains(tab.driver).send_keys(" ").perform()
    tab.wait(lambda: readout(tab) == "Epoch 11", "the end of playing")
    tab.press_at("button[aria-label=First]", " ")  # who came to it by the keyboard presses it
    assert readout(tab) == "Before training"


def test_back_goes_from_place_to_place_not_from_step_to_step(tab: Browser) -> None:
    tab.press_at("body", "]")
    for _ in range(3):
        tab.press_at("body", "[", "]")
    tab.press_at(SLIDER, Keys.HOME)
    tab.wait(lambda: "step=-1" in tab.hash(), "the step in the address")
    tab.press_at("body", "c")
    tab.wait(lambda: "view=compare" in tab.hash(), "the view in the address")
    tab.run("parent.history.back()")
    tab.wait(lambda: "view=compare" not in tab.hash() and tab.shown(".side"), "what was before")
    assert "step=-1" in tab.hash()
    assert readout(tab) == "Before training"


def test_a_link_to_a_run_that_is_gone_keeps_its_layer_and_says_so(window: Browser, tmp_path: Path) -> None:
    write(tmp_path / "here", range(3), LAYER, {**LAYER, "layer": "conv_b", "position": 1})
    with showing(window, tmp_path, run="gone/filters", layer="conv_a", step=77, filter=400):
        window.loaded()
        said = window.one(".notice").text
        assert "Run gone/filters is not here: this is here/filters." in said
        assert "Filter 400 is not among those that were drawn of conv_a." in said
        assert "Step 77 is not here: this is epoch 2, the nearest." in said
        assert window.one(".side h2").text == "conv_a"
        window.click("Close")
        assert window.shown(".notice") is None
    assert window.complaints() == []


def test_a_training_that_goes_on_is_followed_without_a_reload(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, range(3), LAYER)
    with tensorboard(tmp_path, "--reload_interval", "1") as server:
        window.open(view(server, view="grid"))
        window.loaded()
        assert window.one(".live").text.startswith("Live: epoch 2, ")
        write(tmp_path, range(3, 5), LAYER)
        window.wait(lambda: "5 of 5 pictures" in window.text(), "the new epochs")
        assert readout(window) == "Epoch 4"  # was at the latest, stays at the latest
        window.press_at(SLIDER, Keys.HOME)
        write(tmp_path, range(5, 6), LAYER)
        window.wait(lambda: "1 of 6 pictures" in window.text(), "one more")
        assert readout(window) == "Epoch 0"
        window.one(".live").click()
        assert "Reload data" in window.one(".live-text").text
    assert window.complaints() == []


# Answers take a while: how long, by a word in the address.
SLOWLY = """
const [waits] = arguments;
const ask = window.fetch;
window.fetch = async (...given) => {
  const found = Object.keys(waits).find((word) => String(given[0]).includes(word));
  if (found) await new Promise((done) => setTimeout(done, waits[found]));
  return ask(...given);
};
"""


def test_a_click_is_not_lost_to_a_reload_that_is_under_way(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, range(3), LAYER, {**LAYER, "layer": "conv_b", "position": 1})
    with showing(window, tmp_path, layer="conv_a"):
        window.loaded()
        window.run(SLOWLY, {"layers": 800, "statistics": 3000})
        window.run("parent.document.querySelector('button.reload-button').click()")
        window.choose("Layer", "conv_b")
        window.wait(lambda: window.one(".side h2").text == "conv_b", "the layer")
        window.run("document.activeElement.blur()")
        window.press_at("body", Keys.PAGE_UP, "]")
        assert window.one(".side h2").text == "Filter 0"
        window.press_at("body", Keys.ESCAPE)
        assert window.one(".side h2").text == "conv_a"
    assert window.complaints() == []


def test_a_server_that_goes_takes_no_pictures_with_it(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, range(3), LAYER, {**LAYER, "layer": "conv_b", "position": 1})
    with showing(window, tmp_path, layer="conv_a"):
        window.loaded()
        before = window.tiles("Filters", 5, 5)
    window.choose("Layer", "conv_b")
    assert "TensorBoard does not answer. Is it still running?" in window.one(".notice").text
    assert np.array_equal(window.tiles("Filters", 5, 5), before)
    window.press_at(SLIDER, Keys.HOME)
    assert readout(window) == "Epoch 0"
    assert window.one(".notice button").text == "Try again"


def test_the_large_view(tab: Browser) -> None:
    tab.press_at(".stage .grid", Keys.HOME, Keys.ENTER)
    tab.press(Keys.ENTER)
    dialog = tab.one("dialog[open]")
    assert dialog.find_element("css selector", "h2").text == "Filter 0 of conv_a"
    canvas = dialog.find_element("css selector", ".large-box canvas")
    assert 400 <= canvas.rect["width"] <= 600
    assert len(dialog.find_elements("css selector", ".like-one")) in (3, 4, 5)  # stuck and flat ones are like nothing
    tab.press_at("dialog input[type=range]", Keys.END)
    assert dialog.find_element("css selector", ".side-name.left").text == "Before training"
    assert not dialog.find_element("css selector", ".side-name.right").is_displayed()
    tab.press_at("dialog input[type=range]", Keys.HOME)
    tab.press(",")
    assert dialog.find_element("css selector", ".side-name.right").text == "Epoch 10"
    tab.press("]")
    assert dialog.find_element("css selector", "h2").text == "Filter 1 of conv_a"
    if AXE.exists():
        check_accessibility(tab)
    tab.press(Keys.ESCAPE)
    assert tab.shown("dialog") is None
    assert tab.one(".side h2").text == "Filter 1"
    main = tab.one(".main-picture canvas").rect["width"]
    assert main >= tab.all(".stage .grid [role=option]")[0].rect["width"]


@pytest.mark.parametrize("width", [390, 768, 1024, 1280, 1920])
def test_nothing_hangs_over_the_edge(window: Browser, server: TensorBoard, width: int) -> None:
    window.resize(width, 844)
    for state in (
        {"view": "grid"},
        {"view": "grid", "filter": 3},
        {"view": "compare"},
        {"view": "grid", "filter": 3, "large": "true"},
    ):
        window.open(view(server, **state))
        window.loaded()
        over = window.run(
            "return [...document.querySelectorAll('main *')].filter((one) => one.checkVisibility()"
            " && !one.closest('.grid, .sr, .popover, svg') && getComputedStyle(one).clipPath === 'none'"
            " && one.getBoundingClientRect().right > innerWidth + 1).map((one) => one.className)"
        )
        assert over == [], state
        assert window.one(SLIDER).rect["width"] > 100
    window.resize(1280, 720)
    assert window.complaints() == []
