"""Objectives are what they say, on whatever backend Keras runs (KERAS_BACKEND=jax, torch or tensorflow)."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tb_filterviz import Config, Objective, center_unit, channel_mean, maximize
from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.objectives import OBJECTIVES, objective_of
from tests.parts import direct, own

L = keras.layers
STEPS = 6
ASCENT = replace(Config.plain().ascent, steps=STEPS)


@dataclass
class Case:
    """A model, a layer, and by hand what the layer answers before its activation."""

    model: keras.Model
    layer: str
    respond: Callable[[Any], Any]


def _case(layer: keras.Layer, *before: keras.Layer) -> Case:
    model = keras.Sequential([keras.Input((10, 10, 2)), *before, layer])
    for each in (*before, layer):  # the same on every backend
        rng, (kernel, bias) = np.random.default_rng(4), each.get_weights()
        each.set_weights(
            [rng.normal(0, (kernel[..., 0].size / 2) ** -0.5, kernel.shape), rng.uniform(0.3, 0.6, bias.shape)]
        )
    linear = type(layer).from_config(layer.get_config() | {"activation": None})
    linear.build(layer.get_build_config()["input_shape"])
    linear.set_weights(layer.get_weights())

    def respond(images: Any) -> Any:
        for each in (*before, linear):
            images = each(images)
        return images

    return Case(model, layer.name, respond)


def _stem(activation: str = "relu") -> keras.Layer:
    return L.Conv2D(6, 3, activation=activation)


CASES: dict[str, Callable[[], Case]] = {
    "plain, of the image": lambda: _case(L.Conv2D(5, 3, name="shown")),
    "plain, after a ReLU": lambda: _case(L.Conv2D(5, 3, name="shown"), _stem()),
    "with a ReLU of its own": lambda: _case(L.Conv2D(5, 3, strides=2, activation="relu", name="shown"), _stem()),
    "depthwise": lambda: _case(L.DepthwiseConv2D(3, name="shown"), _stem("tanh")),
}


def _mean(responses: Any, index: int) -> Any:
    return ops.mean(responses[..., index], axis=(1, 2))


def _center(responses: Any, index: int) -> Any:
    return responses[:, responses.shape[1] // 2, responses.shape[2] // 2, index]


def _energy(responses: Any, index: int) -> Any:
    return ops.mean(responses[..., index] ** 2, axis=(1, 2))


def _contrast(responses: Any, index: int) -> Any:
    others = [_mean(responses, other) for other in range(responses.shape[-1]) if other != index]
    return _mean(responses, index) - sum(others) / len(others)


@dataclass
class Written:
    """An objective, and the same by hand."""

    objective: Objective
    by_hand: direct.Score


OBJECTIVES_BY_HAND = {
    "channel mean": Written(channel_mean, _mean),
    "centre unit": Written(center_unit, _center),
    "energy": Written(own.energy, _energy),
    "contrast": Written(own.contrast, _contrast),
    "difference": Written(channel_mean - 0.5 * center_unit, lambda r, i: _mean(r, i) - 0.5 * _center(r, i)),
    "negated": Written(-own.energy, lambda r, i: -_energy(r, i)),
    "nested": Written(
        2 * (channel_mean + (own.energy - own.contrast) * 3) - -center_unit,
        lambda r, i: 2 * (_mean(r, i) + 3 * (_energy(r, i) - _contrast(r, i))) + _center(r, i),
    ),
}


@pytest.mark.parametrize("name", OBJECTIVES_BY_HAND)
@pytest.mark.parametrize("case", CASES)
def test_an_objective_reaches_what_is_reached_by_hand(case: str, name: str) -> None:
    made, written = CASES[case](), OBJECTIVES_BY_HAND[name]
    found = maximize(made.model, made.layer, [4, 0, 2], config=Config(objective=written.objective, ascent=ASCENT))
    images, scores = direct.climb(
        made.respond, written.by_hand, found.start, [4, 0, 2], steps=STEPS, step_length=4 / 255
    )
    largest = np.abs(scores).max()
    np.testing.assert_allclose(found.scores, scores, rtol=2e-3, atol=2e-4 * largest)
    moved = np.sqrt(np.square(images - found.start).mean())
    assert np.sqrt(np.square(found.images - images).mean()) < 0.01 * moved
    assert found.scores[-1].sum() > found.scores[0].sum()


@pytest.mark.parametrize("case", ["plain, of the image", "plain, after a ReLU", "depthwise"])
@pytest.mark.parametrize("name", ["channel mean", "contrast", "difference"])
def test_what_is_said_to_be_linear_is_drawn_the_same_without_that(case: str, name: str) -> None:
    made, objective = CASES[case](), OBJECTIVES_BY_HAND[name].objective
    assert objective.is_linear
    said, unsaid = (
        maximize(made.model, made.layer, [4, 0, 2], config=Config(objective=each, ascent=ASCENT))
        for each in (objective, replace(objective, name="unsaid", is_linear=False))
    )
    np.testing.assert_allclose(said.scores, unsaid.scores, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(said.images, unsaid.images, atol=2e-3)


def test_what_is_not_linear_is_computed_as_it_is_for_a_layer_that_is() -> None:
    """By NumPy alone: of a 1 x 1 convolution, the gradient of a mean square is two times response times kernel."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((6, 7, 3)), L.Conv2D(4, 1, name="shown")])
    kernel, bias = model.get_layer("shown").get_weights()
    found = maximize(model, "shown", config=Config(objective=own.energy, ascent=ASCENT))
    images = found.start.astype(np.float64)
    for row in range(STEPS + 1):
        responses = np.einsum("nhwc,cn->nhw", images, kernel[0, 0]) + bias[:, None, None]
        np.testing.assert_allclose(found.scores[row], np.square(responses).mean(axis=(1, 2)), rtol=1e-4)
        gradient = responses[..., None] * kernel[0, 0].T[:, None, None, :]
        length = np.sqrt(np.square(gradient).mean(axis=(1, 2, 3), keepdims=True))
        reached, images = images, images + gradient / length * 4 / 255
    np.testing.assert_allclose(found.images, reached, rtol=1e-4)


def test_what_is_wrongly_said_to_be_linear_is_drawn_wrongly() -> None:
    made = CASES["plain, after a ReLU"]()
    right, wrong = (
        maximize(made.model, made.layer, config=Config(objective=each, ascent=ASCENT))
        for each in (own.energy, replace(own.energy, is_linear=True))
    )
    assert not np.allclose(right.scores[-1], wrong.scores[-1], rtol=0.01)


def test_a_local_objective_of_ones_own_is_cut_to_its_receptive_field(lenet: keras.Model) -> None:
    found = maximize(lenet, "conv2d_1", config=Config(objective=-center_unit))
    assert found.objective.is_local
    assert found.tiles().shape == (20, 5, 5, 1)
    kernels = lenet.get_layer("conv2d_1").get_weights()[0][:, :, 0]
    for index, tile in enumerate(found.tiles()[..., 0]):
        assert np.corrcoef(tile.ravel(), kernels[..., index].ravel())[0, 1] < -0.95
    assert (found.scores[-1] > found.scores[0]).all()


def test_a_drawing_says_what_was_maximized(lenet: keras.Model) -> None:
    found = maximize(lenet, "conv2d_2", 3, config=Config(objective=channel_mean - 0.5 * own.contrast))
    drawing = found.drawing()
    assert drawing.objective == "channel_mean - 0.5 * own_contrast"
    assert drawing.objective_label == "channel mean − 0.5 × own contrast"  # noqa: RUF001
    assert drawing.describe().startswith(
        "The inputs that maximize the mean of each filter's response over the image minus 0.5 times "
        "how much more each filter responds than the others, in conv2d_2: 1 filters of 28 x 28 px, gray."
    )


def test_the_peak_is_of_the_own_channel_whatever_is_read() -> None:
    made = CASES["plain, after a ReLU"]()
    found = maximize(made.model, made.layer, [4, 0, 2], config=Config(objective=own.contrast, ascent=ASCENT))
    responses = ops.convert_to_numpy(made.respond(ops.convert_to_tensor(found.images)))
    largest = responses[np.arange(3), :, :, [4, 0, 2]].max(axis=(1, 2))
    np.testing.assert_allclose(found.peaks, largest, rtol=1e-4)


ATOMS = {"mean": channel_mean, "center": center_unit, "energy": own.energy, "contrast": own.contrast}
Tree = Any  # the name of an atom, or (operation, tree, tree or factor)
Values = npt.NDArray[np.float64]
TREES = st.recursive(
    st.sampled_from(sorted(ATOMS)),
    lambda inner: (
        st.tuples(st.sampled_from(["+", "-"]), inner, inner)
        | st.tuples(st.just("*"), inner, st.sampled_from([2, -1, 0.5, -3.25, 0]))
        | st.tuples(st.just("negated"), inner, st.none())
    ),
    max_leaves=4,
)


def _objective(tree: Tree) -> Objective:
    if isinstance(tree, str):
        return ATOMS[tree]
    operation, left = tree[0], _objective(tree[1])
    if operation == "*":
        return left * float(tree[2])
    if operation == "negated":
        return -left
    right = _objective(tree[2])
    return left + right if operation == "+" else left - right


def _atom(name: str, responses: Values, filters: npt.NDArray[np.int32]) -> Values:
    rows, means = np.arange(len(filters)), responses.mean(axis=(1, 2))
    own_means = means[rows, filters]
    values = {
        "mean": own_means,
        "center": responses[rows, responses.shape[1] // 2, responses.shape[2] // 2, filters],
        "energy": np.square(responses[rows, :, :, filters]).mean(axis=(1, 2)),
        "contrast": own_means - (means.sum(axis=1) - own_means) / (means.shape[1] - 1),
    }
    return np.asarray(values[name])


def _value(tree: Tree, responses: Values, filters: npt.NDArray[np.int32]) -> Values:
    if isinstance(tree, str):
        return _atom(tree, responses, filters)
    operation, left = tree[0], _value(tree[1], responses, filters)
    if operation == "*":
        return left * float(tree[2])
    if operation == "negated":
        return -left
    right = _value(tree[2], responses, filters)
    return left + right if operation == "+" else left - right


def _atoms(tree: Tree) -> set[str]:
    if isinstance(tree, str):
        return {tree}
    return {atom for part in tree[1:] if isinstance(part, str | tuple) for atom in _atoms(part)}


@settings(max_examples=50)
@given(TREES)
def test_any_sum_scores_the_sum_of_the_scores(tree: Tree) -> None:
    objective, atoms = _objective(tree), _atoms(tree)
    assert objective.reads == ("all" if "contrast" in atoms else "own")
    assert objective.is_linear == ("energy" not in atoms)
    assert objective.is_local == (atoms == {"center"})
    responses = np.random.default_rng(1).normal(size=(3, 4, 5, 6)).astype(np.float32)
    filters = np.array([5, 0, 3], np.int32)
    if objective.reads == "all":
        scores = objective.score(ops.convert_to_tensor(responses), ops.convert_to_tensor(filters))
    else:
        scores = objective.score(ops.convert_to_tensor(responses[np.arange(3), :, :, filters]))
    np.testing.assert_allclose(
        ops.convert_to_numpy(scores), _value(tree, responses.astype(np.float64), filters), rtol=1e-4, atol=1e-4
    )
    assert pickle.loads(pickle.dumps(objective)) == objective == _objective(tree)


@pytest.mark.parametrize(
    ("objective", "name"),
    [
        (channel_mean + center_unit, "channel_mean + center_unit"),
        (channel_mean - center_unit, "channel_mean - center_unit"),
        (-channel_mean - 2 * center_unit, "-channel_mean - 2 * center_unit"),
        (0.25 * (channel_mean - own.energy), "0.25 * channel_mean - 0.25 * own_energy"),
        (-(channel_mean - own.energy) * 0.5, "-0.5 * channel_mean + 0.5 * own_energy"),
        (
            channel_mean + (center_unit + (own.energy - own.contrast)),
            "channel_mean + center_unit + own_energy - own_contrast",
        ),
        (-1 * -channel_mean, "channel_mean"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_sum_has_the_name_that_one_writes(objective: Objective, name: str) -> None:
    assert objective.name == name


@pytest.mark.parametrize("wrong", ["channel_mean", None, True, 1j, [2]])
def test_only_numbers_scale_and_only_objectives_add(wrong: Any) -> None:
    with pytest.raises(TypeError, match="unsupported operand|can't multiply"):
        channel_mean * wrong
    with pytest.raises(TypeError, match="unsupported operand"):
        channel_mean + wrong
    with pytest.raises(TypeError, match="unsupported operand"):
        channel_mean - wrong


def test_named_objectives_are_found_by_their_names() -> None:
    assert {name: objective_of(name) for name in OBJECTIVES} == dict(OBJECTIVES)
    assert objective_of(own.energy) is own.energy


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "objective must be a line. Received: name=''"),
        ({"name": "two\nlines"}, "objective must be a line. Received: name='two"),
        ({"name": None}, "objective must be a line. Received: name=None"),
        ({"description": ""}, "The description of objective 'own_energy' must be"),
        ({"description": None}, "The description of objective 'own_energy' must be a line of 1 to 400 characters"),
        (
            {"description": "x" * 401},
            "The description of objective 'own_energy' must be a line of 1 to 400 characters",
        ),
        ({"label": 3}, "The label of objective 'own_energy' must be a line of 1 to 400 characters. Received: label=3"),
        ({"score": "mean"}, "`score` of objective 'own_energy' must be a function. Received: score='mean'"),
        ({"reads": "both"}, "`reads` of objective 'own_energy' must be 'own' or 'all'. Received: 'both'"),
    ],
)
def test_an_objective_that_cannot_work_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(own.energy, **wrong)


def test_an_objective_of_ones_own_has_a_name_of_its_own() -> None:
    with pytest.raises(ConfigError, match="`objective` has the name 'channel_mean', which another one has. Give it a"):
        objective_of(replace(own.energy, name="channel_mean"))


@pytest.mark.parametrize("objective", [1 * channel_mean, -1 * -center_unit, 0.5 * (2 * channel_mean)])
def test_an_objective_that_is_scaled_back_is_itself_again(objective: Objective) -> None:
    assert Config(objective=objective).objective == OBJECTIVES[objective.name]
