"""Every row of the design's table: loaded to the same predictions, or refused with a sentence."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints.formats import Kind, recognise
from tb_filterviz.checkpoints.loading import load_model, load_weights
from tb_filterviz.errors import CheckpointError, CheckpointWarning
from tests.checkpoints import keras2

DATA = Path(__file__).parent.parent / "data"
LEGACY = DATA / "lenet12_keras213_weights.hdf5"


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder with all files of a model of Keras 2, by the model's name."""
    folders: dict[str, Path] = {}

    def by_name(name: str) -> Path:
        if name not in folders:
            folders[name] = tmp_path_factory.mktemp(name)
            keras2.save_everything(name, folders[name])
        return folders[name]

    return by_name


LIKE_OTHERS = {"trackable", "with_optimizer"}


def _difference(model: keras.Model, folder: Path) -> float:
    predicted = np.load(folder / "predicted.npy")
    return float(np.abs(model.predict(keras2.IMAGES, verbose=0) - predicted).max())


@pytest.mark.parametrize(
    "file",
    [pytest.param(file, marks=[pytest.mark.slow] if file in LIKE_OTHERS else []) for file in keras2.FILES],
)
@pytest.mark.parametrize("name", keras2.MODELS)
def test_what_keras_2_wrote_predicts_the_same(written: Any, name: str, file: str) -> None:
    folder, architecture = written(name), keras2.FILES[file]
    model = load_model(folder / file, folder / architecture if architecture else None)
    assert _difference(model, folder) < 1e-6


def test_files_of_weights_ask_for_the_architecture(written: Any) -> None:
    folder = written("input_shape")
    for file, architecture in keras2.FILES.items():
        if architecture:
            with pytest.raises(CheckpointError, match=r"holds weights only \(.*--model lenet, --model FILE"):
                load_model(folder / file)


@pytest.mark.parametrize("file", ["lenet12_keras213_weights.hdf5", "lenet12_keras213_model.h5"])
@pytest.mark.parametrize("suffix", ["", ".h5", ".hdf5", ".weights.h5", ".keras"])
def test_the_files_of_2018_predict_what_they_did(tmp_path: Path, file: str, suffix: str) -> None:
    path = tmp_path / f"renamed{suffix}"
    path.write_bytes((DATA / file).read_bytes())
    model = load_model(path, None if "model" in file else build_lenet(12, 12))
    with np.load(DATA / "lenet12_keras213_reference.npz") as reference:
        assert np.abs(model.predict(reference["x"], verbose=0) - reference["y"]).max() < 1e-5


def _called_twice(between: keras.layers.Layer | None) -> keras.Model:
    """A nested model of which the second call is the output."""
    keras.utils.set_random_seed(2)
    convolution = keras.layers.Conv2D(2, 3, padding="same", activation="relu")
    backbone = keras.Sequential([keras.Input((8, 8, 2)), convolution], name="backbone")
    images = keras.Input((8, 8, 2))
    once = backbone(images)
    return keras.Model(images, backbone(once if between is None else between(once)))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("between", [None, keras.layers.ReLU(), keras.layers.Conv2D(2, 3, padding="same")])
def test_a_model_of_keras_3_that_calls_another_twice_predicts_the_same(
    tmp_path: Path, between: keras.layers.Layer | None
) -> None:
    saved = _called_twice(between)
    images = np.random.default_rng(0).random((2, 8, 8, 2)).astype(np.float32)
    saved.save(tmp_path / "m.keras")
    saved.save(tmp_path / "m.h5")
    saved.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.json").write_text(saved.to_json())
    for file, model in (("m.keras", None), ("m.h5", None), ("m.weights.h5", "m.json"), ("m.weights.h5", "m.keras")):
        loaded = load_model(tmp_path / file, tmp_path / model if model else None)
        assert np.abs(loaded.predict(images, verbose=0) - saved.predict(images, verbose=0)).max() < 1e-6


def _keras_3() -> keras.Model:
    keras.utils.set_random_seed(2)
    backbone = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization()])
    images = keras.Input((8, 8, 1))
    features = keras.layers.Flatten()(keras.layers.DepthwiseConv2D(3)(backbone(images)))
    model = keras.Model(images, keras.layers.Dense(2)(keras.layers.Dropout(0.1)(features)))
    model.compile("adam", "mse")
    model.fit(keras2.IMAGES, np.zeros((4, 2)), epochs=2, verbose=0)
    return model


@pytest.mark.parametrize("suffix", ["", ".h5", ".hdf5", ".weights.h5", ".keras"])
def test_what_keras_3_wrote_loads_under_any_name(tmp_path: Path, suffix: str) -> None:
    saved = _keras_3()
    saved.save(tmp_path / "saved.keras")
    saved.save_weights(tmp_path / "saved.weights.h5")
    for source, model in (("saved.keras", None), ("saved.weights.h5", tmp_path / "saved.keras")):
        path = tmp_path / f"renamed_{source.partition('.')[2]}_{suffix}"
        path.write_bytes((tmp_path / source).read_bytes())
        loaded = load_model(path, model)
        assert all(map(np.array_equal, loaded.get_weights(), saved.get_weights()))


def test_tensorflow_checkpoints_of_keras_3_models(tmp_path: Path) -> None:
    saved = _keras_3()
    (tmp_path / "saved_model").mkdir()
    saved.export(tmp_path / "saved_model", verbose=False)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=saved, optimizer=saved.optimizer), str(tmp_path / "manager"), max_to_keep=3
    )
    for _ in range(2):
        manager.save()
    tf.train.Checkpoint(saved).write(str(tmp_path / "plain"))
    assert recognise(tmp_path / "manager").path.name == "ckpt-2"
    other = keras.models.clone_model(saved)
    for path in ("manager", "manager/ckpt-1", "manager/ckpt-1.index", "plain.data-00000-of-00001", "saved_model"):
        other.set_weights([weights + 1 for weights in saved.get_weights()])
        assert load_weights(other, tmp_path / path) == len(saved.weights)
        assert all(map(np.array_equal, other.get_weights(), saved.get_weights()))
    assert recognise(tmp_path / "saved_model").kind is Kind.SAVED_MODEL


def test_names_of_tensorflow_1_are_understood(tmp_path: Path) -> None:
    lenet = build_lenet(12, 12)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        for weight in lenet.weights:
            path = weight.path.removeprefix("lenet/")
            tf.compat.v1.get_variable(path, initializer=np.full(weight.shape, 0.5, np.float32))
        session.run(tf.compat.v1.global_variables_initializer())
        tf.compat.v1.train.Saver().save(session, str(tmp_path / "model"), write_meta_graph=False)
    load_weights(lenet, tmp_path / "model.index")
    assert all((weights == 0.5).all() for weights in lenet.get_weights())


def _file(path: Path, model: keras.Model, kind: Kind) -> Path:
    if kind is Kind.TF_CHECKPOINT:
        tf.train.Checkpoint(model=model).write(str(path))
    elif kind is Kind.SAVED_MODEL:
        model.export(path, verbose=False)
    elif kind in (Kind.LEGACY_MODEL, Kind.LEGACY_WEIGHTS):
        model.save(path.with_suffix(".h5"))
        path.with_suffix(".h5").rename(path)
        if kind is Kind.LEGACY_WEIGHTS:
            with h5py.File(path, "a") as file:
                for name in list(file["model_weights"]):
                    file.move(f"model_weights/{name}", name)
                for name, value in file["model_weights"].attrs.items():
                    file.attrs[name] = value
                del file["model_weights"], file.attrs["model_config"]
    else:
        path = path.with_suffix(".keras" if kind is Kind.MODEL else ".weights.h5")
        model.save(path) if kind is Kind.MODEL else model.save_weights(path)
    return path


def _model(*filters: int, dense: int = 3, size: int = 8) -> keras.Model:
    convolutions = [keras.layers.Conv2D(count, 3, name=f"conv_{i}") for i, count in enumerate(filters)]
    layers = [keras.Input((size, size, 1)), *convolutions, keras.layers.Flatten(), keras.layers.Dense(dense)]
    return keras.Sequential(layers, name="given")


MISFITS = {
    "other_shape": _model(4, 5),
    "too_few": _model(4, 6, 6),
    "too_many": _model(4, dense=36 * 6),
    "other_input": _model(4, 6, size=9),
}


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("kind", Kind)
def test_what_does_not_fit_is_refused_and_nothing_is_half_loaded(tmp_path: Path, kind: Kind) -> None:
    path = _file(tmp_path / "saved", _model(4, 6), kind)
    assert recognise(path).kind is kind
    fitting = _model(4, 6)
    assert load_weights(fitting, path) == 6
    for name, model in MISFITS.items():
        before = model.get_weights()
        with pytest.raises(CheckpointError, match=r"(?s)saved.*do(es)? not fit 'given'") as raised:
            load_weights(model, path)
        assert all(map(np.array_equal, model.get_weights(), before)), name
        assert len(str(raised.value)) < 700
        assert any(character.isdigit() for character in str(raised.value))  # a shape or a count


def test_a_file_that_sets_no_weight_is_an_error(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        file.create_group("layers/other/vars")
    with pytest.raises(CheckpointError, match="do not fit 'given'|without any weights"):
        load_weights(_model(4, 6), tmp_path / "w.weights.h5")
    tf.train.Checkpoint(step=tf.Variable(3)).write(str(tmp_path / "c"))
    with pytest.raises(CheckpointError, match=r"they set 0 of its 6 arrays\. The first without a value is"):
        load_weights(_model(4, 6), tmp_path / "c.index")


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras' own, which pytest.warns would raise here
def test_kernels_of_theano_are_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "theano.h5"
    path.write_bytes(LEGACY.read_bytes())
    with h5py.File(path, "a") as file:
        file.attrs.create("backend", "theano")
    with pytest.warns(CheckpointWarning, match="written by Keras on theano, which may keep the kernels"):
        load_model(path, build_lenet(12, 12))


def test_a_tensorflow_checkpoint_without_its_data_says_so(tmp_path: Path) -> None:
    prefix = _file(tmp_path / "c", _model(4), Kind.TF_CHECKPOINT)
    data = tmp_path / "c.data-00000-of-00001"
    data.rename(tmp_path / "elsewhere")
    with pytest.raises(CheckpointError, match=r"not whole: 0 of its 1 data files"):
        load_weights(_model(4), prefix)
    (tmp_path / "c.index").rename(tmp_path / "renamed")
    with pytest.raises(CheckpointError, match="under another name"):
        load_weights(_model(4), tmp_path / "renamed")
