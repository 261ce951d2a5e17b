from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, Config, FilterLogger, FilterVisualizer
from tb_filterviz.errors import ConfigError, LogDirError, StepError
from tests.event_reader import series, steps


def test_the_logger_writes_what_the_callback_writes(tmp_path: Path, small_model: keras.Model) -> None:
    with FilterLogger(tmp_path / "logger") as logger:
        for step in (-1, 0):
            returned = logger.log(small_model, step)
    frozen = keras.models.clone_model(small_model)
    frozen.set_weights(small_model.get_weights())
    frozen.compile(keras.optimizers.SGD(0.0), "mse")
    rng = np.random.default_rng(0)
    frozen.fit(rng.random((4, 12, 12, 1)), np.zeros((4, 10)), verbose=0, callbacks=[FilterVisualizer(tmp_path / "fit")])
    for tag in (
        "filters/conv_a",
        "filterviz/conv_b/tiles",
        "filterviz/conv_b/statistics/change",
        "filterviz/conv_a/mean_score",
    ):
        ours, theirs = (series(tmp_path / run / "filters", tag) for run in ("logger", "fit"))
        assert list(ours) == list(theirs) == [-1, 0]
        for step in ours:
            assert np.array_equal(ours[step], theirs[step])
    assert [snapshot.layer for snapshot in returned] == ["conv_a", "conv_b"]


@pytest.mark.parametrize("step", [True, 4.0, "5", None, 2**70])
def test_a_step_that_is_no_whole_number_is_refused_and_nothing_is_lost(
    tmp_path: Path, small_model: keras.Model, step: Any
) -> None:
    with FilterLogger(tmp_path, "conv_a") as logger:
        logger.log(small_model, 3)
        with pytest.raises(StepError, match="must be a whole number of at most 64 bits. Received: step="):
            logger.log(small_model, step)
        logger.log(small_model, 4)
    assert steps(tmp_path / "filters", "filters/conv_a") == [3, 4]


def test_a_second_logger_goes_on_after_the_first(tmp_path: Path, small_model: keras.Model) -> None:
    for step in (0, 1):
        with FilterLogger(tmp_path, "conv_a") as logger:
            logger.log(small_model, step)
    assert steps(tmp_path / "filters", "filters/conv_a") == [0, 1]


def test_another_model_goes_on_in_the_same_run(tmp_path: Path, small_model: keras.Model) -> None:
    other = keras.models.clone_model(small_model)
    with FilterLogger(tmp_path) as logger:
        (first, _) = logger.log(small_model, 0)
        (second, _) = logger.log(other, 1)
    assert not second.is_first
    expected = np.abs(first.tiles.astype(float) - second.tiles).mean(axis=(1, 2, 3)) > 0
    assert np.array_equal(second.change > 0, expected)


def test_many_models_that_come_and_go_are_not_all_kept(tmp_path: Path, small_model: keras.Model) -> None:
    models = [keras.models.clone_model(small_model) for _ in range(6)]
    with FilterLogger(tmp_path, "conv_a", config=Config(ascent=AscentConfig(steps=1))) as logger:
        for step in range(2):
            for model in models:
                logger.log(model, step)
        assert len(logger._logged) == 4
    runs = sorted(path.name for path in tmp_path.iterdir())
    assert runs == ["filters", *(f"filters_{number}" for number in range(2, 7))]
    for run in runs:  # also those that had been closed meanwhile
        assert steps(tmp_path / run, "filters/conv_a") == [0, 1]


def test_wrong_settings_fail_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LogDirError, match="Cannot write to the log directory"):
        FilterLogger(tmp_path / "file")
    with pytest.raises(ConfigError, match="`config` must be"):
        FilterLogger(tmp_path, config="best")
