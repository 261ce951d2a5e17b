"""Examples are read from wherever they are; what is wrong with them is said in a sentence."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from tb_filterviz import ConfigError, Examples, digits
from tb_filterviz.examples.reading import read_examples
from tb_filterviz.examples.settings import as_settings

GRAY, COLOR = (8, 6, 1), (8, 6, 3)
X = np.random.default_rng(0).random((50, *GRAY), np.float32)
Y = np.repeat(np.arange(5), 10)


def _read(source: Any, shape: tuple[int, int, int] = GRAY, **settings: Any) -> Any:
    found = as_settings(Examples(source, **settings))
    assert found is not None
    return read_examples(found, shape)


class _Batches(keras.utils.PyDataset):
    """Ten images a batch, with random noise of NumPy's and Python's own."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.epochs = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> Any:
        np.random.random(3)  # noqa: NPY002  as augmentation does
        random.random()
        return X[10 * index : 10 * index + 10], Y[10 * index : 10 * index + 10]

    def on_epoch_end(self) -> None:
        self.epochs += 1


def test_arrays_are_taken_as_they_are() -> None:
    for source in ((X, Y), [X[..., 0], Y], (X[..., 0], Y[:, None]), (X, np.eye(5)[Y])):
        found = _read(tuple(source))
        np.testing.assert_array_equal(found.images, X)
        np.testing.assert_array_equal(found.labels, Y)
        assert found.class_names == tuple("01234")
    assert _read(X).labels is None
    assert _read((X, X.mean((1, 2, 3)))).labels is None  # numbers to be estimated are no classes
    assert _read((X, Y), class_names=list("abcdefg")).class_names == tuple("abcdefg")


def test_of_many_as_many_are_taken_as_are_asked_for_from_everywhere() -> None:
    found = _read((X, Y), max_examples=10)
    assert len(found) == 10
    assert set(found.labels.tolist()) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(found.images[[0, -1]], X[[0, -1]])


def test_a_py_dataset_is_read_without_an_epoch_of_it_passing() -> None:
    dataset = _Batches(workers=2)
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    before = np.random.get_state(legacy=False)["state"]["key"].tolist(), random.getstate()  # noqa: NPY002
    found = _read(dataset, max_examples=25)
    np.testing.assert_array_equal(found.images, X[:25])
    assert dataset.epochs == 0
    after = np.random.get_state(legacy=False)["state"]["key"].tolist(), random.getstate()  # noqa: NPY002
    assert after == before


def test_a_dataset_of_tensorflow_is_read_and_gives_the_training_what_it_would_have() -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed here")

    def made() -> Any:
        keras.utils.set_random_seed(7)
        turn = keras.layers.RandomFlip(seed=2) if keras.backend.backend() == "tensorflow" else lambda x: x
        data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(50)
        noisy = data.map(lambda x, y: (turn(x) + tf.random.uniform([]), y))
        return noisy.batch(10)

    def two_epochs(dataset: Any) -> Any:
        return [x.numpy() for _ in range(2) for x, _ in dataset]

    expected = two_epochs(made())
    dataset = made()
    found = _read(dataset, max_examples=30)
    assert found.images.shape == (30, *GRAY)
    assert len(set(found.labels.tolist())) > 1
    np.testing.assert_array_equal(two_epochs(dataset), expected)
    endless = _read(made().repeat(), max_examples=77)
    assert len(endless) == 77
    plain = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(50).batch(10)
    first, second = (_read(plain) for _ in range(2))
    assert first.fingerprint == second.fingerprint  # so that a training that is resumed goes on in its run
    assert not np.array_equal(first.images, X)


def test_a_dataset_that_calls_python_is_refused() -> None:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed here")
    made = tf.data.Dataset.from_generator(lambda: iter(X), output_signature=tf.TensorSpec(GRAY, tf.float32)).batch(5)
    with pytest.raises(ConfigError, match=r"calls Python code \(from_generator, py_function\)"):
        _read(made)
    mapped = tf.data.Dataset.from_tensor_slices(X).map(lambda x: tf.numpy_function(lambda y: y, [x], tf.float32))
    with pytest.raises(ConfigError, match="Give arrays"):
        _read(mapped.batch(5))


def test_a_data_loader_is_read_without_its_sampler() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(data, batch_size=7, shuffle=True)
    torch.manual_seed(5)
    expected = [x.numpy() for x, _ in loader]
    torch.manual_seed(5)
    found = _read(loader, max_examples=25)
    assert set(found.labels.tolist()) == {0, 1, 2, 3, 4}
    for got, wanted in zip([x.numpy() for x, _ in loader], expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_a_file_of_arrays_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", x=X, y=Y, class_names=np.array(["a", "b", "c", "d", "e"]))
    found = _read(tmp_path / "some.npz")
    np.testing.assert_array_equal(found.images, X)
    assert found.class_names == tuple("abcde")
    assert not found.are_pictures


def test_a_folder_of_images_is_read_and_its_subfolders_are_classes(tmp_path: Path) -> None:
    for number, (name, level) in enumerate({"cats": 250, "dogs": 20}.items()):
        (tmp_path / name).mkdir()
        for index in range(4):
            size = (30 + index, 20)  # other proportions, and sizes
            Image.new("RGB", size, (level, number, index)).save(tmp_path / name / f"{index}.png")
    (tmp_path / "cats" / "notes.txt").write_text("not an image", encoding="utf-8")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / ".ipynb_checkpoints" / "hidden.png")
    found = _read(str(tmp_path), COLOR)
    assert found.images.shape == (8, *COLOR)
    assert found.images.dtype == np.uint8
    assert found.class_names == ("cats", "dogs")
    assert found.labels.tolist() == [0] * 4 + [1] * 4
    assert (found.images[:4, ..., 0] == 250).all()
    assert found.are_pictures
    gray = _read(tmp_path, GRAY, max_examples=2)
    assert gray.images.shape == (2, *GRAY)
    assert gray.labels.tolist() == [0, 1]


def test_an_image_that_cannot_be_read_is_left_out_and_said(tmp_path: Path) -> None:
    Image.new("L", (6, 8), 9).save(tmp_path / "fine.png")
    Image.new("L", (6, 8), 200).save(tmp_path / "more.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and no more")
    found = _read(tmp_path)
    assert len(found) == 2
    assert "1 could not be read, broken.png" in found.origin


def test_digits_ship_with_the_package() -> None:
    found = _read("digits", (28, 28, 1))
    data = digits()
    np.testing.assert_allclose(found.images / 255, data.x_test, atol=1e-6)
    np.testing.assert_array_equal(found.labels, data.y_test)


def _nan() -> Any:
    wrong = X.copy()
    wrong[7, 2, 2] = np.nan
    return wrong


BROKEN: dict[str, tuple[Callable[[Path], Any], dict[str, Any], str]] = {
    "other size": (lambda _: X[:, :5], {}, "images of 5 x 6 pixels and 1 channel, and the model takes images of 8 x 6"),
    "other channels": (lambda _: np.repeat(X, 3, axis=-1), {}, r"must be an array of images .* 1\]"),
    "NaN": (lambda _: _nan(), {}, "1 of 50 images hold NaN or infinity, the first of them image 7"),
    "flat": (lambda _: np.zeros_like(X), {}, "must not be all of one value"),
    "none": (lambda _: X[:0], {}, "must be an array of images"),
    "sizes differ": (lambda _: [X[0], X[0, :3]], {}, "must be images of one size"),
    "labels": (lambda _: (X, Y[:-1]), {}, "50 images and 49 labels"),
    "iterator": (lambda _: iter([X]), {}, "gives every image once"),
    "generator": (lambda _: (one for one in X), {}, "gives every image once"),
    "number": (lambda _: 3, {}, "`examples` must be an array of images.* object of class int"),
    "no file": (lambda _: "nowhere", {}, "no such file or folder"),
    "no images": (lambda path: path, {}, "in which there are no images"),
    "names": (lambda _: (X, Y), {"class_names": ["a", "b"]}, "has 2 names, and there are labels up to 4"),
    "names alone": (lambda _: X, {"class_names": ["a"]}, "`class_names` goes with labels"),
    "outputs": (lambda _: [({"a": X}, Y)], {}, "images of one size"),
    "digits": (lambda _: "digits", {}, "gray images of 28 x 28 pixels, and the model takes 8 x 6"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_said_in_a_sentence(name: str, tmp_path: Path) -> None:
    make, settings, said = BROKEN[name]
    with pytest.raises(ConfigError) as raised:
        _read(make(tmp_path), **settings)
    assert re.search(said, str(raised.value)), str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_that_are_none_are_said(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive", encoding="utf-8")
    with pytest.raises(ConfigError, match="neither an .npz file of arrays nor a folder"):
        _read(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", other=X)
    with pytest.raises(ConfigError, match="has no array 'x'. It holds other"):
        _read(tmp_path / "other.npz")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.png").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"none can be read: one\.png"):
        _read(tmp_path / "pictures")
    with pytest.raises(ConfigError, match="models of images in gray or in colours"):
        _read(tmp_path / "pictures", (8, 8, 2))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_examples": 0}, "`max_examples` must be a whole number from 1"),
        ({"patches": -1}, "`patches` must be a whole number from 0"),
        ({"maps": 9}, "`maps` must be a number up to 8"),
        ({"maps": [1, 1]}, "different places"),
        ({"maps": "all"}, "`maps` must be"),
        ({"importance": "sometimes"}, "`importance` must be one of"),
        ({"ablation": 1}, "`ablation` must be True or False"),
        ({"class_names": "ab"}, "`class_names` must be a list of names"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        Examples(X, **settings)
