"""The numbers and words of the tab say what is so, and nothing where there is nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tb_filterviz import AscentConfig, Config
from tb_filterviz.parts.statistics import difference_between_filters, relative_change, rms_change
from tests.plugin import planted
from tests.plugin.browser import AXE, Browser, check_accessibility, needs_browser, readout, showing, view
from tests.plugin.serving import write, write_tiles
from tests.plugin.test_browser_statistics import facts, order

pytestmark = [needs_browser, pytest.mark.slow]

SLIDER = "input[type=range]"
OTHER_WAY = Config(ascent=AscentConfig(steps=40))


def point_at(window: Browser, filter_: int, label: str = "Filters") -> str:
    """What is said of the filter at the cursor."""
    grid = next(one for one in window.all(".stage .grid") if str(one.get_attribute("aria-label")).startswith(label))
    option = next(
        one
        for one in grid.find_elements("css selector", "[role=option]")
        if str(one.get_attribute("id")).endswith(f"-{filter_}")
    )
    place, outer = option.rect, grid.rect
    x = place["x"] + place["width"] / 2 - outer["x"] - outer["width"] / 2
    y = place["y"] + place["height"] / 2 - outer["y"] - outer["height"] / 2
    ActionChains(window.driver).move_to_element_with_offset(grid, int(x), int(y)).perform()
    window.settle()
    return window.one(".stage-hint").text


def hint(window: Browser) -> str:
    """What is said with the cursor elsewhere."""
    ActionChains(window.driver).move_to_element(window.one(".readout")).perform()
    window.settle()
    return window.one(".stage-hint").text


def panes(window: Browser) -> list[str]:
    return [str(one.get_attribute("aria-label")) for one in window.all(".pane") if one.is_displayed()]


def test_planted_filters_are_told_apart_on_the_screen(window: Browser, tmp_path: Path) -> None:
    write_tiles(tmp_path, planted.tiles(), stuck=planted.stuck())
    with showing(window, tmp_path) as server:
        window.loaded()
        window.choose("Sort", "Settled")
        assert order(window, 8) == ["4", "3", "7", "2", "5", "1", "0", "6"]
        explained = window.one("select[title]").get_attribute("title")
        assert "the epoch after which its picture stays the same: no change is above 5 %" in str(explained)
        window.choose("Sort", "Stuck since")
        assert order(window, 8) == ["6", "0", "1", "2", "3", "4", "5", "7"]
        words = window.one(".chips").text.split("\n")
        assert words == ["Stuck since before training:", "6", "Stuck since epoch 3:", "0"]
        said = [
            "stuck since epoch 3",
            "never moved",
            "not settled",
            "settled at epoch 5",
            "settled at epoch 2",
            "not settled",
        ]
        for filter_, outcome in enumerate([*said, "stuck since before training", "settled at epoch 8"]):
            assert point_at(window, filter_).split(" · ")[3:] == [outcome]
        shown = [
            ("Stuck since", "epoch 3"),
            ("Settled", "never moved"),
            ("Settled", "not yet"),
            ("Settled", "epoch 5"),
            ("Settled", "epoch 2"),
            ("Settled", "not yet"),
            ("Stuck since", "before training"),
            ("Settled", "epoch 8"),
        ]
        for filter_, (name, value) in enumerate(shown):
            window.open(view(server, filter=filter_))
            window.loaded()
            assert facts(window)[name] == [value]
            assert not {"Stuck since", "Settled"} - {name} & facts(window).keys()
            assert (window.shown(".badges") is None) == (name == "Settled")
        window.open(view(server, filter=0, step=1))
        window.loaded()
        assert window.shown(".badges") is None
        assert point_at(window, 0).endswith("gets stuck at epoch 3")
        assert point_at(window, 3).endswith("settles at epoch 5")
        window.open(view(server, filter=7, step=4))
        window.loaded()
        assert window.one(".badges").text == "stuck since epoch 2"
        assert facts(window)["Settled"] == ["epoch 8"]
    assert window.complaints() == []


def test_words_for_marks_are_there_with_the_marks(window: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 255, (4, 3, 5, 5, 1)).astype(np.uint8)
    stuck = np.array([[False, step in (1, 2), False] for step in range(4)])
    write_tiles(tmp_path / "a", tiles, stuck=stuck, first_step=0)
    with showing(window, tmp_path):
        window.loaded()
        assert readout(window) == "Epoch 3"
        assert hint(window).startswith("Point at a filter")  # it was crossed out before, and is not now
        assert "Stuck since" not in window.text()
        window.press_at(SLIDER, Keys.ARROW_LEFT)
        assert hint(window).startswith("Crossed out: stuck · point at a filter")
        window.choose("Stuck", "Dim")
        assert hint(window).startswith("Crossed out: stuck")
        window.choose("Stuck", "Hide")
        assert hint(window).startswith("Crossed out: stuck")  # it comes back, and keeps its place
        window.choose("Stuck", "Show")
        window.press_at(SLIDER, Keys.HOME)
        window.click("Compare")
        window.loaded()
        assert hint(window).startswith("Point at a filter")
        window.choose("at", "epoch 1")
        assert hint(window).startswith("Crossed out: stuck")  # in the reference
        assert "bar below" not in hint(window)
    assert window.complaints() == []


def test_the_difference_is_that_of_the_filters_in_sight(window: Browser, tmp_path: Path) -> None:
    tiles = np.full((2, 2, 5, 5, 1), 100, np.uint8)
    tiles[1, 1] += 51
    write_tiles(tmp_path, tiles, stuck=np.array([[False, False], [False, True]]), first_step=0)
    with showing(window, tmp_path, view="compare"):
        window.loaded()
        assert window.one(".pane:last-child h2").text == "Difference 10 %"
        window.choose("Stuck", "Hide")
        assert window.one(".pane:last-child h2").text == "Difference 0 %"
        assert len(window.tiles("Difference", 5, 5)) == 1
        assert hint(window).startswith("1 stuck one is hidden · point at a filter")
    assert window.complaints() == []


def test_the_first_step_has_nothing_to_differ_from(window: Browser, tmp_path: Path) -> None:
    write_tiles(tmp_path, planted.tiles(), stuck=planted.stuck())
    with showing(window, tmp_path, filter=3, step=-1):
        window.loaded()
        assert facts(window)["Change"] == ["\N{EN DASH}"]
        assert " · change \N{EN DASH} · " in point_at(window, 3)
        window.press_at(SLIDER, Keys.ARROW_RIGHT)
        assert facts(window)["Change"] == ["23 %", "23 % since start"]
    assert window.complaints() == []


def solid(*colours: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Filters of one colour each, ``[n, 6, 6, 3]``."""
    return np.tile(np.array(colours, np.uint8)[:, None, None], (1, 6, 6, 1))


YELLOW, BLUE, GRAY, WHITE = (255, 255, 0), (0, 0, 255), (100, 100, 100), (160, 160, 160)


def test_a_yellow_tile_that_turns_blue_differs_as_much_as_it_changed(window: Browser, tmp_path: Path) -> None:
    tiles = np.stack([solid(YELLOW, GRAY, (200, 100, 0)), solid(BLUE, WHITE, (100, 100, 100))])
    write_tiles(tmp_path, tiles, first_step=0)
    changed = rms_change(tiles[0], tiles[1])
    moved = relative_change(tiles[0], tiles[1], difference_between_filters(tiles[0]))
    with showing(window, tmp_path, view="compare", step2=0, filter=0):
        window.loaded()
        assert f"Difference {100 * changed.mean():.0f} %" in window.one(".pane:last-child h2").text
        for filter_, share in enumerate(changed):
            said = f"{100 * share:.0f} %"
            told = f"{100 * moved[filter_]:.0f} %"
            assert facts(window)["Change"] == [told, f"{told} since start"]
            assert window.all(".picture figcaption")[1].text == f"Difference {said}"
            assert point_at(window, filter_).endswith(f"differs by {said}")
            window.run("document.activeElement.blur()")
            window.press_at("body", "]")
        picture = window.tiles("Difference", 6, 6)[:, 3, 3].astype(int)
        assert picture[0].min() > 100  # not dark, though its brightness changes little
        assert picture[1, 0] - picture[1, 2] > 40  # brighter: orange
        assert picture[2].max() - picture[2].min() < 40  # another colour of almost the same brightness: pale
        assert [one.text for one in window.all(".pane .key") if one.is_displayed()][-1] == "other colour"
        if AXE.exists():
            check_accessibility(window)
    assert window.complaints() == []


@pytest.mark.parametrize("channels", [1, 3])
def test_the_difference_is_the_stored_change_to_rounding(window: Browser, tmp_path: Path, channels: int) -> None:
    write(tmp_path, range(2))
    rng = np.random.default_rng(channels)
    before, after = rng.integers(0, 256, (2, 20, 7, 5, channels)).astype(np.uint8)
    script = """
    const [pairs, channels, done] = arguments;
    const tile = (bytes) => ({ bytes: Uint8Array.from(bytes), offset: 0, height: 7, width: 5, channels });
    import("./static/pictures/draw.js").then((draw) => done(pairs.map(([before, after]) =>
      draw.difference(tile(before), tile(after)).rms)));
    """
    pairs = [[one.ravel().tolist(), other.ravel().tolist()] for one, other in zip(before, after, strict=True)]
    with showing(window, tmp_path):
        window.loaded()
        found = window.driver.execute_async_script(script, pairs, channels)
    assert found == pytest.approx(rms_change(before, after), rel=1e-6)


def test_a_layer_that_is_held_smaller_differs_as_much_as_it_changed(window: Browser, tmp_path: Path) -> None:
    """Averaged down, these tiles are the same at both steps."""
    row = np.indices((64, 64)).sum(axis=0) % 2 * 60
    tiles = np.stack([np.tile(one[None, :, :, None], (300, 1, 1, 1)) for one in (100 + row, 160 - row)]).astype(
        np.uint8
    )
    write_tiles(tmp_path, tiles, first_step=0)
    with showing(window, tmp_path, view="compare", step2=0, filter=3):
        window.loaded()
        requests = "return performance.getEntriesByType('resource').map((one) => one.name)"
        assert any("size=32" in address for address in window.run(requests))
        window.wait(lambda: window.one(".pane:last-child h2").text == "Difference 24 %", "the exact difference")
        assert window.all(".picture figcaption")[1].text == "Difference 24 %"
        assert facts(window)["Change"] == ["471 %", "471 % since start"]  # all filters are alike
    assert window.complaints() == []


def test_one_training_drawn_in_two_ways_differs_and_says_so(window: Browser, tmp_path: Path) -> None:
    tiles = np.full((3, 6, 5, 5, 1), 100, np.uint8)
    write_tiles(tmp_path, tiles, written_by="checkpoints")
    write_tiles(tmp_path, tiles + 51, written_by="checkpoints", config=OTHER_WAY)
    with showing(window, tmp_path, run="filters", run2="filters_2", view="compare"):
        window.loaded()
        assert window.one(".pane:last-child h2").text == "Difference 20 %"
        assert window.one(".remark").text.startswith("These runs draw one training in two ways")
        assert [one.text for one in window.all(".pane .key") if one.is_displayed()] == ["darker", "brighter"]
    assert window.complaints() == []


def options(window: Browser, label: str) -> list[str]:
    select: Any = window.run(
        "return [...document.querySelectorAll('label.choice')].find((one) => one.innerText.startsWith(arguments[0]))",
        label,
    )
    return [one.text for one in select.find_elements("css selector", "option")]


def test_the_same_epoch_is_said_only_where_there_is_one(window: Browser, tmp_path: Path) -> None:
    for name, steps in (("long", 5), ("short", 3)):
        write_tiles(tmp_path / name, np.full((steps, 6, 5, 5, 1), 100, np.uint8), first_step=0)
    with showing(window, tmp_path, run="long/filters", run2="short/filters", view="compare"):
        window.loaded()
        assert options(window, "at") == ["nearest: epoch 2", "epoch 0", "epoch 1", "epoch 2"]
        window.press_at(SLIDER, Keys.HOME)
        assert options(window, "at")[0] == "the same epoch"
        labels = [str(one.get_attribute("aria-label")) for one in window.all(".stage .grid")]
        assert labels[0] == "Reference: short/filters, epoch 0"
    assert window.complaints() == []


def test_each_side_has_its_own_unit_and_numbers(window: Browser, tmp_path: Path) -> None:
    tiles = np.random.default_rng(0).integers(0, 255, (3, 6, 5, 5, 1)).astype(np.uint8)
    write_tiles(tmp_path / "batches", tiles, first_step=40, unit="batch")
    write_tiles(tmp_path / "epochs", tiles, first_step=0)
    with showing(window, tmp_path, run="epochs/filters", run2="batches/filters", view="compare") as server:
        window.loaded()
        assert window.one(".pane[aria-label=Filters] h2").text == "epochs/filters, epoch 2"
        assert options(window, "at") == ["batch 40", "batch 41", "batch 42"]
        window.press_at(SLIDER, Keys.HOME)
        assert window.one(".pane[aria-label=Filters] h2").text == "epochs/filters, epoch 0"
        labels = [str(one.get_attribute("aria-label")) for one in window.all(".stage .grid")]
        assert labels[0] == "Reference: batches/filters, batch 42"  # no epoch is a batch: it stays at the last
        window.choose("at", "batch 41")
        said = point_at(window, 1, "Reference").split(" · ")
        assert said[:3] == ["Filter 1", "batches/filters, batch 41", "gain -8.75"]
        assert point_at(window, 1).split(" · ")[:2] == ["Filter 1", "gain 1.5"]
        point_at(window, 1, "Reference")
        window.run("document.activeElement.blur()")
        window.press_at("body", "c")
        assert "batches" not in window.one(".stage-hint").text
        window.open(view(server, run="batches/filters", run2="epochs/filters", view="compare"))
        window.loaded()
        assert options(window, "at") == ["epoch 0", "epoch 1", "epoch 2"]
        assert window.one(".pane[aria-label=Filters] h2").text == "batches/filters, batch 42"
        titles = {one.text: one.get_attribute("title") for one in window.all(".segments button")}
        assert titles == {
            "Grid": "One batch (c switches)",
            "Compare": "Two batches or two runs (c switches)",
            "Runs": "This layer in all runs (r switches)",
        }
        window.click("Save")
        assert window.one(".menu").text.split("\n")[2:4] == ["Animated PNG", "all batches"]
        window.press(Keys.ESCAPE)
    assert window.complaints() == []
