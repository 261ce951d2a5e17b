import dataclasses
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz import AscentConfig, Config, maximize
from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.tones import describe_channels, to_displayable, to_uint8, tone_of
from tests.parts import own


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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "The name of a tone mapping must be a line. Received: name=''"),
        ({"description": ""}, "The description of tone mapping 'own_stretched' must be"),
        ({"description": 3}, "The description of tone mapping 'own_stretched' must be a line of 1 to 400 characters"),
        ({"label": None}, "The label of tone mapping 'own_stretched' must be a line of 1 to 400 characters"),
        ({"apply": None}, "`apply` of tone mapping 'own_stretched' must be a function. Received: apply=None"),
    ],
)
def test_a_tone_mapping_that_cannot_work_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(own.stretched, **wrong)


def test_a_tone_mapping_of_ones_own_makes_the_tiles(small_model: keras.Model) -> None:
    config = Config(tone=own.stretched, ascent=AscentConfig(steps=2))
    found = maximize(small_model, "conv_a", config=config)
    shown = found.shown(found.images)
    assert np.array_equal(found.tiles(), own.stretch(shown, config.contrast))
    assert found.tiles().min(axis=(1, 2, 3)).tolist() == [0] * 4
    assert (found.tiles().max(axis=(1, 2, 3)) >= 254).all()
    assert np.array_equal(tone_of("standardized").apply(shown, 0.2), to_uint8(shown, 0.2))
