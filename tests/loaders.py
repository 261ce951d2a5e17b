"""What TensorBoard's loaders and our own reader find in a log directory."""

from pathlib import Path
from typing import Any

from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter

from tb_filterviz.metadata import PLUGIN_NAME
from tests.plugin.serving import LOADERS, provider

Found = dict[str, dict[str, dict[int, Any]]]  # by run, tag and step

_ALL = 1 << 30


def found_by(loader: str, log_dir: Path) -> Found:
    """Every value under our plugin's name; a step that is there twice fails."""
    with provider(log_dir, loader) as data_provider:
        where = {"experiment_id": "", "plugin_name": PLUGIN_NAME}
        listed = data_provider.list_tensors(RequestContext(), **where)
        found: Found = {}
        for run, tags in listed.items():
            found[run] = {}
            for tag in tags:  # one by one: an answer of the fast loader is bounded in size
                one = RunTagFilter(runs=[run], tags=[tag])
                read = data_provider.read_tensors(RequestContext(), **where, downsample=_ALL, run_tag_filter=one)
                series = read[run][tag]
                steps = [datum.step for datum in series]
                assert len(set(steps)) == len(steps), f"{run}, {tag}: {steps}"
                found[run][tag] = {datum.step: datum.numpy for datum in series}
        return found


def found_by_all(log_dir: Path) -> Found:
    """The same, where all of them agree; the recipe and what it is for do not count as steps."""
    found = [found_by(loader, log_dir) for loader in LOADERS]
    steps = [{run: {tag: list(at) for tag, at in tags.items()} for run, tags in runs.items()} for runs in found]
    assert all(each == steps[0] for each in steps)
    return {run: {tag: at for tag, at in tags.items() if _is_series(tag)} for run, tags in found[0].items()}


def _is_series(tag: str) -> bool:
    return "/tiles" in tag or "/statistics/" in tag


def steps_of_runs(log_dir: Path) -> dict[str, list[int]]:
    """The steps of each run, which have to be the same in every series of tiles and statistics."""
    steps: dict[str, list[int]] = {}
    for run, tags in found_by_all(log_dir).items():
        series = {tag: list(at) for tag, at in tags.items()}
        (steps[run],) = {tuple(at) for at in series.values()} or {()}  # type: ignore[assignment]
    return {run: list(at) for run, at in steps.items()}
