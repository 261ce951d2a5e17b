"""A run says how it was drawn, and what says the same draws the same."""

import dataclasses
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import (
    AscentConfig,
    AscentPart,
    Config,
    FilterLogger,
    FilterVisualizer,
    Objective,
    ToneMapping,
    channel_mean,
)
from tb_filterviz.errors import ConfigError
from tb_filterviz.metadata import decode_metadata, encode_recipe
from tb_filterviz.parts.statistics import STANDARD
from tb_filterviz.recipe import Recipe, config_of, draws_the_same, fingerprint, with_training
from tb_filterviz.session import Session
from tb_filterviz.training.fit import Fit
from tb_filterviz.training.hyperparameters import hyperparameters
from tests.event_reader import recipe_of
from tests.parts import own

L = keras.layers


def _network(
    strides: int = 1,
    kernel: int = 3,
    activation: str = "relu",
    filters: int = 6,
    size: int = 12,
    dense: str = "head",
    first: str = "conv_a",
) -> keras.Model:
    layers = [
        L.Conv2D(4, 3, strides=strides, padding="same", activation=activation, name=first),
        L.MaxPooling2D(2),
        L.Conv2D(filters, kernel, name="conv_b"),
        L.GlobalAveragePooling2D(),
        L.Dense(3, name=dense),
    ]
    return keras.Sequential([keras.Input((size, size, 1)), *layers])


BASE = Config(filters=[3, 1], seed=5, ascent=AscentConfig(steps=4))


def _recipe(config: Config = BASE, model: keras.Model | None = None, **options: Any) -> Recipe:
    return Session(model or _network(), config=config, **options).recipe("callback")


@pytest.fixture(scope="module")
def base() -> Recipe:
    return _recipe()


def _through_the_log(recipe: Recipe) -> Recipe:
    found: Recipe = decode_metadata(encode_recipe(recipe))["recipe"]
    return found


def test_a_recipe_says_how_a_run_is_drawn(base: Recipe) -> None:
    assert json.loads(json.dumps(base)) == base == _through_the_log(base)
    assert (base["written_by"], base["unit"], base["input_range"]) == ("callback", "epoch", [0, 1])
    names = ("layer", "position", "filters", "tile", "objective", "tone")
    assert [[each[name] for name in names] for each in base["layers"]] == [
        ["conv_a", 0, 2, [3, 3, 1], "center_unit", "standardized"],
        ["conv_b", 1, 2, [8, 8, 1], "center_unit", "standardized"],
    ]
    first, second = (each["ascent"] for each in base["layers"])
    assert (first["steps"], first["step_size"], first["noise"], first["parts"]) == (4, 4, 2, [])
    assert (second["steps"], second["step_size"]) == (4, 8)
    assert second["parts"] == [{"name": "spectral_decay", "power": 0.5}]
    assert [each["name"] for each in base["parts"]["ascent"]] == ["spectral_decay"]
    assert [each["name"] for each in base["parts"]["tone"]] == ["standardized"]
    assert base["config"]["filters"] == [3, 1]
    assert base["config"]["ascent"]["steps"] == 4
    assert [each["name"] for each in base["parts"]["statistics"]] == [each.name for each in STANDARD]
    assert [each["class"] for each in base["model"]["layers"]] == [
        "Conv2D",
        "MaxPooling2D",
        "Conv2D",
        "GlobalAveragePooling2D",
        "Dense",
    ]
    assert {"keras", "numpy", keras.backend.backend()} <= base["versions"].keys()


BY_LAYER = {"conv_b": [5, 2], "conv*": [1, 0, 3]}


@pytest.mark.parametrize(
    "config",
    [BASE, Config.classic(), replace(BASE, objective="center_unit", crop=False), replace(BASE, filters=BY_LAYER)],
    ids=["chosen filters", "classic", "centre unit", "filters by layer"],
)
def test_the_configuration_of_a_recipe_draws_the_same(config: Config) -> None:
    keras.utils.set_random_seed(2)
    model = _network()
    again = config_of(_through_the_log(_recipe(config, model)))
    assert draws_the_same(_recipe(again, model), _recipe(config, model))
    drawn, redrawn = (Session(model, config=each).draw() for each in (config, again))
    for one, other in zip(drawn, redrawn, strict=True):
        assert one.filters.tolist() == other.filters.tolist()
        assert np.array_equal(one.tiles, other.tiles)
        assert np.array_equal(one.scores, other.scores)


def test_a_recipe_with_parts_of_ones_own_describes_them_and_says_that_they_are_needed() -> None:
    config = replace(BASE, objective=own.energy, tone=own.stretched, ascent=AscentConfig(parts=[own.Decay()]))
    recipe = _through_the_log(_recipe(config))
    (described,) = recipe["parts"]["objective"]
    assert len(described.pop("fingerprint")) == 16
    assert described == {"name": "own_energy", "label": "own_energy", "description": own.energy.description}
    assert [each["name"] for each in recipe["parts"]["tone"]] == ["own_stretched"]
    (decay,) = recipe["parts"]["ascent"]
    assert (decay["name"], decay["description"]) == ("own_decay", own.Decay.description)
    for changed in ("objective", "tone", "ascent"):
        settings = {**_recipe()["config"], changed: recipe["config"][changed]}
        with pytest.raises(ConfigError, match="must be .*an object of class"):
            config_of({"config": settings})


SAME: dict[str, Callable[[], Recipe]] = {
    "again": _recipe,
    "other names of layers that are not drawn": lambda: _recipe(model=_network(dense="dense_77")),
    "other weights": lambda: _recipe(model=_network()),
    "another size of images, of which no filter sees all": lambda: _recipe(model=_network(size=14)),
    "more statistics": lambda: _recipe(replace(BASE, statistics=[own.peak])),
    "another budget": lambda: _recipe(replace(BASE, ascent=AscentConfig(steps=4, memory_mb=9, filters_per_batch=1))),
    "by the logger": lambda: Session(_network(), config=BASE).recipe("logger"),
    "as it comes from the log": lambda: _through_the_log(_recipe()),
}


@pytest.mark.parametrize("change", SAME)
def test_what_changes_no_picture_goes_on_in_its_run(base: Recipe, change: str) -> None:
    assert draws_the_same(base, SAME[change]())
    assert draws_the_same(SAME[change](), base)


def test_another_size_of_images_begins_a_run_of_its_own_where_the_whole_is_drawn() -> None:
    one, other = (_recipe(replace(BASE, objective="channel_mean"), _network(size=size)) for size in (12, 14))
    assert not draws_the_same(one, other)


def test_other_versions_go_on_in_their_run(base: Recipe) -> None:
    assert draws_the_same(base, {**base, "versions": {"tb_filterviz": "9.9", "keras": "4.0"}, "later": [1, 2]})


def test_how_a_training_was_set_begins_no_run_of_its_own(base: Recipe) -> None:
    one, other = (with_training(base, {"optimizer": "SGD", "learning_rate": rate}) for rate in (0.1, 0.01))
    assert one["training"] != other["training"]
    assert draws_the_same(one, other)
    assert draws_the_same(one, base)
    assert draws_the_same(base, other)


SGD, COSINE = keras.optimizers.SGD, keras.optimizers.schedules.CosineDecay
OPTIMIZERS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "constant": (lambda: SGD(0.05), {"optimizer": "SGD", "learning_rate": 0.05}),
    "by name": (lambda: "adam", {"optimizer": "Adam", "learning_rate": 0.001}),
    "scaled losses": (
        lambda: keras.optimizers.LossScaleOptimizer(SGD(0.03)),
        {"optimizer": "SGD", "learning_rate": 0.03},
    ),
    "schedule": (
        lambda: SGD(COSINE(0.2, decay_steps=10)),
        {"optimizer": "SGD", "learning_rate": 0.2, "schedule": "CosineDecay"},
    ),
}


def _trained(log_dir: Path, optimizer: Any, x: Any = None, y: Any = None, **options: Any) -> Recipe:
    model = _network()
    model.compile(optimizer, "mse")
    images = np.random.default_rng(0).random((8, 12, 12, 1)).astype(np.float32)
    drawn = FilterVisualizer(log_dir, config=BASE, on_error="raise")
    given = (images, np.zeros((8, 3), np.float32)) if x is None else (x, y)
    model.fit(*given, verbose=0, callbacks=[drawn], **options)
    found: Recipe = recipe_of(log_dir / "filters")
    return found


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_says_how_it_was_set(tmp_path: Path, name: str) -> None:
    make, expected = OPTIMIZERS[name]
    assert _trained(tmp_path, make(), batch_size=4)["training"] == {**expected, "batch_size": 4}


def test_what_is_not_known_of_a_training_is_left_out(tmp_path: Path) -> None:
    """No size of batches was given; then a generator makes them."""
    images, targets = np.zeros((4, 12, 12, 1), np.float32), np.zeros((4, 3), np.float32)
    known = {"optimizer": "SGD", "learning_rate": 0.5}
    assert _trained(tmp_path / "a", SGD(0.5))["training"] == known
    batches = ((images, targets) for _ in range(2))
    assert _trained(tmp_path / "b", SGD(0.5), batches, steps_per_epoch=2, shuffle=False)["training"] == known


class _Odd:
    @property
    def learning_rate(self) -> float:
        raise ValueError("nobody knows")


def test_an_optimizer_that_does_not_say_and_a_model_without_one_end_no_training() -> None:
    model = _network()
    assert hyperparameters(model, {}, Fit(None, None)) == {}
    model.optimizer = _Odd()
    assert hyperparameters(model, {"batch_size": 7}, Fit(None, None)) == {"optimizer": "_Odd", "batch_size": 7}


def test_a_training_is_described_as_it_begins(tmp_path: Path) -> None:
    slower = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    model = _network()
    model.compile(SGD(0.4), "mse")
    images = np.zeros((4, 12, 12, 1), np.float32)
    for log_dir in (tmp_path / "first", tmp_path / "again"):
        drawn = FilterVisualizer(log_dir, config=BASE, on_error="raise")
        model.fit(images, np.zeros((4, 3)), epochs=2, verbose=0, callbacks=[drawn, slower])
    rates = [recipe_of(tmp_path / name / "filters")["training"]["learning_rate"] for name in ("first", "again")]
    assert rates == [0.4, 0.05]


def test_the_logger_knows_of_no_training(tmp_path: Path) -> None:
    model = _network()
    model.compile(SGD(0.05), "mse")
    with FilterLogger(tmp_path, config=BASE, verbose=0) as logger:
        logger.log(model, 0)
    assert "training" not in recipe_of(tmp_path / "filters")


def test_a_recipe_of_before_a_setting_was_there_draws_the_same(base: Recipe) -> None:
    layers = [{**each, "ascent": {k: v for k, v in each["ascent"].items() if k != "starts"}} for each in base["layers"]]
    config = {k: v for k, v in base["config"].items() if k != "channel_order"}
    config["ascent"] = {k: v for k, v in config["ascent"].items() if k != "starts"}
    old = {**{k: v for k, v in base.items() if k != "channel_order"}, "layers": layers, "config": config}
    assert draws_the_same(base, old)
    assert draws_the_same(old, base)
    assert not draws_the_same({**base, "channel_order": "bgr"}, old)


OTHER: dict[str, Callable[[], Recipe]] = {
    "seed": lambda: _recipe(replace(BASE, seed=6)),
    "steps": lambda: _recipe(replace(BASE, ascent=AscentConfig(steps=5))),
    "tone": lambda: _recipe(replace(BASE, tone=own.stretched)),
    "contrast": lambda: _recipe(replace(BASE, contrast=0.3)),
    "objective": lambda: _recipe(replace(BASE, objective="channel_mean")),
    "objective of one's own": lambda: _recipe(replace(BASE, objective=own.energy)),
    "parts of the ascent": lambda: _recipe(replace(BASE, ascent=AscentConfig(steps=4, parts=[own.Decay()]))),
    "layers": lambda: _recipe(layers="conv_a"),
    "names of layers that are drawn": lambda: _recipe(model=_network(first="stem")),
    "filters": lambda: _recipe(replace(BASE, filters=[3, 2])),
    "the filters' order": lambda: _recipe(replace(BASE, filters=[1, 3])),
    "count of filters": lambda: _recipe(model=_network(filters=7)),
    "unit": lambda: _recipe(unit="batch"),
    "input range by hand": lambda: _recipe(replace(BASE, input_range=(0.0, 255.0))),
    "strides": lambda: _recipe(model=_network(strides=2)),
    "kernel": lambda: _recipe(model=_network(kernel=2)),
    "activation": lambda: _recipe(model=_network(activation="elu")),
    "none": dict,
}


@pytest.mark.parametrize("change", OTHER)
def test_what_changes_pictures_begins_a_run_of_its_own(base: Recipe, change: str) -> None:
    assert not draws_the_same(base, OTHER[change]())


def test_an_input_range_that_a_rescaling_says_begins_a_run_of_its_own() -> None:
    def scaled(scale: float) -> Recipe:
        return _recipe(model=keras.Sequential([keras.Input((12, 12, 1)), L.Rescaling(scale), L.Conv2D(4, 3, name="c")]))

    assert scaled(1 / 255)["input_range"] == pytest.approx([0, 255])
    assert draws_the_same(scaled(1 / 255), scaled(1 / 255))
    assert not draws_the_same(scaled(1 / 255), scaled(1 / 16))


def test_lists_of_filters_in_another_order_of_layers_begin_a_run_of_their_own() -> None:
    first, other = {"conv_b": [5, 2], "conv*": [1, 0]}, {"conv*": [1, 0], "conv_b": [5, 2]}
    one, two = (_recipe(replace(BASE, filters=filters)) for filters in (first, other))  # what fits first, counts
    assert not draws_the_same(one, two)


def test_parts_of_one_name_that_say_something_else_begin_a_run_of_their_own() -> None:
    def recipe(description: str, weight: float) -> Recipe:
        objective = replace(own.energy, description=description)
        return _recipe(replace(BASE, objective=objective, ascent=AscentConfig(parts=[own.Decay(weight=weight)])))

    assert draws_the_same(recipe("energy", 0.5), recipe("energy", 0.5))
    assert not draws_the_same(recipe("energy", 0.5), recipe("another energy", 0.5))
    assert not draws_the_same(recipe("energy", 0.5), recipe("energy", 0.25))
    minus, times = (_recipe(replace(BASE, objective=each)) for each in (-own.energy, 0.5 * channel_mean))
    assert minus["layers"][0]["objective"] == "-own_energy"
    assert times["layers"][0]["objective"] == "0.5 * channel_mean"


def test_recipes_of_anybody_are_compared_without_a_failure(base: Recipe) -> None:
    junk: tuple[Any, ...] = (None, 3, "text", [], [1, None], {"layers": 3}, {"layers": [3, {}]}, {"ascent": 3})
    for name in base:
        for value in junk:
            draws_the_same({**base, name: value}, base)
            draws_the_same(base, {**base, name: value})


def _halved(images: Any, contrast: float) -> Any:  # noqa: ARG001
    return (images * 0).astype(np.uint8)


def _inverted(images: Any, contrast: float) -> Any:  # noqa: ARG001
    return (images * 0 + 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class _Masked(AscentPart):
    name = "masked"
    description = "leaves pixels out"
    mask: Any = None


def test_parts_of_ones_own_are_told_by_what_they_compute_not_by_their_name_alone() -> None:
    tone = ToneMapping(name="mine", apply=_halved, description="halved")
    assert fingerprint(tone) == fingerprint(pickle.loads(pickle.dumps(tone)))
    others = [
        dataclasses.replace(tone, apply=_inverted),
        own.energy,
        dataclasses.replace(own.energy, reads="all"),
        own.energy - 0.5 * channel_mean,
        own.energy - 0.4 * channel_mean,
        _Masked(mask=np.zeros((1000, 1000))),
        _Masked(mask=np.eye(1000)),
    ]
    assert len({fingerprint(part) for part in [tone, *others]}) == 1 + len(others)


def _scaled(factor: float) -> Callable[[Any], Any]:
    def score(response: Any) -> Any:
        return factor * response[:, 0, 0]

    return score


def _scaled_score(response: Any, factor: float) -> Any:
    return factor * response[:, 0, 0]


class _Holding(AscentPart):
    name, description = "holding", "something"

    def __init__(self, held: Any) -> None:
        self.held = held

    def score(self, response: Any) -> Any:
        return self.held * response[:, 0, 0]


def _objective(score: Callable[..., Any]) -> Objective:
    return replace(own.energy, score=score)


SETTINGS: dict[str, Callable[[Any], Any]] = {
    "a number": _Holding,
    "an array": lambda value: _Holding(np.full(3, value)),
    "a number of NumPy's": lambda value: _Holding(np.float32(value)),
    "in a list": lambda value: _Holding([[value]]),
    "in a mapping": lambda value: _Holding({"weight": value}),
    "of a function's owner": lambda value: _objective(_Holding(value).score),
    "bound to a function": lambda value: _objective(partial(_scaled_score, factor=value)),
    "that a function closes over": lambda value: _objective(_scaled(value)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_part_with_another_setting_has_another_fingerprint(name: str) -> None:
    make = SETTINGS[name]
    assert fingerprint(make(2.0)) == fingerprint(make(2.0))
    assert fingerprint(make(2.0)) != fingerprint(make(3.0))


def test_a_part_has_a_fingerprint_whatever_it_holds() -> None:
    itself = _Holding(None)
    itself.held = itself
    for part in (
        itself,
        _Holding(_network()),
        _Holding(object()),
        _Holding(np),
        _objective(_Holding(_network()).score),
    ):
        assert fingerprint(part)
