"""Logs with known pixels, and TensorBoard's own application over them, on either of its loaders."""

import json
import struct
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from tensorboard.backend import application
from tensorboard.backend.event_processing import data_provider as multiplexer_provider
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.plugins import base_plugin
from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin
from tensorboard.util import grpc_util
from werkzeug.test import Client

from tb_filterviz.plugin.plugin import FiltersPlugin
from tb_filterviz.records import LayerSnapshot, StepUnit
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.held import read_held

LOADERS = ("fast-loader", "python-loader")
HOSTILE = (
    '<img src=x onerror="window.hacked=1">',
    "</script><script>window.hacked=1</script>",
    "../../etc/passwd",
    "a\"b'c\\d",
    "Ünï\u202ecode \U0001f9e0/%2e%2e/ ?&#=",
    "a/tiles",
    "x" * 300,
)


def pixels(step: int, layer: str, shape: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    """The tiles of a layer at a step: a stripe that moves from step to step over noise that stays."""
    rng = np.random.default_rng(sum(layer.encode()))
    noise = rng.integers(40, 120, shape)
    edge = step * (1 + np.arange(shape[0]))[:, None, None, None]
    stripe = np.clip(np.arange(shape[1])[None, :, None, None] - edge % shape[1], -1, 1)
    return np.asarray(np.clip(noise + 60 + 60 * stripe + step % 7, 0, 255), np.uint8)


def snapshot(
    step: int,
    layer: str = "conv2d_1",
    shape: tuple[int, int, int, int] = (6, 5, 5, 1),
    *,
    position: int = 0,
    unit: StepUnit = "epoch",
    tiles: npt.NDArray[np.uint8] | None = None,
) -> LayerSnapshot:
    count = shape[0]
    index = np.arange(count, dtype=np.float32)
    return LayerSnapshot(
        layer=layer,
        position=position,
        step=step,
        unit=unit,
        objective="channel_mean",
        receptive_field=False,
        channels="gray" if shape[3] == 1 else "RGB",
        tiles=pixels(step, layer, shape) if tiles is None else tiles,
        scores=(index * 1.5 - step).astype(np.float32),
        responsive=np.arange(count) != 2,
        flat=np.arange(count) == 3,
        change=(0.3 / (step + 2 + index)).astype(np.float32),
        change_since_start=np.full(count, min(1, 0.1 * (step + 1)), np.float32),
        is_first=step == -1,
    )


def write(log_dir: Path, steps: Sequence[int], *layers: dict[str, Any]) -> None:
    """A run of `steps`, with the given layers (arguments of `snapshot`), as the callback writes it."""
    sink = EventSink(str(log_dir))
    for step in steps:
        sink.write(step, [snapshot(step, **layer) for layer in (layers or ({},))])
    sink.close()


def scalars(folder: Path, tags: dict[str, list[tuple[int, float]]]) -> None:
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for tag, points in tags.items():
            for step, value in points:
                tf.summary.scalar(tag, value, step=step)
    writer.close()


def write_raw(folder: Path, values: dict[str, tuple[bytes, Any]], steps: Sequence[int] = (0,)) -> None:
    """Any tensors under our plugin's name."""
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for step in steps:
            for tag, (content, value) in values.items():
                metadata = tf.compat.v1.SummaryMetadata()
                metadata.plugin_data.plugin_name = "filterviz"
                metadata.plugin_data.content = content
                metadata.data_class = 2
                tf.summary.write(tag, value, step=step, metadata=metadata)
    writer.close()


def wait_until_read(data_provider: Any, log_dir: Path, seconds: float = 3) -> None:
    """The fast loader answers while it still reads: until it is at the last step of every run."""
    folders = {path.parent for path in log_dir.rglob("*tfevents*")}
    ends = {folder.relative_to(log_dir).as_posix(): read_held(str(folder)).last_step for folder in folders}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        at: dict[str, int] = {}
        for listed in (data_provider.list_tensors, data_provider.list_scalars):
            plugin = "scalars" if listed == data_provider.list_scalars else "filterviz"
            for run, tags in listed(RequestContext(), experiment_id="", plugin_name=plugin).items():
                at[run] = max([at.get(run, -(1 << 60)), *(series.max_step for series in tags.values())])
        if all(run in at and end is not None and at[run] >= end for run, end in ends.items()):
            return
        time.sleep(0.02)


@contextmanager
def provider(log_dir: Path, loader: str, samples: int = 0) -> Iterator[Any]:
    """The data provider of one of TensorBoard's two loaders."""
    if loader == "python-loader":
        multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"filterviz": samples})
        multiplexer.AddRunsFromDirectory(str(log_dir))
        multiplexer.Reload()
        yield multiplexer_provider.MultiplexerDataProvider(multiplexer, str(log_dir))
        return
    try:
        binary = server_ingester.get_server_binary()
    except server_ingester.NoDataServerError as error:
        pytest.skip(f"TensorBoard's fast loader is not to be had on this platform: {error}")
    ingester = server_ingester.SubprocessServerDataIngester(
        logdir=str(log_dir),
        reload_interval=0,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"filterviz": samples},
        server_binary=binary,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it lets go of a process that is to run on
        ingester.start()
    wait_until_read(ingester.data_provider, log_dir)
    try:
        yield ingester.data_provider
    finally:
        ingester._stdin_handle.close()  # which ends it


class Tab:
    """The routes of the tab, asked through TensorBoard's whole application."""

    def __init__(self, data_provider: Any) -> None:
        context = base_plugin.TBContext(data_provider=data_provider)
        self.plugin = FiltersPlugin(context)
        self.client = Client(
            application.TensorBoardWSGI([self.plugin, ScalarsPlugin(context)], data_provider=data_provider)
        )

    def answer(self, route: str, method: str = "GET", **query: Any) -> Any:
        path = route if route.startswith("/") else f"/data/plugin/filterviz/{route}"
        return self.client.open(path, method=method, query_string=query)

    def get(self, route: str, **query: Any) -> Any:
        answer = self.answer(route, **query)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return json.loads(answer.data)

    def tiles(self, **query: Any) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
        answer = self.answer("tiles", **query)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return unpack(answer.data)


def unpack(content: bytes) -> tuple[dict[str, Any], npt.NDArray[np.uint8]]:
    (length,) = struct.unpack("<I", content[:4])
    header = json.loads(content[4 : 4 + length])
    return header, np.frombuffer(content[4 + length :], np.uint8).reshape(header["shape"])


@contextmanager
def tab(log_dir: Path, loader: str, samples: int = 0) -> Iterator[Tab]:
    with provider(log_dir, loader, samples) as data_provider:
        yield Tab(data_provider)
