"""How good the pictures are: a LeNet trained three times, the same filters drawn by every recipe, one table.

python -m pytest tests/benchmarks/test_pictures.py --override-ini addopts="--import-mode=importlib -s"

xplique wants an older TensorFlow, but draws with this one: it has its lines where it is installed with ``--no-deps``,
and opencv-python-headless, scikit-learn, scikit-image, matplotlib, einops and deprecated beside it.

What each column says:

- *hf*: share of the energy of a picture above half of Nyquist's frequency; of noise, 0.80.
- *noise*: another start noise, the same weights: RMS of the difference of tiles, correlation, and the share of filters
  whose picture is nearest its own; and the RMS over that between different filters.
- *peak*: how far the strongest unit rises over gray, the tile shown as displayed, moved and with noise; over `plain`.
- *rho*: rank correlation, over filters and epochs, of the picture's change with that of the function, which is 1 -
  the correlation of a filter's responses to 100 digits.
- *digits*: the strongest response to the picture within [0, 1], over that to the best of 2000 digits; the median.
- *told*: of two patches of digits that were not trained on, one among the filter's strongest 2 %, one of the weaker
  90 %, the one that looks more like the tile excites the filter more: in so many pairs. After Zimmermann et al. (2021),
  "How well do feature visualizations support causal understanding of CNN activations?", a machine being the observer.
- *stuck*: of all filters. *kept*: how much of the score of a picture without smoothing the smooth one has, both at one
  contrast.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from itertools import pairwise

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz import AscentConfig, Config, build_lenet, digits, maximize
from tb_filterviz.parts.tones import to_uint8
from tests.benchmarks import contenders, pictures

pytestmark = pytest.mark.filterwarnings("default")  # tf-keras-vis gives its inputs in another structure

SEEDS = (11, 12, 13)
EPOCHS, FILTERS, SIDE = 5, 50, 28
FIELD, STRIDE, FIRST = 14, 2, -6  # of a unit of conv2d_2: its side, how far the next one is, where the first begins
Weights = list[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Drawn:
    """Pictures of all filters by one recipe.

    Attributes:
        tiles: uint8 ``[50, h, w, 1]``, as displayed.
        images: float32 ``[50, 28, 28, 1]``, as the model may take them: within [0, 1].
        place: where the tiles lie in these.
        stuck: how many filters no unit of which is above 0 on its picture.
    """

    tiles: npt.NDArray[np.uint8]
    images: npt.NDArray[np.float32]
    place: tuple[int, int] = (0, 0)
    stuck: int = 0


Recipe = Callable[[keras.Model, int], Drawn]


def _ours(config: Config, model: keras.Model, seed: int) -> Drawn:
    found = maximize(model, "conv2d_2", config=replace(config, seed=seed), verbose=0)
    shown = found.receptive_field or found.place
    limits = (0, 255) if found.input_range == (0.0, 255.0) else (0, 1)
    images = np.clip((found.whole(found.images) - limits[0]) / limits[1], 0, 1).astype(np.float32)
    stuck = int((found.drawing().statistics["responsive"] == 0).sum())
    return Drawn(found.tiles(), images, (shown.top, shown.left), stuck)


def _of(
    contender: Callable[..., npt.NDArray[np.float32]], model: keras.Model, seed: int, *, is_cut: bool = False
) -> Drawn:
    images = contender(model, "conv2d_2", range(FILTERS), seed)
    first = FIRST + 7 * STRIDE if is_cut else 0  # of the centre unit's receptive field
    shown = images[:, first : first + FIELD, first : first + FIELD] if is_cut else images
    return Drawn(to_uint8(shown, pictures.DISPLAYED), images, (first, first))


RECIPES: dict[str, Recipe] = {
    "plain": partial(_ours, Config.plain()),
    "classic": partial(_ours, Config.classic()),
    "clean": partial(_ours, Config()),
    "lucid": partial(_of, contenders.lucid),
    "tf-keras-vis": partial(_of, contenders.tf_keras_vis),
    "tf-keras-vis, tuned": partial(_of, partial(contenders.tf_keras_vis, is_tuned=True), is_cut=True),
    "xplique, 64 steps": partial(_of, partial(contenders.xplique, steps=64)),  # of 256: these take minutes each
    "xplique, tuned": partial(_of, partial(contenders.xplique, is_tuned=True), is_cut=True),
}
if find_spec("xplique") is None:
    RECIPES = {name: recipe for name, recipe in RECIPES.items() if not name.startswith("xplique")}


@pytest.fixture(scope="module", params=SEEDS)
def trained(request: pytest.FixtureRequest) -> tuple[int, keras.Model, list[Weights]]:
    """A seed, a LeNet, and its weights before a training on the embedded digits and after each epoch."""
    keras.utils.set_random_seed(request.param)
    data, model = digits(), build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy")
    weights = [model.get_weights()]
    for _ in range(EPOCHS):
        model.fit(data.x_train, data.y_train, batch_size=64, verbose=0)
        weights.append(model.get_weights())
    return request.param, model, weights


def _responder(model: keras.Model) -> pictures.Respond:
    below = keras.Model(model.inputs[0], model.get_layer("conv2d_2").output)
    return lambda images: below.predict_on_batch(images)


def _changes_of_function(model: keras.Model, respond: pictures.Respond, weights: list[Weights]) -> pictures.Array:
    answers = []
    for each in weights:
        model.set_weights(each)
        answers.append(respond(digits().x_test[:100]).reshape(-1, FILTERS).T)
    pairs = pairwise(answers)
    return np.array([[1 - np.corrcoef(*both)[0, 1] for both in zip(*pair, strict=True)] for pair in pairs])


def _told(tiles: npt.NDArray[np.uint8], respond: pictures.Respond, pairs: int = 40) -> float:
    """Measure in what share of pairs of patches a tile tells which of the two excites its filter more."""
    images, dice = digits().x_test, np.random.default_rng(5)
    first, last = -FIRST // STRIDE, (SIDE - FIELD - FIRST) // STRIDE + 1  # units that see no border
    responses = np.concatenate([respond(images[at : at + 250]) for at in range(0, len(images), 250)])
    responses = responses[:, first:last, first:last]
    windows = np.lib.stride_tricks.sliding_window_view(images[..., 0], (FIELD, FIELD), axis=(1, 2))[
        :, ::STRIDE, ::STRIDE
    ]
    patches = windows.reshape(-1, FIELD, FIELD).astype(np.float64)
    has_ink = patches.std((1, 2)) >= 0.1
    right = []
    for filter_, tile in enumerate(tiles[..., 0].astype(np.float64)):
        values = responses[..., filter_].ravel()
        strong = np.flatnonzero(has_ink & (values >= np.quantile(values, 0.98)))
        weak = np.flatnonzero(has_ink & (values <= np.quantile(values, 0.90)))
        chosen = [dice.choice(each, pairs, replace=len(each) < pairs) for each in (strong, weak)]
        one, other = (pictures.best_match(tile, patches[each]) for each in chosen)
        right.append((one > other).mean())
    return float(np.mean(right))


def _kept(model: keras.Model, respond: pictures.Respond) -> float:
    """Measure how much of the rise of a picture without smoothing the smooth one has, both at one contrast."""
    rises, gray = [], respond(np.full((1, SIDE, SIDE, 1), 0.5, np.float32))[0, 7, 7]
    for parts in (None, ()):
        found = maximize(model, "conv2d_2", config=Config(ascent=AscentConfig(parts=parts)), verbose=0)
        shown = found.whole(pictures.at_one_contrast(found.images).astype(np.float32))
        rises.append(pictures.own(respond(shown))[:, 7, 7] - gray)
    return float(rises[0].sum() / rises[1].sum())


def _measured(
    recipe: Recipe, model: keras.Model, weights: list[Weights], respond: pictures.Respond
) -> dict[str, float]:
    tiles = []
    for each in weights:
        model.set_weights(each)
        drawn = recipe(model, 0)
        tiles.append(drawn.tiles)
    other, best = recipe(model, 1), respond(digits().x_train[:2000]).max((0, 1, 2))
    noise = float(pictures.rms_between(drawn.tiles, other.tiles).mean())
    excited = pictures.own(respond(drawn.images)).max((1, 2))
    peaks = pictures.peaks(respond, drawn.tiles, (SIDE, SIDE, 1), drawn.place)
    told = _told(drawn.tiles, respond)
    moved = np.array([pictures.rms_between(*both) for both in pairwise(tiles)])
    return {
        "hf": float(pictures.high_frequencies(drawn.tiles).mean()),
        "noise": noise,
        "corr.": float(pictures.correlation(drawn.tiles, other.tiles).mean()),
        "id": pictures.identification(drawn.tiles, other.tiles),
        "/filters": noise / pictures.between_filters(drawn.tiles),
        "peak": float(peaks.mean()),
        "rho": pictures.rank_correlation(_changes_of_function(model, respond, weights), moved),
        "digits": float(np.median(excited / best)),
        "told": told,
        "stuck": drawn.stuck,
    }


def test_pictures_of_a_trained_lenet(trained: tuple[int, keras.Model, list[Weights]]) -> None:
    seed, model, weights = trained
    respond = _responder(model)
    model.set_weights(weights[-1])
    kept, first = _kept(model, respond), maximize(model, "conv2d_1", verbose=0).tiles()
    kernels = np.moveaxis(model.get_layer("conv2d_1").get_weights()[0], -1, 0)
    linear = pictures.correlation(first, kernels).min()
    print(
        f"\nLeNet conv2d_2, training seed {seed}, {FILTERS} filters, epoch {EPOCHS}; kept score of clean: {kept:.3f}; "
    )
    print(f"correlation of each picture of conv2d_1 with its kernel, at least: {linear:.4f}")
    found: dict[str, dict[str, float]] = {}
    for name, recipe in RECIPES.items():
        found[name] = _measured(recipe, model, weights, respond)
        if len(found) == 1:
            print(" " * 22 + "".join(f"{column:>9}" for column in found[name]))
        shown = {**found[name], "peak": found[name]["peak"] / found["plain"]["peak"]}
        print(f"  {name:20}" + "".join(f"{value:9.3f}" for value in shown.values()), flush=True)
    clean, plain = found["clean"], found["plain"]
    assert linear >= 0.999
    assert kept >= 0.90
    assert clean["hf"] <= 0.10
    assert clean["noise"] <= 0.05
    assert clean["corr."] >= 0.95
    assert clean["id"] >= 0.98
    assert clean["/filters"] <= 0.2
    assert clean["peak"] >= 2.0 * plain["peak"]
    assert clean["rho"] >= 0.75
    assert clean["digits"] >= 1.0
    assert clean["told"] >= 0.97
    assert clean["stuck"] <= plain["stuck"]
