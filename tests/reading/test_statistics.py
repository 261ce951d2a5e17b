"""Statistics that begin later, end earlier, or are written again by a restarted training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.reading.catalog import Series, Statistics
from tb_filterviz.reading.decoded import Decoded
from tb_filterviz.reading.descriptions import StatisticsDescription, describe
from tb_filterviz.reading.statistics import Table, rounded, tabulate
from tests.plugin.described import FORMAT_1_STATS, STATISTIC, encoded
from tests.plugin.serving import LOADERS, layer_events, tab, write_events


def series(name: str) -> Statistics:
    about = describe(encoded(STATISTIC, {"name": name}))
    assert isinstance(about, StatisticsDescription)
    return Series(tag=f"filterviz/a/statistics/{name}", about=about, last_step=0, last_wall_time=0.0)


def written(at: dict[int, float]) -> Decoded:
    """Values at steps, each written at a moment; what a filter has is the moment."""
    times = np.array(list(at.values()))
    return Decoded(np.array(list(at)), times, np.repeat(times[:, None], 6, axis=1).astype(np.float32))


def table(**found: dict[int, float]) -> Table:
    return tabulate((series(name), written(at)) for name, at in found.items())


def firsts(answer: dict[str, Any], name: str) -> list[float | None]:
    return [None if row is None else row[0] for row in answer["statistics"][name]]


def test_a_statistic_that_begins_later_leaves_the_steps_before() -> None:
    answer = table(score={-1: 10, 0: 20, 1: 30}, later={1: 30}).to_json()
    assert answer["steps"] == [-1, 0, 1]
    assert answer["wall_times"] == [10.0, 20.0, 30.0]
    assert firsts(answer, "later") == [None, None, 30.0]


def test_statistics_without_a_standard_one_have_the_steps_of_all() -> None:
    answer = table(a={0: 10, 1: 20}, b={1: 20, 2: 30}).to_json()
    assert answer["steps"] == [0, 1, 2]
    assert firsts(answer, "a") == [10.0, 20.0, None]


def test_what_a_restarted_training_does_not_write_any_more_is_gone_where_it_wrote() -> None:
    answer = table(score={0: 10, 1: 20, 2: 100, 3: 110}, dropped={0: 10, 1: 20, 2: 30, 3: 40, 4: 50, 5: 60}).to_json()
    assert answer["steps"] == [0, 1, 2, 3]
    assert firsts(answer, "dropped") == [10.0, 20.0, None, None]


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    answer = table(score={0: 1000, 1: 2000, 2: 500}, change={0: 1000, 1: 2000, 2: 500}).to_json()
    assert firsts(answer, "change") == [1000.0, 2000.0, 500.0]


def test_format_1_goes_on_in_a_later_one() -> None:
    about = describe(encoded(FORMAT_1_STATS))
    assert isinstance(about, StatisticsDescription)
    old: Statistics = Series(tag="filterviz/a/stats", about=about, last_step=0, last_wall_time=0.0)
    rows = np.zeros((4, 2, 6), np.float32)
    rows[:, 0] = np.arange(4)[:, None]
    found = [
        (series("score"), written({2: 100, 3: 110, 4: 120})),
        (old, Decoded(np.arange(4), np.array([10.0, 20, 30, 40]), rows)),
    ]
    answer = tabulate(found).to_json()
    assert answer["steps"] == [0, 1, 2, 3, 4]
    assert firsts(answer, "score") == [0.0, 1.0, 100.0, 110.0, 120.0]
    assert firsts(answer, "responsive") == [0.0, 0.0, None, None, None]


STEPS = st.lists(st.integers(-1, 8), min_size=1, unique=True).map(sorted)


@given(names=st.dictionaries(st.sampled_from(["score", "change", "a", "b"]), STEPS, min_size=1))
def test_within_one_training_every_step_of_the_score_stays(names: dict[str, list[int]]) -> None:
    answer = table(**{name: {step: 100.0 + 10 * step for step in steps} for name, steps in names.items()}).to_json()
    assert all(len(rows) == len(answer["steps"]) for rows in answer["statistics"].values())
    reference = next((names[name] for name in ("score", "change") if name in names), None)
    for name, steps in names.items():
        shown = [step for step, row in zip(answer["steps"], answer["statistics"][name], strict=True) if row]
        assert set(shown) >= set(steps if reference is None else set(steps) & set(reference))
        assert set(shown) <= set(steps)


def test_numbers_are_rounded_and_what_is_none_is_null() -> None:
    assert rounded(np.array([[1.23456789, 1e-9], [np.nan, np.inf]], np.float32)) == [[1.23457, 0.0], [None, None]]
    assert rounded(np.full((1, 2), 1e-12, np.float32)) == [[1e-12, 1e-12]]
    signalling = np.array([[0x7FA00000, 0x3F800000]], np.uint32).view(
        np.float32
    )  # a NaN that processors warn of, and 1
    assert rounded(signalling) == [[None, 1.0]]


@pytest.mark.parametrize("loader", LOADERS)
def test_all_loaders_show_a_restart_alike(loader: str, tmp_path: Path) -> None:
    """The first training wrote a statistic, up to step 5, that the one from step 3 on does not."""
    first = [event for step in range(6) for event in layer_events(step, 1000 + step, statistics=("score", "change"))]
    second = [event for step in (3, 4) for event in layer_events(step, 2000 + step, statistics=("score",))]
    write_events(tmp_path / "filters", first)
    write_events(tmp_path / "filters", second)
    with tab(tmp_path, loader) as served:
        where = {"run": "filters", "layer": "conv2d_1"}
        answer = served.get("statistics", **where)
        assert answer["steps"] == served.tiles(**where)[0]["steps"] == [0, 1, 2, 3, 4]
        assert answer["wall_times"] == [1000.0, 1001.0, 1002.0, 2003.0, 2004.0]
        assert [row is not None for row in answer["statistics"]["change"]] == [True, True, True, False, False]
        assert all(answer["statistics"]["score"])


@pytest.mark.parametrize("loader", LOADERS)
def test_a_later_statistic_on_all_loaders(loader: str, tmp_path: Path) -> None:
    events = [event for step in range(4) for event in layer_events(step, 1000 + step, statistics=("score",))]
    later = [event for step in (4, 5) for event in layer_events(step, 2000 + step, statistics=("score", "flat"))]
    write_events(tmp_path / "filters", events)
    write_events(tmp_path / "filters", later)
    with tab(tmp_path, loader) as served:
        where = {"run": "filters", "layer": "conv2d_1"}
        answer = served.get("statistics", **where)
        assert answer["steps"] == served.tiles(**where)[0]["steps"] == list(range(6))
        assert firsts(answer, "flat") == [None, None, None, None, 0.0, 0.0]
        assert None not in firsts(answer, "score")
        (run,) = served.get("layers")["runs"]
        assert [one["name"] for one in run["layers"][0]["statistics"]] == ["score", "flat"]
