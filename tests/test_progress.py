"""What drawing costs is said once, and a long drawing shows how far it is."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, Config, FilterLogger, FilterVisualizer
from tb_filterviz.progress import Cost, spoken
from tb_filterviz.session import Session
from tests.posthoc import networks


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0612, "0.06 s"), (1.26, "1.3 s"), (12.3, "12 s"), (1500, "25 min"), (12600, "3.5 h")]
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
    told: list[tuple[int, int]] = []
    drawings = session.draw(lambda drawn, total: told.append((drawn, total)))
    total = sum(len(drawing.tiles) for drawing in drawings)
    assert [drawn for drawn, _ in told] == sorted({drawn for drawn, _ in told})
    assert len(told) == sum(-(-len(drawing.tiles) // 2) for drawing in drawings)
    assert told[-1] == (total, total)


def test_a_training_says_once_what_drawing_costs(
    tmp_path: Path, small_model: keras.Model, capsys: pytest.CaptureFixture[str]
) -> None:
    small_model.compile("sgd", "mse")
    x, y = np.zeros((4, 12, 12, 1), np.float32), np.zeros((4, 10), np.float32)
    callback = FilterVisualizer(tmp_path)
    for epochs in (2, 4):
        small_model.fit(x, y, epochs=epochs, initial_epoch=epochs - 2, verbose=2, callbacks=[callback])
    said = capsys.readouterr().out
    assert said.count("compiled in") == 1
    assert said.index("compiled in") < said.index("Epoch 1/2")
    small_model.fit(x, y, epochs=1, verbose=0, callbacks=[FilterVisualizer(tmp_path / "silent")])
    with FilterLogger(tmp_path / "loop", verbose=0) as logger:
        logger.log(small_model, step=0)
    assert capsys.readouterr().out == ""
    with FilterLogger(tmp_path / "said") as logger:
        logger.log(small_model, step=0)
        logger.log(small_model, step=1)
    assert capsys.readouterr().out.count("compiled in") == 1


def test_a_long_drawing_has_a_bar_and_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    short, long = (Cost(filters=70, layers=2, compile_s=1.3, draw_s=draw_s) for draw_s in (0.1, 1500.0))
    assert short.bar(3, 1) is None
    assert long.bar(3, 0) is None
    assert capsys.readouterr().out == ""
    bar = long.bar(3, 1)
    assert bar is not None
    bar(20, 70)
    bar(70, 70)
    shown = capsys.readouterr().out
    assert "draws step 3" in shown
    assert "20/70" in shown
    assert "70/70" in shown
    assert "To draw less" in long.describe()
    assert short.describe() == "70 filters of 2 layers, compiled in 1.3 s, once; a drawing takes about 0.1 s."
