"""How well trainings did, as the tab lists it beside their runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.plugin.serving import LOADERS, Tab, layer_events, provider, recipe_event, scalars, tab, write, write_events

ACCURACY = [(0, 0.5), (1, 0.875), (2, 0.75)]
LOSS = [(0, 2.0), (1, 0.5), (2, 1.5)]


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def write_run(folder: Path, began: float, unit: Any = "epoch") -> None:
    """A run of three steps, a second apart, that a callback began a second before."""
    events = [event for step in range(3) for event in layer_events(step, began + 1 + step, unit=unit)]
    write_events(folder, [recipe_event("callback", began), *events])


def results(served: Tab) -> dict[str, Any]:
    runs: dict[str, Any] = served.get("results")["runs"]
    return {
        run: result and tuple(result[name] for name in ("metric", "of", "last", "best", "best_step", "steps"))
        for run, result in runs.items()
    }


def test_what_counts_is_accuracy_before_loss_and_validation_before_training(loader: str, tmp_path: Path) -> None:
    curves: dict[str, dict[str, dict[str, list[tuple[int, float]]]]] = {
        "all": {
            "validation": {"epoch_accuracy": ACCURACY, "epoch_loss": LOSS, "epoch_aaa_accuracy": LOSS},
            "train": {"epoch_accuracy": LOSS, "epoch_loss": LOSS},
        },
        "other_name": {"validation": {"epoch_top_5_acc": ACCURACY, "epoch_loss": LOSS, "epoch_mae": LOSS}},
        "loss": {
            "validation": {"epoch_loss": LOSS, "epoch_head_loss": ACCURACY},
            "train": {"epoch_accuracy": ACCURACY},
        },
        "train": {"train": {"epoch_accuracy": ACCURACY, "epoch_loss": LOSS}},
        "train_loss": {"train": {"epoch_loss": LOSS}},
        "neither": {"train": {"epoch_mae": LOSS}, "elsewhere": {"epoch_accuracy": ACCURACY}},
        "nothing": {},
    }
    for name, runs in curves.items():
        write(tmp_path / name, range(3))
        for run, tags in runs.items():
            scalars(tmp_path / name / run, tags)
    accurate, lossy = (0.75, 0.875, 1, 3), (1.5, 0.5, 1, 3)
    with tab(tmp_path, loader) as served:
        assert results(served) == {
            "all/filters": ("accuracy", "validation", *accurate),
            "other_name/filters": ("top_5_acc", "validation", *accurate),
            "loss/filters": ("loss", "validation", *lossy),
            "train/filters": ("accuracy", "train", *accurate),
            "train_loss/filters": ("loss", "train", *lossy),
            "neither/filters": None,
            "nothing/filters": None,
        }
        listed = {run["run"]: run["layers"][0]["last_wall_time"] for run in served.get("layers")["runs"]}
        for run, result in served.get("results")["runs"].items():
            assert result is None or result["newest"] == listed[run]


def test_of_equal_values_the_first_is_the_best(loader: str, tmp_path: Path) -> None:
    write(tmp_path, range(3))
    scalars(tmp_path / "validation", {"epoch_accuracy": [(0, 0.5), (1, 1.0), (2, 1.0)]})
    with tab(tmp_path, loader) as served:
        assert results(served)["filters"] == ("accuracy", "validation", 1.0, 1.0, 1, 3)


def test_what_is_not_finite_is_neither_the_last_value_nor_the_best(loader: str, tmp_path: Path) -> None:
    write(tmp_path / "in_the_end", range(3))
    scalars(tmp_path / "in_the_end" / "train", {"epoch_loss": [(0, 2.0), (1, 3.0), (2, np.nan)]})
    write(tmp_path / "always", range(2))
    scalars(tmp_path / "always" / "train", {"epoch_loss": [(0, np.inf), (1, np.nan)]})
    with tab(tmp_path, loader) as served:
        assert results(served) == {
            "in_the_end/filters": ("loss", "train", None, 2.0, 0, 3),
            "always/filters": ("loss", "train", None, None, None, 2),
        }


def test_where_steps_are_batches_so_is_the_best_one(loader: str, tmp_path: Path) -> None:
    write(tmp_path, [50, 100], {"unit": "batch"})
    scalars(
        tmp_path / "validation",
        {"evaluation_accuracy_vs_iterations": [(50, 0.5), (100, 0.25)], "epoch_accuracy": [(0, 0.5), (1, 0.25)]},
    )
    with tab(tmp_path, loader) as served:
        assert results(served)["filters"] == ("accuracy", "validation", 0.25, 0.5, 50, 2)


def test_each_of_two_trainings_in_one_log_directory_has_its_own_result(loader: str, tmp_path: Path) -> None:
    write_run(tmp_path / "filters", began=1000)
    write_run(tmp_path / "filters_2", began=2000)
    scalars(tmp_path / "train", {"epoch_accuracy": [*ACCURACY, (3, 0.25)]}, wall_time=1001.5)
    scalars(tmp_path / "train", {"epoch_accuracy": [(2, 0.125), (3, 0.0625)]}, wall_time=2001.5)
    scalars(tmp_path / "validation", {"epoch_loss": [(0, 0.5)]}, wall_time=1001.5)
    with tab(tmp_path, loader) as served:
        # the second has no validation, and began again at the first's step 2
        assert results(served) == {
            "filters": ("loss", "validation", 0.5, 0.5, 0, 1),
            "filters_2": ("accuracy", "train", 0.0625, 0.125, 2, 2),
        }


def test_results_are_those_of_the_curves(loader: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for at in range(4):
        folder = tmp_path / f"run_{at}"
        write_run(folder / "filters", began=1000)
        write_run(folder / "filters_2", began=2000)
        for name in ("train", "validation"):
            for began in (1001, 2001):
                points = [(step + (began > 2000) * 3, float(rng.random())) for step in range(3)]
                scalars(folder / name, {"epoch_accuracy": points}, wall_time=began)
    with tab(tmp_path, loader) as served:
        found = served.get("results")["runs"]
        assert len(found) == 8
        for run, result in found.items():
            curves = served.get("curves", run=run, layer="conv2d_1")["curves"]
            (points,) = [curve["points"] for curve in curves if curve["of"] == "validation"]
            assert len(points) == 3
            assert (result["last"], result["best"]) == (points[-1][1], max(value for _, value in points))
            assert [result["best_step"], result["best"]] in points


class Counted:
    """A data provider that counts what it is asked."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._data, name)


def test_many_runs_take_no_more_reads_than_one(tmp_path: Path) -> None:
    for at in range(5):
        write_run(tmp_path / f"run_{at}" / "filters", began=1000)
        write_run(tmp_path / f"run_{at}" / "filters_2", began=2000)
        scalars(tmp_path / f"run_{at}" / "train", {"epoch_loss": LOSS}, wall_time=1001)
    with provider(tmp_path, "python-loader") as data:
        served = Tab(counted := Counted(data))
        counted.asked.clear()
        assert len(results(served)) == 10
        assert sorted(name for name in counted.asked if name.startswith(("list", "read"))) == [
            "list_scalars",
            "list_tensors",
            "read_scalars",
        ]
