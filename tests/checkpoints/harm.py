"""Layers of model files that do harm when Keras builds them, each with a harmless mark that tells whether it did."""

import base64
import json
import marshal
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
import tensorflow as tf

from tests.memory import forget_peak, peak_mib

Config = dict[str, Any]

_MUCH = 110_000_000  # numbers
_MUCH_MIB = 350
_watched: list[str] = []
_is_watching = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    """Note what Python says of files, connections and processes; connections are not made."""
    if _is_watching and not event.startswith(("object.", "builtins.", "compile", "exec", "marshal", "sys._getframe")):
        _watched.append(f"{event} {arguments!r}")
        if event.startswith("socket."):
            raise PermissionError("no network in this test")


sys.addaudithook(_hear)


class Mark(NamedTuple):
    """What can be seen of a file that was loaded, well or not.

    Attributes:
        events: what Python says of files, connections and processes that were opened.
        is_written: whether the file is there that only harm writes.
        grown_mib: by how much memory rose at the most.
        has_changed_settings: whether what all models share was changed.
        model: what was loaded, if it was.
        error: why it was not, if so.
    """

    events: list[str]
    is_written: bool
    grown_mib: float
    has_changed_settings: bool
    model: keras.Model | None
    error: Exception | None


def watched(folder: Path, load: Callable[[], keras.Model]) -> Mark:
    """Load a file, and note what happens; settings of Keras are put back."""
    global _is_watching
    before, model, error = _settings(), None, None
    (folder / "mark").unlink(missing_ok=True)
    _watched.clear()
    forget_peak()
    held = peak_mib()
    _is_watching = True
    try:
        model = load()
    except Exception as raised:  # whatever it is that Keras stumbles over once the harm is done
        error = raised
    finally:
        _is_watching = False
    changed = _settings() != before
    _put_back(*before)
    return Mark(list(_watched), (folder / "mark").exists(), peak_mib() - held, changed, model, error)


def _settings() -> tuple[Any, ...]:
    return (
        keras.config.floatx(),
        keras.config.epsilon(),
        keras.config.image_data_format(),
        keras.config.dtype_policy().name,
        keras.src.backend.common.global_state.get_global_attribute("safe_mode_saving"),
    )


def _put_back(floatx: str, epsilon: float, data_format: str, policy: str, safe_mode: bool | None) -> None:
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(data_format)
    keras.config.set_dtype_policy(policy)
    keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", safe_mode)


class Way(NamedTuple):
    """A layer of a file, and how one sees that it did harm.

    Attributes:
        layer: makes the layer's entry in a functional model, given a folder for what belongs to it.
        is_done: tells by the mark.
        has_effect: whether today's Keras does it where code is allowed; if not, the mark cannot be shown.
    """

    layer: Callable[[Path], Config]
    is_done: Callable[[Mark], bool]
    has_effect: bool = True


def _is_written(mark: Mark) -> bool:
    return mark.is_written


def _is_opened(mark: Mark) -> bool:
    return any("beside" in event for event in mark.events)


def _is_connected(mark: Mark) -> bool:
    return any(event.startswith("socket.") for event in mark.events)


def _is_large(mark: Mark) -> bool:
    return mark.grown_mib > _MUCH_MIB


def _is_set(mark: Mark) -> bool:
    return mark.has_changed_settings


def _is_read(mark: Mark) -> bool:
    """Tell whether what the file beside it says is in the error."""
    return "secret" in str(mark.error.__cause__ if mark.error else "")


IMAGES = {
    "class_name": "__keras_tensor__",
    "config": {"shape": [None, 6, 6, 1], "dtype": "float32", "keras_history": ["images", 0, 0]},
}


def functional(*layers: Config, name: str = "functional") -> Config:
    """A model of images of 6 x 6, with these layers and a convolution that makes its output."""
    images = _layer("InputLayer", batch_shape=[None, 6, 6, 1], dtype="float32", name="images")
    conv = _called(_layer("Conv2D", name="conv", filters=3, kernel_size=3))
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": {
            "name": name,
            "trainable": True,
            "layers": [{**images, "name": "images", "inbound_nodes": []}, *layers, conv],
            "input_layers": ["images", 0, 0],
            "output_layers": ["conv", 0, 0],
        },
        "registered_name": "Functional",
    }


def _layer(class_name: str, home: str | None = "keras.layers", /, **settings: Any) -> Config:
    return {"module": home, "class_name": class_name, "config": settings, "registered_name": None}


def _called(layer: Config, *inputs: Any, **keywords: Any) -> Config:
    name = layer["config"].setdefault("name", "harm")
    call = {"args": list(inputs) or ([] if keywords else [IMAGES]), "kwargs": keywords}
    return {**layer, "name": name, "inbound_nodes": [call]}


def _uncalled(layer: Config) -> Config:
    return {**layer, "name": layer["config"].setdefault("name", "harm"), "inbound_nodes": []}


def _function(module: str, name: str) -> Config:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def _lambda(module: str, name: str, inputs: Any, **arguments: Any) -> Config:
    """A Lambda that calls a function by its name, on what the file says."""
    return _called(_layer("Lambda", function=_function(module, name), arguments=arguments), inputs=inputs)


def _named(module: str, name: str, inputs: Any, **arguments: Any) -> Callable[[Path], Config]:
    return lambda _: _lambda(module, name, inputs, **arguments)


def _write(path: str) -> Callable[[Any], Any]:
    return lambda images: (__import__("pathlib").Path(path).write_text("written"), images)[1]


def _code(folder: Path) -> Config:
    """A Lambda whose code is stored."""
    config: Config = keras.saving.serialize_keras_object(keras.layers.Lambda(_write(str(folder / "mark")), name="harm"))
    return config


def _code_in(class_name: str, key: str = "layer", **settings: Any) -> Callable[[Path], Config]:
    """Another layer that is given one with code as a setting."""
    return lambda folder: _called(_layer(class_name, **{key: _code(folder)}, **settings))


def _code_of_keras_2(folder: Path) -> Config:
    path = str(folder / "mark")
    code = base64.b64encode(marshal.dumps(_write(path).__code__)).decode()
    settings = {"function": [code, None, [path]], "function_type": "lambda", "module": __name__, "arguments": {}}
    return _called(_layer("Lambda", **settings))


def _code_as_activation(folder: Path) -> Config:
    stored = _code(folder)["config"]["function"]
    return _called(_layer("Dense", units=2, activation=stored))


def _program(folder: Path) -> str:
    """A SavedModel that writes the mark as soon as it is loaded."""
    mark = str(folder / "mark")

    class Writing(tf.saved_model.experimental.TrackableResource):
        def _create_resource(self) -> Any:
            return tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[])

        def _initialize(self) -> None:
            tf.io.write_file(mark, "written")

    class Program(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.writing = Writing()

        @tf.function(input_signature=[tf.TensorSpec([None, 6, 6, 1], tf.float32)])  # type: ignore[untyped-decorator]
        def serve(self, images: Any) -> Any:
            return images + 0 * tf.cast(tf.shape(self.writing.resource_handle)[0:0], tf.float32)

    target = folder / "program"
    if not target.exists():
        tf.saved_model.save(Program(), str(target))
    return str(target)


def _program_layer(folder: Path) -> Config:
    return _layer("TFSMLayer", filepath=_program(folder), call_endpoint="serve")


def _beside(folder: Path) -> str:
    (folder / "beside").write_text("secret\nsecret\n", encoding="utf-8")
    return str(folder / "beside")


def _words(folder: Path) -> Config:
    return _uncalled(_layer("StringLookup", vocabulary=_beside(folder)))


def _numbers(folder: Path) -> Config:
    (folder / "beside").write_text("7\n", encoding="utf-8")
    return _uncalled(_layer("IntegerLookup", vocabulary=str(folder / "beside")))


def _get_file(folder: Path) -> Config:
    return _lambda("keras.utils", "get_file", "got", origin=f"file://{_beside(folder)}", extract=True)


def _archive_beside(folder: Path) -> str:
    with zipfile.ZipFile(folder / "beside.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"")
    return str(folder / "beside.keras")


class _Pickled:
    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (open, (self._path, "w"))


def _torch_module(folder: Path) -> Config:
    pickled = base64.b64encode(pickle.dumps(_Pickled(str(folder / "mark")))).decode()
    return _called(_layer("TorchModuleWrapper", module={"class_name": "__bytes__", "config": {"value": pickled}}))


def _package_beside(folder: Path) -> Config:
    """A package by a name that Keras trusts, where Python finds it: beside the file, in the current folder."""
    package = folder / "keras_cv"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text(f"open({str(folder / 'mark')!r}, 'w').close()\n", encoding="utf-8")
    return _called(_layer("Anything", "keras_cv"))


def _trained(folder: Path) -> Config:
    """A model within the model that says how it was trained."""
    inner = functional(name="harm")
    inner["compile_config"] = {"optimizer": "adam", "loss": _program_layer(folder)}
    return _called(inner)


def _array(*shape: int, dtype: str = "float32") -> Config:
    return {"class_name": "__numpy__", "config": {"value": np.zeros(shape).tolist(), "dtype": dtype}}


def _operation(module: str, name: str, *inputs: Any, **settings: Any) -> Callable[[Path], Config]:
    return lambda _: _called(_layer(name, f"keras.src.ops.{module}", **settings), *inputs)


_SET = _function("keras.config", "set_floatx")
PUBLISHED = {  # of which a configuration is made; of weights' files: test_hostile.py
    "CVE-2024-3660": Way(_code_of_keras_2, _is_written, False),
    "CVE-2025-1550": Way(lambda folder: _lambda("os", "system", f"touch {folder / 'mark'}"), _is_written, False),
    "CVE-2025-8747": Way(_get_file, _is_opened, False),
    "CVE-2025-9905": Way(lambda folder: _called(_code(folder)), _is_written),
    "CVE-2025-9906": Way(_named("keras.config", "enable_unsafe_deserialization", None), _is_set, False),
    "CVE-2025-12058": Way(_words, _is_read),
    "CVE-2025-12060": Way(_get_file, _is_opened, False),
    "CVE-2025-12638": Way(_get_file, _is_opened, False),
    "CVE-2025-49655": Way(_torch_module, _is_written, False),
    "CVE-2026-1462": Way(lambda folder: _called(_program_layer(folder)), _is_written),
    "CVE-2026-12481": Way(_code_in("TimeDistributed"), _is_written),
}
FURTHER = {
    "a program, named": Way(
        lambda folder: _lambda("keras.layers", "TFSMLayer", _program(folder), call_endpoint="serve"), _is_written
    ),
    "a program as an activation": Way(
        lambda folder: _called(_layer("Dense", units=2, activation=_program_layer(folder))), _is_written
    ),
    "a program as an initializer": Way(
        lambda folder: _called(_layer("Dense", units=2, kernel_initializer=_program_layer(folder))), _is_written, False
    ),
    "a program as a regularizer": Way(
        lambda folder: _called(_layer("Dense", units=2, kernel_regularizer=_program_layer(folder))), _is_written, False
    ),
    "a program as what a layer is called with": Way(
        lambda folder: _called(_layer("Conv2D", filters=2, kernel_size=3), IMAGES, _program_layer(folder)), _is_written
    ),
    "a program that nothing calls": Way(lambda folder: _uncalled(_program_layer(folder)), _is_written),
    "a program as a loss": Way(_trained, _is_written, False),
    "code without a module": Way(lambda folder: _called(_code(folder) | {"module": None}), _is_written, False),
    "code by its own module": Way(
        lambda folder: _called(_code(folder) | {"module": "keras.src.layers.core.lambda_layer"}), _is_written
    ),
    "code as an activation": Way(_code_as_activation, _is_written, False),
    "code in a wrapper's layer": Way(_code_in("SpectralNormalization"), _is_written, False),
    "code in both directions": Way(_code_in("Bidirectional"), _is_written, False),
    "code as a cell": Way(_code_in("RNN", "cell"), _is_written, False),
    "code in a pipeline": Way(lambda folder: _called(_layer("Pipeline", layers=[_code(folder)])), _is_written),
    "code in a model": Way(lambda folder: _called(functional(_called(_code(folder)), name="harm")), _is_written),
    "code in a Sequential model": Way(
        lambda folder: _called(
            _layer("Sequential", "keras", layers=[*functional()["config"]["layers"][:1], _code(folder)])
        ),
        _is_written,
    ),
    "a file, opened": Way(
        lambda folder: _lambda("keras.saving", "KerasFileEditor", _archive_beside(folder)), _is_opened
    ),
    "a file of numbers": Way(_numbers, lambda mark: mark.model is not None),
    "a package beside the file": Way(_package_beside, _is_written),
    "data sets": Way(_named("keras.datasets.mnist", "load_data", "not-there.npz"), _is_connected),
    "more data sets": Way(_named("keras.datasets.boston_housing", "load_data", "not-there.npz"), _is_connected),
    "weights of the network": Way(
        _named("keras.applications.mobilenet", "MobileNet", [128, 128, 3], alpha=0.25, include_top=False), _is_connected
    ),
    "names of classes": Way(
        _named("keras.applications.imagenet_utils", "decode_predictions", _array(1, 1000)), _is_connected
    ),
    "numbers of all models": Way(_named("keras.config", "set_floatx", "float16"), _is_set),
    "precision of all models": Way(_named("keras.config", "set_dtype_policy", "mixed_float16"), _is_set),
    "epsilon of all models": Way(_named("keras.config", "set_epsilon", 0.5), _is_set),
    "axes of all models": Way(_named("keras.config", "set_image_data_format", "channels_first"), _is_set),
    "an operation that calls functions": Way(_operation("core", "Switch", 0, [_SET], "float16"), _is_set),
    "ones": Way(_named("keras.ops", "ones", [10_000, _MUCH // 10_000]), _is_large),
    "random numbers": Way(_named("keras.random", "normal", [10_000, _MUCH // 10_000]), _is_large),
    "an operation on a constant": Way(_operation("numpy", "BroadcastTo", 1.0, shape=[_MUCH]), _is_large),
    "a range": Way(_operation("numpy", "Arange", 0, _MUCH), _is_large),
    "a layer on a constant": Way(lambda _: _called(_layer("RepeatVector", n=_MUCH), _array(1, 1)), _is_large),
    "a layer on a constant, trained by a tensor": Way(
        lambda _: _called(_layer("RepeatVector", n=_MUCH), _array(1, 1), training=IMAGES), _is_large
    ),
    "a layer on a constant, beside a tensor's name": Way(
        lambda _: _called(_layer("RepeatVector", n=_MUCH), _array(1, 1), training={"class_name": "__keras_tensor__"}),
        _is_large,
    ),
    "a mean for many": Way(
        lambda _: {
            **_uncalled(_layer("Normalization", mean=[0.0] * 3, variance=[1.0] * 3, axis=[1, 2])),
            "build_config": {"input_shape": [None, 22_000_000, 3]},
        },
        _is_large,
    ),
    "places for unknown numbers": Way(
        lambda _: _uncalled(_layer("IntegerLookup", vocabulary=[1], num_oov_indices=_MUCH)), _is_large
    ),
    "an array of texts": Way(lambda _: _called(_layer("Add"), [IMAGES, _array(2, dtype=f"U{_MUCH // 2}")]), _is_large),
}
WAYS = PUBLISHED | FURTHER
LARGE = [name for name, way in WAYS.items() if way.is_done is _is_large]


def keras_file(path: Path, layer: Config) -> Path:
    """A ``.keras`` file of a model with the layer, and all weights that the rest of it has."""
    rest = keras.saving.deserialize_keras_object(functional())
    rest.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = json.dumps(functional(layer)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def h5_file(path: Path, layer: Config) -> Path:
    """A ``.h5`` file of a whole model with the layer, and all weights that the rest of it has."""
    rest = keras.saving.deserialize_keras_object(functional())
    rest.save(path)
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(functional(layer))
    return path


def json_file(path: Path, layer: Config) -> Path:
    """An architecture with the layer."""
    path.write_text(json.dumps(functional(layer)), encoding="utf-8")
    return path
