"""The options that say how filters are drawn mean the same to every command that draws."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tb_filterviz import AscentConfig, Config, __version__, build_lenet, cli, load_model, maximize
from tests.event_reader import series
from tests.processes import run

CHOSEN = (3, 17, 42)
OPTIONS = ["--layer", "conv2d_2", "--filters", "3,17,42", "--objective", "channel_mean"]
CONFIG = Config(filters=CHOSEN, objective="channel_mean")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("saved") / "epoch-01.keras"
    build_lenet().save(path)
    return path


def _tiles(model: keras.Model, config: Config = CONFIG) -> np.ndarray:
    return maximize(model, "conv2d_2", CHOSEN, config=config).tiles()


def test_log_draws_the_filters_and_the_objective_that_are_asked_for(saved: Path, tmp_path: Path) -> None:
    assert cli.main(["log", str(saved), "--logdir", str(tmp_path), *OPTIONS]) == 0
    drawn = series(tmp_path / "filters", "filterviz/conv2d_2/tiles")[0]
    assert np.array_equal(drawn, _tiles(load_model(saved)))
    assert not np.array_equal(drawn, _tiles(load_model(saved), Config()))


def test_log_draws_from_several_starts_and_says_how_they_agree(saved: Path, tmp_path: Path) -> None:
    options = ["--layer", "conv2d_2", "--filters", "3,17,42", "--starts", "2", "--statistic", "agreement"]
    assert cli.main(["log", str(saved), "--logdir", str(tmp_path), *options]) == 0
    found = maximize(load_model(saved), "conv2d_2", CHOSEN, config=Config(ascent=AscentConfig(starts=2)))
    assert np.array_equal(series(tmp_path / "filters", "filterviz/conv2d_2/tiles")[0], found.tiles())
    np.testing.assert_allclose(
        series(tmp_path / "filters", "filterviz/conv2d_2/statistics/agreement")[0], found.agreement, rtol=1e-4
    )


def test_render_draws_the_filters_and_the_objective_that_are_asked_for(saved: Path, tmp_path: Path) -> None:
    output = tmp_path / "f.png"
    shown = ["--preset", "clean", "--columns", "3", "--scale", "1", "-o", str(output)]
    assert cli.main(["render", str(saved), *OPTIONS, *shown]) == 0
    with Image.open(output) as picture:
        cells = np.asarray(picture.convert("L"))
    tiles = _tiles(load_model(saved))
    height, width = tiles.shape[1:3]
    assert cells.shape[1] >= 3 * width
    for place, tile in enumerate(tiles):
        left = place * (cells.shape[1] - width) // 2
        inside = cells[1 : height - 3, left + 1 : left + width - 1]  # a bar or a cross may lie over the rest
        assert (inside == tile[1 : height - 3, 1 : width - 1, 0]).mean() > 0.9


@pytest.mark.slow
def test_demo_draws_the_filters_and_the_objective_that_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "old").touch()
    options = ["demo", "--epochs", "1", "--log-dir", str(tmp_path), *OPTIONS]
    assert cli.main(options) == 2
    assert "Give another --log-dir, or --overwrite it." in capsys.readouterr().err
    assert cli.main([*options, "--overwrite"]) == 0
    assert not (tmp_path / "train" / "old").exists()
    drawn = series(tmp_path / "filters", "filterviz/conv2d_2/tiles")
    assert list(drawn) == [-1, 0]
    assert np.array_equal(drawn[0], _tiles(load_model(tmp_path / "lenet.keras")))


@pytest.mark.slow
def test_demo_follows_the_article_without_examples_that_its_scale_does_not_fit(tmp_path: Path) -> None:
    assert cli.main(["demo", "--epochs", "1", "--log-dir", str(tmp_path), "--preset", "classic"]) == 0
    drawn = series(tmp_path / "filters", "filterviz/conv2d_2/tiles")
    assert [tiles.shape for tiles in drawn.values()] == [(50, 28, 28, 1)] * 2
    with pytest.raises(KeyError, match="filterviz/examples"):
        series(tmp_path / "filters", "filterviz/examples")


def test_demo_keeps_the_old_training_if_the_new_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train").mkdir()
    assert (
        cli.main(["demo", "--overwrite", "--log-dir", str(tmp_path), "--layer", "conv2d_1", "--filters", "3,42"]) == 2
    )
    assert "within 0 to 19 for layer 'conv2d_1'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_the_version_is_told_without_keras() -> None:
    code = "import sys; from tb_filterviz import cli\ntry: cli.main(['--version'])\nfinally: print(sorted(sys.modules))"
    done = run("-c", code)
    version, modules = done.stdout.splitlines()
    assert version == f"tb-filterviz {__version__}"
    assert "'keras'" not in modules
