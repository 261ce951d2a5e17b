import numpy as np
import pytest

from tb_filterviz import Objective, center_unit, channel_mean
from tb_filterviz.optvis.layer_info import Given, LayerInfo
from tb_filterviz.optvis.scoring import magnification_of
from tests.parts import own

INFO = LayerInfo(
    height=14, width=13, filters=5, is_affine=False, numbers_below=1000, given=Given((16, 15, 3), "float32")
)


@pytest.mark.parametrize(
    ("objective", "largest_slope"),
    [
        (channel_mean, 1 / (14 * 13)),
        (center_unit, 1),
        (own.energy, 2 / (14 * 13)),
        (own.contrast, 1 / (14 * 13)),
        (1e6 * channel_mean, 1e6 / (14 * 13)),
        (channel_mean - 0.5 * center_unit, 0.5 - 1 / (14 * 13)),
    ],
    ids=lambda each: each.name if isinstance(each, Objective) else "",
)
def test_the_magnification_is_a_power_of_two_that_makes_up_for_the_slope(
    objective: Objective, largest_slope: float
) -> None:
    magnification = magnification_of(objective, INFO)
    assert np.frexp(magnification)[0] == 0.5
    assert 0.7 < magnification * largest_slope < 1.42


def test_without_a_slope_there_is_no_magnification() -> None:
    assert magnification_of(0 * channel_mean, INFO) == 1
