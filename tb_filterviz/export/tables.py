"""Statistics as tidy tables, and everything as arrays."""

import csv
import importlib.util
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tb_filterviz.errors import ConfigError
from tb_filterviz.export.choosing import chosen_layers

if TYPE_CHECKING:
    import pandas

    from tb_filterviz.filter_run import FilterRun, LayerSeries

Columns = dict[str, Any]  # arrays of one length, by name
KEYS = ("run", "layer", "filter", "step", "wall_time")
ARRAYS = ("steps", "filters", "tiles")


@dataclass(frozen=True, slots=True)
class Cut:
    """Some steps and filters of a layer.

    Attributes:
        layer: of a run.
        steps: at which it was logged.
        places: int ``[n]``, where the filters stand in its arrays.
    """

    layer: "LayerSeries"
    steps: Sequence[int]
    places: npt.NDArray[np.intp]

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """Where the steps stand in the layer's arrays."""
        return np.searchsorted(self.layer.steps, self.steps)

    def statistics(self) -> dict[str, npt.NDArray[np.float32]]:
        """float32 ``[s, n]`` by the name of the statistic."""
        chosen = np.ix_(self.rows, self.places)
        return {free_name(name): values[chosen] for name, values in self.layer.statistics.items()}


def cuts_of(
    runs: Sequence["FilterRun"],
    layers: Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
    every: int = 1,
    filters: Sequence[int] | None = None,
) -> list[Cut]:
    """Choose layers as `chosen_layers` does, and filters by their numbers; None for all."""
    return [
        Cut(each.layer, each.steps, each.layer.places_of(filters)) for each in chosen_layers(runs, layers, steps, every)
    ]


def free_name(name: str) -> str:
    """Keep the name of a statistic apart from what tables and arrays call other things: ``statistic_step``."""
    return f"statistic_{name}" if name in (*KEYS, *ARRAYS) else name


def columns_of(cuts: Iterable[Cut]) -> Columns:
    """Make the columns of a tidy table: a row for each filter at each step.

    Statistics of one name are in one column; where a layer has none, they are not a number.
    """
    parts = [_columns_of(cut) for cut in cuts]
    missing = [np.full(len(part["step"]), np.nan, np.float32) for part in parts]
    names = dict.fromkeys(name for part in parts for name in part)
    return {
        name: np.concatenate([part.get(name, none) for part, none in zip(parts, missing, strict=True)])
        for name in names
    }


def _columns_of(cut: Cut) -> Columns:
    layer, steps, filters = cut.layer, len(cut.steps), len(cut.places)
    return {
        "run": np.full(steps * filters, layer.run, object),
        "layer": np.full(steps * filters, layer.name, object),
        "filter": np.tile(layer.filters[cut.places], steps),
        "step": layer.steps[cut.rows].repeat(filters),
        "wall_time": layer.wall_times[cut.rows].repeat(filters),
        **{name: values.reshape(-1) for name, values in cut.statistics().items()},
    }


def to_pandas(runs: Sequence["FilterRun"], layer: str | Sequence[str] | None = None) -> "pandas.DataFrame":
    """Make a tidy table of some runs; see `FilterRun.to_pandas`."""
    check_package("pandas", "to_pandas()")
    import pandas

    return pandas.DataFrame(columns_of(cuts_of(runs, [layer] if isinstance(layer, str) else layer)))


def check_package(package: str, needing: str) -> None:
    """Check that a package is there that only some need.

    Raises:
        ConfigError: if it is not.
    """
    if importlib.util.find_spec(package) is None:
        extra = {"pyarrow": "parquet"}.get(package, package)
        raise ConfigError(f'{needing} needs the package {package}: pip install "tb_filterviz[{extra}]"')


def write_csv(path: Path, columns: Columns) -> None:
    """Write a table as CSV: a line of names, then one for each row; what is not a number is empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(_texts(values) for values in columns.values()), strict=True))


def _texts(values: Any) -> list[Any]:
    if values.dtype.kind != "f":
        listed: list[Any] = values.tolist()
        return listed
    return ["" if math.isnan(value) else str(value) for value in values]  # the shortest that is read as the same number


def write_parquet(path: Path, columns: Columns) -> None:
    """Write a table as Parquet, with pyarrow."""
    import pyarrow
    import pyarrow.parquet

    of_text = {name: pyarrow.array(values, pyarrow.string()) for name, values in columns.items() if name in KEYS[:2]}
    pyarrow.parquet.write_table(pyarrow.table({**columns, **of_text}), path)


def write_npz(path: Path, cuts: Sequence[Cut], *, with_run: bool) -> None:
    """Write tiles, steps and statistics of layers as arrays, by ``layer/name``, or ``run/layer/name``.

    Each layer has ``steps`` int64 ``[s]``, ``filters`` int32 ``[n]``, ``tiles`` uint8 ``[s, n, h, w, c]`` and, for each
    statistic, float32 ``[s, n]``.
    """
    arrays: dict[str, Any] = {}
    for cut in cuts:
        layer = cut.layer
        of_layer = {
            "steps": layer.steps[cut.rows],
            "filters": layer.filters[cut.places],
            "tiles": np.stack([layer.tiles_at(step)[cut.places] for step in cut.steps]),
            **cut.statistics(),
        }
        name = f"{layer.run}/{layer.name}" if with_run else layer.name
        arrays |= {f"{name}/{key}": values for key, values in of_layer.items()}
    np.savez_compressed(path, **arrays)
