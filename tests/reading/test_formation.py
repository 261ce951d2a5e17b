"""Since when filters are stuck, and when they settled: planted runs are told apart."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.history import History
from tb_filterviz.parts.statistics import STILL, difference_between_filters
from tb_filterviz.reading.decoded import Decoded
from tb_filterviz.reading.formation import Formation, form, last_away, last_moves, stuck_spans, to_json
from tests.plugin import planted
from tests.plugin.serving import LOADERS, layer_events, snapshot, tab, write_events, write_tiles


def series(values: npt.ArrayLike, first_step: int = 0) -> Decoded:
    """One filter's values, or those of several, over the steps."""
    found = np.asarray(values, np.float32)
    found = found[:, None] if found.ndim == 1 else found
    steps = np.arange(first_step, first_step + len(found))
    return Decoded(steps, steps.astype(float), found)


def formed(by_name: dict[str, Decoded], last_step: int | None = None) -> Formation:
    last = max(int(one.steps[-1]) for one in by_name.values() if len(one.steps)) if last_step is None else last_step
    (found,) = form(by_name, last, 1)
    return found


def outcome(**by_name: Any) -> tuple[str | None, int | None]:
    found = formed({name: one if isinstance(one, Decoded) else series(one) for name, one in by_name.items()})
    return found.outcome, found.since


def test_planted_filters_are_told_apart() -> None:
    tiles, stuck, history = planted.tiles(), planted.stuck(), History()
    logged = []
    for step, now in zip(planted.STEPS, tiles, strict=True):
        drawn = snapshot(step, shape=planted.SHAPE, tiles=now)
        logged.append(history.compare(drawn, step, "epoch").statistics)
        history.remember_drawing(drawn, step)
    by_name = {name: series([one[name] for one in logged], -1) for name in ("change", "change_since_start")}
    found = form({**by_name, "responsive": series(~stuck, -1)}, planted.STEPS[-1], len(planted.OUTCOMES))
    assert tuple(one.outcome for one in found) == planted.OUTCOMES
    assert tuple(one.since for one in found) == planted.SINCE
    assert [list(map(list, one.stuck)) for one in found] == list(planted.STUCK)
    assert by_name["change"].values[2:, 2] == pytest.approx(
        10 / 255 / difference_between_filters(tiles[0])
    )  # the amount by which the third one jitters


@pytest.mark.parametrize("loader", LOADERS)
def test_the_server_tells_them_apart(loader: str, tmp_path: Path) -> None:
    write_tiles(tmp_path, planted.tiles(), stuck=planted.stuck())
    with tab(tmp_path, loader) as served:
        found = served.get("statistics", run="filters", layer="conv2d_1")["formation"]
    assert found == {
        "still": 0.05,
        "outcome": list(planted.OUTCOMES),
        "since": list(planted.SINCE),
        "stuck": list(planted.STUCK),
    }


def test_fewer_than_three_small_changes_may_be_chance() -> None:
    assert outcome(change=[0, 0.3, 0.2, 0.001, 0.001]) == ("changing", None)
    assert outcome(change=[0, 0.3, 0.2, 0.001, 0.001, 0.001]) == ("settled", 2)


def test_a_change_of_the_floor_is_none_and_one_above_is() -> None:
    assert outcome(change=[0, 0.3, *[STILL] * 3]) == ("settled", 1)
    assert outcome(change=[0, 0.3, STILL, STILL, STILL * 1.001]) == ("changing", None)


def test_what_was_large_once_does_not_make_small_what_is_not() -> None:
    """By a share of the largest change, this one would have settled at 1."""
    assert outcome(change=[0, 0.9, *[0.06] * 40]) == ("changing", None)


def test_a_slow_drift_has_not_settled() -> None:
    drift = np.arange(40) * 0.04
    assert outcome(change=[0, *[0.04] * 39], change_since_start=drift) == ("changing", None)
    stops = np.minimum(drift, 0.4)
    assert outcome(change=[0, *[0.04] * 39], change_since_start=stops) == ("settled", 9)


def test_one_that_never_moved_has_not_settled() -> None:
    assert outcome(change=[0, 0.003, 0.003, 0.003], change_since_start=[0, 0.003, 0, 0.003]) == ("unmoved", None)
    assert outcome(change=[0, 0, 0, 0]) == ("unmoved", None)


def test_a_stuck_one_has_not_settled() -> None:
    change = [0, 0.3, 0.2, 0, 0, 0]
    assert outcome(change=change, responsive=[1, 1, 1, 0, 0, 0]) == ("stuck", 3)
    assert outcome(change=change, responsive=[0, 0, 1, 0, 0, 1]) == ("settled", 2)
    assert outcome(change=[0] * 6, responsive=[0] * 6) == ("stuck", 0)


def test_what_is_not_known_is_not_said() -> None:
    assert outcome(responsive=[1, 1, 1]) == (None, None)
    assert outcome(change=[0]) == (None, None)
    assert outcome(change=[0, np.nan, 0.001, np.nan]) == ("changing", None)
    assert outcome(change=[0, 0.3, 0, 0], change_since_start=[0, 0.3, 0.3, np.nan]) == ("changing", None)
    ended = {"change": series([0, 0.3, 0, 0]), "responsive": series([0, 0, 0, 0])}
    assert formed(ended, last_step=9) == Formation(None, None, ((0, 3),))
    none = series(np.zeros((0, 1)))
    assert outcome(change=[0, 0.3, 0, 0, 0], change_since_start=none, responsive=none) == ("settled", 1)
    assert formed({"change": none, "responsive": none}, last_step=3) == Formation(None, None, ())
    later = series([0.3, 0.3, 0.3], first_step=2)
    assert outcome(change=[0, 0.3, 0, 0, 0], change_since_start=later) == ("settled", 1)
    assert outcome(change=[0, 0, 0, 0.3, 0], change_since_start=later) == ("changing", None)
    assert form({}, 3, 2) == [Formation(None, None, ())] * 2


def test_stuck_spans() -> None:
    steps = np.array([-1, 0, 3, 7, 9])
    assert stuck_spans(steps, np.array([0, 0, 1, 0, 0], np.float32)) == ((-1, 0), (7, 9))
    assert stuck_spans(steps, np.array([1, np.nan, 1, 0, 1], np.float32)) == ((7, 7),)
    assert stuck_spans(steps, np.ones(5, np.float32)) == ()


@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=12))
def test_after_the_place_nothing_is_above_the_floor_and_at_it_something_is(changes: list[float]) -> None:
    values = np.array([0, *changes], np.float32)[:, None]
    (place,) = last_moves(values)
    assert (values[place + 1 :] <= STILL).all()
    assert place == 0 or values[place, 0] > STILL


@pytest.mark.parametrize("loader", LOADERS)
def test_a_run_without_change_says_what_it_can(loader: str, tmp_path: Path) -> None:
    for folder, statistics in (("filters", ("score", "responsive")), ("bare/filters", ())):
        events = [event for step in range(3) for event in layer_events(step, step, statistics=statistics)]
        write_events(tmp_path / folder, events)
    with tab(tmp_path, loader) as served:
        found = served.get("statistics", run="filters", layer="conv2d_1")["formation"]
        assert found["outcome"] == [None, None, "stuck", None, None, None]
        assert found["since"] == [None, None, 0, None, None, None]
        bare = served.get("statistics", run="bare/filters", layer="conv2d_1")["formation"]
        assert bare == {**to_json(form({}, 2, 6)), "stuck": [[]] * 6}


def test_what_is_not_finite_is_away_from_everything() -> None:
    """Infinity less infinity is no number, and no warning."""
    rows = np.array([[0, np.inf], [3e38, -np.inf], [-3e38, np.inf], [-3e38, np.inf]], np.float32)
    assert last_away(rows).tolist() == [1, 3]
