"""Read examples from wherever they are, and leave all there as it was."""

import copy
import random
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.backend.common.global_state import get_global_attribute

from tb_filterviz.datasets import digits
from tb_filterviz.errors import ConfigError
from tb_filterviz.examples.example_set import ExampleSet, example_set, spread
from tb_filterviz.examples.folder import read_folder
from tb_filterviz.examples.settings import Examples

Shape = tuple[int, int, int]
Arrays = tuple[Any, Any]  # images and targets

_WAYS = (
    "an array of images [n, height, width, channels], a pair (images, labels), a tf.data.Dataset, a PyDataset, a "
    "DataLoader, an .npz file, a folder of images, or 'digits'"
)


def read_examples(settings: Examples, shape: Shape) -> ExampleSet:
    """Read as many examples as are asked for.

    Args:
        settings: where they are, and how many.
        shape: ``(height, width, channels)`` of the model's image.

    Raises:
        ConfigError: if they cannot be read, or do not fit the model.
    """
    source, most = settings.source, settings.max_examples
    if isinstance(source, ExampleSet):  # read before, by another process
        return source
    if isinstance(source, str | Path):
        return _read_path(str(source), settings, shape)
    with random_state_kept():
        images, targets, origin = _read_object(source, most)
    return example_set(images, targets, shape=shape, class_names=settings.class_names, origin=origin)


def _read_path(path: str, settings: Examples, shape: Shape) -> ExampleSet:
    if path == "digits":
        return _digits(settings, shape)
    found = Path(path).expanduser()
    if found.is_dir():
        return read_folder(found, settings.max_examples, shape, settings.class_names)
    if not found.exists():
        raise ConfigError(f"`examples` names {path!r}, and there is no such file or folder.")
    if not zipfile.is_zipfile(found):
        raise ConfigError(f"`examples` names {path!r}, which is neither an .npz file of arrays nor a folder of images.")
    return _archive(found, settings, shape)


def _archive(path: Path, settings: Examples, shape: Shape) -> ExampleSet:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = [name for name in ("x", "images", "x_test") if name in archive]
            if not names:
                raise ConfigError(
                    f"`examples` names {str(path)!r}, which has no array 'x'. It holds {', '.join(archive.files)}."
                )
            of_targets = {"x": "y", "images": "labels", "x_test": "y_test"}[names[0]]
            images, targets = archive[names[0]], archive.get(of_targets)
            said = tuple(map(str, archive["class_names"])) if "class_names" in archive else None
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"`examples` names {str(path)!r}, which cannot be read: {error}") from error
    images, targets = _chosen((images, targets), settings.max_examples)
    names_ = settings.class_names or said
    return example_set(images, targets, shape=shape, class_names=names_, origin=f"from {path}")


def _digits(settings: Examples, shape: Shape) -> ExampleSet:
    if shape != (28, 28, 1):
        raise ConfigError(
            f"The examples 'digits' are gray images of 28 x 28 pixels, and the model takes {shape[0]} x {shape[1]} "
            f"with {shape[2]} channel{'' if shape[2] == 1 else 's'}."
        )
    known = digits()
    pictures = np.round(known.x_test * 255).astype(np.uint8)
    images, targets = _chosen((pictures, known.y_test), settings.max_examples)
    return example_set(
        images,
        targets,
        shape=shape,
        class_names=settings.class_names,
        origin="digits of MNIST",
        are_pictures=True,
    )


def _read_object(source: Any, most: int) -> tuple[Any, Any, str]:
    module = type(source).__module__.partition(".")[0]
    if module == "tensorflow" and hasattr(source, "element_spec"):
        from tb_filterviz.examples import tensorflow_data

        batches = tensorflow_data.batches(source)
        return (*_gathered(batches, most), "from a tf.data.Dataset")
    if module == "torch" and hasattr(source, "dataset"):
        return (*_from_loader(source, most), "from a DataLoader")
    if hasattr(source, "__getitem__") and hasattr(source, "num_batches"):  # a PyDataset
        return (*_gathered(_batches_of(_copied(source)), most), f"from a {type(source).__name__}")
    pair = _as_pair(source)
    if pair is None:
        raise ConfigError(f"`examples` must be {_WAYS}. Received: an object of class {type(source).__name__}")
    return (*_chosen(pair, most), "arrays")


def _as_pair(source: Any) -> Arrays | None:
    """Tell images from labels: a tuple of two is a pair, whatever is an array is images."""
    if isinstance(source, tuple) and len(source) in (1, 2, 3) and hasattr(source[0], "shape"):
        return source[0], source[1] if len(source) > 1 else None
    is_pair = isinstance(source, tuple | list) and len(source) == 2
    if is_pair and np.ndim(source[0]) != np.ndim(source[1]) and len(source[0]) == len(source[1]):
        return source[0], source[1]
    if hasattr(source, "shape") or isinstance(source, list | tuple):
        return source, None
    return None


def _chosen(pair: Arrays, most: int) -> Arrays:
    images, targets = (_as_array(each) for each in pair)
    if images.ndim == 0 or len(images) <= most:
        return images, targets
    places = spread(len(images), most)
    has_one_each = targets is not None and targets.ndim and len(targets) == len(images)
    return images[places], targets[places] if has_one_each else targets


def _as_array(value: Any) -> Any:
    if value is None or isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach"):  # a tensor of PyTorch, which may be on another device
        value = value.detach().cpu()
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"`examples` must be images of one size: {error}") from error


def _gathered(batches: Iterable[Any], most: int) -> Arrays:
    """Put batches together until there are enough images."""
    images: list[Any] = []
    targets: list[Any] = []
    count = 0
    for batch in batches:
        batch = tuple(batch) if isinstance(batch, list) else batch  # as PyTorch collates
        pair = None if isinstance(batch, Mapping) else _as_pair(batch)
        if pair is None or any(isinstance(each, Mapping | tuple | list) for each in pair):
            held = [type(each).__name__ for each in batch] if isinstance(batch, tuple) else type(batch).__name__
            raise ConfigError(
                "`examples` must give batches of images, or of images and labels, one array each: of several inputs "
                f"the image alone, of several outputs the labels of one. Received: a batch of {held}"
            )
        some_images, some_targets = (_as_array(each) for each in pair)
        images.append(some_images)
        targets.append(some_targets)
        count += len(some_images)
        if count >= most:
            break
    if not images:
        raise ConfigError("`examples` holds no images.")
    try:
        return np.concatenate(images)[:most], None if targets[0] is None else np.concatenate(targets)[:most]
    except ValueError as error:
        raise ConfigError(f"`examples` must be images of one size: {error}") from error


def _copied(dataset: Any) -> Any:
    """Copy a PyDataset, which may hold a random generator of its own; its arrays are shared.

    Raises:
        ConfigError: if it cannot be copied.
    """
    shared = {id(value): value for value in vars(dataset).values() if isinstance(value, np.ndarray)}
    try:
        return copy.deepcopy(dataset, shared)
    except Exception as error:
        raise ConfigError(
            f"`examples` is a {type(dataset).__name__} that cannot be copied ({type(error).__name__}: {error}), and to "
            "read it might change what a training gets of it. Give arrays: examples=(x[:1000], y[:1000])."
        ) from error


def _batches_of(dataset: Any) -> Iterator[Any]:
    """Read a PyDataset here, in its order: nothing of its workers is started, and no epoch of it ends."""
    count = dataset.num_batches
    index = 0
    while count is None or index < count:
        yield dataset[index]
        index += 1


def _from_loader(loader: Any, most: int) -> Arrays:
    """Read what a DataLoader reads, one by one: its sampler, workers and order are left alone."""
    dataset = loader.dataset
    if hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__"):
        if not len(dataset):
            raise ConfigError("`examples` holds no images.")
        items: Iterable[Any] = (dataset[int(place)] for place in spread(len(dataset), most))
    else:
        items = iter(dataset)
    collate = loader.collate_fn if loader.batch_size is not None else lambda some: some[0]
    return _gathered((collate([item]) for item in items), most)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave all that draws random numbers as it was: a training must not notice that its data were read."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002  whoever reads data may use it
    torch = sys.modules.get("torch")
    of_torch = torch.random.get_rng_state() if torch else None
    of_keras = get_global_attribute("global_seed_generator")
    seed = None if of_keras is None else np.array(keras.ops.convert_to_numpy(of_keras.state.value))
    try:
        yield
    finally:
        if of_keras is not None:
            of_keras.state.assign(seed)
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
        if torch:
            torch.random.set_rng_state(of_torch)
