"""How good the pictures of a deep network for colour images are: 16 filters of a layer of each block, every recipe.

python -m pytest tests/benchmarks/test_natural_pictures.py --override-ini addopts="--import-mode=importlib -s"

What it needs says `tests/benchmarks/natural.py`. Ours draw for images of 224 pixels, the others on 128: they are slow.
What each column says, over all filters:

- *hf*: share of the energy of a picture above half of Nyquist's frequency; of noise, 0.80.
- *mean*, *peak*: how far the mean of all units, and the strongest, rise over gray, the picture alone as displayed; over
  that of `plain`, whose middle of the same size is shown. A receptive field lies in gray.
  The cast of one colour that lies over a texture excites as well, and the tone mapping of clean takes it away: one
  row shows what it is worth.
- *raw*: the mean for the picture as it was drawn, within the range of the inputs.
- *told*: of two places of photographs, one among the filter's strongest 2 %, one of the weaker 90 %, the one that is
  more like the picture excites the filter more: in so many pairs. What is compared is what the layer below answers,
  around the place and anywhere in the picture, each channel standardized over the photographs.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tb_filterviz import Config, maximize
from tb_filterviz.parts.tones import to_uint8
from tests.benchmarks import contenders, natural, pictures

pytestmark = pytest.mark.filterwarnings("default")  # tf-keras-vis gives its inputs in another structure

FILTERS, SIDE, OTHERS_SIDE, SHOWN = 16, 224, 128, 96
LAYERS = ("block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3")
BELOW = {"block2_conv2": "block2_conv1", "block3_conv3": "block3_conv2", "block4_conv3": "block4_conv2"}
BELOW["block5_conv3"] = "block5_conv2"
Images = npt.NDArray[np.float32]
Recipe = Callable[[str], tuple[npt.NDArray[np.uint8], Images]]  # of a layer, tiles and images from 0 to 1


@lru_cache
def _network(side: int | None) -> keras.Model:
    return natural.network(side, side)


def _middle(drawn: npt.NDArray[Any]) -> npt.NDArray[Any]:
    first = (drawn.shape[1] - SHOWN) // 2
    return drawn[:, first : first + SHOWN, first : first + SHOWN]


def _ours(config: Config, layer: str) -> tuple[npt.NDArray[np.uint8], Images]:
    config = replace(config, ascent=replace(config.ascent, filters_per_batch=FILTERS))
    found = maximize(_network(SIDE), layer, range(FILTERS), config=config, verbose=0)
    assert found.input_range == (0, 1)
    tiles, images = found.tiles(), found.images
    if tiles.shape[1] > SHOWN:
        tiles, images = _middle(tiles), _middle(images)
    return tiles, images


def _of(contender: Callable[..., Images], layer: str) -> tuple[npt.NDArray[np.uint8], Images]:
    images = _middle(contender(_network(OTHERS_SIDE), layer, range(FILTERS), 0))
    return to_uint8(images, pictures.DISPLAYED), images


RECIPES: dict[str, Recipe] = {
    "plain": partial(_ours, Config.plain()),
    "clean": partial(_ours, Config()),
    "clean, cast kept": partial(_ours, Config(tone="standardized")),
    "clean, of one unit": partial(_ours, Config(objective="center_unit")),
    "lucid": partial(_of, contenders.lucid),
    "tf-keras-vis": partial(_of, partial(contenders.tf_keras_vis, steps=100)),
    "xplique": partial(_of, partial(contenders.xplique, is_tuned=True)),
}
if find_spec("xplique") is None:
    del RECIPES["xplique"]


@lru_cache
def _responder(layer: str) -> Callable[[Images], tuple[Images, Images]]:
    """Run the network up to a layer: what the layer below answers, and its own before the activation."""
    model = _network(None)
    drawn = model.get_layer(layer)
    linear = keras.layers.Conv2D(drawn.filters, drawn.kernel_size, padding="same")
    below = model.get_layer(BELOW[layer]).output
    both = keras.Model(model.inputs[0], [below, linear(below)])
    linear.set_weights(drawn.get_weights())

    def respond(images: Images) -> tuple[Images, Images]:
        lower, own = both.predict_on_batch(images)
        return lower, own

    return respond


def _blocks(maps: Images) -> Images:
    """List the 3 x 3 units of a layer below around each place but those at the border, ``[n, h, w, 9 * c]``."""
    windows = np.lib.stride_tricks.sliding_window_view(maps, (3, 3), axis=(1, 2))
    return windows.reshape(*windows.shape[:3], -1)


def _unit_length(rows: Images) -> Images:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9))


def _told(layer: str, shown: Images, pairs: int = 40) -> float:
    respond, dice = _responder(layer), np.random.default_rng(5)
    seen = [respond(image[None]) for image in natural.images()]
    every = np.concatenate([maps.reshape(-1, maps.shape[-1]) for maps, _ in seen])
    mean, deviation = every.mean(0), every.std(0) + 1e-6
    inner = [own[0, 1:-1, 1:-1] for _, own in seen]
    values = np.concatenate([each.reshape(-1, each.shape[-1]) for each in inner])
    places = np.concatenate(
        [np.insert(np.indices(each.shape[:2]).reshape(2, -1).T, 0, i, axis=1) for i, each in enumerate(inner)]
    )

    def at(place: npt.NDArray[np.int64]) -> Images:
        image, row, column = place
        return _unit_length(_blocks((seen[image][0][:, row : row + 3, column : column + 3] - mean) / deviation).ravel())

    right = []
    for filter_ in range(FILTERS):
        answers, picture = values[:, filter_], (respond(shown[filter_ : filter_ + 1])[0] - mean) / deviation
        strong = np.flatnonzero(answers >= np.quantile(answers, 0.98))
        weak = np.flatnonzero(answers <= np.quantile(answers, 0.90))
        within = _unit_length(_blocks(picture).reshape(-1, 9 * picture.shape[-1]))
        one, other = (
            np.array([(within @ at(places[each])).max() for each in dice.choice(chosen, pairs)])
            for chosen in (strong, weak)
        )
        right.append((one > other).mean())
    return float(np.mean(right))


def _measured(layer: str, tiles: npt.NDArray[np.uint8], images: Images) -> dict[str, npt.NDArray[np.float64] | float]:
    respond = _responder(layer)

    def answers(shown: Images) -> Images:
        return pictures.own(np.concatenate([respond(each[None])[1] for each in shown])[..., :FILTERS])

    shown, raw = _on_gray((tiles / 255).astype(np.float32)), _on_gray(np.clip(images, 0, 1))
    gray = respond(np.full((1, *shown.shape[1:]), 0.5, np.float32))[1][0, ..., :FILTERS]
    displayed = answers(shown)
    return {
        "hf": float(pictures.high_frequencies(tiles).mean()),
        "mean": displayed.mean((1, 2)) - gray.mean((0, 1)),
        "raw": answers(raw).mean((1, 2)) - gray.mean((0, 1)),
        "peak": displayed.max((1, 2)) - gray.max((0, 1)),
        "told": _told(layer, shown),
    }


def _on_gray(drawn: Images) -> Images:
    """Put gray around receptive fields that are smaller than what is shown of others."""
    before = max(0, SHOWN - drawn.shape[1]) // 2
    beyond = (before, max(0, SHOWN - drawn.shape[1]) - before)
    return np.pad(drawn, ((0, 0), beyond, beyond, (0, 0)), constant_values=0.5)


def _sheet(rows: list[npt.NDArray[np.uint8]], path: Path) -> None:
    """Put tiles of one filter below each other, each recipe's in a row."""
    made = []
    for row in rows:
        sized = (np.asarray(Image.fromarray(tile).resize((SHOWN, SHOWN), Image.Resampling.BICUBIC)) for tile in row)
        made.append(np.concatenate([np.pad(tile, ((1, 1), (1, 1), (0, 0))) for tile in sized], axis=1))
    Image.fromarray(np.concatenate(made)).save(path)


@pytest.mark.parametrize("layer", LAYERS)
def test_pictures_of_a_deep_network(layer: str, tmp_path: Path) -> None:
    print(f"\nVGG16 {layer}, {FILTERS} filters, rows of {tmp_path / 'sheet.png'}:")
    rows: list[npt.NDArray[np.uint8]] = []
    found: dict[str, dict[str, float]] = {}
    plain: dict[str, npt.NDArray[np.float64] | float] = {}
    for name, recipe in RECIPES.items():
        tiles, images = recipe(layer)
        rows.append(tiles)
        measured = _measured(layer, tiles, images)
        plain = plain or measured
        found[name] = {
            column: float(value if np.ndim(value) == 0 else np.sum(value) / np.sum(plain[column]))
            for column, value in measured.items()
        }
        if len(found) == 1:
            print(" " * 22 + "".join(f"{column:>9}" for column in found[name]))
        print(f"  {name:20}" + "".join(f"{value:9.3f}" for value in found[name].values()), flush=True)
        _sheet(rows, tmp_path / "sheet.png")
    clean = found["clean"]
    assert clean["hf"] <= (0.15 if layer in ("block4_conv3", "block5_conv3") else 0.35)
    if layer in ("block4_conv3", "block5_conv3"):
        assert (
            min(found["clean, cast kept"]["mean"], clean["raw"]) >= 0.9
        )  # what the tone mapping takes away counts not
    assert clean["told"] >= found["plain"]["told"]
