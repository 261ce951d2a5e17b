"""Handwritten digits: a real subset of MNIST that ships with the package, or the whole of it."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from tb_filterviz.errors import DatasetError

_SUBSET = Path(__file__).parent / "data" / "mnist_subset.npz"


class Digits(NamedTuple):
    """Images float32 ``[n, 28, 28, 1]`` in [0, 1], labels int64 ``[n]`` in 0..9."""

    x_train: npt.NDArray[np.float32]
    y_train: npt.NDArray[np.int64]
    x_test: npt.NDArray[np.float32]
    y_test: npt.NDArray[np.int64]


def _as_digits(arrays: dict[str, npt.NDArray[np.uint8]], source: object) -> Digits:
    parts: list[npt.NDArray[np.generic]] = []
    for split in ("train", "test"):
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if images.dtype != np.uint8 or images.ndim != 3 or len(images) == 0 or labels.shape != (len(images),):
            raise DatasetError(
                f"Expected x_{split} uint8 [n, h, w] and y_{split} [n] in {source}. "
                f"Received: {images.dtype} {images.shape} and {labels.dtype} {labels.shape}"
            )
        parts += [images[..., None].astype(np.float32) / np.float32(255), labels.astype(np.int64)]
    return Digits(*parts)  # type: ignore[arg-type]


def _read_npz(path: Path) -> Digits:
    names = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive]
            if missing:
                raise DatasetError(f"{path} has no array {missing[0]!r}. It needs {', '.join(names)}.")
            return _as_digits({name: archive[name] for name in names}, path)
    except DatasetError:
        raise
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} cannot be read as an .npz archive of images: {error}") from error


def digits(path: str | Path | None = None) -> Digits:
    """Load MNIST digits, balanced: 5000 to train on and 1000 to test on, embedded in the package.

    Args:
        path: an ``.npz`` file with ``x_train`` uint8 [n, h, w], ``y_train`` [n], ``x_test`` and ``y_test``, such as
            Keras' own ``mnist.npz``, to be used instead.

    Raises:
        DatasetError: if the file cannot be read or does not hold these arrays.
    """
    return _read_npz(_SUBSET if path is None else Path(path))


def full_mnist() -> Digits:
    """Load all of MNIST, 60,000 and 10,000 images, through `keras.datasets.mnist`, which downloads it once.

    Raises:
        DatasetError: if there is neither a network nor a copy that Keras downloaded before.
    """
    try:
        (x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
    except Exception as error:  # whatever the network, the disk or the checksum made of it
        raise DatasetError(
            f"Keras could not provide MNIST ({error}). Use the embedded subset, digits(), or digits('mnist.npz')."
        ) from error
    return _as_digits({"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}, "Keras' MNIST")
