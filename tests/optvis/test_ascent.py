import keras
import numpy as np
import numpy.typing as npt

from tb_filterviz import AscentConfig, Config, maximize
from tb_filterviz.optvis import initial_images
from tb_filterviz.parts import statistics, tones
from tb_filterviz.session import Session
from tests.optvis import article


def test_the_classic_preset_is_the_articles_procedure(lenet: keras.Model, classic: Config) -> None:
    filters = np.arange(50, dtype=np.int32)
    climbed = maximize(lenet, "conv2d_2", config=classic)
    compute = article.gradient_step(lenet, "conv2d_2")
    responsive = statistics.is_responsive(climbed.scores, climbed.peaks, climbed.images, stays_positive=True)
    pictures = tones.to_uint8(climbed.images, contrast=0.1)
    correlations = []
    for index in filters:
        image, score, is_left_in = article.draw_filter(compute, climbed.start[index], int(index))
        assert is_left_in == responsive[index]
        if is_left_in:
            np.testing.assert_allclose(climbed.scores[-1, index], score, rtol=0.01)
            picture = tones.to_uint8(image[None], contrast=0.1)
            correlations.append(np.corrcoef(picture.ravel(), pictures[index].ravel())[0, 1])
    assert len(correlations) >= 10
    assert np.mean(np.array(correlations) > 0.999) >= 0.9


def test_scores_agree_with_the_article_for_stuck_filters_as_well(lenet: keras.Model, classic: Config) -> None:
    filters = np.arange(50, dtype=np.int32)
    climbed = maximize(lenet, "conv2d_2", config=classic)
    compute = article.gradient_step(lenet, "conv2d_2")
    for index in filters:
        image, scores = climbed.start[index][None].copy(), []
        for _ in range(20):
            value, gradient = compute(keras.ops.convert_to_tensor(image), int(index))
            scores.append(float(value))
            image += gradient.numpy()
        np.testing.assert_allclose(climbed.scores[-1, index], scores[-1], rtol=0.01, atol=0.01)


def test_the_classic_start_is_as_written(classic: Config) -> None:
    start = classic.ascent.suiting("texture", is_colored=False)
    noise = initial_images.gray_noise(
        [4, 7], (5, 6, 1), (0, 255), gray=start.gray, noise=start.noise, seed=9, position=2
    )
    for row, index in enumerate((4, 7)):
        uniform = np.random.default_rng([9, 2, index]).random((5, 6, 1))
        np.testing.assert_allclose(noise[row], (uniform - 0.5) * 20 + 128, rtol=1e-6)


def test_every_filter_climbs_and_its_score_is_that_of_its_picture(lenet: keras.Model) -> None:
    filters = np.arange(50, dtype=np.int32)
    below = keras.Model(lenet.inputs[0], lenet.get_layer("conv2d_2").output)
    for preset in ("plain", "clean"):
        climbed = maximize(lenet, "conv2d_2", config=preset)
        assert climbed.scores.shape == (21, 50)
        assert (climbed.scores[-1] > climbed.scores[0]).all()
        responses = below(climbed.whole(climbed.images), training=False).numpy()
        own = responses[np.arange(50), :, :, filters]
        score = own.mean(axis=(1, 2)) if preset == "plain" else own[:, 7, 7]
        np.testing.assert_allclose(climbed.scores[-1], score, rtol=1e-4, atol=1e-5)
        seen = own if preset == "plain" else own[:, 7:8, 7:8]  # of what the model is run on, the centre unit at least
        assert (climbed.peaks >= seen.max(axis=(1, 2)) * (1 - 1e-4) - 1e-5).all()
        assert (climbed.peaks <= own.max(axis=(1, 2)) * (1 + 1e-4) + 1e-5).all()


def test_chunks_change_nothing(lenet: keras.Model) -> None:
    whole = maximize(lenet, "conv2d_2")
    parts = maximize(lenet, "conv2d_2", config=Config(ascent=AscentConfig(filters_per_batch=13)))
    np.testing.assert_allclose(parts.scores[-1], whole.scores[-1], rtol=0.01)
    assert parts.images.shape == whole.images.shape


def _planted(kernels: npt.NDArray[np.float32], biases: npt.NDArray[np.float32]) -> keras.Model:
    size = kernels.shape[0]
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(kernels.shape[-1], size, padding="same", name="planted"),
            keras.layers.Activation("relu"),
            keras.layers.Conv2D(1, 3),
        ]
    )
    model.layers[0].set_weights([kernels, biases])
    return model


def _gabor(size: int, angle: float, frequency: float) -> npt.NDArray[np.float32]:
    rows, columns = np.mgrid[:size, :size] - size // 2
    along = columns * np.cos(angle) + rows * np.sin(angle)
    envelope = np.exp(-(rows**2 + columns**2) / (2 * (size / 4) ** 2))
    kernel = envelope * np.cos(2 * np.pi * frequency * along)
    return np.asarray(kernel - kernel.mean(), np.float32)


def _dominant_wave(picture: npt.NDArray[np.generic]) -> tuple[float, float]:
    """Orientation in [0, pi) and frequency in cycles per pixel of the strongest wave."""
    values = picture.astype(float)
    spectrum = np.abs(np.fft.fft2(values - values.mean(), (64, 64)))
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    y, x = np.fft.fftfreq(64)[row], np.fft.fftfreq(64)[column]
    return float(np.arctan2(y, x) % np.pi), float(np.hypot(y, x))


def test_planted_gabors_are_drawn_as_they_are_and_dead_filters_are_reported() -> None:
    angles, frequencies = np.deg2rad([0, 30, 60, 90, 135]), (0.15, 0.2, 0.25)
    known = [(angle, frequency) for angle in angles for frequency in frequencies]
    gabors = [_gabor(11, angle, frequency) for angle, frequency in known]
    dead = [np.zeros((11, 11), np.float32), gabors[0]]  # one without a kernel, one that its bias keeps from ever firing
    kernels = np.stack([*gabors, *dead], axis=-1)[:, :, None, :]
    biases = np.array([0.0] * len(gabors) + [-1.0, -1e6], np.float32)
    (snapshot,) = Session(_planted(kernels, biases), layers="planted").render(step=0)
    assert snapshot.objective == "center_unit"
    assert snapshot.tiles.shape == (17, 11, 11, 1)
    assert snapshot.responsive.tolist() == [True] * 15 + [False] * 2
    for tile, kernel, (angle, frequency) in zip(snapshot.tiles, gabors, known, strict=False):
        assert np.corrcoef(tile.ravel(), kernel.ravel())[0, 1] > 0.95
        seen_angle, seen_frequency = _dominant_wave(tile[..., 0])
        difference = abs(seen_angle - angle % np.pi)
        assert min(difference, np.pi - difference) < np.deg2rad(10)
        assert abs(seen_frequency - frequency) < 0.04


def test_in_the_classic_preset_a_dead_filter_is_stuck_too(classic: Config) -> None:
    kernels = np.stack([np.ones((5, 5)), np.zeros((5, 5)), -np.ones((5, 5))], axis=-1)[:, :, None, :]
    model = _planted(kernels.astype(np.float32), np.zeros(3, np.float32))
    (snapshot,) = Session(model, layers="planted", config=classic).render(step=0)
    assert snapshot.responsive.tolist() == [True, False, False]
    assert snapshot.flat[0]
