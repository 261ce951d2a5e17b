"""The recipe of a run: one small record that says how it was drawn, enough to draw it again."""

import dataclasses
import functools
import hashlib
import importlib.metadata
import inspect
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import CodeType, MappingProxyType
from typing import Any, Literal

import numpy as np

from tb_filterviz import config as settings
from tb_filterviz.config import Config, Range
from tb_filterviz.parts.ascent_part import AscentPart
from tb_filterviz.parts.ascent_parts import ASCENT_PARTS
from tb_filterviz.parts.objectives import AUTO, OBJECTIVES, objective_of
from tb_filterviz.parts.registry import Part
from tb_filterviz.parts.statistics import STATISTICS, statistics_of
from tb_filterviz.parts.tones import TONES, ToneMapping, tone_of
from tb_filterviz.snapshots import StepUnit

Recipe = dict[str, Any]  # JSON
Source = Literal["callback", "logger", "checkpoints"]

_IDENTITY = ("unit", "input_range", "other_inputs")


def make_recipe(
    config: Config,
    *,
    written_by: Source,
    unit: StepUnit,
    input_range: Range,
    input_range_reason: str,
    channel_order: str,
    model: Mapping[str, Any],
    layers: list[dict[str, Any]],
    backend: str,
    parts: Iterable[Part] = (),
    other_inputs: Mapping[str, Any] = MappingProxyType({}),
    schedule: Mapping[str, Any] = MappingProxyType({}),
    examples: Mapping[str, Any] = MappingProxyType({}),
) -> Recipe:
    """Make the recipe of a run.

    Args:
        config: how filters are drawn.
        written_by: what writes the run.
        unit: what steps count.
        input_range: of the model, as it was taken.
        input_range_reason: why it was.
        channel_order: of the model's images of three channels.
        model: its name, and its layers with the shapes of their weights.
        layers: those that are drawn: path, position, filters, size of a tile, objective, tone, ascent.
        parts: tone mappings and parts of the ascent that were chosen for them, beside those of `config`.
        backend: of Keras.
        other_inputs: what the model's inputs are that are not the image; their values are hashed.
        schedule: how often is drawn, if that is settled: no picture differs by it.
        examples: how many there are, where they are from, and a fingerprint; empty without any.
    """
    return {
        "written_by": written_by,
        "unit": unit,
        "config": settings.to_json(config),
        "parts": _parts(config, parts),
        "input_range": [list(bound) if isinstance(bound, tuple) else float(bound) for bound in input_range],
        "input_range_reason": input_range_reason,
        "channel_order": channel_order,
        "model": dict(model),
        "layers": layers,
        "other_inputs": {name: fingerprint(value) for name, value in other_inputs.items()},
        "schedule": dict(schedule),
        "examples": dict(examples),
        "versions": {"backend": backend, **_versions("tb_filterviz", "keras", backend, "numpy")},
    }


def with_training(recipe: Recipe, training: Mapping[str, Any]) -> Recipe:
    """Add how the training was set, if anything is known of it: no picture of the same weights differs by it.

    Args:
        recipe: of a run that a callback writes.
        training: optimizer, learning rate, its schedule, batch size, as far as they are known.
    """
    return {**recipe, "training": dict(training)} if training else recipe


def _parts(config: Config, more: Iterable[Part]) -> dict[str, list[dict[str, str]]]:
    """List what the parts say of themselves; a name alone may mean a part that only its owner has."""
    own = [] if config.tone == AUTO else [tone_of(config.tone)]
    chosen: dict[str, list[Part]] = {
        "objective": [] if config.objective == AUTO else [objective_of(config.objective)],
        "tone": _each_once([*own, *(part for part in more if isinstance(part, ToneMapping))]),
        "ascent": _each_once([*config.ascent.ascent_parts, *(part for part in more if isinstance(part, AscentPart))]),
        "statistics": list(statistics_of(config.statistics)),
    }
    return {kind: [_described(part) for part in parts] for kind, parts in chosen.items()}


def _each_once(parts: Iterable[Part]) -> list[Part]:
    found: list[Part] = []
    for part in parts:
        if part not in found:
            found.append(part)
    return found


def _described(part: Any) -> dict[str, str]:
    described = {"name": part.name, "label": getattr(part, "label", "") or part.name, "description": part.description}
    is_named = part in (*OBJECTIVES.values(), *TONES.values(), *STATISTICS.values(), *ASCENT_PARTS.values())
    return described if is_named else {**described, "fingerprint": fingerprint(part)}


def fingerprint(part: Any) -> str:
    """Hash what a part of one's own computes: its code and its settings, as far as they can be seen.

    A function that was changed draws other pictures, though its name stayed.
    """
    return hashlib.sha256("\n".join(islice(_traits(part, {}), _MOST_TRAITS)).encode()).hexdigest()[:16]


_OPAQUE = ("keras", "tensorflow", "jax", "torch")  # models, tensors: too large, and other in every process
_MOST_TRAITS = 10_000


def _traits(value: Any, seen: dict[int, Any]) -> Iterator[str]:
    """Yield what a value computes, or is; what it holds of itself is left out."""
    if id(value) in seen or type(value).__module__.partition(".")[0] in _OPAQUE:
        yield type(value).__qualname__
        return
    inside = _inside(value)
    if not (len(inside) == 1 and isinstance(inside[0], str)):
        seen[id(value)] = value  # kept, so that no other gets its id
    for each in inside:
        if isinstance(each, str):
            yield each
        else:
            yield from _traits(each, seen)


def _inside(value: Any) -> list[Any]:
    """Take a value apart: texts, and values to be taken apart in turn."""
    if isinstance(value, str | bytes | int | float | complex | bool | None) or value is Ellipsis:
        return [repr(value)]
    if inspect.ismodule(value) or inspect.isbuiltin(value):
        return [value.__name__]
    if isinstance(value, np.ndarray | np.generic):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return [f"{value.dtype} {value.shape} {digest}"]
    if isinstance(value, list | tuple | set | frozenset):
        return [type(value).__name__, *value]
    if isinstance(value, Mapping):
        return [item for pair in value.items() for item in pair]
    if isinstance(value, CodeType):
        return [value.co_code.hex(), " ".join(value.co_names), *value.co_consts]
    if inspect.isfunction(value):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return [*_inside(value.__code__), list(value.__defaults__ or ()), value.__kwdefaults__ or {}, cells]
    if inspect.ismethod(value):
        return [value.__func__, value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, type):
        is_ours = value.__module__.partition(".")[0] == __name__.partition(".")[0]
        methods = [] if is_ours else [each for each in vars(value).values() if inspect.isfunction(each)]
        return [value.__qualname__, *methods]
    if dataclasses.is_dataclass(value):
        return [type(value), *(getattr(value, field.name) for field in dataclasses.fields(value))]
    return [type(value) if hasattr(value, "__dict__") else type(value).__qualname__, getattr(value, "__dict__", {})]


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # run from a folder, or named otherwise where it was built
            continue
    return found


def draws_the_same(one: Recipe, other: Mapping[str, Any]) -> bool:
    """Tell whether two recipes give the same pictures of the same weights, as far as they say.

    Versions and the choice of statistics may differ: a training resumed with a newer package goes on in its run.
    """
    return drawing_of(one) == drawing_of(other)


def drawing_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a recipe what makes pictures of the same weights differ."""
    config, parts = (_mapping(recipe.get(name)) for name in ("config", "parts"))
    return {
        **{name: recipe.get(name) for name in _IDENTITY},
        "channel_order": recipe.get("channel_order", "rgb"),
        # what was measured on other examples, or on none, does not go on in one curve
        "examples": [_mapping(recipe.get("examples")).get(name) for name in ("fingerprint", "mapped", "patches")],
        "layers": _with_defaults(recipe.get("layers")),
        "config": settings.identity(config),
        "parts": [_told_apart_by(parts.get(name)) for name in ("objective", "tone", "ascent")],
        # not the names of layers that are not drawn: Keras numbers them as they are made, anew in every process
        "model": network_of(recipe),
    }


def _with_defaults(layers: Any) -> Any:
    """Complete what older recipes do not say of the layers that are drawn."""
    if not isinstance(layers, list):
        return layers
    known = settings.drawn_by(settings.AscentConfig())  # what a version did not know yet, it drew as the default does
    return [
        {**each, "ascent": {**known, **each["ascent"]}} if isinstance(_mapping(each).get("ascent"), dict) else each
        for each in layers
    ]


def network_of(recipe: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """List a recipe's layers of the model, without their names; None if it does not say."""
    layers = _mapping(recipe.get("model")).get("layers")
    if not isinstance(layers, list):
        return None
    return [{key: each[key] for key in each if key != "path"} for each in layers if isinstance(each, dict)]


def _told_apart_by(parts: Any) -> list[Any]:
    """Keep of parts what makes pictures differ: texts may be reworded."""
    listed = parts if isinstance(parts, list) else [parts]
    return [(each.get("name"), each.get("fingerprint")) for each in listed if isinstance(each, Mapping)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def config_of(recipe: Mapping[str, Any]) -> Config:
    """Make the configuration that a recipe holds.

    Raises:
        ConfigError: if it has parts that only its owner has.
    """
    return settings.from_json(recipe["config"])
