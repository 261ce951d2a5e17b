"""What larger networks cost: filters a second, memory, and how the cost grows.

python -m pytest tests/benchmarks/test_engine.py --override-ini addopts="--import-mode=importlib -s"
"""

import subprocess
import sys
import time
from statistics import median

import keras
import pytest

from tb_filterviz import AscentConfig, Config
from tb_filterviz.session import Session
from tests.optvis.test_applications import NETWORKS

_DRAW = """
import sys, tempfile, time
import keras
from tb_filterviz import AscentConfig, Config
from tb_filterviz.optvis.layer_calls import select
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tests.memory import peak_mib

name, size, filters, steps, layer, memory_mb = sys.argv[1:]
network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(int(size), int(size), 3))
layer_calls = select(network)
layer = layer or layer_calls[len(layer_calls) // 2].path
before = peak_mib()
config = Config(max_filters=int(filters), ascent=AscentConfig(steps=int(steps), memory_mb=float(memory_mb)))
session = Session(network, layers=layer, config=config)
session.prepare()
sink = EventSink(tempfile.mkdtemp())
sink.begin(session.recipe("logger"))
began = time.perf_counter()
(drawing,) = session.log(0, [sink])
seconds = time.perf_counter() - began
print(layer, len(drawing.tiles) / seconds, before, peak_mib())
"""


def _draw(*arguments: object) -> tuple[str, float, float, float]:
    done = subprocess.run(
        [sys.executable, "-c", _DRAW, *map(str, arguments)], capture_output=True, text=True, timeout=590, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    layer, rate, before, peak = done.stdout.split()
    return layer, float(rate), float(before), float(peak)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    layer, rate, before, peak = _draw(name, 224, 8, 4, "", 1024)
    print(f"\n{name:15} {layer:45} {rate:6.2f} filters/s (4 steps, 224 px); peak {peak:.0f} MiB, {before:.0f} before")
    assert peak < 4096


def test_memory_follows_the_budget() -> None:
    peaks = {memory_mb: _draw("VGG16", 224, 32, 1, "block5_conv3", memory_mb) for memory_mb in (256, 1024)}
    for memory_mb, (layer, rate, before, peak) in peaks.items():
        print(
            f"\nVGG16 {layer}, memory_mb={memory_mb}: peak {peak:.0f} MiB, {before:.0f} before, {rate:.2f} filters/s",
            end="",
        )
    assert peaks[256][3] < peaks[1024][3] < 4096


def test_all_filters_of_a_large_layer_fit_into_four_gigabytes() -> None:
    layer, rate, before, peak = _draw("VGG16", 224, 512, 1, "block5_conv3", AscentConfig().memory_mb)
    print(
        f"\nVGG16 {layer}, all 512 filters at 224 px, 1 step: peak {peak:.0f} MiB, {before:.0f} before, "
        f"{rate:.2f} filters/s"
    )
    assert peak < 2048


_DRAW_ALL = """
import sys
import keras
from tb_filterviz import AscentConfig, Config
from tb_filterviz.session import Session
from tests.memory import peak_mib

name, size, draws_again = sys.argv[1:]
network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(int(size), int(size), 3))
session = Session(network, config=Config(max_filters=16, ascent=AscentConfig(steps=2)), draws_again=draws_again == "1")
before = peak_mib()
drawings = session.draw()
print(len(drawings), before, peak_mib())
"""


def test_all_layers_drawn_once_need_little_more_memory_than_one() -> None:
    held = {}
    for draws_again in (True, False):
        arguments = [sys.executable, "-c", _DRAW_ALL, "ResNet50", "224", str(int(draws_again))]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=590, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        layers, before, peak = map(float, done.stdout.split())
        held[draws_again] = peak - before
        when = "again and again" if draws_again else "once"
        print(
            f"\nResNet50, {layers:.0f} layers, 16 filters each, drawn {when}: {before:.0f} MiB, then {peak:.0f}", end=""
        )
        assert layers == 53
    print()
    assert held[False] < held[True] / 2
    assert peak < 2048


def test_the_cost_is_linear_in_filters_and_steps() -> None:
    images = keras.Input((64, 64, 3))
    maps = keras.layers.Conv2D(32, 3, activation="relu")(images)
    model = keras.Model(images, keras.layers.Conv2D(128, 3, name="shown")(maps))

    def seconds(filters: int, steps: int) -> float:
        ascent = AscentConfig(steps=steps, filters_per_batch=16)
        session = Session(model, layers="shown", config=Config(max_filters=filters, ascent=ascent))
        session.draw()
        times = []
        for _ in range(5):
            began = time.perf_counter()
            session.draw()
            times.append(time.perf_counter() - began)
        return median(times)

    base = seconds(32, 10)
    for filters, steps, expected in ((64, 10, 2), (128, 10, 4), (32, 20, 2), (32, 40, 4)):
        ratio = seconds(filters, steps) / base
        print(f"\n{filters:4} filters, {steps:3} steps: {ratio:.2f} times 32 filters and 10 steps", end="")
        assert 0.6 * expected < ratio < 1.4 * expected
    print()
