import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.metadata import RECIPE_TAG
from tb_filterviz.reading.catalog import MOST_STATISTICS, read_run
from tests.plugin.described import FORMAT_1_STATS, RECIPE, STATISTIC, TILES, encoded, listed, series_of


def test_layers_are_put_together_from_their_parts_in_the_models_order() -> None:
    tags = {**series_of((90, 48, 48, 3), "z/a", 1), **series_of((6, 5, 5, 1), "y", 0)}
    run = read_run(tags)
    assert run.problems == []
    assert run.recipe is None
    assert [layer.id for layer in run.layers] == ["y", "z/a"]
    answer = run.layers[1].to_json()
    assert answer["parts"] == [0, 18, 36, 54, 72]
    assert answer["tile"] == [48, 48, 3]
    assert answer["indices"] is None
    assert [statistic["name"] for statistic in answer["statistics"]] == ["score", "change"]


def test_filters_keep_the_numbers_that_they_have_in_the_layer() -> None:
    numbers = [*range(200, 245), *range(45)]
    (layer,) = read_run(series_of((90, 48, 48, 3), indices=numbers)).layers
    assert len(layer.parts) == 5
    assert layer.to_json()["indices"] == numbers
    run = read_run(series_of((6, 5, 5, 1), indices=[0, 1, 2, 3, 4, 0]))
    assert run.problems == ["filterviz/conv2d_1: two of its filters have the same number"]


def test_a_layer_whose_parts_have_not_all_arrived_is_named_not_shown() -> None:
    tags = series_of((90, 48, 48, 3))
    del tags["filterviz/conv2d_1/tiles_4"]
    run = read_run(tags)
    assert run.layers == []
    assert run.problems == ["filterviz/conv2d_1: it holds 72 of 90 filters so far"]
    del tags["filterviz/conv2d_1/tiles_2"]
    assert read_run(tags).problems == ["filterviz/conv2d_1: its tiles do not go on after filter 35"]


def test_the_standard_statistics_come_first_however_they_are_stored() -> None:
    tags = series_of((6, 5, 5, 1), statistics=["change", "score"])
    tags["filterviz/conv2d_1/statistics/a_new_one"] = listed(encoded(STATISTIC, {"name": "a_new_one"}))
    tags["filterviz/conv2d_1/stats"] = listed(encoded(FORMAT_1_STATS))
    run = read_run(tags)
    assert run.problems == []
    assert [one.name for one in run.layers[0].descriptions] == ["score", "responsive", "change", "a_new_one"]


def test_names_that_look_like_tags_are_names() -> None:
    tags: dict[str, Any] = {}
    names = ["a", "a/tiles", "a/statistics/score", "a/statistics", "recipe", "a/stats"]
    for position, name in enumerate(names):
        tags |= series_of((6, 5, 5, 1), name, position)
    run = read_run(tags)
    assert run.problems == []
    assert [layer.id for layer in run.layers] == names
    assert all(len(layer.statistics) == 2 for layer in run.layers)


def test_what_does_not_fit_is_named_and_the_rest_is_shown() -> None:
    tags = {
        **series_of((6, 5, 5, 1)),
        "filterviz/conv2d_1/statistics/short": listed(
            encoded(STATISTIC, {"name": "short", "filters": 5, "shape": [5]})
        ),
        "filterviz/conv2d_1/statistics/other": listed(encoded(STATISTIC)),
        "filterviz/conv2d_1/else": listed(encoded(STATISTIC)),
        RECIPE_TAG: listed(b"{}"),
    }
    run = read_run(tags)
    assert [layer.id for layer in run.layers] == ["conv2d_1"]
    assert [one.name for one in run.layers[0].descriptions] == ["score", "change"]
    assert run.recipe is None
    assert sorted(run.problems) == [
        "filterviz/conv2d_1/else: this version knows no such tag, for what its metadata says that it holds",
        "filterviz/conv2d_1/statistics/other: its metadata says it holds score",
        "filterviz/conv2d_1/statistics/short: it is of 5 filters, the tiles are of 6",
        "filterviz/recipe: not metadata of filterviz. Received: b'{}'",
    ]


def test_a_newer_format_is_one_sentence_however_many_series_it_has() -> None:
    tags = {tag: listed(encoded(TILES, {"version": 3})) for tag in series_of((90, 48, 48, 3))}
    assert read_run(tags).problems == [
        "filterviz/conv2d_1/statistics/change and 6 more: "
        "written by a newer tb_filterviz, in format 3; this one reads up to 2."
    ]


def test_statistics_have_a_bound() -> None:
    tags = series_of((6, 5, 5, 1), statistics=[])
    for number in range(MOST_STATISTICS + 5):
        tags[f"filterviz/conv2d_1/statistics/s{number}"] = listed(encoded(STATISTIC, {"name": f"s{number}"}))
    run = read_run(tags)
    assert len(run.layers[0].statistics) == MOST_STATISTICS
    assert run.problems[0].endswith("and 4 more: the layer has more than 100 statistics")


@pytest.mark.parametrize("wall_time", [float("nan"), float("inf")])
def test_a_moment_that_is_none_does_not_reach_an_answer(wall_time: float) -> None:
    tags = series_of((6, 5, 5, 1))
    tags["filterviz/conv2d_1/tiles"].max_wall_time = wall_time
    json.dumps(read_run(tags).to_json(), allow_nan=False)


TAGS = st.text() | st.from_regex(r"filterviz/.*/(tiles|tiles_1|stats|statistics/score)") | st.just(RECIPE_TAG)
CONTENTS = st.binary() | st.sampled_from([encoded(true) for true in (TILES, STATISTIC, FORMAT_1_STATS, RECIPE)])


@given(tags=st.dictionaries(TAGS, CONTENTS, max_size=5))
def test_garbage_tags_are_layers_or_problems(tags: dict[str, bytes]) -> None:
    run = read_run({tag: listed(content) for tag, content in tags.items()})
    json.dumps(run.to_json(), allow_nan=False)
    assert len(run.layers) + len(run.problems) <= 2 * len(tags)
    assert run.layers or run.problems or run.recipe or not tags
