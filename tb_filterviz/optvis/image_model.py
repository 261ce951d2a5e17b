"""A model, and how it is shown images: ours are ``[n, h, w, c]``, whatever it takes. A signal is an image of a row."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from tb_filterviz.errors import ModelError
from tb_filterviz.optvis import backends

Shape = tuple[int, int, int]
Sizes = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class ImageModel:
    """A model that can look at images.

    Attributes:
        model: a built Keras model.
        shape: ``(height, width, channels)`` of an image.
        adapted: its layers that call with what they once derived from their weights.
        shortcuts: layers, with attributes that compute the same faster while images are looked at.
        look: runs the model's forward pass on images float ``[n, height, width, channels]``, as in inference.
        sized: models, this one or inside it, that refuse images of another size than they were made for.
        takes_any_size: whether images are of another size, so that these must not refuse.
    """

    model: keras.Model
    shape: Shape
    adapted: tuple[keras.Layer, ...]
    shortcuts: tuple[tuple[keras.Layer, dict[str, Any]], ...]
    look: Callable[[Any], Any]
    sized: tuple[keras.Layer, ...] = ()
    takes_any_size: bool = False

    @property
    def is_colored(self) -> bool:
        """Whether its three channels may be colours: those of a signal are not."""
        height, _, channels = self.shape
        return height > 1 and channels == 3


def _walk(layer: keras.Layer, prefix: str) -> Iterator[tuple[str, keras.Layer]]:
    for child in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{child.name}"
        yield path, child
        yield from _walk(child, f"{path}/")


def leaves(model: keras.Model) -> list[tuple[str, keras.Layer]]:
    """List every layer below `model`, with its path, in the order in which the model holds them, each once."""
    seen: set[int] = set()
    found = []
    for path, layer in _walk(model, ""):
        if id(layer) not in seen:
            seen.add(id(layer))
            found.append((path, layer))
    return found


def has_layers_inside(layer: keras.Layer) -> bool:
    """Tell whether a layer is a model, or wraps others."""
    return next(iter(layer._flatten_layers(include_self=False, recursive=False)), None) is not None


def image_model_of(
    model: keras.Model,
    *,
    image_shape: Sizes | None = None,
    other_inputs: Mapping[str, Any] | None = None,
) -> ImageModel:
    """Find out how to show images to `model`.

    Args:
        model: a built Keras model.
        image_shape: ``(height, width)`` or ``(height, width, channels)``, for models that take images of any size.
        other_inputs: what the inputs that are not the image are, by name, without the batch axis: the names of a
            functional model's inputs, the keys of the dict that it is called with, or arguments of its `call`.

    Raises:
        ModelError: if it is not clear which input is the image, or how large it is.
    """
    others = {name: np.asarray(value) for name, value in (other_inputs or {}).items()}
    sizes, pack = _image_and_packing(model, others)
    is_channels_first = _is_channels_first(model)
    is_signal = isinstance(sizes, tuple | list) and len(sizes) == 3
    if not (is_signal or (isinstance(sizes, tuple | list) and len(sizes) == 4)):
        raise ModelError(
            f"Model {model.name!r} must take one image [n, height, width, channels], or one signal [n, length, "
            f"channels]: no picture can be drawn of anything else. It takes: {sizes}"
        )
    own = (*sizes[2:], sizes[1]) if is_channels_first else tuple(sizes[1:])
    shape = _fixed(model, (1, *own) if is_signal else own, image_shape)

    def look(images: Any) -> Any:
        presented = ops.squeeze(images, 1) if is_signal else images
        if is_channels_first:
            presented = ops.moveaxis(presented, -1, 1)
        arguments, keywords = pack(presented)
        return model(arguments, training=False, **keywords)

    layers = [layer for _, layer in leaves(model)]
    inner = (getattr(layer, "_functional", layer) for layer in (model, *layers))  # of a Sequential
    shortcuts = [(layer, backends.current().shortcuts(layer)) for layer in layers]
    return ImageModel(
        model=model,
        shape=shape,
        adapted=tuple(filter(_is_adapted, layers)),
        shortcuts=tuple(pair for pair in shortcuts if pair[1]),
        look=look,
        sized=tuple(layer for layer in inner if hasattr(layer, "_inputs_struct")),
    )


def _is_adapted(layer: keras.Layer) -> bool:
    return isinstance(layer, keras.layers.Normalization) and layer.built and layer.input_mean is None


def _fixed(model: keras.Model, own: Sizes, said: Sizes | None) -> Shape:
    """Complete the sizes that the model leaves open, as the caller says."""
    if said is not None:
        wanted = (*said, *own[len(said) :])
        if len(wanted) != 3 or any(
            a is not None and b is not None and a != b for a, b in zip(own, wanted, strict=True)
        ):
            raise ModelError(f"Model {model.name!r} takes images of {own}. Received: image_shape={said}")
        own = tuple(b if a is None else a for a, b in zip(own, wanted, strict=True))
    if any(size is None for size in own):
        raise ModelError(
            f"Model {model.name!r} takes images of any size, {own}. Say which to draw: image_shape=(height, width, "
            "channels) in a Config, --image-shape on the command line."
        )
    height, width, channels = own
    assert height is not None
    assert width is not None
    assert channels is not None
    return height, width, channels


Pack = Callable[[Any], tuple[Any, dict[str, Any]]]


def _image_and_packing(model: keras.Model, others: Mapping[str, Any]) -> tuple[Any, Pack]:
    """Return the image's shape, and a function from images to the arguments of the model."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is not None:
        return _functional(model, structure, others)
    for image in getattr(model, "inputs", None) or ():
        _check_float(model, image)
    config = model.get_build_config() or {}
    shape = config.get("input_shape")
    if isinstance(shape, dict):
        name = _the_image(model, list(shape), others)
        return _sizes(shape[name]), lambda images: ({name: images, **_repeated(others, images)}, {})
    if isinstance(shape, list | tuple) and len(shape) == 1 and isinstance(shape[0], list | tuple):
        return _sizes(shape[0]), lambda images: ([images], {})
    return _sizes(shape), lambda images: (images, _repeated(others, images))


def _check_float(model: keras.Model, image: Any) -> None:
    if not keras.backend.is_float_dtype(image.dtype):
        raise ModelError(
            f"Model {model.name!r} takes images of {image.dtype}, through which no gradient can pass. Rebuild it with "
            "keras.Input(..., dtype='float32') and the same weights."
        )


def _sizes(shape: Any) -> Any:
    return tuple(shape) if isinstance(shape, list | tuple) else shape


def _functional(model: keras.Model, structure: Any, others: Mapping[str, Any]) -> tuple[Any, Pack]:
    tensors = keras.tree.flatten(structure)
    names = [tensor.name for tensor in tensors]
    name = _the_image(model, names, others)
    image = tensors[names.index(name)]
    _check_float(model, image)

    def pack(images: Any) -> tuple[Any, dict[str, Any]]:
        given = {name: images, **_repeated(others, images)}
        return keras.tree.pack_sequence_as(structure, [given[each] for each in names]), {}

    return tuple(image.shape), pack


def _the_image(model: keras.Model, names: list[str], others: Mapping[str, Any]) -> str:
    unknown = [name for name in others if name not in names]
    if unknown:
        raise ModelError(f"Model {model.name!r} has no input {unknown[0]!r}. Its inputs: {', '.join(names)}.")
    left = [name for name in names if name not in others]
    if len(left) != 1:
        raise ModelError(
            f"Model {model.name!r} must take one image, or be told what its other inputs are: it has the inputs "
            f"{', '.join(names)}. Give all but the image as other_inputs={{name: array without the batch axis}}."
        )
    return left[0]


def _repeated(others: Mapping[str, Any], images: Any) -> dict[str, Any]:
    return {
        name: ops.convert_to_tensor(np.repeat(value[None], images.shape[0], axis=0)) for name, value in others.items()
    }


def _is_channels_first(model: keras.Model) -> bool:
    formats = [layer.data_format for _, layer in leaves(model) if hasattr(layer, "data_format")]
    return formats[:1] == ["channels_first"]
