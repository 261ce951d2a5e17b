import dataclasses
import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz import AscentConfig, Config, GridConfig, channel_mean
from tb_filterviz.config import PRESETS, as_config, from_json, identity, to_json
from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.objectives import OBJECTIVES
from tb_filterviz.parts.tones import TONES
from tests.parts import own


def _names(*names: str) -> str:
    return ", ".join(map(repr, names))


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (AscentConfig, {"steps": 0}, "`steps` must be None or a positive integer. Received: steps=0"),
        (AscentConfig, {"steps": True}, "`steps` must be None or a positive integer. Received: steps=True"),
        (
            AscentConfig,
            {"step_size": float("nan")},
            "`step_size` must be None or a positive number. Received:",
        ),
        (AscentConfig, {"noise": -1.0}, "`noise` must be None, or a number from 0 on. Received: noise=-1.0"),
        (AscentConfig, {"canvas_px": 0}, "`canvas_px` must be None or a positive integer. Received: canvas_px=0"),
        (Config, {"small_field_px": -1}, "`small_field_px` must be zero or a positive integer"),
        (AscentConfig, {"gray": float("inf")}, "`gray` must be a finite number. Received: gray=inf"),
        (AscentConfig, {"filters_per_batch": 0}, "`filters_per_batch` must be None or a positive integer"),
        (GridConfig, {"columns": 0}, "`columns` must be None or a positive integer. Received: columns=0"),
        (GridConfig, {"top_k": -1}, "`top_k` must be None or a positive integer. Received: top_k=-1"),
        (GridConfig, {"scale": 1.5}, "`scale` must be None or a positive integer. Received: scale=1.5"),
        (GridConfig, {"order": "name"}, "`order` must be one of ('index', 'score'). Received: order='name'"),
        (GridConfig, {"margin_px": -1}, "`margin_px` must be zero or a positive integer. Received: margin_px=-1"),
        (Config, {"objective": "loss"}, f"`objective` must be one of {_names('auto', *OBJECTIVES)}, or an"),
        (Config, {"objective": "channel_mena"}, "Received: objective='channel_mena' Did you mean 'channel_mean'?"),
        (Config, {"objective": None}, "or an object of class Objective. Received: objective=None"),
        (
            Config,
            {"tone": "standardised"},
            f"`tone` must be one of {_names('auto', *TONES)}, or an object of class ToneMapping.",
        ),
        (Config, {"tone": "standardised"}, "Received: tone='standardised' Did you mean 'standardized'?"),
        (Config, {"statistics": ["scores"]}, "Received: statistics='scores' Did you mean 'score'?"),
        (Config, {"statistics": "score"}, "`statistics` must be a list of statistics. Received: statistics='score'"),
        (
            AscentConfig,
            {"parts": ["blur"]},
            "an object of class AscentPart. Received: parts='blur'",
        ),
        (AscentConfig, {"parts": "blur"}, "`parts` must be a list of parts of the ascent. Received: parts='blur'"),
        (Config, {"max_filters": 0}, "`max_filters` must be None or a positive integer. Received: max_filters=0"),
        (Config, {"ascent": 3}, "`ascent` must be an AscentConfig. Received: ascent=3"),
        (Config, {"grid": {}}, "`grid` must be a GridConfig. Received: grid={}"),
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
    assert as_config("clean") == Config()
    assert as_config("plain") == Config.plain()
    assert as_config("classic") == Config.classic()
    with pytest.raises(
        ConfigError, match=r"must be a Config or one of \('clean', 'plain', 'classic'\). Received: config='clasic'"
    ):
        as_config("clasic")


FULL = Config(
    objective="channel_mean",
    tone="standardized",
    contrast=0.3,
    crop=False,
    input_range=(-1.0, 1.0),
    image_shape=(20, 24),
    filters={"conv2d_2": [42, 3], "conv*": [0]},
    max_filters=7,
    statistics=["score", "change"],
    seed=11,
    ascent=AscentConfig(
        steps=3,
        step_size=2.5,
        gray=100.0,
        noise=5.0,
        final_score=False,
        stays_positive=True,
        epsilon=1e-6,
        filters_per_batch=9,
        memory_mb=77.0,
    ),
    grid=GridConfig(columns=3, order="score", top_k=9, margin_px=1, scale=2, show_stuck=False, marks=False),
)
OWN = Config(
    objective=own.energy - 0.5 * channel_mean,
    tone=own.stretched,
    statistics=[own.peak, own.darker],
    ascent=AscentConfig(parts=[own.Decay(weight=0.25)]),
)


def test_filters_are_a_list_for_every_layer_or_lists_by_layer_and_keep_their_order() -> None:
    assert Config().filters_by_pattern == ()
    assert Config(filters=[42, 3]).filters_by_pattern == (("*", (42, 3)),)
    assert Config(filters=np.array([42, 3])).filters_by_pattern == (("*", (42, 3)),)  # type: ignore[arg-type]
    by_layer = Config(filters={"conv2d_2": [42, 3], "conv*": range(2)})
    assert by_layer.filters_by_pattern == (("conv2d_2", (42, 3)), ("conv*", (0, 1)))
    assert Config(filters={}).filters_by_pattern == ()


@pytest.mark.parametrize(
    "filters",
    [[], [3, 3], [-1], [True], [1, False], "12", ["1"], [1.0], 3, {"conv": []}, {"conv": [2, 2]}, {"conv": "0"}],
    ids=str,
)
def test_filters_that_are_not_different_whole_numbers_are_refused(filters: Any) -> None:
    with pytest.raises(ConfigError, match="`filters` must be a list of different whole numbers from 0. Received"):
        Config(filters=filters)


def test_filters_of_layers_without_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="`filters` must be a list, or a mapping from names of layers to lists"):
        Config(filters={3: [1, 2]})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "config", [Config(), Config.plain(), Config.classic(), FULL, OWN], ids=["clean", "plain", "classic", "full", "own"]
)
def test_a_config_reaches_other_processes_and_changes_in_one_place_only(config: Config) -> None:
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(pickle.loads(pickle.dumps(config))) == hash(config)
    assert dataclasses.replace(config) == config
    changed = dataclasses.replace(config, seed=config.seed + 1)
    assert changed != config
    assert dataclasses.replace(changed, seed=config.seed) == config


def test_ranges_and_shapes_may_be_lists() -> None:
    listed = Config(input_range=[0, 1], image_shape=[8, 8])  # type: ignore[arg-type]
    assert listed == Config(input_range=(0, 1), image_shape=(8, 8))
    assert hash(listed) == hash(Config(input_range=(0, 1), image_shape=(8, 8)))


@pytest.mark.parametrize("config", [*(make() for make in PRESETS.values()), FULL], ids=[*PRESETS, "full"])
def test_a_config_comes_back_from_json_as_it_was(config: Config) -> None:
    for sort_keys in (False, True):  # the log sorts them
        assert from_json(json.loads(json.dumps(to_json(config), sort_keys=sort_keys))) == config


@given(
    steps=st.integers(1, 99),
    gray=st.floats(-1e9, 1e9),
    contrast=st.floats(1e-9, 1e9),
    filters=st.none() | st.lists(st.integers(0, 10**6), min_size=1, unique=True),
)
def test_every_number_comes_back_from_json(steps: int, gray: float, contrast: float, filters: list[int] | None) -> None:
    config = Config(contrast=contrast, filters=filters, ascent=AscentConfig(steps=steps, gray=gray))
    assert from_json(json.loads(json.dumps(to_json(config)))) == config


def test_parts_of_ones_own_are_named_in_json_and_do_not_come_back() -> None:
    listed = json.loads(json.dumps(to_json(OWN)))
    assert listed["objective"] == "own_energy - 0.5 * channel_mean"
    assert listed["tone"] == "own_stretched"
    assert listed["statistics"] == ["own_peak", "own_darker"]
    assert listed["ascent"]["parts"] == [{"name": "own_decay", "weight": 0.25}]
    for name in ("objective", "tone", "statistics", "ascent"):
        with pytest.raises(ConfigError, match="must be .*an object of class"):
            from_json({name: listed[name]})


def test_settings_that_are_not_known_here_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"`settings` must be among \[.*\]. Received: settings=\['momentum'\]"):
        from_json({"momentum": 0.9})
    with pytest.raises(ConfigError, match="`ascent` holds settings that are not known here: .*'momentum'"):
        from_json({"ascent": {"momentum": 0.9}})


def test_the_same_is_drawn_whatever_it_costs_and_whatever_is_measured() -> None:
    def same(**changes: Any) -> bool:
        ascent = {name: changes.pop(name) for name in list(changes) if hasattr(FULL.ascent, name)}
        changed = dataclasses.replace(FULL, ascent=dataclasses.replace(FULL.ascent, **ascent), **changes)
        return identity(to_json(changed)) == identity(to_json(FULL))

    assert same(memory_mb=5.0)
    assert same(filters_per_batch=None)
    assert same(statistics=[own.peak])
    others: dict[str, Any] = {
        "objective": "center_unit",
        "tone": own.stretched,
        "contrast": 0.31,
        "crop": True,
        "input_range": None,
        "image_shape": None,
        "filters": {"conv*": [0], "conv2d_2": [42, 3]},  # the first that fits counts
        "max_filters": 8,
        "seed": 12,
        "steps": 4,
        "step_size": 2.0,
        "gray": 101.0,
        "noise": 4.0,
        "final_score": True,
        "stays_positive": False,
        "epsilon": 1e-7,
        "parts": [own.Decay()],
    }
    assert [name for name, value in others.items() if same(**{name: value})] == []
