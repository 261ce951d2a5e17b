"""What matching finds in two real trainings of other seeds, and in one whose filters were permuted.

python -m pytest tests/benchmarks/test_matching.py --override-ini addopts="--import-mode=importlib -s"
"""

import keras
import numpy as np
import pytest

from tb_filterviz import maximize
from tb_filterviz.datasets import digits
from tb_filterviz.lenet import build_lenet
from tb_filterviz.plugin.similarity import Tiles, best_pairs, picture_similarity

LAYERS = ("conv2d_1", "conv2d_2")
SEEDS = (11, 12)


def trained(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = build_lenet(28, 28, 1, 10)
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), loss="sparse_categorical_crossentropy")
    data = digits()
    model.fit(data.x_train, data.y_train, epochs=5, batch_size=32, verbose=0)
    return model


def permuted(model: keras.Model, layer: str, order: list[int]) -> keras.Model:
    """A network that computes the same, with the filters of a layer in another order, and without what comes after."""
    other = build_lenet(28, 28, 1, 10)
    other.set_weights(model.get_weights())
    kernel, bias = other.get_layer(layer).get_weights()
    other.get_layer(layer).set_weights([kernel[..., order], bias[order]])
    return other


@pytest.fixture(scope="module")
def models() -> list[keras.Model]:
    return [trained(seed) for seed in SEEDS]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_planted_permutation_is_found(models: list[keras.Model], layer: str) -> None:
    one = maximize(models[0], layer).tiles()
    order = np.random.default_rng(0).permutation(len(one)).tolist()
    other = maximize(permuted(models[0], layer, order), layer).tiles()
    alike = picture_similarity(one, other)
    these, those = best_pairs(alike)
    right = sum(order[theirs] == own for own, theirs in zip(these.tolist(), those.tolist(), strict=True))
    print(f"\n{layer}, permuted: {right} of {len(one)} found, similarity {alike[these, those].mean():.3f}")
    assert right == len(one)


@pytest.mark.parametrize("layer", LAYERS)
def test_two_seeds(models: list[keras.Model], layer: str) -> None:
    one, other = (maximize(model, layer).tiles() for model in models)
    alike = picture_similarity(one, other)
    own = alike_within(one)
    matched = alike[best_pairs(alike)].mean()
    at_index = np.diagonal(alike).mean()
    rng = np.random.default_rng(0)
    shuffled = np.mean([alike[np.arange(len(one)), rng.permutation(len(one))].mean() for _ in range(100)])
    print(
        f"\n{layer}, seeds {SEEDS}: matched {matched:.2f}, at equal index {at_index:.2f}, shuffled {shuffled:.2f}, "
        f"a layer with itself {own:.2f}"
    )
    assert matched > at_index
    assert matched > shuffled + 0.2


def alike_within(tiles: Tiles) -> float:
    """The pairs of a layer's own filters, none with itself."""
    alike = picture_similarity(tiles, tiles).astype(float)
    np.fill_diagonal(alike, -1)
    return float(alike[best_pairs(alike.astype(np.float32))].mean())
