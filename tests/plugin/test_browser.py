"""The tab as it is seen and used, in a real browser on a real TensorBoard."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.plugin.browser import (
    AXE,
    Browser,
    check_accessibility,
    needs_axe,
    needs_browser,
    readout,
    view,
)
from tests.plugin.described import TILES, encoded
from tests.plugin.serving import HOSTILE, pixels, scalars, write, write_raw
from tests.tensorboard import TensorBoard, tensorboard

pytestmark = needs_browser

EPOCHS = 8
Layer = dict[str, Any]
FIRST: Layer = {"layer": "conv_a", "shape": (6, 5, 5, 1)}
SECOND: Layer = {"layer": "conv_b", "shape": (12, 9, 9, 3), "position": 1}
SLIDER = "input[type=range]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    log_dir = tmp_path_factory.mktemp("logs")
    write(log_dir / "two", range(-1, 4), {**FIRST, "layer": "conv_renamed"}, SECOND)
    write(log_dir / "one", range(-1, EPOCHS), FIRST, SECOND)  # the newest, which is opened
    accuracy = [(epoch, 1 - 0.5**epoch) for epoch in range(EPOCHS)]
    scalars(log_dir / "one" / "train", {"epoch_accuracy": accuracy, "epoch_loss": accuracy})
    scalars(log_dir / "one" / "validation", {"epoch_accuracy": accuracy})
    with tensorboard(log_dir, "--reload_interval", "1") as started:
        yield started


def as_rgb(tiles: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.repeat(tiles, 3 // tiles.shape[-1], axis=-1)


def truth(step: int, layer: Layer) -> npt.NDArray[np.uint8]:
    return as_rgb(pixels(step, layer["layer"], layer["shape"]))


def test_the_tab_opens_at_the_latest_epoch(tab: Browser) -> None:
    assert readout(tab) == "Epoch 7"
    assert "9 of 9 pictures" in tab.text()
    assert "11" in tab.one(".big").text  # filter 2 is stuck
    tab.driver.switch_to.default_content()
    assert any(one.text.upper() == "FILTERS" for one in tab.all("[role=tab], .tabs *, mat-toolbar *"))
    tab.enter()


def test_the_slider_goes_to_the_first_epoch_and_the_canvas_shows_it(tab: Browser) -> None:
    tab.choose("Layer", "conv_a")
    tab.choose("Stuck", "Show")
    plain = [0, 1, 4, 5]  # neither crossed out nor marked as flat
    assert np.array_equal(tab.tiles("Filters", 5, 5)[plain], truth(7, FIRST)[plain])
    tab.press_at(SLIDER, Keys.HOME)
    assert readout(tab) == "Before training"
    assert np.array_equal(tab.tiles("Filters", 5, 5)[plain], truth(-1, FIRST)[plain])
    for epoch in range(EPOCHS):
        tab.press_at(SLIDER, Keys.ARROW_RIGHT)
        assert readout(tab) == f"Epoch {epoch}"
        assert np.array_equal(tab.tiles("Filters", 5, 5)[plain], truth(epoch, FIRST)[plain])


def tile_width(tab: Browser) -> float:
    width: float = tab.all(".pane:not([hidden]) [role=option]")[0].rect["width"]
    return width


def test_colour_and_zoom_keep_the_pixels(tab: Browser) -> None:
    tab.choose("Layer", "conv_b")
    seen = [0, 1, 4, 5, 6]
    assert np.array_equal(tab.tiles("Filters", 9, 9)[seen], truth(7, SECOND)[seen])
    for _ in range(3):
        tab.click("Larger")
    width = tile_width(tab)
    tab.click("Whole layer")
    assert (
        tab.run("return document.querySelector('.pane:not([hidden]) [role=option]').getBoundingClientRect().width")
        < width
    )
    assert np.array_equal(tab.tiles("Filters", 9, 9)[seen], truth(7, SECOND)[seen])


def test_a_click_opens_the_filmstrip(tab: Browser) -> None:
    tab.choose("Layer", "conv_a")
    grid = tab.one(".stage .grid")
    option = tab.all(".stage .grid [role=option]")[4]
    place, outer = option.rect, grid.rect
    middle = (
        place["x"] + place["width"] / 2 - outer["x"] - outer["width"] / 2,
        place["y"] + place["height"] / 2 - outer["y"] - outer["height"] / 2,
    )
    ActionChains(tab.driver).move_to_element_with_offset(grid, int(middle[0]), int(middle[1])).click().perform()
    tab.settle()
    assert tab.one(".side h2").text == "Filter 4"
    tab.press_at(SLIDER, Keys.HOME)
    strip = tab.tiles("Filmstrip of filter 4", 5, 5)
    tab.press_at(SLIDER, Keys.END)
    in_sight = 6
    assert np.array_equal(strip[:in_sight], np.stack([truth(step, FIRST)[4] for step in range(-1, in_sight - 1)]))
    assert tab.one(".main-picture figcaption").text == "Epoch 7"
    assert [one.text for one in tab.all(".picture figcaption") if one.is_displayed()] == ["Epoch 6"]
    assert len(tab.all(".side path.curve")) == 2
    facts = tab.one(".facts").text
    assert "Gain\n2.75" in facts
    assert "rank 2 of 6" in facts
    assert "row 2, column 2 of the grid" in tab.one(".panel-inside > .quiet").text
    tab.press(Keys.ESCAPE)
    assert tab.one(".side h2").text == "conv_a"


def test_orders_and_the_stuck(tab: Browser) -> None:
    tab.choose("Layer", "conv_a")

    def order() -> list[str]:
        return [str(one.get_attribute("aria-label")) for one in tab.all(".stage .grid [role=option]")][:6]

    assert order() == [f"Filter {index}" for index in range(6)]
    tab.choose("Sort", "Score")
    assert order() == [f"Filter {index}" for index in (5, 4, 3, 2, 1, 0)]
    tab.choose("Sort", "Index")
    shown = tab.tiles("Filters", 5, 5)[2]
    assert tuple(shown[2, 2]) == (255, 140, 0)  # crossed out
    tab.choose("Stuck", "Hide")
    plain = [0, 1, 4, 5]
    assert [one.get_attribute("aria-label") for one in tab.all(".stage .grid [role=option]") if one.is_displayed()] == [
        f"Filter {filter_}" for filter_ in (0, 1, 3, 4, 5)
    ]  # no hole is left
    assert np.array_equal(tab.tiles("Filters", 5, 5)[[0, 1, 3, 4]], truth(7, FIRST)[plain])
    tab.choose("Stuck", "Dim")
    assert not np.array_equal(tab.tiles("Filters", 5, 5)[2], shown)


def test_compare_shows_a_difference(tab: Browser) -> None:
    tab.choose("Layer", "conv_a")
    tab.click("Compare")
    tab.loaded()
    before, now = truth(-1, FIRST).astype(int), truth(7, FIRST).astype(int)
    plain = [0, 1, 4, 5]
    assert np.array_equal(tab.tiles("Reference", 5, 5)[plain], before[plain])
    assert np.array_equal(tab.tiles("Filters", 5, 5)[plain], now[plain])
    change = tab.tiles("Difference", 5, 5).astype(int)
    red_over_blue = change[..., 0] - change[..., 2]
    difference = (now - before)[..., 0]
    assert (red_over_blue[difference > 4] > 0).all()
    assert (red_over_blue[difference < -4] < 0).all()
    assert (np.abs(red_over_blue[difference == 0]) <= 2).all()
    mean = np.sqrt(((now - before)[..., 0] ** 2).mean(axis=(1, 2))).mean() / 255
    assert f"Difference {100 * mean:.0f} %" in tab.text()
    tab.choose("at", "epoch 7")
    assert "Difference 0 %" in tab.text()


def test_the_same_filter_is_under_the_cursor_of_every_pane(tab: Browser) -> None:
    tab.choose("Layer", "conv_a")
    tab.click("Compare")
    tab.loaded()
    grid = tab.all(".stage .grid")[1]
    ActionChains(tab.driver).move_to_element_with_offset(grid, -60, -60).perform()
    tab.settle()
    described = tab.one(".stage-hint").text
    assert re.match(r"Filter \d · gain .* · change", described)


def test_dark_as_tensorboard_is(tab: Browser, server: TensorBoard) -> None:
    def shade() -> int:
        colour = tab.run("return getComputedStyle(document.body).backgroundColor")
        return int(re.findall(r"\d+", colour)[0])

    assert shade() > 200
    tab.open(view(server, view="grid"), dark=True)
    tab.loaded()
    assert shade() < 80
    tab.run("parent.document.body.classList.remove('dark-mode')")
    tab.wait(lambda: shade() > 200, "light")


def test_everything_by_keyboard(tab: Browser) -> None:
    ActionChains(tab.driver).send_keys(Keys.HOME).perform()  # at once, without a click
    tab.settle()
    assert readout(tab) == "Before training"
    tab.choose("Layer", "conv_a")
    tab.run("document.activeElement.blur()")
    tab.press_at("body", Keys.HOME)
    assert readout(tab) == "Before training"
    tab.press_at("body", Keys.ARROW_RIGHT, "..", ",")
    assert readout(tab) == "Epoch 1"
    for _ in range(30):
        tab.press(Keys.TAB)
        if tab.driver.switch_to.active_element.get_attribute("role") == "listbox":
            break
    tab.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    grid = tab.driver.switch_to.active_element
    active = tab.run(
        "return document.getElementById(arguments[0]).ariaLabel", grid.get_attribute("aria-activedescendant")
    )
    assert active == "Filter 1"
    assert tab.one(".stage-hint").text.startswith("Filter 1 · ")
    tab.press(Keys.ENTER)
    assert tab.one(".side h2").text == "Filter 1"
    tab.press("]")
    assert tab.one(".side h2").text == "Filter 2"
    assert tab.one(".badges").text == "stuck since before training"
    tab.press(Keys.ESCAPE)
    tab.press("c")
    assert len([one for one in tab.all(".pane") if one.is_displayed()]) == 3
    tab.press("c")
    tab.press(" ")
    tab.wait(lambda: readout(tab) == "Epoch 7", "the end of playing")
    tab.press("?")
    told = tab.one("dialog[open]").text
    for what in ("What you see", "Tile", "Stripes", "Stuck", "crossed out", "Kept score", "Is noise bad?", "Keyboard"):
        assert what in told
    if AXE.exists():
        check_accessibility(tab)
    tab.press(Keys.ESCAPE)
    assert tab.shown("dialog") is None


def test_the_address_restores_the_view(tab: Browser, server: TensorBoard) -> None:
    tab.choose("Run", "one/filters")
    tab.choose("Layer", "conv_a")
    tab.choose("Sort", "Score")
    tab.choose("Curve", "Loss")
    tab.press_at(SLIDER, Keys.HOME, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    tab.run("document.activeElement.blur()")
    tab.press("]")
    wanted = {"layer=conv_a", "step=1", "sort=score", "metric=loss"}
    tab.wait(lambda: all(part in tab.hash() for part in wanted), "the address")
    address = tab.run("return parent.location.href")
    tab.open(view(server, view="grid"))
    tab.loaded()
    assert readout(tab) == "Epoch 7"
    tab.driver.get("about:blank")
    tab.driver.get(address)
    tab.enter()
    tab.loaded()
    assert readout(tab) == "Epoch 1"
    assert tab.hash() == address[address.index("#") :]
    tab.run("parent.location.hash = arguments[0]", tab.hash().replace("step=1", "step=4"))
    tab.wait(lambda: readout(tab) == "Epoch 4", "the changed address")
    tab.open(view(server, run="nowhere", layer="none", step="x", filter="-3", sort="<b>", view="1", run2="no"))
    tab.loaded()
    assert readout(tab) == "Epoch 7"


def saved(tab: Browser, name: str) -> Path:
    path = tab.downloads / name
    tab.wait(lambda: path.exists() and path.stat().st_size > 0, name)
    return path


def tile_of(picture: Image.Image, filter_: int, columns: int, tile_px: int) -> npt.NDArray[np.uint8]:
    """A tile of 5 x 5 pixels out of a saved picture, which has a line of text above."""
    gap, caption = 4, 22
    left = gap + filter_ % columns * (tile_px + gap)
    top = caption + gap + filter_ // columns * (tile_px + gap)
    middles = ((np.arange(5) + 0.5) * tile_px / 5).astype(int)
    found: npt.NDArray[np.uint8] = np.asarray(picture.convert("RGB"))[top + middles][:, left + middles]
    return found


@pytest.mark.slow
def test_what_is_seen_is_saved(tab: Browser) -> None:
    tab.choose("Layer", "conv_a")
    tab.choose("Stuck", "Show")
    tab.press_at(SLIDER, Keys.HOME, Keys.ARROW_RIGHT)
    options = [one.rect for one in tab.all(".stage .grid [role=option]")]
    columns = len([one for one in options if one["y"] == options[0]["y"]])
    tile_px = int(options[0]["width"])
    tab.save("Picture")
    with Image.open(saved(tab, "one_filters-conv_a-epoch_0.png")) as picture:
        for filter_ in (0, 1, 4, 5):
            assert np.array_equal(tile_of(picture, filter_, columns, tile_px), truth(0, FIRST)[filter_])
    tab.save("Animated PNG")
    with Image.open(saved(tab, "one_filters-conv_a.png")) as film:
        assert film.n_frames == EPOCHS + 1  # type: ignore[attr-defined]
        for frame in range(EPOCHS + 1):
            film.seek(frame)
            assert np.array_equal(tile_of(film, 4, columns, tile_px), truth(frame - 1, FIRST)[4])
    assert readout(tab) == "Epoch 0"


@needs_axe
@pytest.mark.parametrize("dark", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["light", "dark"])
@pytest.mark.parametrize("filter_", [None, 3], ids=["layer", "filter"])
@pytest.mark.parametrize("shown", ["grid", "compare"])
def test_accessible(window: Browser, server: TensorBoard, shown: str, filter_: int | None, dark: bool) -> None:
    window.open(view(server, view=shown, filter="" if filter_ is None else filter_), dark=dark)
    window.loaded()
    check_accessibility(window)


def reload(window: Browser) -> None:
    """TensorBoard's own button."""
    window.driver.switch_to.default_content()
    window.one("button.reload-button").click()
    window.enter()


@pytest.mark.slow
def test_it_follows_a_training_without_losing_the_place(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, range(-1, 3), FIRST, SECOND)
    with tensorboard(tmp_path, "--reload_interval", "1") as server:
        window.open(view(server, view="grid"))
        window.loaded()
        window.choose("Layer", "conv_a")
        assert readout(window) == "Epoch 2"
        write(tmp_path, range(3, 5), FIRST, SECOND)

        server.wait_until_read()
        reload(window)
        window.wait(lambda: "6 of 6 pictures" in window.text(), "the new epochs")
        assert readout(window) == "Epoch 4"  # was at the latest, stays at the latest
        plain = [0, 1, 4, 5]
        assert np.array_equal(window.tiles("Filters", 5, 5)[plain], truth(4, FIRST)[plain])
        window.press_at(SLIDER, Keys.HOME, Keys.ARROW_RIGHT)
        window.run("document.activeElement.blur()")
        window.press("]")
        write(tmp_path, range(5, 6), FIRST, SECOND)
        server.wait_until_read()
        reload(window)
        window.wait(lambda: "2 of 7 pictures" in window.text(), "the new epoch")
        assert readout(window) == "Epoch 0"
        assert window.one(".side h2").text == "Filter 0"
        slider = window.one(SLIDER)
        window.run("parent.document.querySelector('button.reload-button').click()")
        for _ in range(20):  # moves on while the reload is under way
            slider.send_keys(Keys.ARROW_RIGHT)
        slider.send_keys(Keys.ARROW_LEFT)
        window.settle()
        assert readout(window) == "Epoch 4"
    window.choose("Layer", "conv_b")
    assert "TensorBoard does not answer. Is it still running?" in window.one(".notice").text
    assert window.one(".notice button").text == "Try again"
    assert window.one(".side h2").text == "Filter 0"  # what has been loaded stays
    window.press_at(SLIDER, Keys.HOME)
    assert np.array_equal(window.tiles("Filters", 5, 5)[plain], truth(-1, FIRST)[plain])
    window.complaints()  # the browser's own, about the server that has gone


@pytest.mark.slow
def test_nothing_yet_and_a_sample_say_what_to_do(window: Browser, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with tensorboard(tmp_path / "empty") as server:
        window.open(server.address)
        window.wait(lambda: "No filters have been logged here yet" in window.text(), "the empty state")
        assert "FilterVisualizer(" in window.text()
        if AXE.exists():
            check_accessibility(window)
    write(tmp_path / "full", range(200), FIRST)
    with tensorboard(tmp_path / "full", "--samples_per_plugin", "filterviz=12") as server:
        window.open(view(server, view="grid"))
        window.loaded()
        notice = window.one(".notice").text
        assert notice.startswith("12 of 200 epochs are here: TensorBoard kept a sample.")
        assert "--samples_per_plugin filterviz=0" in notice
    window.complaints()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [("--load_fast=true",), ("--load_fast=false", "--path_prefix=/some/where")],
    ids=["fast-loader", "python-loader-prefix"],
)
def test_two_hundred_of_two_hundred(window: Browser, tmp_path: Path, options: tuple[str, ...]) -> None:
    write(tmp_path, range(-1, 199), FIRST)
    with tensorboard(tmp_path, *options) as server:
        window.open(view(server, view="grid"))
        window.loaded()
        assert "200 of 200 pictures" in window.text()


@pytest.mark.slow
def test_two_log_directories(window: Browser, tmp_path: Path) -> None:
    write(tmp_path / "a", range(3), FIRST)
    write(tmp_path / "b", range(4), FIRST)
    with tensorboard({"left": tmp_path / "a", "right": tmp_path / "b"}) as server:
        window.open(view(server, view="grid"))
        window.loaded()
        assert "4 of 4 pictures" in window.text()  # the one that was written last
        window.choose("Run", "left/filters")
        window.loaded()
        assert "3 of 3 pictures" in window.text()


@pytest.mark.slow
def test_hostile_names_are_text(window: Browser, tmp_path: Path) -> None:
    layers = [{"layer": name, "position": position} for position, name in enumerate(HOSTILE)]
    run = "<img src=x onerror=window.hacked=1>'&"
    write(tmp_path / run, [0, 1], *layers)
    write(tmp_path / "b", [0, 1], *layers)
    with tensorboard(tmp_path) as server:
        window.open(view(server, view="grid"))
        window.loaded()
        window.choose("Run", f"{run}/filters")
        for name in HOSTILE:
            window.choose("Layer", " ".join(name.split()))
            window.loaded()
            assert window.one(".side h2").get_attribute("textContent") == name
            window.press("]")
            window.click("Compare")
            window.loaded()
            window.choose("Reference", "b/filters")
            window.loaded()
            window.save("Picture")
            window.click("Grid")
            window.press(Keys.ESCAPE)
        assert window.run("return window.hacked === undefined && parent.hacked === undefined")
        assert window.all("main img, main script, main b") == []
        assert all(path.parent == window.downloads for path in window.downloads.rglob("*"))
        assert window.complaints() == []
        assert server.get_json("data/plugins_listing")["filterviz"]["enabled"]


@pytest.mark.slow
def test_a_damaged_run_does_not_keep_one_from_the_others(window: Browser, tmp_path: Path) -> None:
    write(tmp_path / "whole", range(3), FIRST)
    content = encoded(TILES, {"layer": "conv_a"})
    write_raw(tmp_path / "damaged", {"filterviz/conv_a/tiles": (content, np.zeros(FIRST["shape"], np.float32))})
    with tensorboard(tmp_path) as server:
        window.open(server.address)
        window.wait(lambda: "This could not be shown" in window.text(), "the error")
        assert "holds nothing of the type and shape that its metadata says" in window.text()
        window.choose("Run", "whole/filters")
        window.loaded()
        assert readout(window) == "Epoch 2"
        window.choose("Run", "damaged")
        assert "holds nothing of the type and shape" in window.one(".notice").text
        window.choose("Run", "whole/filters")
        assert "3 of 3 pictures" in window.text()
        window.click("Compare")
        window.choose("Reference", "damaged")
        assert "holds nothing of the type and shape" in window.one(".remark").text
        window.choose("Reference", "whole/filters")
        window.loaded()
        assert window.shown(".remark") is None
        assert window.one(".stage-hint").text.startswith("Crossed out: stuck")
    window.complaints()  # the browser's own, about the answer 400


@pytest.mark.slow
def test_a_large_layer_is_sharp_once_one_looks_closely(window: Browser, tmp_path: Path) -> None:
    large: Layer = {"layer": "large", "shape": (512, 64, 64, 3)}
    write(tmp_path, range(3), large)
    with tensorboard(tmp_path) as server:
        window.open(view(server, view="grid"))
        window.loaded()
        requests = "return performance.getEntriesByType('resource').map((one) => one.name)"
        assert any("size=32" in address for address in window.run(requests))
        for _ in range(7):
            window.click("Larger")
        window.run("document.querySelector('.pane:not([hidden]) .grid').scrollTo(0, 0)")

        def is_sharp(step: int) -> bool:
            window.settle()
            return np.array_equal(window.tiles("Filters", 64, 64, most=1)[0], truth(step, large)[0])

        window.wait(lambda: is_sharp(2), "the latest step in full size")
        window.press_at(SLIDER, Keys.HOME)
        window.wait(lambda: is_sharp(0), "the first step in full size")
    assert window.complaints() == []
