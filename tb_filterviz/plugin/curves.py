"""The curves under the slider: our own, and those of the training that they belong to."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tensorboard.data.provider import RunTagFilter

from tb_filterviz.errors import SeriesError
from tb_filterviz.metadata import PLUGIN_NAME, RECIPE_TAG, run_number
from tb_filterviz.parts.statistics import responsive
from tb_filterviz.plugin.catalog import Layer
from tb_filterviz.plugin.decoded import Place
from tb_filterviz.plugin.recipe import read_recipe

SCALARS = "scalars"
MOST_POINTS = 10_000
LONGEST_LABEL = 200
FORMAT_1_LABELS = {"mean_score": "mean score", "share_responsive": "responsive", "mean_change": "mean change"}

_KERAS_TAGS = {
    "epoch": re.compile(r"epoch_(?P<metric>.+)"),
    "batch": re.compile(r"(?:batch_|evaluation_)(?P<metric>.+?)(?:_vs_iterations)?"),
}


@dataclass(frozen=True, slots=True)
class Curve:
    """A scalar that belongs to a layer, or to its training.

    Attributes:
        run: that holds it.
        tag: its tag.
        metric: what it is called; curves of one metric are drawn together.
        of: which of Keras' runs it is from, ``"validation"``; empty for our own.
    """

    run: str
    tag: str
    metric: str
    of: str

    def to_json(self, points: list[list[float | None]]) -> dict[str, Any]:
        """Answer as the route ``/curves`` does."""
        return {"metric": self.metric, "of": self.of, "run": self.run, "tag": self.tag, "points": points}


@dataclass(frozen=True, slots=True)
class Span:
    """When a run was written, in seconds."""

    begin: float
    last: float


def siblings(run: str, known: Iterable[str]) -> dict[str, str]:
    """Find the runs in the same log directory, with their names there; none if `run` is not one of ours."""
    parent, name = split_run(run)
    if run_number(name) is None:
        return {}
    return {other: split_run(other)[1] for other in known if other != run and split_run(other)[0] == parent}


def split_run(run: str) -> tuple[str, str]:
    """Split a run into its log directory, with the separator, and its name there."""
    at = max(run.rfind("/"), run.rfind("\\")) + 1
    return run[:at], run[at:]


def _own_curves(listed: Mapping[str, Any], run: str, layer: Layer) -> list[Curve]:
    prefix = f"{PLUGIN_NAME}/{layer.id}/"
    curves = []
    for tag, series in sorted(listed.items()):
        name = tag.removeprefix(prefix)
        if name != tag and "/" not in name:
            label = series.display_name or FORMAT_1_LABELS.get(name, name)
            curves.append(Curve(run, tag, label[:LONGEST_LABEL], ""))
    return curves


def _keras_curves(listed: Mapping[str, Any], runs: Mapping[str, str], unit: str) -> list[Curve]:
    """Find what Keras logged beside the run: its `TensorBoard` has a run for training and one for validation."""
    curves = []
    for run, name in sorted(runs.items()):
        for tag in sorted(listed[run]):
            found = _KERAS_TAGS[unit].fullmatch(tag)
            if found:
                curves.append(Curve(run, tag, found["metric"], name))
    return curves


def _replayed(series: Iterable[Any]) -> list[Any]:
    """Forget what a restarted training wrote again, so that both of TensorBoard's loaders show the same."""
    kept: list[Any] = []
    for datum in series:
        while kept and kept[-1].step >= datum.step:
            kept.pop()
        kept.append(datum)
    return kept


def _points(data: Iterable[Any]) -> list[list[float | None]]:
    return [[datum.step, datum.value if math.isfinite(datum.value) else None] for datum in data]


def read_curves(provider: Any, place: Place, layer: Layer) -> dict[str, Any]:
    """Answer as the route ``/curves`` does: named curves, and at how many steps the layer was logged.

    That count tells whether TensorBoard kept only a sample of the tiles: it keeps more points of a curve.

    Keras writes several trainings into the same two runs, where we have a run for each: what was logged during another
    training does not belong to this one.
    """
    run = place.run
    listed = provider.list_scalars(place.context, experiment_id=place.experiment, plugin_name=SCALARS)
    beside = siblings(run, listed)
    ours = [run, *(other for other, name in beside.items() if run_number(name) is not None)]
    own = _own_curves(listed.get(run, {}), run, layer)
    keras = _keras_curves(listed, {run: name for run, name in beside.items() if run not in ours}, layer.about.unit)
    begun = _begun_by_callbacks(provider, place, ours) if keras and len(ours) > 1 else {}
    clocks = {other: tag for other in begun if (tag := _every_step(listed[other])) is not None}
    read = _read_scalars(provider, place, [*((curve.run, curve.tag) for curve in (*own, *keras)), *clocks.items()])
    spans = {other: _span(data, begun[other]) for other, tag in clocks.items() if (data := read.get((other, tag)))}
    curves = [curve.to_json(_points(read.get((curve.run, curve.tag), []))) for curve in own]
    for curve in keras:
        data = _of_one_training(read.get((curve.run, curve.tag), []), spans, run)
        if data:
            curves.append(curve.to_json(_points(data)))
    logged = max((len(curve["points"]) for curve in curves if curve["run"] == run), default=0)
    return {"curves": curves, "logged_steps": logged}


def _begun_by_callbacks(provider: Any, place: Place, runs: list[str]) -> dict[str, float | None]:
    """Find the runs that a callback wrote during its training, with when they began, if they say.

    Runs of format 1 do not say what wrote them; they are taken for such. Others may have been written at any time.
    """
    listed = provider.list_tensors(
        place.context,
        experiment_id=place.experiment,
        plugin_name=PLUGIN_NAME,
        run_tag_filter=RunTagFilter(runs=runs, tags=[RECIPE_TAG]),
    )
    begun: dict[str, float | None] = {}
    for run in runs:
        series = listed.get(run, {}).get(RECIPE_TAG)
        if series is None:
            begun[run] = None
        elif _writer(series.plugin_content) in (None, "callback"):
            begun[run] = series.max_wall_time
    return begun


def _read_scalars(provider: Any, place: Place, wanted: list[tuple[str, str]]) -> dict[tuple[str, str], list[Any]]:
    if not wanted:
        return {}
    read = provider.read_scalars(
        place.context,
        experiment_id=place.experiment,
        plugin_name=SCALARS,
        downsample=MOST_POINTS,
        run_tag_filter=RunTagFilter(runs=sorted({run for run, _ in wanted}), tags=sorted({tag for _, tag in wanted})),
    )
    return {(run, tag): _replayed(data) for run, tags in read.items() for tag, data in tags.items()}


def _writer(content: bytes) -> str | None:
    try:
        writer = read_recipe(content).get("written_by")
    except SeriesError:
        return None
    return writer if isinstance(writer, str) else None


def _every_step(tags: Iterable[str]) -> str | None:
    """Choose a curve of ours that has a point at every step, from the first on."""
    ours = [tag for tag in tags if tag.startswith(f"{PLUGIN_NAME}/")]
    return min(ours, key=lambda tag: (not tag.endswith(f"/{responsive.curve}"), tag), default=None)


def _span(data: list[Any], begun: float | None) -> Span:
    times = [datum.wall_time for datum in data]
    return Span(min([*times, *([] if begun is None else [begun])]), max(times))


def _of_one_training(data: list[Any], spans: Mapping[str, Span], run: str) -> list[Any]:
    """Leave out what was written during another training: from its beginning to that of the next one."""
    if run not in spans:
        return data

    def is_within(wall_time: float, span: Span) -> bool:
        following = (other.begin for other in spans.values() if other.begin > span.last)
        return span.begin <= wall_time < min(following, default=math.inf)

    others = [span for other, span in spans.items() if other != run]
    return [
        datum
        for datum in data
        if is_within(datum.wall_time, spans[run]) or not any(is_within(datum.wall_time, span) for span in others)
    ]
