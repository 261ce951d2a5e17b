"""A model file can do nothing: no known way leaves a mark, through whatever door; where code is allowed, it does."""

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import CheckpointError, load_model
from tb_filterviz.checkpoints.architecture import Architecture, as_architecture
from tb_filterviz.checkpoints.weights import Stored
from tb_filterviz.cli import main
from tests.checkpoints.harm import LARGE, WAYS, Mark, Way, functional, h5_file, json_file, keras_file, watched
from tests.processes import run

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process' own peak"),
]
WITH_EFFECT = [name for name, way in WAYS.items() if way.has_effect and name not in LARGE]
_WRITTEN = Mark([], True, 0.0, False, None, None)
FEW = ["a program, named", "CVE-2025-9905", "a package beside the file", "a program as an activation"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, in which Python looks for packages first, as it does with ``python -m``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("keras_cv")]:
        del sys.modules[name]


def _keras(way: Way, folder: Path) -> tuple[Path, Path | None]:
    return keras_file(folder / "m.keras", way.layer(folder)), None


def _h5(way: Way, folder: Path) -> tuple[Path, Path | None]:
    return h5_file(folder / "m.h5", way.layer(folder)), None


def _json(way: Way, folder: Path) -> tuple[Path, Path | None]:
    keras.saving.deserialize_keras_object(functional()).save_weights(folder / "w.weights.h5")
    return folder / "w.weights.h5", json_file(folder / "m.json", way.layer(folder))


@pytest.mark.parametrize("door", [_keras, _h5, _json])
@pytest.mark.parametrize("name", WAYS)
def test_no_way_leaves_a_mark(folder: Path, name: str, door: Callable[[Way, Path], tuple[Path, Path | None]]) -> None:
    way = WAYS[name]
    path, model = door(way, folder)
    mark = watched(folder, lambda: load_model(path, model))
    assert not way.is_done(mark)
    if name == "a program as a loss":  # how a model was trained is not looked at
        assert mark.model is not None
    else:
        assert isinstance(mark.error, CheckpointError)
        assert "is not built: layer 'harm'" in str(mark.error)


@pytest.mark.parametrize("name", WITH_EFFECT)
def test_the_mark_is_there_where_code_is_allowed(folder: Path, name: str) -> None:
    way = WAYS[name]
    path, _ = _keras(way, folder)
    assert way.is_done(watched(folder, lambda: load_model(path, unsafe=True)))


_MEASURED = """
import inspect
import math
import sys
from pathlib import Path
from tb_filterviz import load_model
from tests.checkpoints.harm import WAYS, keras_file, watched

way, folder = WAYS[sys.argv[1]], Path(sys.argv[2])
path = keras_file(folder / "m.keras", way.layer(folder))
for unsafe in (False, True):
    print(way.is_done(watched(folder, lambda: load_model(path, unsafe=unsafe))))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_memory_is_taken_only_where_code_is_allowed(tmp_path: Path, name: str) -> None:
    """In a process of its own: TensorFlow keeps what it has freed, so a second time nothing would show."""
    assert run("-c", _MEASURED, name, tmp_path).stdout.split() == ["False", "True"]


@pytest.mark.parametrize("command", ["layers", "render", "log", "log --model"])
@pytest.mark.parametrize("name", FEW)
def test_no_command_leaves_a_mark(folder: Path, name: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    way, path = WAYS[name], folder / "epoch-1.keras"
    keras_file(path, way.layer(folder))
    arguments = {
        "layers": ["layers", str(path)],
        "render": ["render", str(path), "--layer", "conv", "--output", str(folder / "grid.png")],
        "log": ["log", str(path), "--logdir", str(folder / "logs")],
        "log --model": [
            *("log", str(folder / "w.weights.h5"), "--model", str(folder / "m.json")),
            *("--logdir", str(folder / "logs")),
        ],
    }[command]
    keras.saving.deserialize_keras_object(functional()).save_weights(folder / "w.weights.h5")
    json_file(folder / "m.json", way.layer(folder))
    (folder / "mark").unlink(missing_ok=True)
    assert main(arguments) == 1
    assert not (folder / "mark").exists()
    assert "is not built: layer 'harm'" in " ".join(capsys.readouterr().err.split())


def test_no_worker_leaves_a_mark(folder: Path) -> None:
    """In another process, of which only files are seen."""
    writing = [name for name in WITH_EFFECT if WAYS[name].is_done(_WRITTEN)]
    assert len(writing) >= 10
    with ProcessPoolExecutor(1, get_context("spawn")) as executor:
        for name in writing:
            (folder / name).mkdir()
            path = keras_file(folder / "m.keras", WAYS[name].layer(folder / name))
            (folder / name / "mark").unlink(missing_ok=True)
            with pytest.raises(CheckpointError, match="is not built: layer 'harm'"):
                executor.submit(as_architecture(path).build, stored=Stored(2, 30)).result()
    assert not list(folder.rglob("mark"))


NETWORKS = [name for name, value in vars(keras.applications).items() if inspect.isfunction(value)]


def _built_again(name: str) -> None:
    side = 75 if name.startswith(("Inception", "Xception")) else 32
    network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(side, side, 3))
    sizes = [tuple(weight.shape) for weight in network.weights]
    again = Architecture.of(network).build(stored=Stored(len(sizes), sum(map(math.prod, sizes))))
    assert [tuple(weight.shape) for weight in again.weights] == sizes
    assert again.output_shape == network.output_shape


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetV2B0"])
def test_networks_of_keras_are_still_loaded(name: str) -> None:
    _built_again(name)


@pytest.mark.stress
@pytest.mark.parametrize("name", NETWORKS)
def test_all_networks_of_keras_are_still_loaded(name: str) -> None:
    _built_again(name)
    keras.backend.clear_session()


@pytest.mark.parametrize(
    "make",
    [
        lambda: [keras.Input((8, 3), batch_size=2), keras.layers.LSTM(4, stateful=True)],
        lambda: [keras.Input((8, 1)), keras.layers.Normalization(mean=[2.0], variance=[4.0]), keras.layers.Dense(2)],
        lambda: [keras.Input((8, 3)), keras.layers.Normalization(mean=2.0, variance=4.0), keras.layers.Dense(2)],
        lambda: [keras.Input((8, 2)), keras.layers.Normalization(mean=[1, 2], variance=[3, 4]), keras.layers.Dense(2)],
    ],
)
def test_what_is_built_in_another_way_predicts_the_same(tmp_path: Path, make: Callable[[], list[Any]]) -> None:
    network = keras.Sequential(make())
    network.save(tmp_path / "m.keras")
    images = np.random.default_rng(0).random((2, *network.input_shape[1:]), np.float32)
    np.testing.assert_array_equal(load_model(tmp_path / "m.keras")(images), network(images))


def test_a_network_of_keras_is_saved_and_loaded(tmp_path: Path) -> None:
    network = keras.applications.MobileNetV2(weights=None, alpha=0.35, include_top=False, input_shape=(32, 32, 3))
    network.save(tmp_path / "m.keras")
    for one, other in zip(network.weights, load_model(tmp_path / "m.keras").weights, strict=True):
        np.testing.assert_array_equal(one, other)
