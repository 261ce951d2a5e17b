"""Change means change: a trained LeNet is altered in known ways, and each measure says what it should."""

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tb_filterviz import Config, maximize
from tb_filterviz.optvis.maximize import model_ascents
from tb_filterviz.optvis.revisit import kernels_of
from tb_filterviz.parts.statistics import STILL, difference_between_filters, relative_change
from tb_filterviz.parts.tones import to_uint8
from tb_filterviz.session import Session

L = keras.layers
Weights = list[npt.NDArray[np.float32]]  # kernel and bias of conv2d_1, those of conv2d_2, then of what is above
Measured = dict[str, npt.NDArray[np.float32]]

CONFIG = Config(statistics=["transfer", "kernel_change"])


@pytest.fixture(scope="module")
def trained(train: Callable[[int], keras.Model]) -> tuple[keras.Model, Weights]:
    model = train(0)
    return model, model.get_weights()


def _measured(model: keras.Model, before: Weights, after: Weights) -> Measured:
    session = Session(model, layers="conv2d_2", config=CONFIG)
    for step, weights in enumerate((before, after)):
        model.set_weights(weights)
        (snapshot,) = session.log(step, [])
    model.set_weights(before)
    return {name: np.asarray(snapshot.statistics[name]) for name in ("change", "transfer", "kernel_change")}


def _turned(kernel: npt.NDArray[np.float32], degrees: float) -> npt.NDArray[np.float32]:
    planes = np.moveaxis(kernel.reshape(*kernel.shape[:2], -1), -1, 0)
    turned = [np.asarray(Image.fromarray(plane).rotate(degrees, Image.Resampling.BILINEAR)) for plane in planes]
    return np.moveaxis(np.stack(turned), 0, -1).reshape(kernel.shape)


def test_what_changes_no_function_changes_nothing(trained: tuple[keras.Model, Weights]) -> None:
    model, weights = trained
    first, bias, second, *rest = weights
    frozen = _measured(model, weights, weights)
    assert all(np.abs(values).max() < 1e-5 for values in frozen.values())

    scaled = _measured(model, weights, [first, bias, second * 1.5, rest[0] * 1.5, *rest[1:]])
    assert scaled["change"].max() < STILL
    assert np.abs(scaled["transfer"]).max() < 0.02
    assert np.abs(scaled["kernel_change"]).max() < 1e-5

    order = np.random.default_rng(2).permutation(first.shape[-1])
    permuted = _measured(model, weights, [first[..., order], bias[order], second[:, :, order], *rest])
    assert permuted["change"].max() < STILL
    assert np.abs(permuted["transfer"]).max() < 0.02
    assert permuted["kernel_change"].mean() > 0.8  # which sees the layer alone


def test_other_noise_is_far_from_another_filter(trained: tuple[keras.Model, Weights]) -> None:
    model, _ = trained
    one, other = (maximize(model, "conv2d_2", config=Config(seed=seed), verbose=0).tiles() for seed in (0, 1))
    assert relative_change(one, other, difference_between_filters(one)).mean() <= 0.2
    plain = Config.plain()
    one, other = (maximize(model, "conv2d_2", config=replace(plain, seed=seed), verbose=0).tiles() for seed in (0, 1))
    assert relative_change(one, other, difference_between_filters(one)).mean() > 0.3


def test_a_shifted_start_is_far_from_another_filter(trained: tuple[keras.Model, Weights]) -> None:
    model, _ = trained
    (ascent,) = model_ascents(model, "conv2d_2", Config()).layers
    filters = np.arange(50, dtype=np.int32)
    found = ascent.maximize(filters, ascent.respond_to_noise())
    shifted = ascent.ascent.climb(np.roll(found.start, (1, 2), axis=(1, 2)), filters).images
    tiles = found.tiles()
    assert relative_change(tiles, to_uint8(shifted, 0.2), difference_between_filters(tiles)).mean() <= 0.2


def test_turned_kernels_change_the_more_the_further(trained: tuple[keras.Model, Weights]) -> None:
    model, weights = trained
    found = [
        _measured(model, weights, [_turned(weights[0], by), weights[1], _turned(weights[2], by), *weights[3:]])
        for by in (10, 30, 90)
    ]
    for name, least in {"change": 0.15, "transfer": 0.02, "kernel_change": 0.05}.items():
        means = [float(np.nanmean(each[name])) for each in found]
        assert means == sorted(means), name
        assert means[0] > least, name
        assert means[2] == pytest.approx(1, abs=0.2), name


def test_another_filter_is_as_far_as_can_be(trained: tuple[keras.Model, Weights]) -> None:
    model, weights = trained
    swapped = [weights[0], weights[1], np.roll(weights[2], 1, axis=-1), np.roll(weights[3], 1), *weights[4:]]
    found = _measured(model, weights, swapped)
    assert found["change"].mean() == pytest.approx(1, abs=0.05)
    assert np.nanmean(found["transfer"]) == pytest.approx(1, abs=0.2)
    assert found["kernel_change"].mean() == pytest.approx(1, abs=0.15)


def test_a_change_below_is_seen_by_the_picture_and_not_by_the_kernel(trained: tuple[keras.Model, Weights]) -> None:
    model, weights = trained
    noise = np.random.default_rng(1).normal(0, weights[0].std(), weights[0].shape)
    found = _measured(model, weights, [weights[0] + noise.astype(np.float32), *weights[1:]])
    assert np.abs(found["kernel_change"]).max() < 1e-5
    assert found["change"].mean() > 0.2
    assert np.nanmean(found["transfer"]) > 0.1


def test_without_a_step_before_both_are_not_a_number(trained: tuple[keras.Model, Weights]) -> None:
    model, _ = trained
    (snapshot,) = Session(model, layers="conv2d_2", config=CONFIG).log(0, [])
    drawn = maximize(model, "conv2d_2", config=CONFIG, verbose=0).drawing()
    for statistics in (snapshot.statistics, drawn.statistics):
        assert np.isnan([statistics[name] for name in ("transfer", "kernel_change")]).all()


@pytest.mark.parametrize(
    ("layer", "filters"),
    [
        (L.Conv2D(6, 3), 6),
        (L.DepthwiseConv2D(3, depth_multiplier=2), 8),
        (L.SeparableConv2D(6, 3, depth_multiplier=2), 6),
        (L.Conv2DTranspose(6, 3), 6),
    ],
    ids=["plain", "depthwise", "separable", "transposed"],
)
def test_a_filters_kernel_is_what_its_response_depends_on(layer: keras.Layer, filters: int) -> None:
    layer.build((None, 9, 9, 4))
    image = np.random.default_rng(0).normal(size=(1, 9, 9, 4)).astype(np.float32)
    kernels = kernels_of(layer, np.arange(filters, dtype=np.int32))
    assert kernels is not None
    assert kernels.shape == (
        filters,
        9 * (1 if filters == 8 else 4) * (2 if isinstance(layer, L.SeparableConv2D) else 1),
    )
    before, weights = np.asarray(keras.ops.convert_to_numpy(layer(image))), layer.get_weights()
    weights[0] = weights[0].copy()
    weights[0][0, 0, 0, 0] += 1  # of one filter, or by one filter, or by all of them
    layer.set_weights(weights)
    after = np.asarray(keras.ops.convert_to_numpy(layer(image)))
    moved = kernels_of(layer, np.arange(filters, dtype=np.int32))
    assert moved is not None
    responds = np.abs(after - before).max((0, 1, 2)) > 1e-6
    assert np.array_equal(np.abs(moved - kernels).max(axis=1) > 1e-6, responds)


def test_layers_without_kernels_have_none() -> None:
    assert kernels_of(L.ReLU(), np.arange(2, dtype=np.int32)) is None
