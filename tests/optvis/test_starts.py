"""Pictures that climb from several start noises."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from tb_filterviz import AscentConfig, Config, ConfigError, draw, maximize
from tb_filterviz.optvis.ascent import Climbed
from tb_filterviz.optvis.initial_images import gray_noise
from tb_filterviz.optvis.maximize import mean_correlation, model_ascents
from tb_filterviz.parts.regularizers import FixedContrast

FEW = Config(ascent=AscentConfig(steps=6, noise=60.0), seed=4)
THREE = replace(FEW, ascent=replace(FEW.ascent, starts=3))


def _climbed_by_itself(model: keras.Model, filters: list[int], start: int) -> Climbed:
    (layer,) = model_ascents(model, "conv2d_2", replace(FEW, filters=filters)).layers
    chosen = np.array(filters, np.int32)
    noise = gray_noise(
        chosen, layer.plan.canvas.model.shape, (0, 1), gray=128, noise=60, seed=4, position=1, start=start
    )
    return layer.ascent.climb(noise, chosen)


def test_the_picture_is_the_mean_of_those_from_each_noise(lenet: keras.Model) -> None:
    filters = [5, 1, 9]
    each = [_climbed_by_itself(lenet, filters, start) for start in range(3)]
    found, usual = (maximize(lenet, "conv2d_2", config=replace(one, filters=filters)) for one in (THREE, FEW))
    assert np.array_equal(usual.images, each[0].images)
    for name in ("images", "kept"):
        mean = np.mean([getattr(one, name) for one in each], axis=0)
        np.testing.assert_allclose(getattr(found, name), mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.scores[:-1], np.mean([one.scores for one in each], axis=0)[:-1], rtol=1e-4)
    rows = [one.images.reshape(3, -1) for one in each]
    pairs = [[np.corrcoef(rows[a][i], rows[b][i])[0, 1] for a, b in ((0, 1), (0, 2), (1, 2))] for i in range(3)]
    np.testing.assert_allclose(found.agreement, np.mean(pairs, axis=1), rtol=1e-3, atol=1e-4)


def test_other_seeds_share_no_noise() -> None:
    noises = [
        gray_noise([3], (6, 6, 1), (0, 1), gray=128, noise=60, seed=seed, position=1, start=start).tobytes()
        for seed in (0, 1)
        for start in range(4)
    ]
    assert len(set(noises)) == 8


def test_the_mean_meets_what_the_parts_demand(lenet: keras.Model) -> None:
    ascent = replace(THREE.ascent, parts=[FixedContrast(deviation=0.2)])
    found = maximize(lenet, "conv2d_2", [5, 1, 9], config=replace(THREE, ascent=ascent))
    assert found.images.std(axis=(1, 2, 3)) == pytest.approx(0.2, rel=1e-3)


def test_the_mean_picture_is_scored_as_any_image(lenet: keras.Model) -> None:
    found = maximize(lenet, "conv2d_2", [5, 1, 9], config=THREE)
    drawn = lenet.get_layer("conv2d_2")
    linear = keras.layers.Conv2D(50, drawn.kernel_size, strides=drawn.strides, padding=drawn.padding)
    linear.build(drawn.input.shape)
    linear.set_weights(drawn.get_weights())
    below = keras.Model(lenet.inputs[0], drawn.input)
    maps = ops.convert_to_numpy(linear(below(found.whole(found.images))))
    own = maps[np.arange(3), :, :, [5, 1, 9]]
    np.testing.assert_allclose(found.scores[-1], own[:, own.shape[1] // 2, own.shape[2] // 2], rtol=1e-4)
    assert (found.scores[-1] > found.scores[0]).all()


def test_agreement_is_logged_where_there_are_several_starts(lenet: keras.Model) -> None:
    config = replace(THREE, statistics=["agreement"], filters=[2, 7])
    (snapshot,) = draw(lenet, "conv2d_2", config=config, verbose=0)
    np.testing.assert_allclose(
        snapshot.statistics["agreement"], maximize(lenet, "conv2d_2", config=config).agreement, rtol=1e-4
    )
    assert np.isnan(maximize(lenet, "conv2d_2", [2], config=FEW).agreement).all()
    with pytest.raises(ConfigError, match=r"'agreement' compares .* AscentConfig\(starts=2\) or more, or --starts 2"):
        replace(config, ascent=FEW.ascent)
    with pytest.raises(ConfigError, match="nonsense"):
        replace(config, statistics=["nonsense"])


def test_more_noise_agrees_less_and_a_kernel_always(lenet: keras.Model) -> None:
    def agreement(layer: str, noise: float) -> float:
        config = Config(ascent=AscentConfig(starts=2, noise=noise), filters=[0, 1, 2, 3])
        return float(maximize(lenet, layer, config=config).agreement.mean())

    assert agreement("conv2d_2", 200.0) < agreement("conv2d_2", 2.0)
    assert agreement("conv2d_2", 2.0) > 0.9
    assert agreement("conv2d_1", 2.0) > 0.99


def test_correlations_of_planted_images() -> None:
    wave = np.sin(np.linspace(0, 2 * np.pi, 65)[:-1]).astype(np.float32)
    other = np.cos(np.linspace(0, 2 * np.pi, 65)[:-1]).astype(np.float32)
    shaped = [np.stack(rows).reshape(4, 8, 8, 1) for rows in ([wave] * 4, [3 * wave + 1, -wave, other, 0 * wave])]
    np.testing.assert_allclose(mean_correlation(shaped), [1, -1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(mean_correlation([shaped[0], *shaped]), [1, -1 / 3, 1 / 3, 1 / 3], atol=1e-6)
