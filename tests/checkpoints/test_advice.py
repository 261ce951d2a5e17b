"""What messages about files advise is done, and works."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import build_lenet, load_model, load_weights
from tb_filterviz.checkpoints.formats import recognise
from tb_filterviz.errors import CheckpointError
from tests.processes import run

HERE = __name__


def _small(*extra: keras.layers.Layer) -> keras.Model:
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(3, 3, name="conv"), *extra]
    return keras.Sequential(layers, name="small")


class _Own(keras.layers.Layer):
    def call(self, images: Any) -> Any:
        return images * 2


def with_own_layer() -> keras.Model:
    return _small(_Own(), keras.layers.Conv2D(2, 3))


def plain() -> keras.Model:
    return _small()


def _same(one: keras.Model, other: keras.Model) -> bool:
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_shards_are_loaded_in_keras_and_saved_as_one_file(tmp_path: Path) -> None:
    saved = build_lenet()
    saved.save_weights(tmp_path / "m.weights.json", max_shard_size=0.00457)
    with pytest.raises(CheckpointError, match=r"Load it in Keras and save it as one file: model\.save_weights\("):
        load_weights(build_lenet(), tmp_path / "m.weights.json")
    model = build_lenet()
    model.load_weights(tmp_path / "m.weights.json")
    model.save_weights(tmp_path / "one.weights.h5")
    assert _same(load_model(tmp_path / "one.weights.h5", "lenet"), saved)


def test_an_index_gets_back_its_name(tmp_path: Path) -> None:
    saved = _small()
    tf.train.Checkpoint(saved).write(str(tmp_path / "ckpt"))
    (tmp_path / "ckpt.index").rename(tmp_path / "renamed")
    with pytest.raises(CheckpointError, match=r"give it back its own, which ends in \.index, next to its \.data files"):
        recognise(tmp_path / "renamed")
    (tmp_path / "renamed").rename(tmp_path / "ckpt.index")
    assert _same(load_model(tmp_path / "ckpt", plain), saved)


def test_what_keras_does_not_know_is_built_in_python(tmp_path: Path) -> None:
    saved = with_own_layer()
    saved.save(tmp_path / "m.keras")
    with pytest.raises(CheckpointError, match=r"_Own\..*build it in Python, and say --model package\.module:factory"):
        load_model(tmp_path / "m.keras")
    assert _same(load_model(tmp_path / "m.keras", f"{HERE}:with_own_layer"), saved)


def test_a_model_without_a_size_is_built_in_python(tmp_path: Path) -> None:
    config = keras.saving.serialize_keras_object(keras.Sequential([keras.layers.Conv2D(3, 3, name="conv")]))
    (tmp_path / "m.json").write_text(json.dumps(config))
    saved = _small()
    saved.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(CheckpointError, match="without saying how large its images are. Build it in Python, and say"):
        load_model(tmp_path / "w.weights.h5", tmp_path / "m.json")
    assert _same(load_model(tmp_path / "w.weights.h5", f"{HERE}:plain"), saved)


def test_functions_in_place_of_layers_are_built_in_python(tmp_path: Path) -> None:
    images = {"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [None, 8, 8, 1], "name": "i"}}
    function = {"class_name": "TFOpLambda", "name": "f", "config": {"name": "f", "function": "math.multiply"}}
    layers = [{**images, "inbound_nodes": []}, {**function, "inbound_nodes": [["i", 0, 0, {"y": 2.0}]]}]
    inner = {"name": "m", "layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [["f", 0, 0]]}
    (tmp_path / "m.json").write_text(json.dumps({"class_name": "Functional", "config": inner}))
    saved = _small()
    saved.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(CheckpointError, match=r"which Keras 3 cannot\. Build it in Python, and say --model"):
        load_model(tmp_path / "w.weights.h5", tmp_path / "m.json")
    assert _same(load_model(tmp_path / "w.weights.h5", f"{HERE}:plain"), saved)


class _Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.conv = keras.layers.Conv2D(3, 3)

    def call(self, images: Any) -> Any:
        return self.conv(images)


def test_a_model_that_is_not_built_is_called_once(tmp_path: Path) -> None:
    saved = _Subclassed()
    saved(np.zeros((1, 8, 8, 1), np.float32))
    saved.save_weights(tmp_path / "w.weights.h5")
    model = _Subclassed()
    with pytest.raises(CheckpointError, match="is not built; call it once on an image"):
        load_weights(model, tmp_path / "w.weights.h5")
    model(np.zeros((1, 8, 8, 1), np.float32))
    assert load_weights(model, tmp_path / "w.weights.h5") == 2
    assert _same(model, saved)


def _wrapped(layer: dict[str, Any], wrapper: str) -> dict[str, Any]:
    """As tensorflow_model_optimization writes it."""
    inner = {"name": f"{wrapper}_conv", "layer": layer, "pruning_schedule": {"class_name": "ConstantSparsity"}}
    return {"class_name": wrapper, "config": inner, "registered_name": f"Optimization>{wrapper}", "module": None}


@pytest.mark.parametrize(
    ("wrapper", "strip"), [("PruneLowMagnitude", "strip_pruning"), ("ClusterWeights", "strip_clustering")]
)
def test_pruned_models_are_stripped_first(tmp_path: Path, wrapper: str, strip: str) -> None:
    stripped = _small()
    config = keras.saving.serialize_keras_object(stripped)
    config["config"]["layers"][1] = _wrapped(config["config"]["layers"][1], wrapper)
    (tmp_path / "wrapped.json").write_text(json.dumps(config))
    stripped.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(CheckpointError, match=rf"{strip}\(model\) of tensorflow_model_optimization first"):
        load_model(tmp_path / "w.weights.h5", tmp_path / "wrapped.json")
    stripped.save(tmp_path / "stripped.keras")
    assert _same(load_model(tmp_path / "stripped.keras"), stripped)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_weights_of_a_pruned_model_are_told(tmp_path: Path, suffix: str) -> None:
    class PruneLowMagnitude(keras.layers.Wrapper):
        """Keeps a mask beside the kernel, as the wrapper that is meant."""

        def build(self, shape: Any) -> None:
            super().build(shape)
            self.mask = self.add_weight(shape=self.layer.kernel.shape, trainable=False)

        def call(self, images: Any) -> Any:
            return self.layer(images)

    wrapper = PruneLowMagnitude(keras.layers.Conv2D(3, 3, name="conv"), name="prune_low_magnitude_conv")
    pruned = keras.Sequential([keras.Input((8, 8, 1)), wrapper], name="small")
    path = tmp_path / f"w{suffix}"
    pruned.save_weights(path) if suffix == ".weights.h5" else pruned.save(path)
    with pytest.raises(CheckpointError, match=r"strip_pruning\(model\)"):
        load_model(path, plain)


SCRIPT = """
import sys
from tb_filterviz import FilterLogger
{guard}
    with FilterLogger("logs", verbose=0) as logger:
        report = logger.log_checkpoints("saved", "lenet", executor=1)
    print(len(report.logged), "logged")
"""


@pytest.mark.slow
def test_a_script_gets_its_guard(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    build_lenet().save_weights(tmp_path / "saved" / "epoch-1.weights.h5")

    (tmp_path / "without.py").write_text(SCRIPT.format(guard="if True:"))
    (tmp_path / "with.py").write_text(SCRIPT.format(guard="if __name__ == '__main__':"))
    said = run("without.py", status=None, cwd=tmp_path).stderr
    assert "must stand under `if __name__ == '__main__':`" in said
    assert run("with.py", cwd=tmp_path).stdout.strip() == "1 logged"
