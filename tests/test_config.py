from typing import Any

import pytest

from tb_filterviz import AscentConfig, Config, GridConfig
from tb_filterviz.config import as_config
from tb_filterviz.errors import ConfigError


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (AscentConfig, {"steps": 0}, "`steps` must be a positive integer. Received: steps=0"),
        (AscentConfig, {"steps": True}, "`steps` must be a positive integer. Received: steps=True"),
        (AscentConfig, {"step_size": float("nan")}, "`step_size` must be a positive number. Received: step_size=nan"),
        (AscentConfig, {"noise": -1.0}, "`noise` must be zero or a positive number. Received: noise=-1.0"),
        (AscentConfig, {"gray": float("inf")}, "`gray` must be a finite number. Received: gray=inf"),
        (AscentConfig, {"filters_per_batch": 0}, "`filters_per_batch` must be None or a positive integer"),
        (GridConfig, {"columns": 0}, "`columns` must be None or a positive integer. Received: columns=0"),
        (GridConfig, {"top_k": -1}, "`top_k` must be None or a positive integer. Received: top_k=-1"),
        (GridConfig, {"scale": 1.5}, "`scale` must be None or a positive integer. Received: scale=1.5"),
        (GridConfig, {"order": "name"}, "`order` must be one of ('index', 'score'). Received: order='name'"),
        (GridConfig, {"margin_px": -1}, "`margin_px` must be zero or a positive integer. Received: margin_px=-1"),
        (Config, {"objective": "loss"}, "`objective` must be one of ('auto', 'channel_mean', 'center_unit')"),
        (Config, {"input_range": (1, 0)}, "`input_range` must be (low, high) with low < high"),
        (Config, {"contrast": 0}, "`contrast` must be a positive number. Received: contrast=0"),
        (Config, {"seed": -1}, "`seed` must be zero or a positive integer. Received: seed=-1"),
    ],
)
def test_a_wrong_setting_says_what_would_work(make: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**settings)
    assert message in str(caught.value)


def test_presets_go_by_name() -> None:
    assert as_config("default") == Config()
    assert as_config("classic") == Config.classic()
    with pytest.raises(
        ConfigError, match=r"must be a Config or one of \('default', 'classic'\). Received: config='clasic'"
    ):
        as_config("clasic")
