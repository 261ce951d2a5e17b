from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.errors import SeriesError
from tb_filterviz.reading.catalog import read_run
from tb_filterviz.reading.decoded import decode
from tests.plugin.described import series_of

(LAYER,) = read_run(series_of((6, 5, 5, 1))).layers
SERIES = LAYER.parts[0]


def datum(step: int, value: Any) -> Any:
    return SimpleNamespace(step=step, wall_time=float(step), numpy=value)


def tiles(value: int) -> Any:
    return np.full((6, 5, 5, 1), value, np.uint8)


def test_a_restart_replaces_what_it_writes_again() -> None:
    decoded = decode([datum(step, tiles(step)) for step in (0, 1, 2, 3, 1, 2)], SERIES)
    assert decoded.steps.tolist() == [0, 1, 2]
    assert decoded.values[:, 0, 0, 0, 0].tolist() == [0, 1, 2]


def test_a_moment_that_is_none_is_zero() -> None:
    odd = [SimpleNamespace(step=0, wall_time=float("nan"), numpy=tiles(0)), datum(1, tiles(1))]
    assert decode(odd, SERIES).wall_times.tolist() == [0.0, 1.0]


VALUES = st.builds(
    lambda dtype, shape: np.zeros(shape, dtype),
    st.sampled_from(["u1", "f4", "i8", "?", "O", "S3"]),
    st.sampled_from([(6, 5, 5, 1), (6, 5, 5), (0,), (), (5, 6)]),
)


@given(data=st.lists(st.tuples(st.integers(-5, 5), VALUES | st.none() | st.text()), max_size=8))
def test_values_of_another_type_or_shape_are_passed_over(data: list[tuple[int, Any]]) -> None:
    try:
        decoded = decode([datum(step, value) for step, value in data], SERIES)
    except SeriesError:
        assert not any(
            isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.shape == (6, 5, 5, 1)
            for _, value in data
        )
        return
    assert (np.diff(decoded.steps) > 0).all()
    assert decoded.values.shape == (len(decoded.steps), 6, 5, 5, 1)
