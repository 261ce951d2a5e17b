"""Run a model on examples once, and keep of every layer what tells what its filters do."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.examples.example_set import ExampleSet
from tb_filterviz.imaging.layout import shrink
from tb_filterviz.optvis import backends
from tb_filterviz.optvis.image_model import ImageModel
from tb_filterviz.optvis.probe import as_maps, observed, replaced, untouched
from tb_filterviz.responses.classes import class_means
from tb_filterviz.responses.outlets import Outlet
from tb_filterviz.responses.patches import strongest, taken
from tb_filterviz.snapshots import Footprint, LayerResponses

Array = npt.NDArray[np.float32]
Shown = Callable[[npt.NDArray[Any]], Array]  # images as they were read, as the model is given them

_MAP_PX = 16  # a side; larger maps are stored smaller


class _AllSeen(BaseException):
    """Nothing above has to run. Not an Exception: it must pass every `except Exception` of a model's own code."""


def at_outlets(image_model: ImageModel, outlets: Sequence[Outlet], images: Any, read: Callable[..., Any]) -> list[Any]:
    """Return ``read(outlet, maps)`` for what each layer passes on, maps float32 ``[n, h, w, filters]``.

    Layers above all of them do not run.

    Args:
        image_model: the model.
        outlets: where to read.
        images: float ``[n, h, w, c]``.
        read: what to keep.
    """
    found: dict[int, Any] = {}

    def take(place: int, output: Any) -> None:
        outlet = outlets[place]
        found[place] = read(outlet, as_maps(outlet.layer_call.layer, output))
        if len(found) == len(outlets):
            raise _AllSeen

    with suppress(_AllSeen):
        _run(image_model, outlets, images, take)
    return [found[place] for place in range(len(outlets))]


def changed_at_outlets(
    image_model: ImageModel, outlets: Sequence[Outlet], images: Any, change: Callable[[int, Any], Any]
) -> Any:
    """Return what the model answers if ``change(place, output)`` is passed on in place of each outlet's output."""
    return _run(image_model, outlets, images, change)


def _run(image_model: ImageModel, outlets: Sequence[Outlet], images: Any, see: Callable[[int, Any], Any]) -> Any:
    wanted: dict[tuple[int, int], list[int]] = {}
    for place, outlet in enumerate(outlets):
        wanted.setdefault((id(outlet.layer), outlet.call), []).append(place)
    calls: dict[int, int] = {}

    def observe(_path: str, layer: keras.Layer, own_call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = calls.get(id(layer), 0)
        calls[id(layer)] = call + 1
        with replaced(layer, call=own_call):
            output = own_call(*args, **kwargs)
        for place in wanted.get((id(layer), call), ()):
            seen = see(place, output)
            output = output if seen is None else seen
        return output

    with untouched(image_model), observed(image_model.model, observe):
        return image_model.look(images)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Runs a model on examples, again and again while its weights change; compiled when it first runs.

    Attributes:
        outlets: where each layer is read.
        footprints: which pixels their units see.
        examples: what the model is shown.
        batch: how many of them together.
        patches: how many examples to list of each filter.
        mapped: places of the examples whose maps are kept.
        shown: brings images to what the model is given.
        reduce: compiled; of images ``[batch, h, w, c]``, for each layer: the largest answers, their places, means of
            what is above 0, and, behind an activation, shares of units that are on, each ``[batch, filters]``.
        map: compiled; of images, for each layer, what it passes on.
    """

    outlets: Sequence[Outlet]
    footprints: Sequence[Footprint]
    examples: ExampleSet
    batch: int
    patches: int
    mapped: Sequence[int]
    shown: Shown
    reduce: Callable[..., Any]
    map: Callable[..., Any]

    def measure(self) -> dict[str, LayerResponses]:
        """Measure what all filters of the layers answer, with the weights of now, by the layers' paths."""
        batches = [self.reduce(ops.convert_to_tensor(images)) for images in self._batches(range(len(self.examples)))]
        maps = self._maps() if self.mapped else [None] * len(self.outlets)
        found = {}
        for place, outlet in enumerate(self.outlets):
            arrays = [np.concatenate([ops.convert_to_numpy(batch[place][i]) for batch in batches]) for i in range(4)]
            width = int(ops.convert_to_numpy(batches[0][place][4]))
            found[outlet.layer_call.path] = self._responses(
                outlet, self.footprints[place], [each[: len(self.examples)] for each in arrays], width, maps[place]
            )
        return found

    def _batches(self, places: Sequence[int]) -> Iterator[Array]:
        """Yield images in batches of one size, so that it is compiled once: the last one is filled up."""
        size = min(self.batch, len(places))
        for first in range(0, len(places), size):
            some = list(places[first : first + size])
            yield self.shown(self.examples.images[some + some[-1:] * (size - len(some))])

    def _responses(
        self, outlet: Outlet, footprint: Footprint, arrays: Sequence[npt.NDArray[Any]], width: int, maps: Array | None
    ) -> LayerResponses:
        peaks, places, means, shares = arrays
        least = outlet.threshold if outlet.is_gated else -np.inf
        chosen = strongest(peaks, least, self.patches)
        at = taken(places, chosen)
        labels, unknown = self.examples.labels, np.full(peaks.shape[1], np.nan, np.float32)
        stored, scales = (None, None) if maps is None else as_stored_maps(maps, is_gated=outlet.is_gated)
        return LayerResponses(
            read_at=outlet.path,
            is_gated=outlet.is_gated,
            footprint=footprint,
            patches=chosen,
            units=np.stack([at // width, at % width], axis=-1).astype(np.int32),
            values=taken(peaks, chosen).astype(np.float32),
            excited=(peaks > outlet.threshold).mean(axis=0, dtype=np.float32) if outlet.is_gated else unknown,
            on=shares.mean(axis=0, dtype=np.float64).astype(np.float32) if outlet.is_gated else unknown,
            class_means=None if labels is None else class_means(means, labels, len(self.examples.class_names)),
            maps=stored,
            map_scales=scales,
            mapped=tuple(self.mapped),
        )

    def _maps(self) -> list[Array]:
        batches = [self.map(ops.convert_to_tensor(images)) for images in self._batches(self.mapped)]
        count = len(self.mapped)
        return [
            np.concatenate([ops.convert_to_numpy(batch[place]) for batch in batches])[:count]
            for place in range(len(self.outlets))
        ]


def as_stored_maps(maps: Array, *, is_gated: bool) -> tuple[npt.NDArray[np.uint8], Array]:
    """Bring maps ``[m, h, w, filters]`` to uint8 ``[filters, m, h, w]``, of at most 16 pixels a side, and their scales.

    Args:
        maps: what the layer passes on.
        is_gated: True: 0 to 255 are 0 to the scale. False: 128 is 0, and 255 is the scale.
    """
    ordered = np.nan_to_num(np.moveaxis(maps, -1, 0))
    scales = np.abs(ordered).max(axis=(1, 2, 3))
    share = ordered / np.maximum(scales, 1e-30)[:, None, None, None]
    levels = np.maximum(share, 0) * 255 if is_gated else 128 + share * 127
    return shrink(np.round(levels).astype(np.uint8)[..., None], _MAP_PX)[..., 0], scales.astype(np.float32)


def measurement(
    image_model: ImageModel,
    outlets: Sequence[Outlet],
    footprints: Sequence[Footprint],
    examples: ExampleSet,
    *,
    batch: int,
    patches: int,
    mapped: Sequence[int],
    shown: Shown,
) -> Measurement:
    """Make what measures a model's answers to examples; see `Measurement`."""
    compiled = partial(backends.current().compiled, model=image_model.model)

    def reduce(outlet: Outlet, maps: Any) -> tuple[Any, ...]:
        count, height, width, filters = maps.shape
        units = ops.reshape(maps, (count, height * width, filters))
        place = ops.cast(ops.argmax(units, axis=1), "int32")
        peaks = ops.take_along_axis(units, place[:, None], axis=1)[:, 0]  # each pass over all units counts
        above = ops.mean(ops.maximum(units, 0), axis=1)
        on = ops.mean(ops.cast(units > outlet.threshold, "float32"), axis=1) if outlet.is_gated else above
        return peaks, place, above, on, ops.convert_to_tensor(np.int32(width))

    def reduce_all(images: Any) -> Any:
        return at_outlets(image_model, outlets, images, reduce)

    def map_all(images: Any) -> Any:
        return at_outlets(image_model, outlets, images, lambda _, maps: maps)

    return Measurement(
        outlets=outlets,
        footprints=footprints,
        examples=examples,
        batch=batch,
        patches=patches,
        mapped=mapped,
        shown=shown,
        reduce=compiled(reduce_all),
        map=compiled(map_all),
    )
