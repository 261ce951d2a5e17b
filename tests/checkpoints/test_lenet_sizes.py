import re
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import build_lenet, load_model
from tb_filterviz.checkpoints.lenet_sizes import LeNetShape, lenet_shape
from tb_filterviz.errors import CheckpointError, CheckpointWarning, ConfigError

LEGACY = Path(__file__).parent.parent / "data" / "lenet12_keras213_weights.hdf5"

# of Keras, which `pytest.warns` says once more, where it is nobody's
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _shapes(model: keras.Model) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in model.weights]


def test_the_shapes_say_which_lenet_it_is() -> None:
    assert lenet_shape(_shapes(build_lenet())) == LeNetShape(channels=1, pixels=49, classes=10)
    assert lenet_shape(_shapes(build_lenet(128, 96, 3, 4))[::-1]) == LeNetShape(channels=3, pixels=768, classes=4)
    compiled = build_lenet(20, 20, 1, 3)
    compiled.compile("adam", "mse")
    compiled.optimizer.build(compiled.trainable_variables)
    with_optimizer = [*_shapes(compiled), *(tuple(each.shape) for each in compiled.optimizer.variables)]
    assert lenet_shape(with_optimizer) == LeNetShape(channels=1, pixels=25, classes=3)
    other = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(20, 5), keras.layers.Conv2D(50, 5)])
    assert lenet_shape(_shapes(other)) is None
    assert lenet_shape([*_shapes(build_lenet()), (3, 3)]) is None
    assert lenet_shape([]) is None


def test_channels_and_classes_are_taken_from_the_file(tmp_path: Path) -> None:
    saved = build_lenet(28, 28, 3, 26)
    saved.save_weights(tmp_path / "w.weights.h5")
    saved.save(tmp_path / "w.keras")
    said = "is taken for a LeNet for images of 28 x 28 pixels and 3 channels, with 26 classes, as its arrays say"
    for file in ("w.weights.h5", "w.keras"):
        with pytest.warns(CheckpointWarning, match=said):
            loaded = load_model(tmp_path / file, "lenet")
        assert all(map(np.array_equal, loaded.get_weights(), saved.get_weights()))
        assert loaded.input_shape == (None, 28, 28, 3)


def test_the_articles_lenet_needs_no_remark(tmp_path: Path) -> None:
    build_lenet().save_weights(tmp_path / "w.weights.h5")
    assert load_model(tmp_path / "w.weights.h5", "lenet").output_shape == (None, 10)


@pytest.mark.parametrize(
    ("sizes", "fits", "advised"),
    [
        ((20, 20, 1, 3), "1 channel and 3 classes.*images of 20 x 20, up to 23 x 23", "20x20"),
        ((128, 128, 3, 4), "3 channels and 4 classes.*images of 128 x 128, up to 131 x 131", "128x128"),
        ((31, 20, 1, 10), "images of 20 x 28, up to 23 x 31", "20x28"),
    ],
)
def test_of_images_of_another_size_the_sizes_that_fit_are_told(
    tmp_path: Path, sizes: tuple[int, int, int, int], fits: str, advised: str
) -> None:
    saved = build_lenet(*sizes)
    saved.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(CheckpointError, match=fits) as raised:
        load_model(tmp_path / "w.weights.h5", "lenet")
    height, width = map(int, advised.split("x"))
    assert f"--image-shape {advised} (image_shape=({height}, {width}) in Python)" in str(raised.value)
    with pytest.warns(CheckpointWarning, match=f"images of {height} x {width} pixels"):
        loaded = load_model(tmp_path / "w.weights.h5", "lenet", image_shape=(height, width))
    assert loaded.input_shape == (None, height, width, sizes[2])
    assert all(map(np.array_equal, loaded.get_weights(), saved.get_weights()))
    called = re.search(r"with (build_lenet\(.*?\)) for example", str(raised.value))
    assert called
    built = eval(called[1], {"build_lenet": build_lenet})
    assert load_model(tmp_path / "w.weights.h5", built).input_shape == (None, height, width, sizes[2])


def test_the_size_that_was_said_is_built_exactly(tmp_path: Path) -> None:
    saved = build_lenet(23, 21)
    saved.save_weights(tmp_path / "w.weights.h5")
    images = np.random.default_rng(0).random((2, 21, 23, 1)).astype(np.float32)
    with pytest.warns(CheckpointWarning):
        loaded = load_model(tmp_path / "w.weights.h5", "lenet", image_shape=(21, 23))
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), saved.predict(images, verbose=0))
    with pytest.raises(CheckpointError, match="not for images of 64 x 64 pixels"):
        load_model(tmp_path / "w.weights.h5", "lenet", image_shape=(64, 64))


def test_the_file_of_2018_says_its_size() -> None:
    with pytest.raises(CheckpointError, match="That fits images of 12 x 12, up to 15 x 15"):
        load_model(LEGACY, "lenet")
    with pytest.warns(CheckpointWarning):
        model = load_model(LEGACY, "lenet", image_shape=(12, 12))
    with np.load(LEGACY.with_name("lenet12_keras213_reference.npz")) as reference:
        assert np.abs(model.predict(reference["x"], verbose=0) - reference["y"]).max() < 1e-5


def test_without_padding_it_is_another_network_and_that_is_said(tmp_path: Path) -> None:
    layers = keras.layers
    saved = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(20, 5),
            layers.MaxPooling2D(2),
            layers.Conv2D(50, 5),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(500),
            layers.Dense(10),
        ]
    )
    saved.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(CheckpointError, match=r"images of 16 x 16, .* \(or, without padding, of 28 x 28\)"):
        load_model(tmp_path / "w.weights.h5", "lenet")


def test_what_is_no_lenet_is_refused_as_ever(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)]).save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(CheckpointError, match="do not fit 'lenet'"):
        load_model(tmp_path / "w.weights.h5", "lenet")


def test_of_a_tensorflow_checkpoint_the_size_has_to_be_said(tmp_path: Path) -> None:
    saved = build_lenet(20, 20)
    tf.train.Checkpoint(saved).write(str(tmp_path / "ckpt-1"))
    with pytest.raises(CheckpointError, match="do not fit 'lenet'"):
        load_model(tmp_path / "ckpt-1", "lenet")
    loaded = load_model(tmp_path / "ckpt-1", "lenet", image_shape=(20, 20, 1))
    assert all(map(np.array_equal, loaded.get_weights(), saved.get_weights()))


def test_sizes_that_a_file_only_claims_are_not_built(tmp_path: Path) -> None:
    build_lenet().save_weights(tmp_path / "w.weights.h5")
    with h5py.File(tmp_path / "w.weights.h5", "a") as file:
        (place,) = [name for name in _datasets(file) if file[name].shape == (2450, 500)]
        del file[place]
        file.create_dataset(place, (50 * 10**6, 500), np.float32)  # nothing is stored of it
    with pytest.raises((CheckpointError, ConfigError), match="damaged or hostile"):
        load_model(tmp_path / "w.weights.h5", "lenet")


def _datasets(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found
