"""What it costs to measure filters on real images: seconds, memory, bytes.

python -m pytest tests/benchmarks/test_examples.py --override-ini addopts="--import-mode=importlib -s"
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pytest

from tb_filterviz import Examples, build_lenet, digits
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink


def _seconds(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def test_lenet_on_a_thousand_digits(tmp_path: Path) -> None:
    data, model = digits(), build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy")
    x, y = np.tile(data.x_train, (12, 1, 1, 1)), np.tile(data.y_train, 12)  # 60000
    model.fit(x[:6400], y[:6400], batch_size=128, verbose=0)
    session = Session(model, examples=Examples((data.x_test, data.y_test)), is_training=True)
    without = Session(model)
    session.prepare()
    without.prepare()
    responses = session._responses
    assert responses is not None
    assert responses.importance is not None
    responses.importance.by_slope()
    model.predict(data.x_test, batch_size=128, verbose=0)
    predict = _seconds(lambda: model.predict(data.x_test, batch_size=128, verbose=0), 9)
    measure = _seconds(lambda: responses.measure(is_end=False), 9)
    slope = _seconds(responses.importance.by_slope, 5)
    draw = _seconds(without.draw, 9)
    epoch = _seconds(lambda: model.fit(x, y, batch_size=128, verbose=0), 1)
    print(f"\nLeNet, 1000 digits: predict {predict:.3f} s, measured {measure:.3f} s ({measure / predict:.2f} times)")
    print(f"  importance {slope:.3f} s, once; a drawing {draw:.3f} s; an epoch of 60000 {epoch:.1f} s")
    print(f"  a drawing and its examples: {100 * (draw + measure) / epoch:.2f} % of an epoch")
    sink = EventSink(tmp_path, session.config)
    sink.begin(session.recipe("logger"), 0, examples=session.stored_examples)
    (file,) = (tmp_path / "filters").glob("*tfevents*")
    sizes = [file.stat().st_size]
    for step in range(4):
        sink.write(step, session.compare(session.draw(), step))
        sizes.append(file.stat().st_size)
    sink.close()
    plain = EventSink(tmp_path / "plain", without.config)
    plain.begin(without.recipe("logger"), 0)
    plain.write(0, without.compare(without.draw(), 0))
    (other,) = (tmp_path / "plain" / "filters").glob("*tfevents*")
    first = other.stat().st_size
    plain.write(1, without.compare(without.draw(), 1))
    a_step, drawn = sizes[-1] - sizes[-2], other.stat().st_size - first
    of_examples = a_step - drawn
    print(f"  examples {sizes[0] >> 10} KiB, once; a step {a_step >> 10} KiB, {of_examples >> 10} of these of examples")
    assert measure <= 1.5 * predict
    assert draw + measure <= 0.01 * epoch
    assert of_examples < 60_000


_MEASURE = """
import sys, tempfile, time
import keras, numpy as np
from pathlib import Path
from tb_filterviz import Config, Examples
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tests.memory import peak_mib

network = getattr(keras.applications, sys.argv[1])(weights=None, include_top=False, pooling="avg")
count = int(sys.argv[2])
small = np.random.default_rng(0).random((count, 28, 28, 3), np.float32)
images = np.repeat(np.repeat(small, 8, axis=1), 8, axis=2)
labels = np.arange(count) % 10
began = time.perf_counter()
config = Config(max_filters=16, input_range=(0, 1), image_shape=(224, 224))
session = Session(network, config=config, examples=Examples((images, labels), importance="never"))
planned = time.perf_counter() - began
before = peak_mib()
responses = session._responses
responses.measure(is_end=False)
responses.measure(is_end=False)
seconds, peak = responses.took_s, peak_mib()
batch = min(responses.measurement.batch, count)
began = time.perf_counter()
network.predict(images[: 4 * batch], batch_size=batch, verbose=0)
began = time.perf_counter()
network.predict(images[: 4 * batch], batch_size=batch, verbose=0)
predict = (time.perf_counter() - began) * count / (4 * batch)
stored = sum(len(p) for part in session.stored_examples() for p in part.pictures)
found = responses.measurement.measure()
numbers = lambda r: 16 * r.patches.shape[1] + 4 * r.class_means.shape[1] + 4  # bytes a filter
step = sum(16 * (numbers(r) + r.maps[0].nbytes) for r in found.values())
print(len(found), planned, seconds, predict, before, peak, stored / count, step)
"""


@pytest.mark.parametrize("name", ["VGG16", "ResNet50"])
def test_a_large_network(name: str) -> None:
    arguments = [sys.executable, "-c", _MEASURE, name, "500"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=3000, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    layers, planned, seconds, predict, before, peak, stored, step = map(float, done.stdout.split())
    print(
        f"\n{name}, {layers:.0f} layers, 16 filters each, 500 images of 224 px: {seconds:.0f} s "
        f"(predict {predict:.0f} s, {seconds / predict:.2f} times), planned in {planned:.0f} s; "
        f"peak {peak:.0f} MiB, {before:.0f} before; {stored / 1024:.1f} KiB an image, {step / 1024:.0f} KiB a step"
    )
    assert seconds <= 1.7 * predict
