"""Find the layers of a model, by name or pattern, each at one of its calls."""

import difflib
import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass

import keras

from tb_filterviz.errors import NoConvolutionError, UnbuiltModelError, UnknownLayerError
from tb_filterviz.optvis.image_model import leaves
from tb_filterviz.optvis.layer_types import CONVOLUTIONS


@dataclass(frozen=True, slots=True)
class LayerCall:
    """A layer of a model, at one of its calls.

    Attributes:
        layer: the layer.
        path: names from the model down to the layer, joined by ``/``; ``@2`` after it for a second call.
        position: among the model's convolutional layers, from 0; what is shown on request comes after them.
        call: which of the layer's calls in a forward pass, from 0.
    """

    layer: keras.Layer
    path: str
    position: int
    call: int = 0


def convolutions(model: keras.Model) -> list[LayerCall]:
    """List the model's 2-D convolutional layers, in the order in which the model holds them.

    Raises:
        UnbuiltModelError: if the model has no weights yet.
        NoConvolutionError: if there is no such layer.
    """
    found = [layer_call for layer_call in _known(model) if isinstance(layer_call.layer, CONVOLUTIONS)]
    if not found:
        kinds = sorted({type(layer).__name__ for _, layer in leaves(model)})
        raise NoConvolutionError(
            f"Model {model.name!r} has no 2-D convolutional layer, so there is no filter to show. "
            f"Its layers: {', '.join(kinds) or 'none'}. Others can be named."
        )
    return found


def _check_built(model: keras.Model) -> None:
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
    _check_built(model)
    unique = _unique_paths(leaves(model))
    is_shown = [isinstance(layer, CONVOLUTIONS) for _, layer in unique]
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
    convolutional = [layer_call for layer_call in fitting if isinstance(layer_call.layer, CONVOLUTIONS)]
    if not fitting:
        paths = [layer_call.path for layer_call in known if isinstance(layer_call.layer, CONVOLUTIONS)]
        close = difflib.get_close_matches(name, [layer_call.path for layer_call in known], n=1)
        raise UnknownLayerError(
            f"Model {model.name!r} has no layer {pattern!r}. Its convolutional layers: {', '.join(paths) or 'none'}."
            f"{f' Did you mean {close[0]!r}?' if close else ''}"
        )
    if not call:
        return convolutional or fitting
    return [
        LayerCall(layer_call.layer, f"{layer_call.path}@{call + 1}", layer_call.position + call * len(known), call)
        for layer_call in convolutional or fitting
    ]
