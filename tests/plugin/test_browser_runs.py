"""Several runs of one log directory, how each was drawn, and logs of other formats."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys

from tb_filterviz import FilterLogger
from tb_filterviz.metadata import RECIPE_TAG, encode_recipe, run_name
from tests.plugin.browser import AXE, Browser, check_accessibility, needs_axe, needs_browser, readout, showing, view
from tests.plugin.described import RECIPE, TILES, encoded
from tests.plugin.serving import HOSTILE, layer_events, recipe_event, scalars, write, write_events, write_raw

pytestmark = [needs_browser, pytest.mark.slow]

SLIDER = "input[type=range]"


def options(window: Browser, label: str) -> list[str]:
    (choice,) = [
        one
        for one in window.all("label.choice")
        if one.is_displayed() and one.find_element("css selector", ".choice-label").text == label
    ]
    return [one.text for one in choice.find_elements("css selector", "option")]


def listed_runs(window: Browser) -> list[str]:
    runs = [row.find_element("css selector", ".picker-name").text for row in window.open_picker("Run")]
    window.press(Keys.ESCAPE)
    return runs


def chosen_run(window: Browser) -> str:
    run: str = window.run("return document.querySelector('.toolbar .picker-button').title")
    return run


def test_the_newest_run_opens_and_all_are_listed_by_number(window: Browser, tmp_path: Path) -> None:
    for number in (*range(1, 10), 11, 10):
        events = [event for step in (0, 1) for event in layer_events(step, 1000.0 + step)]
        write_events(tmp_path / run_name(number), events)
    write_events(tmp_path / run_name(3), layer_events(2, 5000.0))
    scalars(tmp_path / "train", {"epoch_accuracy": [(0, 0.5)]}, wall_time=9000.0)
    with showing(window, tmp_path) as server:
        window.loaded()
        assert chosen_run(window) == "filters_3"
        listed = listed_runs(window)
        assert listed[0] == "filters_3"  # the newest
        assert sorted(listed) == sorted(run_name(number) for number in range(1, 12))
        window.choose("Run", "filters_11")
        window.loaded()
        window.wait(lambda: "run=filters_11" in window.hash(), "the address")
        for named, opened in (("filters_10", "filters_10"), ("filters_77", "filters_3")):
            window.open(view(server, run=named))
            window.loaded()
            assert chosen_run(window) == opened
    assert window.complaints() == []


def test_each_training_shows_its_own_curves(window: Browser, tmp_path: Path) -> None:
    for number, began in ((1, 1000.0), (2, 2000.0)):
        events = [event for step in range(3) for event in layer_events(step, began + 1 + step)]
        write_events(tmp_path / run_name(number), [recipe_event("callback", began), *events])
    scalars(tmp_path / "train", {"epoch_accuracy": [(0, 0.25), (1, 0.5)]}, wall_time=1001.5)
    scalars(tmp_path / "train", {"epoch_accuracy": [(1, 0.75), (2, 0.875)]}, wall_time=2001.5)
    with showing(window, tmp_path, run="filters_2"):
        window.loaded()
        assert "train 0.875" in window.one(".legend").text
        window.choose("Run", "filters")
        window.loaded()
        window.press_at(SLIDER, Keys.HOME)
        assert "train 0.25" in window.one(".legend").text
        window.press_at(SLIDER, Keys.END)
        assert window.one(".legend").text == "train"
    assert window.complaints() == []


@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_a_log_of_format_1_to_its_last_step(window: Browser, root: Path, load_fast: str) -> None:
    folder = root / "tests" / "data" / "format_1"
    truth = np.load(folder / "expected.npz")
    with showing(window, folder, f"--load_fast={load_fast}", layer="conv_a", stuck="show"):
        window.loaded()
        assert "6 of 6 pictures" in window.text()
        assert "maximizes the response of each filter's centre unit, cut to its receptive field" in window.text()
        assert options(window, "Sort") == ["Index", "Score", "Change since start", "Settled"]
        assert window.shown(".side .button") is None  # it does not say how it was drawn
        tiles = np.repeat(truth["conv_a_tiles"], 3, axis=-1)
        for at in range(5, -1, -1):
            plain = truth["conv_a_responsive"][at] & ~truth["conv_a_flat"][at]
            assert plain.any()
            assert np.array_equal(window.tiles("Filters", 3, 3)[plain], tiles[at][plain])
            window.press_at(SLIDER, Keys.ARROW_LEFT)
        assert readout(window) == "Before training"
        window.press_at(SLIDER, Keys.END)
        window.run("document.activeElement.blur()")
        window.press_at("body", "]", "i")
        assert window.one(".side h2").text == "Filter 0"
        assert window.shown("dialog") is None
        window.choose("Layer", "conv_b")
        window.loaded()
        assert "6 of 6 pictures" in window.text()
    assert window.complaints() == []


@pytest.mark.slow
def test_a_newer_format_is_a_sentence(window: Browser, tmp_path: Path) -> None:
    newer = {
        f"filterviz/{name}/tiles": (encoded(TILES, {"version": 3}), np.zeros((6, 5, 5, 1), np.uint8)) for name in "ab"
    }
    write_raw(tmp_path / "newer", newer)
    with showing(window, tmp_path):
        window.wait(lambda: "What was found cannot be shown" in window.text(), "the sentence")
        assert (
            "newer: filterviz/a/tiles and 1 more: written by a newer tb_filterviz, in format 3; this one reads up to 2."
            in window.text()
        )
    write(tmp_path / "ours", [0, 1])
    with showing(window, tmp_path):
        window.loaded()
        assert "Not everything can be shown. newer: filterviz/a/tiles and 1 more: written by a newer" in window.text()
    assert window.complaints() == []


def test_how_it_was_drawn(window: Browser, tmp_path: Path) -> None:
    write(tmp_path, [0, 1])
    with showing(window, tmp_path):
        window.loaded()
        window.click("How it was drawn")
        told = window.one("dialog[open]").text
        for sentence in (
            "channel mean: the inputs that maximize the mean of each filter's response over the image",
            "standardized: each picture by itself to gray on average, with the same contrast",
            "20 steps, each of 4 / 255 of the input range",
            "0 to 1",
            "a callback, during the training",
            "how far the picture moved since the step before",
            "backend tensorflow",
        ):
            assert sentence in told, sentence
        cells = [
            [cell.text.replace("\N{MULTIPLICATION SIGN}", "x") for cell in row.find_elements("css selector", "td")]
            for row in window.all("dialog tbody tr")
        ]
        assert ["conv2d_1", "6", "5 x 5 x 1", "channel_mean"] in cells
        assert ["conv_a", "Conv2D", "3 x 3 x 1 x 6, 6"] in cells
        if AXE.exists():
            check_accessibility(window)
        window.click("Copy as JSON")
        window.wait(lambda: window.one(".dialog-end [role=status]").text == "Copied.", "the copy")
        window.press(Keys.ESCAPE)
        assert window.shown("dialog") is None
        window.press_at("body", "i")
        window.wait(lambda: window.shown("dialog"), "the dialog, by its key")
        window.press("c", "]")  # keys of the tab are not at work behind it
        window.press(Keys.ENTER)  # on Close
        assert window.shown("dialog") is None
        assert window.one(".side h2").text == "conv2d_1"
    assert window.complaints() == []


def test_what_was_chosen_for_a_layer_is_said_of_it(window: Browser, tmp_path: Path, small_model: keras.Model) -> None:
    with FilterLogger(tmp_path, verbose=0) as logger:
        logger.log(small_model, step=0)
    said = {
        "conv_a": ["20 steps, each of 4 / 255 of the input range", "gray 128 of 255, noise 2, seed 0"],
        "conv_b": [
            "20 steps, each of 8 / 255 of the input range",
            "spectral_decay: high frequencies of the gradient weigh less",
        ],
    }
    with showing(window, tmp_path):
        for layer, sentences in said.items():
            window.loaded()
            window.choose("Layer", layer)
            window.loaded()
            window.click("How it was drawn")
            told = window.one("dialog[open]").text
            for sentence in sentences:
                assert sentence in told, (layer, sentence, told)
            assert ("In every step" in told) == (layer == "conv_b")
            window.press(Keys.ESCAPE)
    assert window.complaints() == []


ODD: dict[str, Any] = {
    "written_by": HOSTILE[0],
    "unit": {"epoch": 1},
    "config": [1, 2],
    "input_range": [0, "x", []],
    "versions": {"__proto__": "1", "keras": {"a": 1}, "backend": ["b"]},
    "model": {
        "name": HOSTILE[1],
        "layers": [None, 5, {"path": HOSTILE[0], "weights": "none"}, {"weights": [[1], 2, {}]}],
    },
    "layers": {"a": 1},
    "parts": {"tone": "standardized", "ascent": [None, {"label": HOSTILE[0]}]},
}


def test_odd_recipes_break_nothing(window: Browser, tmp_path: Path) -> None:
    recipes = [{}, ODD, dict.fromkeys(ODD), {**dict.fromkeys(ODD, 5), "config": {"a": {"b": [{}]}}}]
    for number, recipe in enumerate(recipes, 1):
        folder = tmp_path / run_name(number)
        write_events(folder, [event for step in (0, 1) for event in layer_events(step, step)])
        write_raw(folder, {RECIPE_TAG: (encode_recipe(recipe), np.uint8(0))})
    with showing(window, tmp_path):
        window.loaded()
        for number in range(1, len(recipes) + 1):
            window.choose("Run", run_name(number))
            window.loaded()
            window.click("How it was drawn")
            assert "Pictures of conv2d_1" in window.one("dialog[open]").text
            assert window.all("main img, main script") == []
            assert window.run("return window.hacked === undefined && parent.hacked === undefined")
            window.click("Close")
            assert "2 of 2 pictures" in window.text()
    assert window.complaints() == []


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_recipe_is_accessible(window: Browser, tmp_path: Path, dark: bool) -> None:
    write_events(tmp_path / "filters", [event for step in (0, 1) for event in layer_events(step, step)])
    many = [{"path": f"layer_{number}", "class": "Conv2D", "weights": [[3, 3, 1, 6]]} for number in range(40)]
    recipe = {**RECIPE["recipe"], "model": {"name": "deep", "layers": many}}
    write_raw(tmp_path / "filters", {RECIPE_TAG: (encode_recipe(recipe), np.uint8(0))})
    with showing(window, tmp_path) as server:
        window.open(server.address, dark=dark)
        window.loaded()
        window.click("How it was drawn")
        window.run("document.querySelector('dialog[open] details').open = true")
        assert "ascent.steps" in window.one("dialog[open]").text
        check_accessibility(window)
    assert window.complaints() == []
