"""Which runs are of one training, told from what they say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_filterviz.config import AscentConfig, Config, GridConfig
from tb_filterviz.metadata import RECIPE_TAG, encode_recipe
from tb_filterviz.reading.catalog import Run, read_run
from tb_filterviz.reading.trainings import trainings
from tb_filterviz.recipe import Source
from tests.plugin.described import listed, series_of
from tests.plugin.serving import LOADERS, recipe, snapshot, tab, write, write_raw, write_tiles

PLAIN = Config()
CLASSIC = Config(ascent=AscentConfig(steps=40))
WIDE = Config(grid=GridConfig(columns=3))


def run(begun: float, last: float, config: Config = PLAIN, written_by: Source = "callback", **changed: Any) -> Run:
    """A run that was written from then to then."""
    said = {**recipe([snapshot(0)], written_by, config), **changed}
    tags = series_of((6, 5, 5, 1))
    for series in tags.values():
        series.max_wall_time = last
    found = listed(encode_recipe(json.loads(json.dumps(said))))
    found.max_wall_time = begun
    return read_run({**tags, RECIPE_TAG: found})


def groups(**runs: Run) -> list[list[str]]:
    found = trainings(runs)
    return [[name for name in runs if found[name] == first] for first in runs if first in found.values()]


def test_runs_of_one_fit_are_of_one_training() -> None:
    assert groups(filters=run(0, 9), filters_2=run(1, 10, CLASSIC)) == [["filters", "filters_2"]]
    three = groups(filters=run(0, 9), filters_2=run(1, 10, CLASSIC), filters_3=run(2, 9, WIDE))
    assert three == [["filters", "filters_2", "filters_3"]]


def test_one_fit_after_another_is_another_training() -> None:
    assert groups(filters=run(0, 9), filters_2=run(10, 19)) == [["filters"], ["filters_2"]]
    assert groups(filters=run(0, 9), filters_2=run(10, 19, CLASSIC)) == [["filters"], ["filters_2"]]


def test_what_is_drawn_alike_at_one_time_is_of_two_trainings() -> None:
    assert groups(filters=run(0, 9), filters_2=run(1, 9)) == [["filters"], ["filters_2"]]


def test_saved_weights_drawn_in_two_ways_are_of_one_training() -> None:
    saved = run(0, 9, written_by="checkpoints")
    again = run(20, 29, CLASSIC, "checkpoints")
    assert groups(filters=saved, filters_2=again) == [["filters", "filters_2"]]
    assert groups(filters=run(0, 9), filters_2=again) == [["filters", "filters_2"]]


def test_saved_weights_beside_two_trainings_may_be_of_either() -> None:
    again = run(20, 29, CLASSIC, "checkpoints")
    apart = [["filters"], ["filters_2"], ["filters_3"]]
    assert groups(filters=run(0, 9), filters_2=run(10, 19), filters_3=again) == apart
    assert groups(filters=run(0, 9), filters_2=again, filters_3=run(30, 39)) == apart


def test_another_network_or_log_directory_is_another_training() -> None:
    other = {"name": "small", "layers": [{"path": "conv_a", "class": "Conv2D", "weights": [[5, 5, 1, 6], [6]]}]}
    assert len(groups(filters=run(0, 9), filters_2=run(1, 9, CLASSIC, model=other))) == 2
    assert len(groups(**{"a/filters": run(0, 9), "b/filters": run(1, 9, CLASSIC)})) == 2
    assert len(groups(**{"a/filters": run(0, 9), "a/filters_2": run(1, 9, CLASSIC)})) == 1
    assert len(groups(one=run(0, 9), two=run(1, 9, CLASSIC))) == 2  # somebody else has named these


@pytest.mark.parametrize("model", [None, 5, {}, {"layers": None}, {"layers": []}, {"layers": [3]}, {"layers": {}}])
def test_without_a_network_nothing_says_so(model: Any) -> None:
    assert len(groups(filters=run(0, 9, model=model), filters_2=run(1, 9, CLASSIC, model=model))) == 2
    assert len(groups(filters=run(0, 9), filters_2=read_run(series_of((6, 5, 5, 1))))) == 2  # nor without a recipe


@pytest.mark.parametrize("odd", [None, 5, [], {"ascent": 5}, {"ascent": {"steps": {"a": [None]}}, "b": [[{}]]}])
def test_odd_settings_break_nothing(odd: Any) -> None:
    found = groups(filters=run(0, 9, config=PLAIN), filters_2=run(1, 9, parts=odd))
    assert [name for group in found for name in group] == ["filters", "filters_2"]
    said = {**recipe([snapshot(0)]), "config": odd, "layers": odd, "unit": odd}
    tags = {**series_of((6, 5, 5, 1)), RECIPE_TAG: listed(encode_recipe(said))}
    assert trainings({"filters": read_run(tags), "filters_2": read_run(tags)})["filters_2"] == "filters_2"


@pytest.mark.parametrize("loader", LOADERS)
def test_the_server_says_it(loader: str, tmp_path: Path) -> None:
    tiles = np.zeros((2, 3, 5, 5, 1), np.uint8)
    for config in (PLAIN, CLASSIC):
        write_tiles(tmp_path / "a", tiles, config=config, written_by="checkpoints")
    write(tmp_path / "b", range(2))
    write_raw(tmp_path / "b" / "filters_2", {RECIPE_TAG: (encode_recipe({}), np.uint8(0))})
    with tab(tmp_path, loader) as served:
        found = {one["run"]: one["training"] for one in served.get("layers")["runs"]}
    assert found == {
        "a/filters": "a/filters",
        "a/filters_2": "a/filters",
        "b/filters": "b/filters",
        "b/filters_2": "b/filters_2",
    }
