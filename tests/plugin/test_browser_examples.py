"""A filter's card and the maps, in a real browser: what is drawn is what was measured."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from selenium.webdriver.common.keys import Keys

from tests.plugin.browser import AXE, Browser, browser, check_accessibility, needs_browser, showing, view
from tests.plugin.measured import CLASSES, write_colored, write_measured
from tests.plugin.serving import write
from tests.responses import planted
from tests.responses.planted import ALWAYS, BLOB, BLOBS, DEAD, DOT, EDGE
from tests.tensorboard import tensorboard

pytestmark = [needs_browser, pytest.mark.slow]

READ = """
const canvas = arguments[0];
return [canvas.width, canvas.height, ...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
"""


def pixels(window: Browser, canvas: Any) -> npt.NDArray[np.uint8]:
    """What a canvas shows, uint8 ``[h, w, 3]``."""
    width, height, *values = window.run(READ, canvas)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def sampled(shown: npt.NDArray[np.uint8], rows: int, columns: int) -> npt.NDArray[np.uint8]:
    """Its pixels at the middle of so many cells."""
    cells = ((np.arange(count) + 0.5) / count for count in (rows, columns))
    row, column = ((at * size).astype(int) for at, size in zip(cells, shown.shape, strict=False))
    return np.asarray(shown[row[:, None], column])


def patches(window: Browser) -> list[Any]:
    return window.all(".patches canvas")


def wait_for_patches(window: Browser, count: int) -> None:
    def are_drawn() -> bool:
        return len(patches(window)) == count and all(pixels(window, one).any() for one in patches(window))

    window.wait(are_drawn, "patches")


def _has_frame(shown: npt.NDArray[np.uint8]) -> bool:
    """Whether anything in a gray picture is framed in orange."""
    red, blue = shown[..., 0].astype(int), shown[..., 2].astype(int)
    return bool((red - blue > 80).any())


def bars(window: Browser) -> dict[str, float]:
    rows = window.all(".classes > div")
    wide = [row.find_element("css selector", ".bar").rect["width"] for row in rows]
    names = [row.find_element("css selector", "dt").text for row in rows]
    return {name: width / max(wide) for name, width in zip(names, wide, strict=True)}


def test_the_card_shows_what_excites_a_filter(window: Browser, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    images, _ = planted.images()
    with showing(window, tmp_path, layer="made", filter=BLOB, step=-1):
        window.loaded()
        wait_for_patches(window, 9)
        found = memory.snapshots[0].responses
        assert found is not None
        for canvas, example, (row, column) in zip(patches(window), found.patches[BLOB], found.units[BLOB], strict=True):
            expected = images[example, row : row + 3, column : column + 3, 0]
            shown = sampled(pixels(window, canvas), 3, 3)[..., 0] / 255
            np.testing.assert_allclose(shown / shown.max(), expected / expected.max(), atol=0.02)
        assert [one.text for one in window.all(".patches li span")] == ["squares"] * 9
        assert patches(window)[0].get_attribute("aria-label").startswith("Squares, 1.29: example 34, row 5, column 2")
        assert list(bars(window)) == list(CLASSES)
        np.testing.assert_allclose(list(bars(window).values()), [0, 1, 0], atol=0.05)
        assert window.one(".classes .best dt").text == "squares"
        assert window.one(".card-state").text == "On somewhere in 33 % of 36 examples; 0.33 % of its units are."
        window.click("Image")
        window.wait(lambda: _has_frame(pixels(window, patches(window)[0])), "the whole image")
        window.run("document.activeElement.blur()")
        window.press_at("body", Keys.END)
        window.wait(lambda: len(patches(window)) == 5, "the patches of the last step")
        assert window.complaints() == []


def test_dead_and_always_on_are_said(window: Browser, tmp_path: Path) -> None:
    write_measured(tmp_path)
    with showing(window, tmp_path, layer="made", step=-1):
        window.loaded()
        said = [one.text for one in window.all(".chips") if one.is_displayed() and "Dead" in one.text]
        assert said == [f"Dead, on no example on:\n{DEAD}\nAlways on:\n{ALWAYS}"]
        window.all(".chips .chip")[-1].click()
        window.settle()
        window.wait(lambda: "Always on" in window.one(".card-state").text, "the sentence")
        window.press_at("body", "[")
        window.wait(lambda: window.one(".card-state").text.startswith("Dead: none of 36 examples"), "the sentence")
        assert patches(window) == []
        if AXE.exists():
            check_accessibility(window)
        assert window.complaints() == []


def test_maps_show_where_filters_answer(window: Browser, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    with showing(window, tmp_path, layer="made", step=-1):
        window.loaded()
        window.click("Maps")
        window.loaded()
        found = memory.snapshots[0].responses
        assert found is not None
        assert found.maps is not None
        for which, name in enumerate(CLASSES):
            window.choose("On", f"{name} ({which})")
            window.loaded()
            np.testing.assert_array_equal(window.tiles("Filters", 10, 10)[..., 0], found.maps[:, which])
        window.wait(lambda: "lens=maps" in window.hash() and "example=2" in window.hash(), "the address")
        assert "where each filter answers to the example" in window.one(".stage-hint").text.lower()
        window.press_at("body", "m")
        window.wait(lambda: "lens" not in window.hash(), "the address")
        window.press_at("body", "m")
        window.loaded()
        np.testing.assert_array_equal(window.tiles("Filters", 10, 10)[..., 0], found.maps[:, 2])
        window.press_at("body", Keys.ARROW_RIGHT)
        later = memory.snapshots[1].responses
        assert later is not None
        assert later.maps is not None
        np.testing.assert_array_equal(window.tiles("Filters", 10, 10)[..., 0], later.maps[:, 2])
        assert window.complaints() == []


def test_kernels_are_shown_in_the_card_and_in_the_grid(window: Browser, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    with showing(window, tmp_path, layer="made", step=-1):
        window.loaded()
        found = memory.snapshots[0].kernels
        assert found is not None
        assert found.effective is not None
        window.press_at("body", "k")
        window.loaded()
        np.testing.assert_array_equal(window.tiles("Filters", 3, 3)[..., 0], found.effective[..., 0])
        window.wait(lambda: "lens=kernels" in window.hash(), "the address")
        assert "white adds, black takes away" in window.one(".stage-hint").text
        window.all(".stage .grid [role=option]")
        window.press_at(".stage .grid", Keys.HOME, Keys.ENTER)
        window.wait(lambda: window.all(".slices canvas"), "the card")
        (slice_,) = window.all(".slices canvas")
        assert slice_.get_attribute("aria-label") == "Kernel in input channel 0"
        shown = sampled(pixels(window, slice_), 3, 3)[..., 0]
        np.testing.assert_array_equal(shown, found.slices[EDGE, 0])
        assert window.one(".map-row canvas[aria-label^=Kernel]").is_displayed()
        window.click("Grid")
        assert window.complaints() == []


def test_an_address_holds_the_maps_and_the_example(window: Browser, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    with showing(window, tmp_path, layer="made", lens="maps", example=1, filter=EDGE, step=-1):
        window.loaded()
        found = memory.snapshots[0].responses
        assert found is not None
        assert found.maps is not None
        np.testing.assert_array_equal(window.tiles("Filters", 10, 10)[..., 0], found.maps[:, BLOBS])
        shown_map = ".map-row canvas[aria-label^='Map of filter 0 on example']"
        assert str(window.one(shown_map).get_attribute("aria-label")).endswith("example 1")
        window.choose("Map on", "dots (2)")
        window.loaded()
        shown = sampled(pixels(window, window.one(shown_map))[2:-2, 2:-2], 10, 10)[..., 0]
        np.testing.assert_array_equal(shown, found.maps[EDGE, 2])
        window.wait(lambda: "example=2" in window.hash(), "the address")


def test_runs_with_and_without_examples_take_turns(window: Browser, tmp_path: Path) -> None:
    write_measured(tmp_path / "with")
    write(tmp_path / "without", range(2))
    with tensorboard(tmp_path) as server:
        window.open(view(server, run="with/filters", layer="made", lens="maps", filter=DOT))
        window.loaded()
        window.choose("Run", "without/filters")
        window.loaded()
        assert window.shown(".card") is None
        assert [one.text for one in window.all(".segments button") if one.is_displayed()] == ["Grid", "Compare", "Runs"]
        window.choose("Run", "with/filters")
        window.loaded()
        assert "Maps" in [one.text for one in window.all(".segments button") if one.is_displayed()]
        assert window.complaints() == []


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1920, "dark")])
def test_colours_fit_and_can_be_used_at_every_size(width: int, theme: str, tmp_path: Path) -> None:
    _, examples = write_colored(tmp_path / "logs")
    with browser(tmp_path / "profile", width=width, height=720) as window, tensorboard(tmp_path / "logs") as server:
        window.open(view(server, filter=0), dark=theme == "dark")
        window.loaded()
        window.wait(lambda: patches(window) and pixels(window, patches(window)[0]).any(), "patches")
        side = window.one(".side")
        assert window.run("return arguments[0].scrollWidth <= arguments[0].clientWidth", side)
        toolbar = window.one(".toolbar").rect["height"]
        assert toolbar <= 50
        example = int(patches(window)[0].get_attribute("aria-label").split("example ")[1].split(",")[0])
        mean = pixels(window, patches(window)[0]).mean()
        assert 20 < mean < 235
        assert 0 <= example < len(examples.source)
        if AXE.exists():
            check_accessibility(window)
        assert window.complaints() == []
