"""Logs with known pixels, and TensorBoard's own application over them, on either of its loaders."""

import json
import struct
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from google.protobuf.message import DecodeError
from tensorboard.backend import application
from tensorboard.backend.event_processing import data_provider as multiplexer_provider
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.plugins import base_plugin
from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin
from tensorboard.util import grpc_util
from werkzeug.test import Client

from tb_filterviz.config import AscentConfig, Config
from tb_filterviz.history import History
from tb_filterviz.logs.event_files import (
    filters_metadata,
    new_event_file,
    read_records,
    scalar_metadata,
    tensor_event,
)
from tb_filterviz.logs.storage import folder_of
from tb_filterviz.metadata import (
    PLUGIN_NAME,
    RECIPE_TAG,
    encode_recipe,
    encode_statistic,
    encode_tiles,
    scalar_tag,
    statistic_tag,
    tiles_tag,
)
from tb_filterviz.parts.objectives import channel_mean
from tb_filterviz.parts.statistics import STATISTICS, Statistic
from tb_filterviz.plugin.plugin import FiltersPlugin
from tb_filterviz.reading.files import FileProvider
from tb_filterviz.recipe import Recipe, Source, make_recipe
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.snapshots import LayerSnapshot, StepUnit
from tests.waiting import until

LOADERS = ("fast-loader", "python-loader", "own-reader")
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
    indices: Sequence[int] | None = None,
    more: Mapping[str, npt.ArrayLike] = MappingProxyType({}),
) -> LayerSnapshot:
    """A layer at a step: filter 2 is stuck, 3 is flat, the later ones score better.

    Args:
        indices: which of the layer's filters these are; None for all.
        more: statistics beside the standard ones.
    """
    count = shape[0]
    index = np.arange(count, dtype=np.float32)
    statistics: dict[str, npt.ArrayLike] = {
        "gain": index + 0.5 - step / 4,
        "score": index * 1.5 - step,
        "responsive": np.arange(count) != 2,
        "flat": np.arange(count) == 3,
        "change": 0.3 / (step + 2 + index),
        "change_since_start": np.full(count, min(1, 0.1 * (step + 1))),
        **more,
    }
    return LayerSnapshot(
        layer=layer,
        position=position,
        filters=np.asarray(range(count) if indices is None else indices, np.int32),
        step=step,
        unit=unit,
        objective=channel_mean.name,
        objective_label=channel_mean.label,
        description=channel_mean.description,
        receptive_field=False,
        channels="gray" if shape[3] == 1 else "RGB",
        tiles=pixels(step, layer, shape) if tiles is None else tiles,
        statistics={name: np.asarray(values, np.float32) for name, values in statistics.items()},
        is_first=step == -1,
    )


def recipe(snapshots: Sequence[LayerSnapshot], written_by: Source = "callback", config: Config | None = None) -> Recipe:
    """How these snapshots were drawn."""
    return make_recipe(
        config or Config.plain(),
        written_by=written_by,
        unit=snapshots[0].unit,
        input_range=(0, 1),
        input_range_reason="it was said",
        channel_order="rgb",
        model={
            "name": "small",
            "layers": [
                {"path": "conv_a", "class": "Conv2D", "weights": [[3, 3, 1, 6], [6]]},
                {"path": "activation", "class": "Activation", "weights": []},
            ],
        },
        layers=[
            {
                "layer": taken.layer,
                "position": taken.position,
                "filters": len(taken.filters),
                "tile": list(taken.tiles.shape[1:]),
                "objective": taken.objective,
            }
            for taken in snapshots
        ],
        backend="tensorflow",
    )


def write(
    log_dir: Path,
    steps: Sequence[int],
    *layers: dict[str, Any],
    statistics: Sequence[Statistic] = (),
    written_by: Source = "callback",
    ascent: AscentConfig | None = None,
) -> str:
    """A run of `steps`, with the given layers (arguments of `snapshot`), as the callback writes it; its folder.

    A run that ended before goes on.
    """
    config = replace(Config.plain(), statistics=statistics, ascent=ascent or Config.plain().ascent)
    sink = EventSink(log_dir, config)
    drawn = [[snapshot(step, **layer) for layer in (layers or ({},))] for step in steps]
    sink.begin(recipe(drawn[0], written_by, config), steps[0])
    for step, snapshots in zip(steps, drawn, strict=True):
        sink.write(step, snapshots)
    folder = sink.run_dir
    sink.close()
    return folder


def write_tiles(
    log_dir: Path,
    tiles: npt.NDArray[np.uint8],
    *,
    stuck: npt.NDArray[np.bool_] | None = None,
    first_step: int = -1,
    unit: StepUnit = "epoch",
    written_by: Source = "callback",
    config: Config | None = None,
) -> str:
    """A run of these tiles ``[s, n, h, w, c]``, compared with each other as a training compares them; its folder.

    Args:
        stuck: bool ``[s, n]``; None for none.
        first_step: the others follow.
        unit: what steps count.
        written_by: what is said to have written it.
        config: how it is said to have been drawn.
    """
    steps, count = tiles.shape[:2]
    sink, history = EventSink(log_dir, config), History()
    for at in range(steps):
        responsive = np.ones(count) if stuck is None else ~stuck[at]
        drawn = snapshot(
            first_step + at,
            shape=(count, *tiles.shape[2:]),
            unit=unit,
            tiles=tiles[at],
            more={"responsive": responsive, "flat": np.zeros(count)},
        )
        if not sink.is_begun:
            sink.begin(recipe([drawn], written_by, config), first_step)
        sink.write(drawn.step, [history.compare(drawn, drawn.step, unit)])
        history.remember_drawing(drawn, drawn.step)
    folder = sink.run_dir
    sink.close()
    return folder


def write_events(folder: Path, events: Iterable[Event]) -> None:
    """A new event file with what it is given, however odd."""
    target = folder_of(folder)
    target.make()
    file = new_event_file(target)
    file.write(list(events))
    file.close()


def layer_events(
    step: int, wall_time: float, layer: str = "conv2d_1", statistics: Sequence[str] = ("score",), **given: Any
) -> Iterator[Event]:
    """A layer at a step, as it is written at a given moment; `given` are arguments of `snapshot`."""
    taken = snapshot(step, layer, **given)
    content = encode_tiles(taken, taken.tiles.shape, slice(0, len(taken.tiles)))
    yield tensor_event(step, tiles_tag(layer, 0), taken.tiles, filters_metadata(content), wall_time)
    for name in statistics:
        content = encode_statistic(taken, STATISTICS[name])
        metadata = filters_metadata(content)
        yield tensor_event(step, statistic_tag(layer, name), taken.statistics[name], metadata, wall_time)
    metadata = scalar_metadata("responsive")
    yield tensor_event(step, scalar_tag(layer, "share_responsive"), np.float32(0.5), metadata, wall_time)


def recipe_event(written_by: Source, wall_time: float) -> Event:
    content = encode_recipe(recipe([snapshot(0)], written_by))
    return tensor_event(0, RECIPE_TAG, np.uint8(0), filters_metadata(content), wall_time)


def scalars(folder: Path, tags: dict[str, list[tuple[int, float]]], wall_time: float | None = None) -> None:
    """Curves as Keras writes them, at once or a second after each other."""
    write_events(
        folder,
        [
            tensor_event(step, tag, np.float32(value), scalar_metadata(), wall_time and wall_time + at)
            for tag, points in tags.items()
            for at, (step, value) in enumerate(points)
        ],
    )


def write_raw(folder: Path, values: dict[str, tuple[bytes, Any]], steps: Sequence[int] = (0,)) -> None:
    """Any tensors under our plugin's name."""
    write_events(
        folder,
        [
            tensor_event(step, tag, value, filters_metadata(content))
            for step in steps
            for tag, (content, value) in values.items()
        ],
    )


def _written(log_dir: Path) -> dict[tuple[str, str], float]:
    """When the last value of every series was written, by run and tag."""
    last: dict[tuple[str, str], float] = {}
    for path in filter(Path.is_file, sorted(log_dir.rglob("*tfevents*"))):
        with path.open("rb") as stream:
            for payload, _ in read_records(stream):  # of any size: our own reader leaves large ones unread
                try:
                    event = Event.FromString(payload)
                except DecodeError:
                    break
                for value in event.summary.value:
                    if value.metadata.plugin_data.plugin_name == "hparams":  # which is no tensor and no scalar
                        continue
                    last[path.parent.relative_to(log_dir).as_posix(), value.tag] = event.wall_time
    return last


def wait_until_read(data_provider: Any, log_dir: Path) -> None:
    """The fast loader answers while it still reads: until it is at the end of every series of ours, and of curves."""
    written = _written(log_dir)

    def is_read() -> None:
        at: dict[tuple[str, str], float] = {}
        for listed, plugin in ((data_provider.list_tensors, PLUGIN_NAME), (data_provider.list_scalars, "scalars")):
            for run, tags in listed(RequestContext(), experiment_id="", plugin_name=plugin).items():
                at.update({(run, tag): series.max_wall_time for tag, series in tags.items()})
        missing = {run for run, _ in written} - {run for run, _ in at}
        behind = {key: wall_time for key, wall_time in at.items() if wall_time != written.get(key)}
        assert (missing, behind) == (set(), {}), f"it lacks the runs {missing}, and is behind in {behind}"

    until(is_read)


@contextmanager
def provider(log_dir: Path, loader: str, samples: int = 0) -> Iterator[Any]:
    """The data provider of one of TensorBoard's two loaders, or our own, which reads all steps of files."""
    if loader == "own-reader":
        yield FileProvider(log_dir)
        return
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
