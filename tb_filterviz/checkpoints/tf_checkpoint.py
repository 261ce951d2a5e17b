"""TensorFlow's checkpoints, alone or inside a SavedModel. Only data is read, no program is loaded."""

import glob
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras

from tb_filterviz.error_context import raising_checkpoint_error
from tb_filterviz.errors import CheckpointError

_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
_WITH_WEIGHTS = "layer_with_weights-"
_NOT_STRUCTURE = {
    "variables",
    "trainable_variables",
    "non_trainable_variables",
    "keras_api",
    "optimizer",
    "save_counter",
}
_RENAMED = {  # of Keras 2's attributes, in Keras 3
    "depthwise_kernel": "kernel",  # of DepthwiseConv2D
    "mean": "adapt_mean",  # of Normalization, where `mean` is derived from it
    "variance": "adapt_variance",
}

Pairs = dict[int, str]  # which of `model.weights`, to the key of its value


class Reader:
    """A checkpoint's values, by key."""

    def __init__(self, prefix: Path) -> None:
        import tensorflow as tf  # here, so that trainings on other backends do not load it

        self._prefix = prefix
        with self._read():
            # tf.train.load_checkpoint would take a folder of the prefix's name for the checkpoint, wherever that leads
            self._reader = tf.compat.v1.train.NewCheckpointReader(str(prefix))
            shapes, types = self._reader.get_variable_to_shape_map(), self._reader.get_variable_to_dtype_map()
            self.shapes = {key: tuple(shape) for key, shape in shapes.items() if key != _GRAPH_KEY}
            _check_stored(prefix, sum(math.prod(shape) * types[key].size for key, shape in shapes.items()))
            self.integers = {key for key, dtype in types.items() if dtype.is_integer}  # counters, states of dice

    def _read(self) -> AbstractContextManager[None]:
        return raising_checkpoint_error(self._prefix, "TensorFlow checkpoint")

    def value(self, key: str) -> Any:
        """Read one array."""
        with self._read():
            return self._reader.get_tensor(key)

    def pairs(self, model: keras.Model) -> Pairs:
        """Match values with weights of the model, as many as can be matched."""
        if not self._reader.has_tensor(_GRAPH_KEY):
            return self._pairs_by_name(model)
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

        with self._read():
            return _matched(TrackableObjectGraph.FromString(self.value(_GRAPH_KEY)), model)

    def _pairs_by_name(self, model: keras.Model) -> Pairs:
        """Of the Saver of TensorFlow 1, which knew names only."""
        paths = [weight.path.removeprefix(f"{model.name}/") for weight in model.weights]
        return {place: path for place, path in enumerate(paths) if path in self.shapes}


def _check_stored(prefix: Path, declared_bytes: int) -> None:
    """Before anything is made as large as the index says; of texts, it does not say how large they are."""
    stored_bytes = sum(shard.stat().st_size for shard in prefix.parent.glob(f"{glob.escape(prefix.name)}.data-*"))
    if declared_bytes > stored_bytes:
        raise CheckpointError(
            f"{str(prefix)!r} declares arrays of {declared_bytes:,} bytes, and its data files have {stored_bytes:,}. "
            "It is damaged or hostile."
        )


def _matched(graph: Any, model: keras.Model) -> Pairs:
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    children = {child.local_name: child.node_id for child in graph.nodes[0].children}
    roots = [0, *children.values()]  # the model itself, or tf.train.Checkpoint(model=...)
    found = [dict(_walk(graph, root, model, places, set())) for root in roots]
    if "variables" in children:  # model.export() keeps no structure
        found.append(dict(_walk(graph, children["variables"], model.variables, places, set())))
    return max(found, key=len)


def _walk(
    graph: Any, node_id: int, counterpart: Any, places: dict[int, int], seen: set[int]
) -> Iterator[tuple[int, str]]:
    """Descend through the objects that were saved and those of the model, side by side."""
    if node_id in seen:
        return
    seen.add(node_id)
    node = graph.nodes[node_id]
    for attribute in node.attributes:
        if attribute.name == "VARIABLE_VALUE" and id(counterpart) in places:
            yield places[id(counterpart)], attribute.checkpoint_key
    children = {child.local_name: child.node_id for child in node.children}
    numbered = {name: child for name, child in children.items() if name.startswith(_WITH_WEIGHTS)}
    for name, child in (numbered or children).items():
        if name not in _NOT_STRUCTURE:
            below = _member(counterpart, name)
            if below is not None:
                yield from _walk(graph, child, below, places, seen)


def _member(parent: Any, name: str) -> Any:
    if name.startswith(_WITH_WEIGHTS):
        layers = [layer for layer in getattr(parent, "layers", []) if layer.weights]
        number = name.removeprefix(_WITH_WEIGHTS)
        return layers[int(number)] if number.isdigit() and int(number) < len(layers) else None
    if isinstance(parent, Sequence) and not isinstance(parent, str):
        return parent[int(name)] if name.isdigit() and int(name) < len(parent) else None
    if isinstance(parent, dict):
        return parent.get(name)
    if not isinstance(parent, keras.Operation):
        return None
    return getattr(parent, _RENAMED.get(name, name), getattr(parent, name, None))
