"""Statistics that the tab has never heard of, those that not every step has, and filters that were chosen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tb_filterviz import AscentConfig
from tb_filterviz.parts.statistics import Statistic
from tests.plugin.browser import AXE, Browser, check_accessibility, needs_browser, readout, showing, view
from tests.plugin.serving import HOSTILE, pixels, write

pytestmark = [needs_browser, pytest.mark.slow]

SHAPE = (6, 5, 5, 1)
SLIDER = "input[type=range]"


def nothing(argument: Any) -> Any:
    return argument


def statistic(name: str, **given: Any) -> Statistic:
    return Statistic(**{"name": name, "compute": nothing, "description": f"how {name} it is", **given})


ENTROPY = statistic("entropy", label="pixel entropy", sort="ascending")
EDGY = statistic("edgy", unit="flag", sort=None)
ODD = statistic("odd", label=HOSTILE[0], description=HOSTILE[1], unit="share")
VALUES = {"entropy": [3, 1, 2, np.nan, 0.5, 9], "edgy": [1, 0, 1, 0, 1, 0], "odd": [0.25] * 6}


def order(window: Browser, count: int = 6) -> list[str]:
    return [str(one.get_attribute("aria-label")).split()[1] for one in window.all(".stage .grid [role=option]")][:count]


def facts(window: Browser) -> dict[str, list[str]]:
    found = [one.text.split("\n") for one in window.all(".facts > div")]
    return {name: rest for name, *rest in found}


def figures(window: Browser) -> dict[str, str]:
    """The charts in sight, each with the value that it shows."""
    found = [one.text.split("\n") for one in window.all(".side .caption")]
    return {name: rest[0] if rest else "" for name, *rest in found}


def test_statistics_that_nobody_has_heard_of(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, range(3), {"more": VALUES}, statistics=[ENTROPY, EDGY, ODD])
    with showing(window, tmp_path):
        window.loaded()
        shown = figures(window)
        assert shown["Pixel entropy"] == "3.1"  # the mean, without what is not finite
        assert shown["Edgy"] == "3"
        assert shown['<img src=x onerror="window.hacked=1">'] == "25 %"
        names = {one.text: one.get_attribute("title") for one in window.all(".figure-name")}
        assert names["Pixel entropy"] == "Pixel entropy, mean: how entropy it is"
        window.choose("Sort", "Pixel entropy")
        assert order(window) == ["4", "1", "2", "0", "5", "3"]
        grid = window.one(".stage .grid")
        ActionChains(window.driver).move_to_element_with_offset(grid, -60, -60).perform()
        window.settle()
        assert "pixel entropy" in window.one(".stage-hint").text
        window.run("document.activeElement.blur()")
        window.press_at("body", "]")
        assert window.one(".side h2").text == "Filter 4"
        assert facts(window)["Pixel entropy"] == ["0.5", "rank 1 of 6"]
        assert facts(window)["Edgy"] == ["yes"]
        assert "Pixel entropy" in figures(window)
        (told,) = [one for one in window.all(".facts dt") if one.text == "Pixel entropy"]
        assert told.get_attribute("title") == "how entropy it is"
        window.click("Compare")
        window.loaded()
        window.press_at("body", "i")
        assert HOSTILE[1] in window.one("dialog[open]").text
        window.press(Keys.ESCAPE)
        assert window.all("main img, main script") == []
        assert window.run("return window.hacked === undefined && parent.hacked === undefined")
        if AXE.exists():
            check_accessibility(window)
        assert window.complaints() == []


def test_a_statistic_that_begins_later(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, range(-1, 3))
    write(tmp_path, range(3, 5), {"more": VALUES}, statistics=[ENTROPY])
    with showing(window, tmp_path, filter=1, sort="entropy"):
        window.loaded()
        assert "6 of 6 pictures" in window.text()
        assert order(window) == ["4", "1", "2", "0", "5", "3"]
        assert facts(window)["Pixel entropy"] == ["1", "rank 2 of 6"]
        window.press_at(SLIDER, Keys.HOME)
        assert readout(window) == "Before training"
        assert facts(window)["Pixel entropy"] == ["\N{EN DASH}"]
        assert facts(window)["Gain"][0] == "1.75"
        assert np.array_equal(window.tiles("Filters", 5, 5)[0], np.repeat(pixels(-1, "conv2d_1", SHAPE)[4], 3, axis=-1))
        assert window.complaints() == []


def test_addresses_of_the_first_edition_still_sort(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, [0, 1], {"more": {"change_since_start": [0.1, 0.6, 0.3, 0.2, 0.5, 0.4]}})
    with showing(window, tmp_path) as server:
        for key in ("change", "change_since_start"):
            window.open(view(server, sort=key))
            window.loaded()
            assert order(window) == ["1", "4", "5", "2", "3", "0"]


def test_runs_are_compared_where_one_lacks_a_statistic(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, range(3), written_by="checkpoints")
    other_way = AscentConfig(steps=40)
    write(tmp_path, range(3), {"more": VALUES}, statistics=[ENTROPY], written_by="checkpoints", ascent=other_way)
    state = {"run2": "filters", "view": "compare", "filter": 1, "sort": "entropy"}
    with showing(window, tmp_path, run="filters_2", **state):
        window.loaded()
        assert order(window)[0] == "4"
        lines = {
            one.find_element("css selector", ".figure-name").text: len(one.find_elements("css selector", "path.curve"))
            for one in window.all(".side .figure:has(.figure-name)")
        }
        assert lines == {"Gain": 2, "Change": 2, "Pixel entropy": 1}
        window.choose("Run", "filters")
        window.loaded()
        window.choose("Reference", "filters_2")
        window.loaded()
        assert order(window) == list("012345")
        assert "Pixel entropy" not in facts(window)
        assert window.complaints() == []


def test_chosen_filters_go_by_their_numbers(window: Browser, tmp_path: Path) -> None:
    chosen = [40, 41, 7, 3, 2, 1]
    write(tmp_path, range(3), {"indices": chosen})
    with showing(window, tmp_path, run="filters", filter=3) as server:
        window.loaded()
        assert order(window) == ["40", "41", "7", "3", "2", "1"]
        assert window.one(".side h2").text == "Filter 3"
        assert window.one(".badges").text == "flat"  # the fourth
        strip = window.tiles("Filmstrip of filter 3", 5, 5)
        truth = np.stack([pixels(step, "conv2d_1", SHAPE)[3] for step in range(3)])
        assert np.array_equal(strip, np.repeat(truth, 3, axis=-1))
        window.run("document.activeElement.blur()")
        window.press_at("body", "[")
        assert window.one(".side h2").text == "Filter 7"
        assert window.one(".badges").text == "stuck since epoch 0"
        window.wait(lambda: "filter=7" in window.hash(), "the address")
        window.press_at("body", Keys.ESCAPE)
        assert [one.text for one in window.all(".chip")] == ["7"]
        assert "6 chosen filters" in window.one(".side").text
        window.choose("Sort", "Score")
        assert order(window) == ["1", "2", "3", "7", "41", "40"]
        window.click("Compare")
        window.loaded()
        window.choose("at", "epoch 0")
        seen = window.tiles("Reference", 5, 5)
        before = pixels(0, "conv2d_1", SHAPE)[::-1]  # numbers rise from the last that was chosen to the first
        plain = [0, 1, 4, 5]  # filter 3 is flat, filter 7 stuck
        assert np.array_equal(seen[plain], np.repeat(before, 3, axis=-1)[plain])
        window.open(view(server, run="filters", filter=5))
        window.loaded()
        assert window.one(".side h2").text == "conv2d_1"  # there is none of that number
        assert window.complaints() == []
