"""The demo, and a real TensorBoard that looks at it."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.data.server_ingester import NoDataServerError, get_server_binary

from tb_filterviz import FilterLogger
from tests.event_reader import difference, series, steps
from tests.processes import run
from tests.tensorboard import TensorBoard, tensorboard

EPOCHS = 5


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The log directory of a demo, and what it printed."""
    log_dir = tmp_path_factory.mktemp("demo") / "logs"
    return log_dir, run("-m", "tb_filterviz", "demo", "--log-dir", log_dir, "--epochs", EPOCHS).stdout


def test_the_demo_learns_saves_and_says_what_to_type(demo: tuple[Path, str]) -> None:
    log_dir, printed = demo
    accuracy = series(log_dir / "validation", "epoch_accuracy")
    assert float(accuracy[EPOCHS - 1]) >= 0.95
    names = sorted(path.name for path in (log_dir / "checkpoints").iterdir())
    assert names == [f"epoch-{epoch:02d}.weights.h5" for epoch in range(EPOCHS + 1)]
    assert re.search(rf"tensorboard --logdir {re.escape(str(log_dir))}$", printed, re.M)


def test_steps_line_up_with_keras_curves(demo: tuple[Path, str]) -> None:
    log_dir, _ = demo
    epochs = steps(log_dir / "train", "epoch_accuracy")
    assert epochs == list(range(EPOCHS))
    for layer in ("conv2d_1", "conv2d_2"):
        assert steps(log_dir / "filters", f"filters/{layer}") == [-1, *epochs]


@pytest.mark.slow
def test_its_checkpoints_logged_afterwards_give_the_same_run(demo: tuple[Path, str], tmp_path: Path) -> None:
    log_dir, _ = demo
    with FilterLogger(tmp_path, examples="digits") as logger:
        report = logger.log_checkpoints(log_dir / "checkpoints", "lenet")
    assert [entry.step for entry in report.logged] == [-1, *range(EPOCHS)]
    assert difference(tmp_path / "filters", log_dir / "filters", but="importance") == ""
    importance = [series(run / "filters", "filterviz/conv2d_2/statistics/importance") for run in (tmp_path, log_dir)]
    assert [list(found) for found in importance] == [[-1, *range(EPOCHS)], [EPOCHS - 1]]  # a training's at its end
    # the training measures by its own loss, saved weights by cross-entropy, which rounds otherwise in some versions
    np.testing.assert_allclose(importance[0][EPOCHS - 1], importance[1][EPOCHS - 1], rtol=1e-3)


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast-loader", "python-loader"])
def server(request: pytest.FixtureRequest, demo: tuple[Path, str]) -> Iterator[TensorBoard]:
    if request.param == "true":
        try:
            get_server_binary()
        except NoDataServerError as error:
            pytest.skip(f"TensorBoard's fast loader is not to be had on this platform: {error}")
    with tensorboard(demo[0], f"--load_fast={request.param}") as started:
        yield started


def test_the_images_tab_has_every_epoch_and_one_before(server: TensorBoard) -> None:
    tags = server.get_json("data/plugin/images/tags")
    assert set(tags["filters"]) == {"filters/conv2d_1", "filters/conv2d_2"}
    for tag in tags["filters"]:
        images = server.get_json("data/plugin/images/images", run="filters", tag=tag, sample="0")
        assert [image["step"] for image in images] == [-1, *range(EPOCHS)]
        pictures = [server.get(f"data/plugin/images/individualImage?{image['query']}") for image in images]
        assert len(set(pictures)) == EPOCHS + 1
        for png in pictures:
            with Image.open(io.BytesIO(png)) as picture:
                assert picture.size == {"filters/conv2d_1": (345, 275), "filters/conv2d_2": (595, 520)}[tag]
                assert np.asarray(picture).std() > 10


def test_the_filters_tab_has_every_epoch_and_one_before(server: TensorBoard) -> None:
    assert server.get_json("data/plugins_listing")["filterviz"]["enabled"]
    (shown,) = server.get_json("data/plugin/filterviz/layers")["runs"]
    assert [layer["name"] for layer in shown["layers"]] == ["conv2d_1", "conv2d_2"]
    stats = server.get_json("data/plugin/filterviz/statistics", run="filters", layer="conv2d_2")
    assert stats["steps"] == [-1, *range(EPOCHS)]
    curves = server.get_json("data/plugin/filterviz/curves", run="filters", layer="conv2d_2")["curves"]
    assert {("accuracy", "train"), ("accuracy", "validation"), ("loss", "train"), ("loss", "validation")} <= {
        (curve["metric"], curve["of"]) for curve in curves
    }


def test_the_curves_are_scalars_on_the_same_steps(server: TensorBoard) -> None:
    scalars = server.get_json("data/plugin/scalars/tags")
    assert "epoch_accuracy" in scalars["train"]
    accuracy = server.get_json("data/plugin/scalars/scalars", run="train", tag="epoch_accuracy")
    change = server.get_json("data/plugin/scalars/scalars", run="filters", tag="filterviz/conv2d_2/mean_change")
    assert [step for _, step, _ in accuracy] == [step for _, step, _ in change] == list(range(EPOCHS))
