"""How good pictures are, in numbers: each measure a small function of tiles, images, or a filter's responses."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve
from scipy.stats import spearmanr

Array = npt.NDArray[np.float64]
Respond = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]  # images [n, h, w, c] to maps [n, h, w, filters]

DISPLAYED = 0.2  # standard deviation of a tile, where 1 is the full range


def at_one_contrast(images: npt.NDArray[np.floating]) -> Array:
    """Bring each image by itself to mean 0.5 and the standard deviation of a tile."""
    values = images.astype(np.float64)
    centered = values - values.mean((1, 2, 3), keepdims=True)
    return np.asarray(0.5 + DISPLAYED * centered / np.maximum(centered.std((1, 2, 3), keepdims=True), 1e-12))


def high_frequencies(tiles: npt.NDArray[np.uint8]) -> Array:
    """Measure the share of energy above half of Nyquist's frequency, under a Hann window, ``[n]``; of noise, 0.80."""
    values = tiles.astype(np.float64) - tiles.mean((1, 2), keepdims=True)
    _, height, width, _ = values.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[1:-1]
    energy = (np.abs(np.fft.fft2(values * window[..., None], axes=(1, 2))) ** 2).sum(-1)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))
    return np.asarray(energy[:, frequency > 0.25].sum(-1) / np.maximum(energy.sum((1, 2)), 1e-12))


def rms_between(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> Array:
    """Compute the root mean square difference of tiles, in [0, 1], ``[n]``."""
    return np.asarray(np.sqrt(np.square((one / 255.0) - (other / 255.0)).mean((1, 2, 3))))


def _rows(tiles: npt.NDArray[Any]) -> Array:
    rows = tiles.reshape(len(tiles), -1).astype(np.float64)
    rows -= rows.mean(1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Array:
    """Correlate each tile with that of the same place, ``[n]``."""
    return np.asarray((_rows(one) * _rows(other)).sum(1))


def identification(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    """Measure the share of filters whose tile is most like that of the same filter among the others' tiles."""
    return float(((_rows(other) @ _rows(one).T).argmax(1) == np.arange(len(one))).mean())


def between_filters(tiles: npt.NDArray[np.uint8]) -> float:
    """Compute the mean RMS difference between tiles of different filters."""
    values = tiles.reshape(len(tiles), -1) / 255.0
    squares = (values**2).sum(1)
    square = np.maximum(squares[:, None] + squares - 2 * values @ values.T, 0) / values.shape[1]
    return float(np.sqrt(square)[~np.eye(len(tiles), dtype=bool)].mean())


def peaks(respond: Respond, tiles: npt.NDArray[np.uint8], shape: Sequence[int], place: tuple[int, int]) -> Array:
    """Measure how far the strongest unit rises above flat gray, when a tile is shown moved and with noise, ``[n]``.

    Args:
        respond: the model, up to the layer.
        tiles: ``[n, h, w, c]``, of filters 0 to n - 1, as displayed.
        shape: of the model's image, whose inputs are from 0 to 1.
        place: where a tile lies in it: top and left.
    """
    dice, (height, width, channels), found = np.random.default_rng(1), shape, []
    flat = respond(np.full((1, *shape), 0.5, np.float32)).max((1, 2))[0]
    for _ in range(6):
        down, right = dice.integers(-2, 3, 2)
        images = np.full((len(tiles), height + 8, width + 8, channels), 0.5, np.float32)
        top, left = place[0] + 4 + down, place[1] + 4 + right
        images[:, top : top + tiles.shape[1], left : left + tiles.shape[2]] = tiles / 255.0
        images = images[:, 4:-4, 4:-4] + dice.normal(0, 0.02, (len(tiles), *shape)).astype(np.float32)
        found.append(own(respond(images)).max((1, 2)) - flat[: len(tiles)])
    return np.asarray(np.mean(found, axis=0), np.float64)


def own(responses: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Pick of ``[n, h, w, filters]`` what filter i answers to image i."""
    return np.stack([responses[i, :, :, i] for i in range(len(responses))])


def rank_correlation(one: Array, other: Array) -> float:
    """Compute Spearman's rank correlation."""
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def best_match(tile: Array, patches: Array) -> Array:
    """Correlate patches ``[k, h, w]`` with a tile ``[h, w]``, or the place of it or of them that fits best, ``[k]``.

    A patch that is smaller than the tile is looked for in it; one of its size is moved by up to a pixel.
    """
    reach = 1 if tile.shape == patches.shape[1:] else 0
    padded = np.pad(tile, reach, constant_values=tile.mean())
    height, width = patches.shape[1:]
    ones = np.ones((height, width))
    count = height * width
    sums, squares = (fftconvolve(each, ones, mode="valid") for each in (padded, padded**2))
    spread = np.sqrt(np.maximum(squares - sums**2 / count, 1e-9))
    found = []
    for patch in patches:
        centered = patch - patch.mean()
        product = fftconvolve(padded, centered[::-1, ::-1], mode="valid")
        found.append((product / spread).max() / max(np.linalg.norm(centered), 1e-9))
    return np.asarray(found)
