"""What runs show of themselves in a notebook, and how large that may become."""

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz import FilterVisualizer, GridConfig, LayerSeries, read_run, read_runs
from tb_filterviz.export.notebook import MOST_BYTES, MOST_LAYERS, MOST_STEPS, layer_html
from tests.notebooks import decoded, pictures
from tests.plugin import serving

TINY = GridConfig(scale=3, margin_px=1)  # of tiles of 5 x 5


def _frames(made: str) -> list[list[npt.NDArray[np.uint8]]]:
    """The pictures of every slider."""
    found = re.findall(r'data-frames="([^"]*)"', made)
    return [[decoded(base64.b64decode(each)) for each in frames.split()] for frames in found]


def _captions(made: str) -> list[list[str]]:
    return [json.loads(html.unescape(each)) for each in re.findall(r'data-captions="([^"]*)"', made)]


def _layer(log_dir: Path) -> LayerSeries:
    return read_run(log_dir)["conv2d_1"]


def test_a_layer_shows_every_step_as_its_grid_is(tmp_path: Path) -> None:
    serving.write(tmp_path, range(-1, 9))
    layer = _layer(tmp_path)
    made = layer._repr_html_()
    ((frames,), (captions,)) = _frames(made), _captions(made)
    assert len(frames) == 10
    for step, frame in zip(layer.steps.tolist(), frames, strict=True):
        assert np.array_equal(frame, layer.grid(step, TINY))
    (last,) = pictures(made)
    assert np.array_equal(last, layer.grid(8, TINY))
    assert captions[0] == "conv2d_1, before training; 1 stuck (crossed out), 1 flat (underlined)"
    assert captions[-1] == "conv2d_1, epoch 8; 1 stuck (crossed out), 1 flat (underlined)"


def test_of_many_steps_some_are_shown_the_first_and_the_last_among_them(tmp_path: Path) -> None:
    serving.write(tmp_path, range(200))
    made = _layer(tmp_path)._repr_html_()
    (captions,) = _captions(made)
    steps = [int(re.search(r"epoch (\d+)", caption)[1]) for caption in captions]  # type: ignore[index]
    assert (len(steps), steps[0], steps[-1]) == (MOST_STEPS, 0, 199)
    assert set(np.diff(steps)) == {5, 6}
    assert "40 of 200 steps" in made


def test_a_layer_of_one_step_has_no_slider(tmp_path: Path) -> None:
    serving.write(tmp_path, [4])
    made = _layer(tmp_path)._repr_html_()
    assert len(list(pictures(made))) == 1
    assert "onload" not in made


LARGE: list[dict[str, Any]] = [
    {"layer": f"block{at}_conv", "shape": (512, 64, 64, 3), "position": at} for at in range(8)
]


def _noise(log_dir: Path, steps: int) -> None:
    """A run of tiles that nothing can compress."""
    rng = np.random.default_rng(0)
    layers = [{**layer, "tiles": rng.integers(0, 256, layer["shape"], np.uint8)} for layer in LARGE]
    serving.write(log_dir, range(steps), *layers)


@pytest.mark.slow
def test_a_large_run_stays_small_enough_for_a_notebook(tmp_path: Path) -> None:
    _noise(tmp_path, 3)
    run = read_run(tmp_path)
    made = run._repr_html_()
    assert len(made) <= MOST_BYTES
    sliders = _frames(made)
    assert len(sliders) == MOST_LAYERS < len(run)
    assert [len(frames) for frames in sliders] == [3] * MOST_LAYERS
    assert all(frame.shape[1] <= 1000 for frames in sliders for frame in frames)
    assert "2 more layers: block6_conv, block7_conv" in made
    hint = html.unescape(re.search(r"To see one of them: <code>(.*?)</code>", made)[1])  # type: ignore[index]
    other = eval(hint, {"run": run})
    assert other.name == "block7_conv"
    alone = other._repr_html_()
    assert len(sliders[0]) == 3
    assert len(made) / MOST_LAYERS < len(alone) <= MOST_BYTES
    assert "averaged down" in alone


@pytest.mark.slow
def test_what_is_left_out_of_a_layer_is_said_and_what_is_shown_is_right(tmp_path: Path) -> None:
    _noise(tmp_path, 2)
    layer = read_run(tmp_path)["block0_conv"]
    made = layer_html(layer, 200_000)
    assert len(made) <= 200_000
    assert "The first 64 of 512 filters, tiles averaged down to 16 x 16 px" in html.unescape(made)
    ((first, last),) = _frames(made)
    shown = layer.grid(1, GridConfig(scale=1, margin_px=1), filters=range(64), largest_px=16)
    assert np.array_equal(last, shown)
    assert shown.shape == (8 * 17 - 1, 8 * 17 - 1, 3)
    mean = layer.tiles_at(1)[0].reshape(16, 4, 16, 4, 3).mean((1, 3))
    assert np.array_equal(shown[:16, :16], np.floor(mean + 0.5))
    assert first.shape == last.shape


def test_names_of_strangers_stay_names(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    serving.write(tmp_path / name, [0, 1], {"layer": name})
    for shown in (read_runs(tmp_path), read_run(tmp_path)):
        made = shown._repr_html_()
        assert name not in made
        assert html.escape(name) in made


def test_a_layer_that_cannot_be_read_says_why_and_the_others_are_seen(tmp_path: Path) -> None:
    good, lost = (list(serving.layer_events(0, 1.0, layer)) for layer in ("good", "lost"))
    lost[0].summary.value[0].tensor.tensor_content = b"too short"
    serving.write_events(tmp_path / "filters", [*good, *lost])
    made = read_run(tmp_path)._repr_html_()
    (seen,) = pictures(made)
    assert np.array_equal(seen, read_run(tmp_path)["good"].grid(0, TINY))
    assert "lost cannot be shown: filterviz/lost/tiles holds nothing of the type and shape that its metadata" in made


def test_runs_show_what_there_is_and_the_newest(tmp_path: Path, fit: Any, small_model: keras.Model) -> None:
    board = keras.callbacks.TensorBoard(tmp_path / "a")
    fit(small_model, board, FilterVisualizer(tmp_path / "a"), epochs=2)
    (accuracy,) = [curve for name, curve in read_runs(tmp_path)["a/filters"].curves.items() if name == "train/accuracy"]
    serving.write(tmp_path / "b", range(3))
    runs = read_runs(tmp_path)
    made = runs._repr_html_()
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", made)[1:]]
    assert rows == [
        ["a/filters", "2", "epochs -1 to 1 (3 steps)", f"{accuracy.values[-1]:.1%} (train)"],
        ["b/filters", "1", "epochs 0 to 2 (3 steps)", ""],
    ]
    assert html.escape("runs['b/filters']") in made
    (frames,) = _frames(made)
    assert np.array_equal(frames[-1], runs["b/filters"]["conv2d_1"].grid(2, TINY))


def test_what_is_printed_stays_short(tmp_path: Path) -> None:
    _noise(tmp_path, 1)
    runs = read_runs(tmp_path)
    for shown in (runs, runs.newest, runs.newest["block0_conv"]):
        assert len(repr(shown)) < 1000
    assert repr(runs.newest["block0_conv"]) == (
        "<LayerSeries 'block0_conv': 512 filters of 64 x 64 px, epochs 0 to 0 (1 steps)>"
    )


def test_snapshots_say_what_they_are_in_a_line() -> None:
    assert repr(serving.snapshot(3)) == "<LayerSnapshot 'conv2d_1', epoch 3: 6 filters of 5 x 5 px, 1 stuck, 1 flat>"
    assert repr(serving.snapshot(-1)).startswith("<LayerSnapshot 'conv2d_1', before training: ")
