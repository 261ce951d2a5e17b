"""Ours on three backends, the article's loop and tf-keras-vis, in one run; and what the machine could do at best.

python -m pytest tests/benchmarks/test_contenders.py --override-ini addopts="--import-mode=importlib -s"

JAX and torch are measured in the environments that `.ci/run` makes, `.venv-jax` and `.venv-torch`, if they are there.
"""

import math
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import AscentConfig, Config, build_lenet
from tb_filterviz.session import Session
from tests.optvis import article

# tf-keras-vis gives its inputs in another structure than Keras likes
pytestmark = pytest.mark.filterwarnings("default")

ROOT = Path(__file__).parent.parent.parent
CASES = {  # layer, filters, steps, rounds
    "conv2d_1": (20, 20, 7),
    "conv2d_2": (50, 20, 7),
    "block1_conv2": (4, 3, 3),
    "block2_conv2": (4, 3, 3),
    "block3_conv3": (4, 3, 3),
    "block4_conv3": (4, 3, 3),
    "block5_conv3": (4, 3, 3),
}
AT_LEAST = {"conv2d_1": 20, "conv2d_2": 15, "block1_conv2": 15, "block2_conv2": 15, "block3_conv3": 3}  # times faster


def _network(layer: str) -> keras.Model:
    if layer.startswith("block"):
        return keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    return build_lenet()


def _config(filters: int, steps: int, objective: str = "auto") -> Config:
    return Config(objective=objective, max_filters=filters, ascent=AscentConfig(steps=steps, final_score=False))


def _plain(filters: int, steps: int) -> Config:
    plain = Config.plain()
    ascent = replace(plain.ascent, steps=steps, final_score=False)
    return replace(plain, objective="channel_mean", max_filters=filters, ascent=ascent)


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _ours(model: keras.Model, layer: str, filters: int, steps: int) -> Callable[[], object]:
    return Session(model, layers=layer, config=_config(filters, steps)).draw


def _our_center_unit(model: keras.Model, layer: str, filters: int, steps: int) -> Callable[[], object]:
    return Session(model, layers=layer, config=_config(filters, steps, "center_unit")).draw


def _our_plain(model: keras.Model, layer: str, filters: int, steps: int) -> Callable[[], object]:
    return Session(model, layers=layer, config=_plain(filters, steps)).draw


def _articles_loop(model: keras.Model, layer: str, filters: int, steps: int) -> Callable[[], object]:
    compute, shape = article.gradient_step(model, layer), model.input_shape[1:]
    start = np.random.default_rng(0).uniform(0.4, 0.6, (filters, *shape)).astype(np.float32)

    def draw() -> None:
        for index in range(filters):
            image = start[index : index + 1].copy()
            for _ in range(steps):
                _, gradient = compute(tf.constant(image), tf.constant(index))
                image += gradient.numpy()

    return draw


def _tf_keras_vis(model: keras.Model, layer: str, filters: int, steps: int) -> Callable[[], object]:
    visualization = pytest.importorskip("tf_keras_vis.activation_maximization")
    scores = pytest.importorskip("tf_keras_vis.utils.scores")
    below = keras.Model(model.inputs[0], model.get_layer(layer).output)
    maximization = visualization.ActivationMaximization(below, clone=False)
    start = np.random.default_rng(0).uniform(0.4, 0.6, (filters, *model.input_shape[1:])).astype(np.float32)
    score = scores.CategoricalScore(list(range(filters)))
    options: dict[str, Any] = {"input_modifiers": None, "regularizers": None, "input_range": (None, None)}
    return lambda: maximization(score, seed_input=start, steps=steps, **options)


_ELSEWHERE = """
import sys, time
from statistics import median
from tests.benchmarks.test_contenders import CASES, _network, _ours, _seconds

layer = sys.argv[1]
filters, steps, rounds = CASES[layer]
draw = _ours(_network(layer), layer, filters, steps)
draw()
print(median(_seconds(draw) for _ in range(rounds)))
"""


def _elsewhere(backend: str, layer: str) -> float | None:
    python = ROOT / f".venv-{backend}" / "bin" / "python"
    if not python.exists():
        return None
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-c", _ELSEWHERE, layer], capture_output=True, text=True, timeout=500, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return float(done.stdout.split()[-1])


@pytest.mark.parametrize("layer", CASES)
def test_contenders(layer: str) -> None:
    filters, steps, rounds = CASES[layer]
    model = _network(layer)
    makers = {
        "clean": _ours,
        "clean, of one unit": _our_center_unit,
        "plain": _our_plain,
        "article's loop": _articles_loop,
        "tf-keras-vis": _tf_keras_vis,
    }
    draws = {name: make(model, layer, filters, steps) for name, make in makers.items()}
    for draw in draws.values():
        draw()
    times = [{name: _seconds(draw) for name, draw in draws.items()} for _ in range(rounds)]
    print(f"\n{layer}, {filters} filters, {steps} steps")
    for name in draws:
        ratio = median(one[name] / one["clean"] for one in times)
        print(f"  {name:18} {median(one[name] for one in times) * 1000:8.0f} ms  {ratio:6.1f} times clean")
    for backend in ("jax", "torch"):
        seconds = _elsewhere(backend, layer)
        text = f"{seconds * 1000:8.0f} ms" if seconds is not None else f"   (no .venv-{backend})"
        print(f"  clean on {backend:9} {text}")
    for rival in ("article's loop", "tf-keras-vis"):
        assert median(one[rival] / one["clean"] for one in times) >= AT_LEAST.get(layer, 1)


def _timed(function: Callable[..., Any], *arguments: Any) -> float:
    traced = tf.function(function, autograph=False)
    for _ in range(3):
        traced(*arguments)
    return median(_seconds(lambda: traced(*arguments)) for _ in range(15))


def _primitives(model: keras.Model, layer: str, filters: int, sides: tuple[int, int]) -> tuple[dict[str, float], float]:
    """Seconds of each layer's own forward and backward pass below `layer`, and the arithmetic of all, in FLOP."""
    shape = (filters, *sides, model.input_shape[-1])
    values = tf.constant(np.random.default_rng(0).uniform(0.4, 0.6, shape), tf.float32)
    times, flop = {}, 0.0
    for below in model.layers[: model.layers.index(model.get_layer(layer))]:
        if isinstance(below, keras.layers.InputLayer):
            continue
        out = below(values)

        def backward(inputs: Any, upstream: Any, below: keras.Layer = below) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                made = below(inputs)
            return tape.gradient(made, inputs, upstream)

        forward = _timed(below, values)
        times[below.name] = max(forward, _timed(backward, values, tf.ones_like(out)))  # which runs it forward as well
        if hasattr(below, "kernel"):
            flop += 2 * 2 * math.prod(below.kernel.shape) * math.prod(out.shape[:3])
        values = out
    times["score"] = _timed(lambda a, b: (tf.reduce_sum(a * b, (1, 2, 3)), b * 1.0), values, tf.ones_like(values))
    return times, flop


def _matrix_flops() -> float:
    matrix = tf.random.normal((1024, 1024))
    return 2 * 1024**3 / _timed(tf.matmul, matrix, matrix)


@pytest.mark.parametrize(("make", "sides", "at_most"), [(_our_plain, (28, 28), 1.2), (_ours, (14, 14), 4)])
def test_floor_of_lenets_second_layer(
    make: Callable[..., Callable[[], object]], sides: tuple[int, int], at_most: float
) -> None:
    model, (filters, steps, rounds) = build_lenet(), CASES["conv2d_2"]
    draw = make(model, "conv2d_2", filters, steps)
    draw()
    ratios = []
    for _ in range(3):
        times, flop = _primitives(model, "conv2d_2", filters, sides)
        ours = median(_seconds(draw) for _ in range(rounds)) / steps
        ratios.append(ours / sum(times.values()))
    parts = ", ".join(f"{name} {seconds * 1000:.2f}" for name, seconds in times.items())
    print(
        f"\n{filters} images of {sides}: a step takes {ours * 1000:.2f} ms; "
        f"forward and backward of its primitives by themselves {parts}: "
        f"{sum(times.values()) * 1000:.2f} ms in all; ratio {median(ratios):.2f}; "
        f"{flop / 1e9:.2f} GFLOP at matrix-product speed: {flop / _matrix_flops() * 1000:.2f} ms"
    )
    assert median(ratios) < at_most
