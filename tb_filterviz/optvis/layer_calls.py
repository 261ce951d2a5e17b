"""Find the layers of a model, by name or pattern, each at one of its calls."""

import difflib
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

import keras

from tb_filterviz.errors import ConfigError, ModelError, NoConvolutionError, UnbuiltModelError, UnknownLayerError
from tb_filterviz.optvis.image_model import leaves
from tb_filterviz.optvis.layer_types import CONVOLUTIONS, SIGNAL_CONVOLUTIONS


@dataclass(frozen=True, slots=True)
class LayerCall:
    """A layer of a model, at one of its calls.

    Attributes:
        layer: the layer.
        path: names from the model down to the layer, joined by ``/``; ``@2`` after it for a second call.
        position: among the model's convolutional layers, from 0; what is shown on request comes after them.
        call: which of the layer's calls in a forward pass, from 0.
        is_named: True if somebody asked for this layer, and not for all of a kind.
    """

    layer: keras.Layer
    path: str
    position: int
    call: int = 0
    is_named: bool = False


def convolutions(model: keras.Model) -> list[LayerCall]:
    """List the model's convolutional layers, in the order in which the model holds them: of images, or of signals.

    Raises:
        UnbuiltModelError: if the model has no weights yet.
        NoConvolutionError: if there is no such layer.
    """
    known = _known(model)
    shown = _kinds_shown(each.layer for each in known)
    found = [layer_call for layer_call in known if isinstance(layer_call.layer, shown)]
    if not found:
        kinds = sorted({type(each.layer).__name__ for each in known})
        weighted = [each.path for each in known if each.layer.weights and isinstance(each.layer, keras.layers.Dense)]
        named = f" Units of another layer can be drawn by its name: layers={weighted[0]!r}."
        raise NoConvolutionError(
            f"Model {model.name!r} has no convolutional layer of images or signals, so there is no filter to show. "
            f"Its layers: {', '.join(kinds) or 'none'}.{named if weighted else ''}"
        )
    return found


def _kinds_shown(layers: Iterable[keras.Layer]) -> tuple[type[keras.Layer], ...]:
    """Choose what is drawn where nothing is named: convolutions of images, or where there are none, of signals."""
    has_images = any(isinstance(layer, CONVOLUTIONS) for layer in layers)
    return CONVOLUTIONS if has_images else SIGNAL_CONVOLUTIONS


def as_patterns(layers: "str | keras.Layer | Iterable[str | keras.Layer] | None") -> str | tuple[str, ...] | None:
    """Return names, paths and patterns of layers; of layers themselves the names.

    Raises:
        ConfigError: if it holds anything else.
    """
    if layers is None or isinstance(layers, str):
        return layers
    try:
        listed = [layers] if isinstance(layers, keras.Layer) else list(layers)
    except TypeError:
        listed = [None]
    names = tuple(layer.name if isinstance(layer, keras.Layer) else layer for layer in listed)
    if not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f"`layers` must be names, paths or patterns of layers, or layers. Received: layers={layers!r}"
        )
    return names


def check_keras_model(model: object) -> None:
    """See that it is a model of Keras 3.

    Raises:
        ModelError: if not, with what it is.
    """
    if isinstance(model, keras.Model):
        return
    kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(model).__mro__]
    if isinstance(model, keras.Layer):
        raise ModelError(
            f"{model.name!r} is a layer. Make a model of it: keras.Sequential([keras.Input(shape), layer])."
        )
    if any(kind.startswith(("tf_keras.", "keras.src.engine.", "tensorflow.python.keras.")) for kind in kinds):
        raise ModelError(
            "This is a model of Keras 2 (tf_keras), and tb_filterviz draws those of Keras 3. Save it "
            "(model.save('model.keras')), and run: tb-filterviz log model.keras"
        )
    if any(kind.startswith("torch.nn.") for kind in kinds):
        raise ModelError(
            "This is a PyTorch module, and tb_filterviz draws models of Keras. Build the same network in Keras (which "
            "runs on PyTorch with KERAS_BACKEND=torch), and give it the weights."
        )
    raise ModelError(f"`model` must be a Keras model. Received: an object of class {kinds[0]}")


def check_built(model: keras.Model) -> None:
    """See that it is a model of Keras 3, with weights.

    Raises:
        ModelError: if not.
        UnbuiltModelError: if it has no weights yet.
    """
    check_keras_model(model)
    if not model.built:
        raise UnbuiltModelError(
            f"Model {model.name!r} is not built, so its filters do not exist yet. "
            "Give it an Input, or call model.build((None, height, width, channels)) first."
        )


def _unique_paths(found: list[tuple[str, keras.Layer]]) -> list[tuple[str, keras.Layer]]:
    paths = [path for path, _ in found]
    return [(path if paths.count(path) == 1 else f"{path}:{i}", layer) for i, (path, layer) in enumerate(found)]


def select(model: keras.Model, patterns: str | Iterable[str] | None = None) -> list[LayerCall]:
    """Select the layers that the patterns name, in the model's order; all convolutional ones for None.

    Args:
        model: a built Keras model.
        patterns: layer names, paths or shell patterns such as ``"conv*"``, one or several. Patterns mean convolutional
            layers, if there is one that fits, or else any layer that does: Dense units on request. ``"name@2"`` is the
            second call of a shared layer.

    Raises:
        UnknownLayerError: if a pattern names no layer.
        ModelError: as in `convolutions`.
    """
    if patterns is None:
        return convolutions(model)
    known = _known(model)
    chosen: dict[int, LayerCall] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        chosen |= {layer_call.position: layer_call for layer_call in _matching(model, known, pattern)}
    if not chosen:
        raise UnknownLayerError("`layers` names no layer. Leave it out, or give None, for every convolutional layer.")
    return [chosen[position] for position in sorted(chosen)]


def _known(model: keras.Model) -> list[LayerCall]:
    """List every layer, the convolutional ones first."""
    check_built(model)
    unique = _unique_paths(leaves(model))
    shown = _kinds_shown(layer for _, layer in unique)
    is_shown = [isinstance(layer, shown) for _, layer in unique]
    in_order = [pair for pair, shown in zip(unique, is_shown, strict=True) if shown]
    in_order += [pair for pair, shown in zip(unique, is_shown, strict=True) if not shown]
    return [LayerCall(layer, path, position) for position, (path, layer) in enumerate(in_order)]


def fits(layer_call: LayerCall, pattern: str) -> bool:
    """Tell whether a name, path or shell pattern means the layer."""
    names = (layer_call.path, layer_call.layer.name)
    return any(name == pattern or fnmatch.fnmatchcase(name, pattern) for name in names)


def _matching(model: keras.Model, known: list[LayerCall], pattern: str) -> list[LayerCall]:
    call_of = re.fullmatch(r"(.+)@([1-9]\d*)", pattern)
    name, call = (call_of[1], int(call_of[2]) - 1) if call_of else (pattern, 0)

    fitting = [layer_call for layer_call in known if fits(layer_call, name)]
    shown = _kinds_shown(each.layer for each in known)
    convolutional = [layer_call for layer_call in fitting if isinstance(layer_call.layer, shown)]
    if not fitting:
        paths = [layer_call.path for layer_call in known if isinstance(layer_call.layer, shown)]
        close = difflib.get_close_matches(name, [layer_call.path for layer_call in known], n=1)
        raise UnknownLayerError(
            f"Model {model.name!r} has no layer {pattern!r}. Its convolutional layers: {', '.join(paths) or 'none'}."
            f"{f' Did you mean {close[0]!r}?' if close else ''}"
        )
    named = [replace(each, is_named=name in (each.path, each.layer.name)) for each in convolutional or fitting]
    if not call:
        return named
    return [
        replace(
            each, path=f"{each.path}@{call + 1}", position=each.position + call * len(known), call=call, is_named=True
        )
        for each in named
    ]
