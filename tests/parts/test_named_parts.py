"""The parts of the ascent that have names, against formulas written once more, on whatever backend Keras runs."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import ops

from tb_filterviz import AscentConfig, AscentPart, Config, Maximized, maximize
from tb_filterviz.errors import ConfigError
from tb_filterviz.optvis import backends
from tb_filterviz.parts.ascent_parts import ASCENT_PARTS
from tb_filterviz.parts.preconditioners import ColorDecorrelation, GradientBlur, SpectralDecay
from tb_filterviz.parts.regularizers import L2, FixedContrast, TotalVariation
from tb_filterviz.parts.transformations import Jitter
from tests.rounding import same

Images = npt.NDArray[np.float32]
SHAPES = [(2, 14, 14, 1), (3, 9, 12, 3), (2, 1, 40, 2), (2, 24, 30, 3), (1, 33, 27, 1)]  # of few pixels and of many


def _random(shape: tuple[int, ...], seed: int = 0) -> Images:
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def _mirrored(images: Images) -> npt.NDArray[np.float64]:
    """Each side with its mirror image behind it: the cosines of a side are the waves of this one."""
    wide = np.concatenate([images, images[:, ::-1]], axis=1).astype(np.float64)
    return np.concatenate([wide, wide[:, :, ::-1]], axis=2)


def _bilinear(image: Images, y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Read an image at places between its pixels; beyond the border, the border's pixels."""
    y, x = (np.clip(places, 0, size - 1) for places, size in zip((y, x), image.shape, strict=True))
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    bottom, right = np.minimum(top + 1, image.shape[0] - 1), np.minimum(left + 1, image.shape[1] - 1)
    down, aside = y - top, x - left
    above = image[top, left] * (1 - aside) + image[top, right] * aside
    below = image[bottom, left] * (1 - aside) + image[bottom, right] * aside
    return np.asarray(above * (1 - down) + below * down)


def _numpy(value: Any) -> Images:
    return np.asarray(ops.convert_to_numpy(value))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_spectral_decay_weighs_each_wave(shape: tuple[int, ...], power: float) -> None:
    """By the Fourier transform of the mirrored image, in which the transform of cosines is contained."""
    gradient = _random(shape)
    _, height, width, _ = shape
    rows, columns = np.abs(np.fft.fftfreq(2 * height)), np.abs(np.fft.fftfreq(2 * width))
    weights = np.maximum(np.hypot(rows[:, None], columns), 1 / max(height, width)) ** (-2 * power)
    spectrum = np.fft.fft2(_mirrored(gradient), axes=(1, 2)) * (weights / weights.max())[None, :, :, None]
    expected = np.fft.ifft2(spectrum, axes=(1, 2)).real[:, :height, :width]
    found = _numpy(SpectralDecay(power).precondition(ops.convert_to_tensor(gradient)))
    np.testing.assert_allclose(found, expected, atol=2e-5)
    if power == 0:
        np.testing.assert_allclose(found, gradient, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_blur_is_a_gaussians_where_no_border_is_near_and_keeps_what_is_even(shape: tuple[int, ...]) -> None:
    found = _numpy(GradientBlur(1.0).precondition(ops.convert_to_tensor(np.ones(shape, np.float32))))
    np.testing.assert_allclose(found, 1, rtol=1e-5)
    gradient = _random((1, 41, 41, 1))
    kernel = np.exp(-np.square(np.arange(-8, 9)) / 2)
    kernel /= kernel.sum()
    expected = gradient[0, :, :, 0].astype(np.float64)
    for axis in (0, 1):
        expected = np.apply_along_axis(np.convolve, axis, expected, kernel, mode="same")
    found = _numpy(GradientBlur(1.0).precondition(ops.convert_to_tensor(gradient)))[0, :, :, 0]
    np.testing.assert_allclose(found[10:-10, 10:-10], expected[10:-10, 10:-10], atol=1e-5)


def test_colours_are_weighed_along_the_axes_of_natural_images() -> None:
    gradient = _random((2, 5, 6, 3))
    matrix = np.array([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]])
    covariance = matrix @ matrix.T
    full = _numpy(ColorDecorrelation(1.0).precondition(ops.convert_to_tensor(gradient)))
    np.testing.assert_allclose(full, gradient @ covariance / np.linalg.eigvalsh(covariance).max(), atol=1e-5)
    half = ColorDecorrelation(0.5)
    twice = _numpy(half.precondition(half.precondition(ops.convert_to_tensor(gradient))))
    np.testing.assert_allclose(twice, full, atol=1e-5)
    gray = _random((2, 5, 6, 1))
    assert _numpy(half.precondition(ops.convert_to_tensor(gray))).tobytes() == gray.tobytes()


def test_a_shift_moves_whole_pixels_and_repeats_the_border() -> None:
    images, jitter = _random((2, 8, 9, 1)), Jitter(shift=3)
    seen = set()
    for step in range(60):
        found = _numpy(jitter.transform(ops.convert_to_tensor(images), ops.convert_to_tensor(np.int32(step))))
        shifts = [
            (down, right)
            for down in range(-3, 4)
            for right in range(-3, 4)
            if np.array_equal(
                found, images[:, np.clip(np.arange(8) - down, 0, 7)][:, :, np.clip(np.arange(9) - right, 0, 8)]
            )
        ]
        assert len(shifts) == 1
        seen.add(shifts[0])
    assert len(seen) > 20
    assert min(seen) <= (-3, 3)


def test_a_turn_of_a_smooth_image_is_that_of_an_independent_rotation() -> None:
    y, x = np.mgrid[0:41, 0:41].astype(np.float32)
    image = np.exp(-((x - 26) ** 2 + (y - 18) ** 2) / 60).astype(np.float32)[None, :, :, None]
    jitter = Jitter(shift=2.0, rotation=20.0, scale=0.1)
    drawn = np.random.default_rng([7, 0]).uniform(-1, 1, (1024, 4))
    for step in (0, 5):
        down, right, turn, scale = drawn[step] * (2.0, 2.0, np.deg2rad(20.0), 0.1)
        found = _numpy(jitter.transform(ops.convert_to_tensor(image), ops.convert_to_tensor(np.int32(step))))[0, ..., 0]
        cosine, sine = np.cos(turn) / (1 + scale), np.sin(turn) / (1 + scale)
        from_middle_y, from_middle_x = y - 20 - down, x - 20 - right
        expected = _bilinear(
            image[0, ..., 0],
            20 + sine * from_middle_x + cosine * from_middle_y,
            20 + cosine * from_middle_x - sine * from_middle_y,
        )
        np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("jitter", [Jitter(shift=3), Jitter(shift=3, rotation=25.0, scale=0.2)], ids=["shift", "turn"])
def test_the_gradient_of_a_transformation_is_that_of_what_it_shows(jitter: Jitter) -> None:
    shape, weights = (2, 7, 9, 1), _random((2, 7, 9, 1))

    def shown(images: Any, step: Any) -> Any:
        return ops.sum(jitter.transform(images, step) * ops.convert_to_tensor(weights), axis=(1, 2, 3))

    gradient_of = backends.current().value_and_gradient(shown)
    for step in range(4):
        at = ops.convert_to_tensor(np.int32(step))
        each_pixel = np.eye(63, dtype=np.float32).reshape(63, 7, 9, 1)  # it is linear: pixel by pixel
        moved = _numpy(jitter.transform(ops.convert_to_tensor(each_pixel), at))
        expected = np.einsum("phwc,nhwc->np", moved, weights).reshape(shape)
        _, gradient = gradient_of(ops.convert_to_tensor(_random(shape)), at)
        np.testing.assert_allclose(_numpy(gradient), expected, atol=1e-5)


def test_a_transformation_of_nothing_changes_nothing() -> None:
    images = _random((2, 8, 9, 3))
    found = Jitter(shift=0).transform(ops.convert_to_tensor(images), ops.convert_to_tensor(np.int32(3)))
    assert _numpy(found).tobytes() == images.tobytes()


def test_penalties_are_what_their_formulas_say() -> None:
    images = _random((3, 6, 7, 2))
    down, right = np.abs(np.diff(images, axis=1)), np.abs(np.diff(images, axis=2))
    expected = 0.7 * (down.sum(axis=(1, 2, 3)) + right.sum(axis=(1, 2, 3))) / (6 * 7 * 2)
    np.testing.assert_allclose(_numpy(TotalVariation(0.7).penalty(ops.convert_to_tensor(images))), expected, rtol=1e-5)
    expected = 0.7 * images.astype(np.float64).var(axis=(1, 2, 3))
    np.testing.assert_allclose(_numpy(L2(0.7).penalty(ops.convert_to_tensor(images))), expected, rtol=1e-5)


def test_contrast_is_fixed_about_the_mean() -> None:
    images = _random((3, 6, 7, 2)) * np.float32(5) + np.float32(2)
    found = _numpy(FixedContrast(0.3).project(ops.convert_to_tensor(images)))
    np.testing.assert_allclose(found.std(axis=(1, 2, 3)), 0.3, rtol=1e-5)
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), images.mean(axis=(1, 2, 3)), rtol=1e-4)
    even = np.full((1, 6, 7, 2), 0.5, np.float32)
    np.testing.assert_allclose(_numpy(FixedContrast(0.3).project(ops.convert_to_tensor(even))), even)


def _model(channels: int) -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((16, 16, channels)), layers.Conv2D(6, 5, activation="relu"), layers.Conv2D(5, 5, name="shown")]
    )
    rng = np.random.default_rng(8)
    model.set_weights([rng.normal(0, 0.3, weights.shape) for weights in model.get_weights()])
    return model


def _maximized(part: AscentPart | str | None, channels: int = 3) -> Maximized:
    parts = [] if part is None else [part]
    config = Config(objective="channel_mean", ascent=AscentConfig(steps=8, parts=parts))
    return maximize(_model(channels), "shown", [4, 0, 2], config=config)


@pytest.mark.parametrize("name", ASCENT_PARTS)
def test_every_part_is_called_by_its_name_and_repeats_itself(name: str) -> None:
    found = _maximized(name)
    assert not np.array_equal(found.images, _maximized(None).images)
    for again in (name, ASCENT_PARTS[name]):
        assert same(_maximized(again).images, found.images)
    assert (found.scores[-1] > found.scores[0]).all()


def test_settings_of_a_named_part_are_ones_own_but_its_name_is_not() -> None:
    assert not np.array_equal(_maximized(SpectralDecay(1.0)).images, _maximized("spectral_decay").images)

    class Stranger(AscentPart):
        name = "spectral_decay"
        description = "another one of this name"

    with pytest.raises(ConfigError, match="has the name 'spectral_decay', which another one has"):
        _maximized(Stranger())


def _share_above_half_of_nyquist(images: Images) -> float:
    spectrum = np.square(np.abs(np.fft.fft2(_mirrored(images), axes=(1, 2))))
    frequencies = np.abs(np.fft.fftfreq(2 * images.shape[1]))
    is_high = np.maximum(frequencies[:, None], frequencies) > 0.25
    return float(spectrum[:, is_high].sum() / spectrum.sum())


@pytest.mark.parametrize("name", ["spectral_decay", "gradient_blur", "total_variation"])
def test_what_smoothes_leaves_less_in_high_frequencies(name: str) -> None:
    plain, smooth = _maximized(None, 1), _maximized(name, 1)
    ratio = _share_above_half_of_nyquist(smooth.images - smooth.start) / _share_above_half_of_nyquist(
        plain.images - plain.start
    )
    assert ratio < (0.9 if name == "total_variation" else 0.3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpectralDecay(-1), "`power` of SpectralDecay must be a number from 0"),
        (lambda: GradientBlur(0), "`sigma` of GradientBlur must be a number above 0"),
        (lambda: ColorDecorrelation(float("nan")), "`power` of ColorDecorrelation must be a number from 0"),
        (lambda: Jitter(rotation=200), "`rotation` of Jitter must be a number from 0 to 180"),
        (lambda: Jitter(scale=True), "`scale` of Jitter must be a number from 0 to 0.9"),
        (lambda: FixedContrast(0), "`deviation` of FixedContrast must be a number above 0"),
        (lambda: L2("much"), "`weight` of L2 must be a number from 0"),  # type: ignore[arg-type]
    ],
)
def test_settings_that_cannot_work_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
