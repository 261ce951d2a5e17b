from pathlib import Path

import numpy as np

from tb_filterviz import build_lenet


def test_lenet_is_the_articles() -> None:
    model = build_lenet()
    shapes = [(layer.name, type(layer).__name__, layer.output.shape[1:]) for layer in model.layers]
    assert shapes == [
        ("conv2d_1", "Conv2D", (28, 28, 20)),
        ("activation_1", "Activation", (28, 28, 20)),
        ("max_pooling2d_1", "MaxPooling2D", (14, 14, 20)),
        ("conv2d_2", "Conv2D", (14, 14, 50)),
        ("activation_2", "Activation", (14, 14, 50)),
        ("max_pooling2d_2", "MaxPooling2D", (7, 7, 50)),
        ("flatten_1", "Flatten", (2450,)),
        ("dense_1", "Dense", (500,)),
        ("activation_3", "Activation", (500,)),
        ("dense_2", "Dense", (10,)),
        ("activation_4", "Activation", (10,)),
    ]


def test_weights_of_2018_predict_what_they_did_then(root: Path) -> None:
    model = build_lenet(width=12, height=12, weights=root / "tests/data/lenet12_keras213_weights.hdf5")
    reference = np.load(root / "tests/data/lenet12_keras213_reference.npz")
    np.testing.assert_allclose(model(reference["x"], training=False), reference["y"], atol=1e-5)
