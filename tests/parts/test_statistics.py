from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, Config, Statistic, draw, maximize
from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.statistics import STANDARD, STATISTICS, statistics_of
from tb_filterviz.session import Session
from tests.parts import own


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "Peak"}, "The name of a statistic must be lower case letters, digits and _. Received: name='Peak'"),
        ({"name": ""}, "must be lower case letters, digits and _"),
        ({"name": "3d"}, "must be lower case letters, digits and _"),
        ({"name": "two words"}, "must be lower case letters, digits and _"),
        ({"name": "a/b"}, "must be lower case letters, digits and _"),
        ({"name": "é"}, "must be lower case letters, digits and _"),
        ({"name": "peak\n"}, "must be lower case letters, digits and _"),
        ({"name": "x" * 41}, "must be lower case letters, digits and _"),
        ({"name": None}, "must be lower case letters, digits and _"),
        ({"description": ""}, "The description of statistic 'own_peak' must be"),
        ({"description": None}, "The description of statistic 'own_peak' must be a line of 1 to 400 characters"),
        ({"label": 3}, "The label of statistic 'own_peak' must be a line of 1 to 400 characters. Received: label=3"),
        ({"compute": 3}, "`compute` of statistic 'own_peak' must be a function. Received: compute=3"),
        (
            {"reads": "all"},
            "`reads` of statistic 'own_peak' must be one of ('ascent', 'history', 'revisit', 'responses'). Received: "
            "reads='all'",
        ),
        (
            {"unit": "%"},
            "`unit` of statistic 'own_peak' must be one of ('number', 'share', 'flag'). Received: unit='%'",
        ),
        ({"sort": "up"}, "`sort` of statistic 'own_peak' must be one of (None, 'ascending', 'descending')"),
    ],
)
def test_a_statistic_that_cannot_work_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(own.peak, **wrong)
    assert message in str(caught.value)


def test_standard_ones_come_first_and_each_comes_once() -> None:
    assert statistics_of([]) == STANDARD == tuple(STATISTICS.values())[: len(STANDARD)]
    assert statistics_of([own.peak, "score", own.darker, own.peak, "change"]) == (*STANDARD, own.peak, own.darker)


def test_two_different_ones_of_one_name_are_refused() -> None:
    other = replace(own.peak, description="something else")
    with pytest.raises(ConfigError, match="`statistics` holds two different ones of the name 'own_peak'."):
        Config(statistics=[own.peak, other])
    with pytest.raises(ConfigError, match="`statistics` has the name 'score', which another one has."):
        Config(statistics=[replace(own.peak, name="score")])


def test_what_is_no_statistic_is_refused() -> None:
    for wrong in (None, 3, own.peak.compute, [own.peak]):
        with pytest.raises(ConfigError, match="or an object of class Statistic. Received: statistics="):
            Config(statistics=[wrong])  # type: ignore[list-item]


def test_curves_are_named_after_what_they_are() -> None:
    curves = {each.name: each.curve for each in STANDARD if each.has_curve}
    assert curves == {
        "gain": "mean_gain",
        "score": "mean_score",
        "kept": "mean_kept",
        "responsive": "share_responsive",
        "change": "mean_change",
    }
    assert (own.peak.curve, own.peak.curve_label) == ("mean_own_peak", "mean own_peak")
    assert (own.darker.curve, own.darker.curve_label) == ("share_own_darker", "own_darker")


def test_statistics_of_ones_own_are_computed_of_every_batch_and_step(small_model: keras.Model) -> None:
    def place(maximized: Any) -> Any:
        return maximized.filters

    config = Config(
        statistics=[own.peak, Statistic(name="place", compute=place, description="which filter"), own.darker],
        filters={"conv_b": [5, 2, 4, 0]},
        ascent=AscentConfig(steps=3, filters_per_batch=2),
    )
    session = Session(small_model, config=config)
    for step in range(2):
        first, second = session.render(step)
        assert second.statistics.keys() == {*(each.name for each in STANDARD), "own_peak", "place", "own_darker"}
        assert first.statistics["place"].tolist() == [0, 1, 2, 3]
        assert second.statistics["place"].tolist() == second.filters.tolist() == [5, 2, 4, 0]
        assert {values.dtype for values in second.statistics.values()} == {np.dtype(np.float32)}
        assert step or second.statistics["own_darker"].tolist() == [0] * 4
        small_model.set_weights([-weights for weights in small_model.get_weights()])
    found = maximize(small_model, "conv_b", [5, 2, 4, 0], config=config)
    (drawn,) = draw(small_model, "conv_b", config=config)
    assert np.array_equal(drawn.statistics["own_peak"], found.peaks)


def test_flags_are_zero_or_one(small_model: keras.Model) -> None:
    for snapshot in draw(small_model, config=Config(ascent=AscentConfig(steps=1))):
        for statistic in STANDARD:
            if statistic.unit == "flag":
                assert set(snapshot.statistics[statistic.name].tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("values", [[0, 2], [0.5, 1], [np.nan, 0]])
def test_what_is_called_a_flag_and_is_none_is_refused(values: list[float]) -> None:
    with pytest.raises(ConfigError, match="Statistic 'own_darker' has the unit 'flag', so it must return 0 or 1."):
        replace(own.darker, compute=lambda _: values).values(None, 2)


def test_a_flag_may_be_a_truth_value_or_a_number() -> None:
    assert replace(own.darker, compute=lambda _: [False, 1.0]).values(None, 2).tolist() == [0, 1]
