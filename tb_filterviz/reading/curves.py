"""The curves under the slider: our own, and those of the training that they belong to."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tensorboard.data.provider import RunTagFilter

from tb_filterviz.metadata import PLUGIN_NAME, RECIPE_TAG, run_number
from tb_filterviz.parts.statistics import responsive
from tb_filterviz.reading.catalog import Layer, Run, read_run
from tb_filterviz.reading.decoded import Place, not_written_again

SCALARS = "scalars"
MOST_POINTS = 10_000
LONGEST_LABEL = 200
Scalars = Mapping[tuple[str, str], list[Any]]  # points by run and tag
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


def _points(data: Iterable[Any]) -> list[list[float | None]]:
    return [[datum.step, datum.value if math.isfinite(datum.value) else None] for datum in data]


def read_curves(provider: Any, place: Place, layer: Layer) -> dict[str, Any]:
    """Answer as the route ``/curves`` does: named curves, and at how many steps the layer was logged.

    That count tells whether TensorBoard kept only a sample of the tiles: it keeps more points of a curve.
    """
    run = place.run
    listed = provider.list_scalars(place.context, experiment_id=place.experiment, plugin_name=SCALARS)
    own = _own_curves(listed.get(run, {}), run, layer)
    read, trained = read_training(provider, place, listed, layer.about.unit, own)
    named = [curve.to_json(_points(read.get((curve.run, curve.tag), []))) for curve in own]
    named += [curve.to_json(_points(data)) for curve, data in trained]
    logged = max((len(curve["points"]) for curve in named if curve["run"] == run), default=0)
    return {"curves": named, "logged_steps": logged}


def read_training(
    provider: Any, place: Place, listed: Mapping[str, Mapping[str, Any]], unit: str, also: Sequence[Curve] = ()
) -> tuple[Scalars, list[tuple[Curve, list[Any]]]]:
    """Read in one call what Keras logged beside a run, of the run's own training.

    Args:
        provider: to read from.
        place: of the run.
        listed: scalar time series by run and tag.
        unit: what the run's steps count.
        also: what else is to be read.

    Returns:
        All that was read; and Keras' curves, each with the points of this training.
    """
    trained = training_curves(listed, place.run, unit)
    known = _recipes(provider, place, trained.runs) if trained.is_shared else {}
    clocks = trained.clocks(listed, known)
    wanted = [(curve.run, curve.tag) for curve in (*also, *trained.curves)]
    read = read_scalars(provider, place.context, place.experiment, [*wanted, *clocks.items()])
    return read, list(trained.own(read, clocks, known))


@dataclass(frozen=True, slots=True)
class TrainingCurves:
    """What Keras logged beside a run, and whose it may be.

    Keras writes several trainings into the same two runs, where we have a run for each: what was logged during another
    training does not belong to this one.

    Attributes:
        run: one of ours.
        runs: it, and our others in its log directory.
        curves: Keras', of all trainings there.
    """

    run: str
    runs: tuple[str, ...]
    curves: tuple[Curve, ...]

    @property
    def is_shared(self) -> bool:
        """Whether there are other trainings whose points may be among these."""
        return bool(self.curves) and len(self.runs) > 1

    def clocks(self, listed: Mapping[str, Any], known: Mapping[str, Run]) -> dict[str, str]:
        """Choose for each run that a callback wrote during its training a curve that tells when that was, by its tag.

        Runs of format 1 do not say what wrote them; they are taken for such. Others may have been written at any time.
        """
        if not self.is_shared:
            return {}
        by_callbacks = [run for run in self.runs if _writer(known.get(run)) in (None, "callback")]
        return {run: tag for run in by_callbacks if (tag := _every_step(listed.get(run, {}))) is not None}

    def own(
        self, read: Scalars, clocks: Mapping[str, str], known: Mapping[str, Run]
    ) -> Iterator[tuple[Curve, list[Any]]]:
        """Yield the curves that have points of this training, with these."""
        begun = {run: known[run].begun if run in known else None for run in clocks}
        spans = {run: _span(data, begun[run]) for run, tag in clocks.items() if (data := read.get((run, tag)))}
        for curve in self.curves:
            data = _of_one_training(read.get((curve.run, curve.tag), []), spans, self.run)
            if data:
                yield curve, data


def training_curves(listed: Mapping[str, Any], run: str, unit: str) -> TrainingCurves:
    """Find what Keras logged beside a run.

    Args:
        listed: scalar time series by run and tag.
        run: one of ours.
        unit: what its steps count.
    """
    beside = siblings(run, listed)
    ours = (run, *(other for other, name in beside.items() if run_number(name) is not None))
    curves = _keras_curves(listed, {other: name for other, name in beside.items() if other not in ours}, unit)
    return TrainingCurves(run, ours, tuple(curves))


def _recipes(provider: Any, place: Place, runs: Sequence[str]) -> dict[str, Run]:
    listed = provider.list_tensors(
        place.context,
        experiment_id=place.experiment,
        plugin_name=PLUGIN_NAME,
        run_tag_filter=RunTagFilter(runs=list(runs), tags=[RECIPE_TAG]),
    )
    return {run: read_run(tags) for run, tags in listed.items()}


def read_scalars(provider: Any, context: Any, experiment: str, wanted: Sequence[tuple[str, str]]) -> Scalars:
    """Read curves, named by run and tag, in one call."""
    if not wanted:
        return {}
    read = provider.read_scalars(
        context,
        experiment_id=experiment,
        plugin_name=SCALARS,
        downsample=MOST_POINTS,
        run_tag_filter=RunTagFilter(runs=sorted({run for run, _ in wanted}), tags=sorted({tag for _, tag in wanted})),
    )
    return {(run, tag): _standing(data) for run, tags in read.items() for tag, data in tags.items()}


def _standing(data: Sequence[Any]) -> list[Any]:
    """Forget what a restarted training wrote again, so that both of TensorBoard's loaders show the same."""
    return [data[at] for at in not_written_again([datum.step for datum in data])]


def _writer(run: Run | None) -> str | None:
    writer = run.recipe.get("written_by") if run is not None and run.recipe else None
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
