"""How fast filters are drawn, against the article's loop and tf-keras-vis, in one run; and what an epoch pays for it.

python -m pytest tests/benchmarks --override-ini addopts="--import-mode=importlib -s"
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import Config, FilterVisualizer, build_lenet
from tb_filterviz.datasets import Digits
from tb_filterviz.optvis.initial_images import gray_noise
from tb_filterviz.session import Session
from tests.optvis import article

# tf-keras-vis gives its inputs in another structure than Keras likes
pytestmark = pytest.mark.filterwarnings("default")

FILTERS, STEPS = 50, 20
FULL_MNIST = 60_000


def _articles_loop(model: keras.Model) -> Callable[[], object]:
    compute = article.gradient_step(model, "conv2d_2")
    start = gray_noise(range(FILTERS), (28, 28, 1), (0, 255), gray=128.0, noise=20.0, seed=0, position=1)

    def draw() -> list[float]:
        scores = []
        for index in range(FILTERS):
            image = start[index : index + 1].copy()
            for _ in range(STEPS):  # does not stop at stuck filters, so that the work is the same for all
                score, gradient = compute(tf.constant(image), tf.constant(index))
                image += gradient.numpy()
                scores.append(float(score))
        return scores

    return draw


def _ours(model: keras.Model) -> Callable[[], object]:
    session = Session(model, layers="conv2d_2", config=Config.classic())
    return lambda: session.render(0)  # measures, tone mapping and all


def _tf_keras_vis(model: keras.Model) -> Callable[[], object]:
    visualization = pytest.importorskip("tf_keras_vis.activation_maximization")
    scores = pytest.importorskip("tf_keras_vis.utils.scores")
    below = keras.Model(model.inputs[0], model.get_layer("conv2d_2").output)
    maximization = visualization.ActivationMaximization(below, clone=False)
    score = scores.CategoricalScore(list(range(FILTERS)))
    start = np.random.default_rng(0).uniform(118, 138, (FILTERS, 28, 28, 1)).astype(np.float32)

    def draw() -> Any:
        return maximization(
            score, seed_input=start, steps=STEPS, input_modifiers=None, regularizers=None, input_range=(None, None)
        )

    return draw


CONTENDERS = {"article's loop": _articles_loop, "tb_filterviz": _ours, "tf-keras-vis": _tf_keras_vis}


@pytest.mark.benchmark(group=f"{FILTERS} filters of conv2d_2, {STEPS} steps")
@pytest.mark.parametrize("name", CONTENDERS)
def test_drawing(benchmark: Any, name: str, lenet: keras.Model) -> None:
    benchmark.pedantic(CONTENDERS[name](lenet), rounds=7, warmup_rounds=2)


def _seconds(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def test_ratios(lenet: keras.Model) -> None:
    draws = {name: make(lenet) for name, make in CONTENDERS.items()}
    for draw in draws.values():
        draw()
    rounds = [{name: _seconds(draw) for name, draw in draws.items()} for _ in range(9)]
    for name in draws:
        seconds = median(one[name] for one in rounds)
        ratio = median(one[name] / one["tb_filterviz"] for one in rounds)
        print(f"\n{name:16} {seconds * 1000:7.0f} ms   {ratio:5.1f} times ours", end="")
    print()
    assert median(one["article's loop"] / one["tb_filterviz"] for one in rounds) >= 12
    assert median(one["tf-keras-vis"] / one["tb_filterviz"] for one in rounds) >= 9


class _Timed(FilterVisualizer):
    """Adds up what the callback takes at the end of epochs."""

    spent: list[float]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.spent.append(_seconds(lambda: super(_Timed, self).on_epoch_end(epoch, logs)))


def test_share_of_an_epoch(data: Digits, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy")
    marks: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: marks.append(time.perf_counter()),  # noqa: ARG005
        on_epoch_end=lambda epoch, logs: marks.append(time.perf_counter()),  # noqa: ARG005
    )
    timed = _Timed(tmp_path)
    timed.spent = []
    model.fit(data.x_train, data.y_train, batch_size=128, epochs=7, verbose=0, callbacks=[clock, timed])
    epochs = [end - begin for begin, end in zip(marks[::2], marks[1::2], strict=True)]
    epoch, added = median(epochs[1:]), median(timed.spent[1:])
    full = epoch * FULL_MNIST / len(data.x_train)
    print(
        f"\nan epoch of LeNet on {len(data.x_train)} images: {epoch:.2f} s; the callback adds {added:.3f} s "
        f"(the first time {timed.spent[0]:.3f} s): {added / full:.2%} of an epoch on {FULL_MNIST} images, "
        f"scaled from this to {full:.1f} s"
    )
    assert added / full <= 0.01
