"""Sinks that want to know where the event files are are told before anything is written there."""

import copy
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import pytest

from tb_filterviz import FilterLogger, FilterVisualizer, LayerSnapshot, MemorySink, VisualizationWarning
from tests.loaders import steps_of_runs

Said = list[tuple[str, Any]]


class _Told:
    """Keeps what it is told, and at which steps."""

    def __init__(self) -> None:
        self.said: Said = []

    def begin(self, run_dir: str) -> None:
        self.said.append(("begin", run_dir))

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:  # noqa: ARG002
        self.said.append(("write", step))

    def report(self, step: int, text: str) -> None:  # noqa: ARG002
        self.said.append(("report", step))

    def close(self) -> None:
        self.said.append(("close", None))


class _Unable(_Told):
    def begin(self, run_dir: str) -> None:
        super().begin(run_dir)
        raise RuntimeError("The tracker is away.")


def test_a_training_tells_its_run_before_its_first_step(
    small_model: keras.Model, fit: Callable[..., Any], tmp_path: Path
) -> None:
    told, memory = _Told(), MemorySink()
    visualizer = FilterVisualizer(tmp_path, sinks=[memory, told])
    fit(small_model, visualizer, epochs=1)
    first: Said = [("begin", str(tmp_path / "filters")), ("write", -1), ("write", 0), ("close", None)]
    assert told.said == first
    fit(small_model, visualizer, epochs=1)
    assert told.said[len(first) :] == [("begin", str(tmp_path / "filters_2")), *first[1:]]
    assert len(memory.snapshots) == 8


def test_a_sink_that_cannot_begin_stops_neither_the_training_nor_others(
    small_model: keras.Model, fit: Callable[..., Any], tmp_path: Path
) -> None:
    unable, told = _Unable(), _Told()
    with pytest.warns(VisualizationWarning, match=r"^A sink could not begin: RuntimeError: The tracker is away\."):
        fit(small_model, FilterVisualizer(tmp_path, sinks=[unable, told]), epochs=1)
    assert told.said == unable.said
    assert told.said == [("begin", str(tmp_path / "filters")), ("write", -1), ("write", 0), ("close", None)]
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0]}


def test_a_sink_that_cannot_begin_stops_the_training_if_that_is_wanted(
    small_model: keras.Model, fit: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=r"^The tracker is away\.$"):
        fit(small_model, FilterVisualizer(tmp_path, sinks=[_Unable()], on_error="raise"), epochs=1)


def test_a_loop_tells_each_run_once(small_model: keras.Model, tmp_path: Path) -> None:
    told = _Told()
    with FilterLogger(tmp_path, sinks=[told], verbose=0) as logger:
        for step in (0, 1, 1):  # the last begins another run
            logger.log(small_model, step)
    runs = [("begin", str(tmp_path / name)) for name in ("filters", "filters_2")]
    assert told.said == [runs[0], ("write", 0), ("write", 1), runs[1], ("write", 1), ("close", None)]


def test_a_loop_is_told_of_a_sink_that_cannot_begin_and_may_try_again(small_model: keras.Model, tmp_path: Path) -> None:
    unable = _Unable()
    logger = FilterLogger(tmp_path / "logs", sinks=[unable], verbose=0)
    with pytest.raises(RuntimeError, match="away"):
        logger.log(small_model, 0)
    assert not (tmp_path / "logs").exists()
    unable.begin = _Told.begin.__get__(unable)  # type: ignore[method-assign]
    logger.log(small_model, 0)
    logger.close()
    assert unable.said == [*[("begin", str(tmp_path / "logs" / "filters"))] * 2, ("write", 0), ("close", None)]
    assert steps_of_runs(tmp_path / "logs") == {"filters": [0]}


def test_checkpoints_tell_their_run(small_model: keras.Model, tmp_path: Path) -> None:
    told = _Told()
    for epoch in (1, 2):
        small_model.save_weights(tmp_path / f"epoch-{epoch}.weights.h5")
    with FilterLogger(tmp_path / "logs", sinks=[told], verbose=0) as logger:
        logger.log_checkpoints([*tmp_path.glob("*.h5")], small_model)
    assert told.said == [("begin", str(tmp_path / "logs" / "filters")), ("write", 0), ("write", 1), ("close", None)]


def test_a_copy_of_a_callback_tells_its_own_sink(
    small_model: keras.Model, fit: Callable[..., Any], tmp_path: Path
) -> None:
    told = _Told()
    visualizer = FilterVisualizer(tmp_path, sinks=[told])
    for copied in (copy.deepcopy(visualizer), pickle.loads(pickle.dumps(visualizer))):
        fit(small_model, copied, epochs=1)
        (own,) = vars(copied)["_extra_sinks"]
        assert [said for said, _ in own.said] == ["begin", "write", "write", "close"]
    assert told.said == []
