"""What callback and logger hand out of a training: what they drew last, and the run that they wrote."""

import copy
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import (
    Config,
    ConfigError,
    FilterLogger,
    FilterVisualizer,
    LayerSnapshot,
    LogDirError,
    MemorySink,
    read_run,
)
from tb_filterviz.logs.storage import Folder
from tb_filterviz.reading import files
from tests.notebooks import pictures

Fit = Callable[..., Any]


def _are(snapshots: list[LayerSnapshot], memory: MemorySink) -> None:
    """The last that were written."""
    last = memory.snapshots[-2:]
    assert [each.layer for each in snapshots] == ["conv_a", "conv_b"]
    for one, other in zip(snapshots, last, strict=True):
        assert one.step == other.step
        assert np.array_equal(one.tiles, other.tiles)


def test_after_fit_a_callback_has_what_it_drew_and_wrote(tmp_path: Path, fit: Fit, small_model: keras.Model) -> None:
    memory = MemorySink()
    callback = FilterVisualizer(tmp_path, sinks=[memory])
    assert callback.snapshots == []
    assert repr(callback) == f"<FilterVisualizer of {str(tmp_path)!r}: nothing drawn yet>"
    fit(small_model, callback)
    _are(callback.snapshots, memory)
    run = callback.run
    assert (run.name, run.layers) == ("filters", ["conv_a", "conv_b"])
    assert run["conv_b"].steps.tolist() == [-1, 0, 1, 2]
    assert np.array_equal(run["conv_b"].tiles_at(2), callback.snapshots[1].tiles)
    assert callback._repr_html_() == run._repr_html_()
    assert repr(callback) == f"<FilterVisualizer of {str(tmp_path)!r}: 2 layers drawn, the last time epoch 2>"


def test_a_second_training_is_another_run(tmp_path: Path, fit: Fit, small_model: keras.Model) -> None:
    callback = FilterVisualizer(tmp_path)
    fit(small_model, callback, epochs=1)
    first = callback.run
    fit(small_model, callback, epochs=2)
    assert (first.name, callback.run.name) == ("filters", "filters_2")
    assert first["conv_a"].steps.tolist() == [-1, 0]
    assert callback.run["conv_a"].steps.tolist() == [-1, 0, 1]


def test_while_a_training_goes_on_its_run_grows(tmp_path: Path, fit: Fit, small_model: keras.Model) -> None:
    callback, seen = FilterVisualizer(tmp_path), []
    look = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: seen.append(callback.run["conv_a"].steps.tolist()))
    fit(small_model, callback, look)
    assert seen == [[-1], [-1, 0], [-1, 0, 1]]


def test_of_other_runs_in_the_log_directory_none_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit: Fit, small_model: keras.Model
) -> None:
    callback = FilterVisualizer(tmp_path)
    fit(small_model, callback, epochs=1)
    shutil.copytree(tmp_path / "filters", tmp_path / "other" / "filters")
    read: list[Path] = []
    go_through = files._go_through

    def spied(folder: Folder) -> files.FoundRun:
        read.append(Path(folder.path))
        return go_through(folder)

    monkeypatch.setattr(files, "_go_through", spied)
    assert len(callback.run["conv_a"].steps) == 2
    assert read == [tmp_path / "filters"]


def test_the_working_folder_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit: Fit, small_model: keras.Model
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    callback = FilterVisualizer("logs")
    fit(small_model, callback, epochs=1)
    monkeypatch.chdir(tmp_path / "there")
    assert callback.run["conv_a"].steps.tolist() == [-1, 0]
    assert "<b>filters</b>, in logs<" in callback._repr_html_()  # as the user wrote it: no folder of this machine


def test_before_anything_is_written_that_is_said(tmp_path: Path, fit: Fit, small_model: keras.Model) -> None:
    callback = FilterVisualizer(tmp_path)
    with pytest.raises(LogDirError, match="has written nothing yet. Give it to `model.fit` first"):
        _ = callback.run
    assert "Nothing has been drawn yet." in callback._repr_html_()
    fit(small_model, callback)  # the way out
    assert len(callback.run) == 2


def test_a_run_that_was_deleted_is_missed(tmp_path: Path, fit: Fit, small_model: keras.Model) -> None:
    callback = FilterVisualizer(tmp_path)
    fit(small_model, callback, epochs=1)
    shutil.rmtree(tmp_path / "filters")
    with pytest.raises(LogDirError, match="Run 'filters' of .* holds no filters"):
        _ = callback.run
    os.rmdir(tmp_path)
    with pytest.raises(LogDirError, match="There is no log directory"):
        _ = callback.run


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda callback: pickle.loads(pickle.dumps(callback))])
def test_a_copy_begins_with_nothing(tmp_path: Path, fit: Fit, small_model: keras.Model, duplicate: Any) -> None:
    callback = FilterVisualizer(tmp_path)
    fit(small_model, callback, epochs=1)
    another = duplicate(callback)
    assert another.snapshots == []
    with pytest.raises(LogDirError, match="nothing yet"):
        _ = another.run
    fit(small_model, another, epochs=2)
    assert (callback.run.name, another.run.name) == ("filters", "filters_2")
    assert another.snapshots[0].step == 1


@pytest.mark.parametrize("live", [1, 0, "yes"])
def test_live_is_a_choice(tmp_path: Path, live: Any) -> None:
    with pytest.raises(ConfigError, match=f"`live` must be True, False or None. Received: live={live!r}"):
        FilterVisualizer(tmp_path, live=live)


def test_without_a_notebook_nothing_can_be_shown_live(tmp_path: Path, fit: Fit, small_model: keras.Model) -> None:
    with pytest.raises(ConfigError, match="`live=True` needs a notebook, .* Leave it out"):
        FilterVisualizer(tmp_path, live=True)
    fit(small_model, FilterVisualizer(tmp_path), epochs=1, verbose=2)  # the way out
    assert len(read_run(tmp_path)) == 2


def test_a_logger_has_what_it_drew_and_wrote(tmp_path: Path, small_model: keras.Model) -> None:
    memory = MemorySink()
    logger = FilterLogger(tmp_path, sinks=[memory], verbose=0)
    assert logger.snapshots == []
    with pytest.raises(LogDirError, match="This logger has written nothing yet. Call `log` or `log_checkpoints` first"):
        _ = logger.run
    with logger:
        for step in range(2):
            logger.log(small_model, step)
            assert logger.run["conv_a"].steps.tolist() == list(range(step + 1))
            _are(logger.snapshots, memory)
        logger.log(small_model, 0)  # not above the last: a run of its own
    assert logger.run.name == "filters_2"
    _are(logger.snapshots, memory)
    (seen, _) = pictures(logger.run._repr_html_())
    assert seen.any()


def test_a_logger_of_checkpoints_has_them_as_well(tmp_path: Path, small_model: keras.Model) -> None:
    (tmp_path / "saved").mkdir()
    for epoch in (1, 2):
        small_model.save(tmp_path / "saved" / f"epoch-{epoch}.keras")
    memory = MemorySink()
    logger = FilterLogger(tmp_path / "logs", sinks=[memory], config=Config.plain(), verbose=0)
    logger.log_checkpoints(tmp_path / "saved")
    assert logger.run["conv_b"].steps.tolist() == [0, 1]
    _are(logger.snapshots, memory)
    again = FilterLogger(tmp_path / "logs", config=Config.plain(), verbose=0)
    again.log_checkpoints(tmp_path / "saved")  # the run holds them already
    assert again.snapshots == []
    assert again.run.name == logger.run.name


def test_a_remote_run_is_read_back(fit: Fit, small_model: keras.Model) -> None:
    callback = FilterVisualizer("memory://results/logs")
    fit(small_model, callback, epochs=1)
    assert callback.run["conv_a"].steps.tolist() == [-1, 0]
    assert re.search("<b>filters</b>, in memory://results/logs", callback._repr_html_())
