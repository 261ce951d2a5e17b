"""Filters of two trainings, and of many, stand beside those that they are most like."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from selenium.webdriver.common.keys import Keys

from tests.plugin.browser import AXE, Browser, check_accessibility, needs_browser, showing
from tests.plugin.serving import scalars, write_tiles
from tests.plugin.test_browser_numbers import panes, point_at

pytestmark = [needs_browser, pytest.mark.slow]

COUNT, SIDE = 8, 9
SLIDER = "input[type=range]"


# How many cards there were at least, whatever happens from now on; and every match takes a while.
FEWEST_CARDS = """
const list = document.querySelector(".runs");
window.fewest = list.children.length;
const look = () => { window.fewest = Math.min(window.fewest, list.children.length); };
new MutationObserver(look).observe(list, {childList: true});
const ask = window.fetch;
window.fetch = async (...given) => {
  if (String(given[0]).includes("match")) await new Promise((done) => setTimeout(done, 300));
  return ask(...given);
};
"""


def bars(seed: int) -> npt.NDArray[np.uint8]:
    """Filters that can be told apart: smooth random pictures."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (COUNT, 3, 3)).astype(float)
    return np.kron(coarse, np.ones((1, 3, 3)))[..., None].astype(np.uint8)


def training(folder: Path, tiles: npt.NDArray[np.uint8], accuracy: float) -> None:
    """Gray, half of what was learnt, all of it."""
    gray = np.full_like(tiles, 128)
    write_tiles(folder, np.stack([gray, gray // 2 + tiles // 2, tiles]), first_step=0)
    scalars(folder / "validation", {"epoch_accuracy": [(0, 0.1), (1, 0.2), (2, accuracy)]})


def test_each_filter_stands_beside_its_own_in_another_training(window: Browser, tmp_path: Path) -> None:
    learnt = bars(0)
    order = np.random.default_rng(1).permutation(COUNT)
    training(tmp_path / "a", learnt, 0.9)
    training(tmp_path / "b", learnt[order], 0.8)
    places = np.argsort(order)  # of each filter of a, in b
    with showing(window, tmp_path, run="a/filters", run2="b/filters", view="compare", filter=2):
        window.loaded()
        assert panes(window) == ["Reference", "Filters"]  # a difference of two filters would say nothing
        rgb = np.repeat(learnt, 3, axis=-1)
        assert np.array_equal(window.tiles("Filters", SIDE, SIDE), rgb)
        assert np.array_equal(window.tiles("Reference", SIDE, SIDE), rgb)
        said = window.one(".remark").text
        assert said.startswith("Two trainings: beside each filter stands the one most like it in its picture.")
        assert "8 of 8 can be called the same filter (similarity 1.00 on average" in said
        assert f"beside it filter {places[5]}, similarity 1.00" in point_at(window, 5)
        assert point_at(window, 5, "Reference").startswith(f"Filter {places[5]} · b/filters, epoch 2")
        caption = window.all(".picture figcaption")[0].text
        assert caption.startswith(f"Filter {places[2]}, similarity 1.00")
        figures = window.all(".side .figure:has(.caption)")
        assert {len(one.find_elements("css selector", "path.curve")) for one in figures} == {2}
        names = [one.text for one in window.all(".track .key")]
        assert names == ["b validation 0.8", "a validation 0.9"]
        window.choose("Sort", "Similarity")
        window.choose("Reference", "a/filters")
        window.loaded()
        assert panes(window) == ["Reference", "Filters", "Difference"]
        assert window.shown(".remark") is None
        if AXE.exists():
            check_accessibility(window)
    assert window.complaints() == []


def test_what_nothing_is_like_is_said_and_faint(window: Browser, tmp_path: Path) -> None:
    learnt = bars(0)
    other = learnt.copy()
    other[3] = np.random.default_rng(7).integers(0, 255, (SIDE, SIDE, 1))
    training(tmp_path / "a", learnt, 0.9)
    training(tmp_path / "b", other, 0.8)
    with showing(window, tmp_path, run="a/filters", run2="b/filters", view="compare"):
        window.loaded()
        assert "Faint, without a match: 3." in window.one(".remark").text
        assert "no more than others of its layer" in point_at(window, 3)
        seen = window.tiles("Reference", SIDE, SIDE).astype(int)
        rgb = np.repeat(other, 3, axis=-1).astype(int)
        assert np.ptp(seen[3]) < 0.7 * np.ptp(rgb[3])
        assert np.array_equal(seen[:3], rgb[:3])
    assert window.complaints() == []


def cards(window: Browser) -> list[dict[str, Any]]:
    return [
        {
            "name": one.find_element("css selector", "h2").text,
            "now": one.find_element("css selector", "strong").text,
            "note": one.find_element("css selector", ".run-note").text,
        }
        for one in window.all(".run-card")
        if one.is_displayed()
    ]


def test_many_runs_stand_side_by_side_best_first(window: Browser, tmp_path: Path) -> None:
    learnt = bars(0)
    rng = np.random.default_rng(2)
    orders = {name: rng.permutation(COUNT) for name in ("worst", "best", "middle")}
    for (name, order), accuracy in zip(orders.items(), (0.25, 0.95, 0.5), strict=True):
        training(tmp_path / name, learnt[order], accuracy)
    with showing(window, tmp_path, run="middle/filters", view="runs"):
        window.loaded()
        window.wait(lambda: len(cards(window)) == 3, "all runs")
        assert [(one["name"], one["now"]) for one in cards(window)] == [
            ("best", "0.95"),
            ("middle", "0.5"),
            ("worst", "0.25"),
        ]
        chosen = np.repeat(learnt[orders["middle"]], 3, axis=-1)
        for name in orders:
            assert np.array_equal(window.tiles(f"Filters of {name}/filters", SIDE, SIDE), chosen)
        for width in (768, 1280):  # a card is as high as its pictures, however wide the window is
            window.resize(width, 720)
            window.settle()
            assert max(one.rect["height"] for one in window.all(".run-card")) < 500
        window.press_at(SLIDER, Keys.HOME)
        assert [one["now"] for one in cards(window)] == ["0.1"] * 3
        assert (window.tiles("Filters of best/filters", SIDE, SIDE) == 128).all()
        window.press_at(SLIDER, Keys.END)
        window.all(".run-card .grid")[0].click()  # some filter, in its middle
        window.settle()
        (filter_,) = {option.get_attribute("aria-label") for option in window.all(".run-card [role=option]")}
        number = int(str(filter_).removeprefix("Filter "))
        place = int(np.argsort(orders["best"])[orders["middle"][number]])
        assert cards(window)[0]["note"] == f"filter {place}, similarity 1.00"
        assert np.array_equal(window.tiles("Filters of best/filters", SIDE, SIDE), chosen[[number]])
        window.click("Whole layers")
        assert len(window.all(".run-card [role=option]")) == 3 * COUNT
        window.one(".many-runs input").send_keys("^(best|worst)")
        window.wait(lambda: [one["name"] for one in cards(window)] == ["best", "worst"], "those that were searched")
        if AXE.exists():
            check_accessibility(window)
    assert window.complaints() == []


def test_runs_that_go_on_stay_in_sight_while_they_are_read_again(window: Browser, tmp_path: Path) -> None:
    names = ("best", "middle", "worst")
    for name, accuracy in zip(names, (0.9, 0.5, 0.1), strict=True):
        training(tmp_path / name, bars(0), accuracy)
    with showing(window, tmp_path, "--reload_interval", "1", run="middle/filters", view="runs") as server:
        window.loaded()
        window.wait(lambda: len(cards(window)) == 3, "all runs")
        window.run(FEWEST_CARDS)
        for name in names:
            write_tiles(tmp_path / name, bars(1)[None], first_step=3)
        server.wait_until_read()
        window.run("parent.document.querySelector('button.reload-button').click()")
        seen = np.repeat(bars(1), 3, axis=-1)
        for name in names:  # the worst is read last

            def is_new(name: str = name) -> bool:
                return np.array_equal(window.tiles(f"Filters of {name}/filters", SIDE, SIDE), seen)

            window.wait(is_new, name)
        assert window.run("return window.fewest") == 3
    assert window.complaints() == []
