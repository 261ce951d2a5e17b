"""What is seen in a notebook while a training runs: in real kernels."""

import copy
import html
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from tb_filterviz import GridConfig, LiveView, read_run
from tb_filterviz.sinks.live_view import MOST_BYTES, live_html
from tests.notebooks import execute, notebook, outputs, pictures, stream
from tests.plugin import serving

SETTING_UP = """
import keras, warnings
from tb_filterviz import FilterVisualizer, build_lenet, digits
data, model = digits(), build_lenet()
model.compile("adam", "sparse_categorical_crossentropy")
def fit(*callbacks, epochs=1, verbose=2):
    model.fit(data.x_train[:64], data.y_train[:64], epochs=epochs, verbose=verbose, callbacks=list(callbacks))
"""

COUNT_MESSAGES = """
from IPython import get_ipython
publisher, updates, publish = get_ipython().display_pub, [], get_ipython().display_pub.publish
def counted(data, *arguments, **options):
    if "text/html" in data:
        updates.append((options.get("update", False), len(data["text/html"])))
    return publish(data, *arguments, **options)
publisher.publish = counted
"""

BREAK = """
def broken(*arguments, **options):
    raise OSError("the browser is gone")
get_ipython().display_pub.publish = broken
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    fit(FilterVisualizer("broken", on_error="raise"), epochs=3)
get_ipython().display_pub.publish = publish
print([str(each.message) for each in caught if "shown" in str(each.message)])
"""


def test_one_output_follows_the_training(tmp_path: Path) -> None:
    cells = {
        "set up": SETTING_UP + COUNT_MESSAGES,
        "fit": "callback = FilterVisualizer('logs')\nfit(callback, epochs=3)\nprint(updates)",
        "again": "fit(callback)\nfit(callback)",
        "silent": "fit(FilterVisualizer('silent'), verbose=0)",
        "not live": "fit(FilterVisualizer('silent', live=False))",
        "live and silent": "fit(FilterVisualizer('silent', live=True), verbose=0)",
        "copy": "import copy\nfit(copy.deepcopy(callback))",
        "broken": BREAK,
    }
    ran = execute(notebook(*cells.values()), tmp_path)
    cell = dict(zip(cells, ran.cells, strict=True))

    (shown,) = outputs(cell["fit"])
    run = read_run(tmp_path / "logs", "filters")
    assert run["conv2d_2"].steps.tolist() == [-1, 0, 1, 2]
    first, second = pictures(shown)
    assert np.array_equal(first, run["conv2d_1"].grid(2, GridConfig(scale=3, margin_px=1)))
    assert np.array_equal(second, run["conv2d_2"].grid(2, GridConfig(scale=1, margin_px=1)))
    assert re.findall(r"conv2d_\d, epoch 2", shown)
    assert "epoch 1" not in shown
    assert outputs(cell["fit"], "text/plain") == ["Filters, epoch 2"]
    said = eval(stream(cell["fit"]).splitlines()[-1])
    assert [is_update for is_update, _ in said] == [False, True, True, True]
    assert max(size for _, size in said) < 20_000

    (shown,) = outputs(cell["again"])  # a loop of trainings in one cell has one output
    assert next(pictures(shown)).shape == first.shape
    assert read_run(tmp_path / "logs").name == "filters_4"  # of the copy, below
    for name, count in (("silent", 0), ("not live", 0), ("live and silent", 1), ("copy", 0), ("broken", 0)):
        assert len(outputs(cell[name])) == count, name
    assert "Filters are not shown any more while they train: OSError: the browser is gone" in stream(cell["broken"])
    assert stream(cell["broken"]).count("browser is gone") == 1
    assert read_run(tmp_path / "broken")["conv2d_1"].steps.tolist() == [-1, 0, 1, 2]


@pytest.mark.slow
def test_a_logger_shows_its_steps_in_the_cell_that_runs(tmp_path: Path) -> None:
    cells = (
        "from tb_filterviz import FilterLogger, LiveView, build_lenet\n"
        "model, logger = build_lenet(), FilterLogger('logs', 'conv2d_1', sinks=[LiveView()])\n"
        "for step in range(3):\n    shown = logger.log(model, step)",
        "shown = logger.log(model, 3)",
    )
    for step, cell in zip((2, 3), execute(notebook(*cells), tmp_path).cells, strict=True):
        assert outputs(cell, "text/plain") == [f"Filters, epoch {step}"]
        (shown,) = outputs(cell)
        assert f"conv2d_1, epoch {step}" in shown


def test_outside_of_a_notebook_nothing_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    view = LiveView()
    for each in (view, copy.deepcopy(view), pickle.loads(pickle.dumps(view))):
        each.write(0, [serving.snapshot(0)])
        each.report(0, "a failure")
        each.close()
    assert capfd.readouterr().out == ""


def test_a_large_network_is_shown_in_part_and_small() -> None:
    rng = np.random.default_rng(0)
    shape = (512, 64, 64, 3)
    layers = [serving.snapshot(5, f"block{at}", shape, tiles=rng.integers(0, 256, shape, np.uint8)) for at in range(13)]
    shown = live_html(layers)
    assert len(shown) <= MOST_BYTES
    assert re.findall(r"block\d+, epoch 5", html.unescape(shown))[::2] == [
        f"block{at}, epoch 5" for at in (0, 4, 8, 12)
    ]
    assert "4 of 13 layers" in shown
    assert shown.count("The first 64 of 512 filters") == 4
    assert "1 stuck (crossed out), 1 flat (underlined)" in shown
    small = [serving.snapshot(1, f"layer{at}") for at in range(2)]
    for picture, snapshot in zip(pictures(live_html(small)), small, strict=True):
        assert np.array_equal(picture, snapshot.grid(GridConfig(scale=3, margin_px=1)))
