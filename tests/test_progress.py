"""What drawing costs is said once, and a long drawing shows how far it is."""

import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import AscentConfig, Config, FilterLogger, FilterVisualizer
from tb_filterviz.errors import ConfigError, ModelError
from tb_filterviz.progress import Cost, shown, shown_if_long, shown_once_long, spoken
from tb_filterviz.session import Session
from tests.backfill import networks
from tests.waiting import until


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.01 s"),
        (0.0612, "0.061 s"),
        (1.26, "1.3 s"),
        (9.96, "10 s"),
        (99.6, "100 s"),
        (1500, "25 min"),
        (5999, "100 min"),
        (12600, "3.5 h"),
    ],
)
def test_durations_are_said_as_one_says_them(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_what_is_prepared_is_not_compiled_again() -> None:
    model = networks.counting()
    session = Session(model)
    at_first = networks.Counting.traces
    cost = session.prepare()
    compiled = networks.Counting.traces
    assert compiled > at_first
    session.draw()
    if keras.backend.backend() != "torch":
        assert networks.Counting.traces == compiled
    assert cost.compile_s > 0
    assert cost.draw_s > 0
    assert cost.layers == len(session.layers)


def test_preparing_changes_no_picture(small_model: keras.Model) -> None:
    prepared, at_once = Session(small_model), Session(small_model)
    prepared.prepare()
    for first, second in zip(prepared.draw(), at_once.draw(), strict=True):
        assert np.array_equal(first.tiles, second.tiles)


def test_progress_is_told_of_every_batch_and_ends_at_the_end(small_model: keras.Model) -> None:
    session = Session(small_model, config=Config(ascent=AscentConfig(filters_per_batch=2)))
    cost = session.prepare()
    told: list[tuple[float, float, str]] = []

    def report(done: float, total: float, words: str) -> None:
        told.append((done, total, words))

    drawings = session.draw(report)
    parts = [done for done, _, _ in told]
    assert parts == sorted(parts)
    assert len(told) == sum(1 + -(-len(drawing.tiles) // 2) for drawing in drawings)
    assert told[0][0] == 0
    assert told[-1][0] == pytest.approx(told[-1][1]) == pytest.approx(cost.draw_s)
    assert told[-1][2] == f"{drawings[-1].layer}, {len(drawings[-1].tiles)} of {len(drawings[-1].tiles)} filters"


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it fails only while TensorFlow traces it")
def test_a_layer_that_fails_is_named_before_the_first_epoch(tmp_path: Path) -> None:
    class Broken(keras.layers.Layer):
        is_full = False

        def call(self, inputs: Any) -> Any:
            if self.is_full and tf.inside_function():
                raise MemoryError("no room for this")
            return inputs

    model = keras.Sequential([keras.Input((12, 12, 1)), Broken(), keras.layers.Conv2D(2, 3, name="behind")])
    model.compile("sgd", "mse")
    Broken.is_full = True
    callback, epochs = FilterVisualizer(tmp_path), []
    count = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))  # noqa: ARG005
    for _ in range(2):  # the second time as well: what failed is not taken for prepared
        with pytest.raises(ModelError, match=r"Layer 'behind' \(Conv2D\) cannot be drawn: MemoryError: .*no room"):
            model.fit(np.zeros((2, 12, 12, 1)), np.zeros((2, 10, 10, 2)), verbose=0, callbacks=[callback, count])
    assert epochs == []
    assert not (tmp_path / "filters").exists()


def test_a_training_says_once_what_drawing_costs(
    tmp_path: Path, small_model: keras.Model, capsys: pytest.CaptureFixture[str]
) -> None:
    small_model.compile("sgd", "mse")
    x, y = np.zeros((4, 12, 12, 1), np.float32), np.zeros((4, 10), np.float32)
    callback = FilterVisualizer(tmp_path)
    for epochs in (2, 4):
        small_model.fit(x, y, epochs=epochs, initial_epoch=epochs - 2, verbose=2, callbacks=[callback])
    said = capsys.readouterr().out
    assert said.count("a drawing takes about") == 1
    assert said.index("a drawing takes about") < said.index("Epoch 1/2")
    small_model.fit(x, y, epochs=1, verbose=0, callbacks=[FilterVisualizer(tmp_path / "silent")])
    with FilterLogger(tmp_path / "loop", verbose=0) as logger:
        logger.log(small_model, step=0)
    assert capsys.readouterr().out == ""
    with FilterLogger(tmp_path / "said") as logger:
        logger.log(small_model, step=0)
        logger.log(small_model, step=1)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("a drawing takes about") == 1
    with pytest.raises(ConfigError, match="`verbose` must be 0 or 1"):
        FilterLogger(tmp_path / "wrong", verbose="auto")  # type: ignore[arg-type]


def test_what_is_silent_first_is_said_later(
    tmp_path: Path, small_model: keras.Model, capsys: pytest.CaptureFixture[str]
) -> None:
    small_model.compile("sgd", "mse")
    x, y, callback = np.zeros((4, 12, 12, 1), np.float32), np.zeros((4, 10), np.float32), FilterVisualizer(tmp_path)
    for epochs, verbose in ((1, None), (2, 0), (3, 2)):
        small_model.fit(x, y, epochs=epochs, initial_epoch=epochs - 1, verbose=verbose, callbacks=[callback])
        assert capsys.readouterr().out.count("a drawing takes about") == (verbose == 2)


def test_only_a_long_drawing_has_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    short, long = (Cost(filters=70, layers=2, compile_s=1.3, draw_s=draw_s) for draw_s in (0.1, 1500.0))
    for cost, verbose, is_shown in ((short, 1, False), (long, 0, False), (long, 1, True)):
        with shown_if_long(cost, "Filters", verbose) as report:
            assert (report is not None) is is_shown
    assert capsys.readouterr().out == ""
    assert "To draw less" in long.describe()
    compiled = "" if keras.backend.backend() == "torch" else ", compiled in 1.3 s, once"
    assert short.describe() == f"70 filters of 2 layers{compiled}; a drawing takes about 0.1 s."


def test_without_a_terminal_there_is_a_line_from_time_to_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with shown("Filters at step 3") as report:
        for done in range(0, 101, 4):  # four a second, of which the first came with twenty
            report(20.0 + done, 120.0, f"{20 + done} of 120 filters")
            now[0] += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Filters at step 3: 60 of 120 filters, 15 s left",
        "Filters at step 3: 100 of 120 filters, 5 s left",
    ]


def test_on_a_terminal_there_is_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    frames = []

    def bar_is_shown() -> None:
        frames.append(capsys.readouterr().err)
        assert "Filters at step 3: conv, 16 of 64 filters" in "".join(frames)
        assert "25%" in "".join(frames)

    with shown("Filters at step 3") as report:
        report(1.0, 4.0, "conv, 16 of 64 filters")
        until(bar_is_shown)


@pytest.mark.parametrize(("seconds", "verbose", "lines"), [(60, 1, 5), (60, 0, 0), (4, 1, 0)])
def test_a_work_of_unknown_length_is_shown_once_it_turns_out_long(
    seconds: int, verbose: int, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with shown_once_long("Filters of conv", verbose) as report:
        for done in range(61):
            report(float(done), 60.0, f"{done} of 60 filters")
            now[0] += seconds / 60
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == lines
    assert not lines or printed.err.startswith("Filters of conv: 11 of 60 filters, 49 s left")
