"""The curves under the slider: our own, and those of the training that they belong to."""

import math
import re
from typing import Any

from tensorboard.data.provider import RunTagFilter

from tb_filterviz.plugin.catalog import Layer
from tb_filterviz.plugin.store import Place
from tb_filterviz.records import PLUGIN_NAME, RUN_NAME

SCALARS = "scalars"
MOST_POINTS = 10_000
OWN = {"mean_score": "mean score", "share_responsive": "responsive", "mean_change": "mean change"}

_KERAS_TAGS = {
    "epoch": re.compile(r"epoch_(?P<metric>.+)"),
    "batch": re.compile(r"(?:batch_|evaluation_)(?P<metric>.+?)(?:_vs_iterations)?"),
}


def training_runs(run: str, known: Any) -> dict[str, str]:
    """Runs of the training that `run` was written by, and what to call them: its siblings, as Keras names them."""
    found = re.fullmatch(rf"(?P<parent>(?:.*[/\\])?){RUN_NAME}", run, re.DOTALL)
    if not found:
        return {}
    parent = found["parent"]
    names = {other: other[len(parent) :] for other in known if other.startswith(parent) and other != run}
    return {other: name for other, name in names.items() if name and not re.search(r"[/\\]", name)}


def _wanted(listed: Any, run: str, layer: Layer) -> list[dict[str, str]]:
    own = [
        {"run": run, "tag": f"{PLUGIN_NAME}/{layer.id}/{name}", "metric": label, "of": ""}
        for name, label in OWN.items()
    ]
    wanted = [curve for curve in own if curve["tag"] in listed.get(run, {})]
    for other, name in sorted(training_runs(run, listed).items()):
        for tag in sorted(listed[other]):
            found = _KERAS_TAGS[layer.about.unit].fullmatch(tag)
            if found:
                wanted.append({"run": other, "tag": tag, "metric": found["metric"], "of": name})
    return wanted


def _points(series: Any) -> list[list[float | None]]:
    return [[datum.step, datum.value if math.isfinite(datum.value) else None] for datum in series]


def read_curves(provider: Any, place: Place, layer: Layer) -> dict[str, Any]:
    """As the route ``/curves`` answers: named curves, and at how many steps the layer was logged.

    That count tells whether TensorBoard kept only a sample of the tiles: it keeps more points of a curve.
    """
    where = {"experiment_id": place.experiment, "plugin_name": SCALARS}
    wanted = _wanted(provider.list_scalars(place.context, **where), place.run, layer)
    if not wanted:
        return {"curves": [], "logged_steps": 0}
    both = RunTagFilter(
        runs=sorted({curve["run"] for curve in wanted}), tags=sorted({curve["tag"] for curve in wanted})
    )
    read = provider.read_scalars(place.context, **where, downsample=MOST_POINTS, run_tag_filter=both)
    curves = [{**curve, "points": _points(read.get(curve["run"], {}).get(curve["tag"], ()))} for curve in wanted]
    logged = max((len(curve["points"]) for curve in curves if curve["run"] == place.run), default=0)
    return {"curves": curves, "logged_steps": logged}
