"""Parts that do not do what they have to are found out before the first epoch, and it is said how."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from tb_filterviz import AscentConfig, AscentPart, Config, FilterVisualizer, Objective, Statistic, ToneMapping
from tb_filterviz.errors import ConfigError, FilterVizError, ModelError
from tb_filterviz.session import Session

L = keras.layers


def _model() -> keras.Model:
    layers = [L.Conv2D(4, 3, activation="relu", name="stem"), L.Conv2D(5, 3, name="shown")]
    return keras.Sequential([keras.Input((12, 12, 1)), *layers])


def _objective(score: Callable[..., Any], **options: Any) -> Config:
    return Config(objective=Objective(name="mine", score=score, description="of mine", **options))


def _tone(apply: Callable[..., Any]) -> Config:
    return Config(tone=ToneMapping(name="mine", apply=apply, description="of mine"))


def _statistic(compute: Callable[..., Any], **options: Any) -> Config:
    return Config(statistics=[Statistic(name="mine", compute=compute, description="of mine", **options)])


def _part(**methods: Callable[..., Any]) -> Config:
    part = type("Mine", (AscentPart,), {"name": "mine", "description": "of mine", **methods})()
    return Config(ascent=AscentConfig(steps=3, parts=[part]))


def _fails(*_: Any) -> Any:
    raise ValueError("planted failure")


def _prepare(config: Config) -> None:
    """Do what the callback does before the first epoch."""
    Session(_model(), config=config).prepare()


@pytest.mark.parametrize(
    "score",
    [
        lambda response: ops.mean(response),
        lambda response: ops.mean(response, axis=1),
        lambda response: ops.ones((1,)),  # noqa: ARG005
        lambda response: 3.0,  # noqa: ARG005
        lambda response: None,  # noqa: ARG005
    ],
    ids=["of all images together", "of every row", "of one image", "a number", "nothing"],
)
def test_an_objective_returns_one_score_for_each_image(score: Callable[..., Any]) -> None:
    with pytest.raises(ModelError, match=r"Objective 'mine' must return one score for each of \d+ images. Received: "):
        _prepare(_objective(score))


@pytest.mark.parametrize(
    ("apply", "received"),
    [
        (lambda images, _: images, "float32 of shape"),
        (lambda images, _: images[:1].astype(np.uint8), r"uint8 of shape \(1, 3, 3, 1\)"),
        (lambda images, _: images[..., 0].astype(np.uint8), r"uint8 of shape \(4, 3, 3\)"),
        (lambda images, _: images.astype(np.uint8).tolist(), "list of shape None"),
        (lambda _, __: None, "NoneType of shape None"),
    ],
    ids=["floats", "of one image", "without channels", "a list", "nothing"],
)
def test_a_tone_mapping_returns_pictures(apply: Callable[..., Any], received: str) -> None:
    said = rf"Tone mapping 'mine' must return uint8 of shape \(4, 3, 3, 1\). Received: {received}"
    with pytest.raises(ConfigError, match=said):
        _prepare(_tone(apply))


@pytest.mark.parametrize("reads", ["ascent", "history"])
@pytest.mark.parametrize(
    ("values", "received"),
    [
        (1.0, r"an array of shape \(\) and dtype float64"),
        (np.ones(3), r"an array of shape \(3,\) and dtype float64"),
        (np.ones((4, 1)), r"an array of shape \(4, 1\) and dtype float64"),
        (["a"] * 4, r"an array of shape \(4,\) and dtype <U1"),
        ([None] * 4, r"an array of shape \(4,\) and dtype object"),
        (np.ones(4) * 1j, r"an array of shape \(4,\) and dtype complex128"),
    ],
    ids=["a number", "of three", "a column", "texts", "nothing", "complex"],
)
def test_a_statistic_returns_a_number_for_each_filter(reads: Any, values: Any, received: str) -> None:
    said = f"Statistic 'mine' must return a number for each of 4 filters. Received: {received}"
    with pytest.raises(ConfigError, match=said):
        _prepare(_statistic(lambda _: values, reads=reads))


@pytest.mark.parametrize("reads", ["ascent", "history"])
def test_a_statistic_that_fails_is_named(reads: Any) -> None:
    with pytest.raises(ConfigError, match="Statistic 'mine' failed: ValueError: planted failure"):
        _prepare(_statistic(_fails, reads=reads))
    with pytest.raises(ConfigError, match="Statistic 'mine' failed: ValueError: .*inhomogeneous"):
        _prepare(_statistic(lambda _: [[1], [1, 2]], reads=reads))


FAILING = {
    "objective": _objective(_fails),
    "objective of all channels": _objective(_fails, reads="all"),
    "tone": _tone(_fails),
    "transform": _part(transform=_fails),
    "penalty": _part(penalty=_fails),
    "precondition": _part(precondition=_fails),
    "project": _part(project=_fails),
}


@pytest.mark.parametrize("part", FAILING)
def test_what_a_part_says_that_fails_is_said_before_the_first_epoch(part: str) -> None:
    with pytest.raises(ConfigError, match="'mine'.* failed: ValueError: planted failure. It is called as "):
        _prepare(FAILING[part])


WRONG = {
    "an objective of two arguments": _objective(lambda response, filters: response[:, 0, 0]),  # noqa: ARG005
    "an objective of one argument, of all channels": _objective(lambda response: response[:, 0, 0], reads="all"),
    "a tone mapping of one argument": _tone(lambda images: images),
    "a transformation without the step": _part(transform=lambda _, images: images),
    "a transformation to a part": _part(transform=lambda _, images, __: images[:, :2]),
    "a transformation to the first image": _part(transform=lambda _, images, __: images[:1]),
    "a transformation to nothing": _part(transform=lambda _, __, ___: None),
    "a penalty of every channel": _part(penalty=lambda _, images: ops.mean(images, axis=(1, 2))),
    "a penalty of every pixel": _part(penalty=lambda _, images: images),
    "a penalty of nothing": _part(penalty=lambda _, __: None),
    "a gradient of a part": _part(precondition=lambda _, gradient: gradient[:, :2]),
    "a gradient of nothing": _part(precondition=lambda _, __: None),
    "a projection to a part": _part(project=lambda _, images: images[:, :2]),
    "a projection to the first image": _part(project=lambda _, images: images[:1]),
    "a projection to whole numbers": _part(project=lambda _, images: ops.cast(images, "int32")),
    "a projection to nothing": _part(project=lambda _, __: None),
}


@pytest.mark.parametrize("part", WRONG)
def test_no_wrong_part_gets_to_the_first_epoch(part: str) -> None:
    with pytest.raises(
        FilterVizError, match=r"'mine'.* (failed: \w+Error: |must return )|Layer 'stem'.* cannot be drawn: \w+"
    ):
        _prepare(WRONG[part])


def test_nothing_is_trained_or_written_with_a_wrong_part(tmp_path: Path) -> None:
    model, epochs = _model(), []
    model.compile("sgd", "mse")
    count = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))  # noqa: ARG005
    callback = FilterVisualizer(tmp_path, config=_statistic(_fails, reads="history"))
    with pytest.raises(ConfigError, match="Statistic 'mine' failed"):
        model.fit(np.zeros((2, 12, 12, 1)), np.zeros((2, 8, 8, 5)), verbose=0, callbacks=[callback, count])
    assert epochs == []
    assert not (tmp_path / "filters").exists()
