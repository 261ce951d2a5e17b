import hashlib
from pathlib import Path

import numpy as np
import pytest

from tb_filterviz.datasets import Digits, digits
from tb_filterviz.errors import DatasetError

PIXELS_SHA256 = "d5602e32c9349c2be3d65d2347fda02646b6b2920ab50433fa03e206ba70747e"


def test_the_embedded_digits_are_mnist_to_the_bit(data: Digits) -> None:
    pixels = [np.rint(images[..., 0] * 255).astype(np.uint8).tobytes() for images in (data.x_train, data.x_test)]
    assert hashlib.sha256(b"".join(pixels)).hexdigest() == PIXELS_SHA256
    assert np.bincount(data.y_train).tolist() == [500] * 10
    assert np.bincount(data.y_test).tolist() == [100] * 10
    assert data.x_train.min() == 0
    assert data.x_train.max() == 1


def test_an_npz_of_the_users_own_is_read(tmp_path: Path) -> None:
    images, labels = np.full((3, 8, 8), 255, np.uint8), np.array([0, 1, 2], np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, y_train=labels, x_test=images[:1], y_test=labels[:1])
    own = digits(tmp_path / "own.npz")
    assert own.x_train.shape == (3, 8, 8, 1)
    assert own.x_train.max() == 1
    assert own.y_test.tolist() == [0]


def test_files_that_hold_no_digits_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "partial.npz", x_train=np.zeros((1, 8, 8), np.uint8))
    flat = {name: np.zeros(4, np.uint8) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "flat.npz", **flat)  # type: ignore[arg-type]
    for name, message in (
        ("text.npz", "cannot be read as an .npz archive"),
        ("absent.npz", "cannot be read as an .npz archive"),
        ("partial.npz", "has no array 'y_train'"),
        ("flat.npz", r"Expected x_train uint8 \[n, h, w\]"),
    ):
        with pytest.raises(DatasetError, match=message):
            digits(tmp_path / name)
