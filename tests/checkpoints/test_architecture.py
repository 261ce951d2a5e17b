import json
from pathlib import Path
from typing import Any

import keras
import pytest

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints.architecture import as_architecture
from tb_filterviz.checkpoints.keras2_config import to_keras3
from tb_filterviz.checkpoints.loading import load_model
from tb_filterviz.errors import CheckpointError, ConfigError

LEGACY = Path(__file__).parent.parent / "data" / "lenet12_keras213_weights.hdf5"


def small_factory() -> keras.Model:
    return build_lenet(12, 12)


def failing_factory() -> str:
    return "not a model"


def _same(model: keras.Model) -> bool:
    return [w.shape for w in model.weights] == [w.shape for w in build_lenet(12, 12).weights]


def test_an_architecture_comes_from_a_function_a_name_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_lenet(12, 12).save(tmp_path / "m.keras")
    (tmp_path / "m.json").write_text(build_lenet(12, 12).to_json())
    (tmp_path / "own_network.py").write_text(
        "from tb_filterviz import build_lenet\n\ndef make():\n    return build_lenet(12, 12)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for source in (small_factory, "own_network:make", tmp_path / "m.keras", str(tmp_path / "m.json")):
        assert _same(as_architecture(source).build())
        assert _same(load_model(LEGACY, source))
    assert as_architecture("lenet").build().input_shape == (None, 28, 28, 1)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("resnet", ConfigError, "must be 'lenet', a file that holds an architecture .* Received: model='resnet'"),
        ("absent_module:make", ConfigError, "There is no 'absent_module:make' to build a model: No module named"),
        ("json:absent", ConfigError, "There is no 'json:absent' to build a model: module 'json' has no attribute"),
        ("json:dumps", ConfigError, "'json:dumps' failed: .*missing"),
        ("absent.keras", ConfigError, "names a file that is not there. Received: model='absent.keras'"),
        (Path("absent"), ConfigError, "names a file that is not there. Received: model='absent'"),
        (failing_factory, ConfigError, "failing_factory' must make a Keras model. It made: str"),
        (lambda: build_lenet(), ConfigError, "must be a function of a module that can be imported"),
        (LEGACY, CheckpointError, "holds weights only, and says nothing of the model's architecture"),
        (Path(__file__), CheckpointError, "is not a model or weights that Keras saved"),
    ],
)
def test_what_says_nothing_of_a_model_is_refused(source: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        as_architecture(source).build()  # type: ignore[arg-type]


def test_what_keras_3_wrote_is_left_as_it_is() -> None:
    images = keras.Input((8, 8, 3))
    backbone = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 3), keras.layers.LeakyReLU(0.1)])
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(backbone(images)))
    models = (keras.Model(images, [features, features]), keras.Model(images, backbone(backbone(images)[..., :3])))
    for model in (*models, backbone, build_lenet()):
        config = json.loads(model.to_json())
        config.pop("compile_config", None)
        assert to_keras3(config) == config


def test_settings_without_a_counterpart_are_left_for_keras_to_refuse(tmp_path: Path) -> None:
    layer = {"class_name": "Conv2D", "config": {"filters": 2, "kernel_size": [3, 3], "mystery": 5}}
    layer["config"]["batch_input_shape"] = [None, 8, 8, 1]  # type: ignore[index]
    config = {"class_name": "Sequential", "config": [layer]}
    (tmp_path / "m.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="mystery"):
        as_architecture(tmp_path / "m.json").build()
    del layer["config"]["mystery"]  # type: ignore[attr-defined]
    (tmp_path / "m.json").write_text(json.dumps(config))
    assert as_architecture(tmp_path / "m.json").build().input_shape == (None, 8, 8, 1)


def test_a_model_that_says_nothing_of_its_images_is_refused(tmp_path: Path) -> None:
    config = keras.saving.serialize_keras_object(keras.Sequential([keras.layers.Conv2D(2, 3)]))
    (tmp_path / "m.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="without saying how large its images are"):
        as_architecture(tmp_path / "m.json").build()


def test_a_module_that_fails_is_not_said_to_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needing_module.py").write_text("import absent_dependency")
    (tmp_path / "failing_module.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    for name, cause in (
        ("needing", "ModuleNotFoundError: No module named 'absent_dependency'"),
        ("failing", "ZeroDivisionError: division by zero"),
    ):
        with pytest.raises(ConfigError, match=f"since importing '{name}_module' failed: {cause}"):
            as_architecture(f"{name}_module:make").build()


def test_what_keras_says_is_cut_before_it_shows_the_configuration(tmp_path: Path) -> None:
    layer = {"module": "keras.layers", "class_name": "Absent", "config": {"name": "a"}, "registered_name": None}
    config = keras.saving.serialize_keras_object(build_lenet())
    config["config"]["layers"].append(layer)
    (tmp_path / "m.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="Absent") as raised:
        as_architecture(tmp_path / "m.json").build()
    assert "{" not in str(raised.value)


@pytest.mark.parametrize("name", ["TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod"])
def test_functions_in_place_of_layers_are_told_from_code(tmp_path: Path, name: str) -> None:
    images = {"class_name": "InputLayer", "name": "i", "config": {"batch_input_shape": [None, 8, 8, 1], "name": "i"}}
    function = {"class_name": name, "name": "f", "config": {"name": "f", "function": "math.multiply"}}
    layers = [{**images, "inbound_nodes": []}, {**function, "inbound_nodes": [["i", 0, 0, {"y": 2.0}]]}]
    inner = {"name": "m", "layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [["f", 0, 0]]}
    (tmp_path / "m.json").write_text(json.dumps({"class_name": "Functional", "config": inner}))
    with pytest.raises(CheckpointError, match=rf"in place of layers \({name}\), which Keras 3 cannot\. Build it in"):
        as_architecture(tmp_path / "m.json").build()


class _Doubling(keras.layers.Layer):
    def call(self, images: Any) -> Any:
        return images * 2


def test_classes_of_the_callers_scope_are_known(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((8, 8, 1)), _Doubling(), keras.layers.Conv2D(2, 3)]).save(tmp_path / "m.keras")
    with pytest.raises(CheckpointError, match="_Doubling"):
        load_model(tmp_path / "m.keras")
    with keras.saving.custom_object_scope({"_Doubling": _Doubling}):
        assert isinstance(load_model(tmp_path / "m.keras").layers[0], _Doubling)
