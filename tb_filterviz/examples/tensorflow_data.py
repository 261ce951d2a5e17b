"""Read a `tf.data.Dataset` so that a training on it does not notice.

A dataset that shuffles holds a counter of the times it was begun, and one that augments with Keras' layers their random
state: to iterate over it once gives the training other batches. So a copy is read, made of the dataset's graph.
"""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tb_filterviz.errors import ConfigError

_IGNORE = 1  # state outside of the graph, such as that of a random generator: the copy has its own
_PYTHON = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "GeneratorDataset")
_SEEDS = ("tb_filterviz_seed", "tb_filterviz_seed2")


def batches(dataset: Any) -> Iterator[Any]:
    """Yield the batches of a copy of a dataset, in an order that is the same each time.

    Raises:
        ConfigError: if it cannot be copied.
    """
    try:
        graph = tf.raw_ops.DatasetToGraphV2(
            input_dataset=tf.data.experimental.to_variant(dataset), external_state_policy=_IGNORE
        )
        copied = tf.compat.v1.GraphDef.FromString(graph.numpy())
        _refuse_python(copied)
        _pass_over_caches(copied)
        _give_own_order(copied)
        variant = tf.raw_ops.DatasetFromGraph(graph_def=copied.SerializeToString())
        copy = tf.data.experimental.from_variant(variant, dataset.element_spec)
    except ConfigError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            "`examples` is a tf.data.Dataset that cannot be read without disturbing a training on it, as it cannot be "
            f"copied ({type(error).__name__}: {reason}). Give arrays: examples=(x[:1000], y[:1000])."
        ) from error
    return iter(copy)


def _refuse_python(graph: Any) -> None:
    """Refuse what calls Python, such as a generator, which may keep count of its calls, or draw random numbers."""
    bodies = [node for function in graph.library.function for node in function.node_def]
    if any(node.op in _PYTHON for node in (*graph.node, *bodies)):
        raise ConfigError(
            "`examples` is a tf.data.Dataset that calls Python code (from_generator, py_function), which may not give "
            "a training the same if it is called once more. Give arrays: examples=(x[:1000], y[:1000])."
        )


def _pass_over_caches(graph: Any) -> None:
    """Read what is cached as if it were not: the copy would fill the original's cache, in its own order."""
    sources = {node.name: node.input[0] for node in graph.node if node.op.startswith("CacheDataset")}
    for node in graph.node:
        for place, given in enumerate(node.input):
            while given in sources:
                given = sources[given]
            node.input[place] = given


def _give_own_order(graph: Any) -> None:
    """Let what shuffles do so by seeds of its own, in place of a counter that it shares with the original."""
    shuffling = [node for node in graph.node if node.op in ("ShuffleDatasetV2", "ShuffleDatasetV3")]
    for node in shuffling:
        images, buffer_size = node.input[0], node.input[1]
        del node.input[:]
        node.input.extend([images, buffer_size, *_SEEDS])
        node.op = "ShuffleDataset"
        node.attr["reshuffle_each_iteration"].b = False
    if shuffling:
        for name in _SEEDS:
            seed = graph.node.add(name=name, op="Const")
            seed.attr["dtype"].type = tf.int64.as_datatype_enum
            seed.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1, tf.int64))
