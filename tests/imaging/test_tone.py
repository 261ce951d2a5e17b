import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.tone import describe_channels, to_displayable, to_uint8


def _articles_deprocess(image: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Subtract the mean, divide by std + 1e-5, times 0.1, plus 0.5, clip to [0, 1], times 255, uint8."""
    image = (image - image.mean()) / (image.std() + 1e-5)
    return (np.clip(image * 0.1 + 0.5, 0, 1) * 255).astype("uint8")


def test_each_picture_is_toned_as_the_article_does() -> None:
    rng = np.random.default_rng(0)
    images = (rng.normal(size=(7, 9, 8, 3)) * np.logspace(-3, 3, 7)[:, None, None, None] + 128).astype(np.float32)
    images[0, 0, 0] = 1e4
    expected = np.stack([_articles_deprocess(image.astype(np.float64)) for image in images])
    assert np.array_equal(to_uint8(images, contrast=0.1), expected)


def test_a_constant_or_broken_picture_is_gray() -> None:
    images = np.full((3, 4, 4, 1), 5, np.float32)
    images[1] = np.nan
    images[2, 0, 0] = np.inf
    assert (to_uint8(images, contrast=0.1) == 127).all()


@pytest.mark.parametrize(("channels", "words"), [(1, "gray"), (2, "red and green"), (3, "RGB"), (7, "first 3 of 7")])
def test_any_channel_count_is_shown_and_says_how(channels: int, words: str) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (2, 4, 4, channels), np.uint8)
    shown = to_displayable(pictures)
    assert shown.shape[-1] in (1, 3)
    kept = min(channels, 3)
    assert np.array_equal(shown[..., :kept], pictures[..., :kept])
    assert words in describe_channels(channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_the_pixels(channels: int) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (6, 5, channels), np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(to_png(picture))))
    assert np.array_equal(decoded.reshape(picture.shape), picture)
