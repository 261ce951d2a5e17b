"""A machine with tensorboard, numpy and pillow only: it reads runs, writes them, and shows the tab."""

import base64
import gzip
import importlib.util
import re
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest

import tb_filterviz
from tb_filterviz import Config
from tb_filterviz.cli import main
from tb_filterviz.logs.storage import folder_of
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.run_index import read_run_index, read_tiles
from tests.snapshots import snapshot
from tests.tensorboard import board, tensorboard

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None,
    reason="TensorFlow is installed here; .ci/run has an environment without it",
)

ROOT = Path(__file__).parent.parent


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """Two steps of a layer."""
    tiles = np.random.default_rng(0).integers(0, 255, (6, 12, 12, 1), np.uint8)
    sink = EventSink(tmp_path, Config.classic())
    sink.begin({"layers": [{"layer": "conv"}]})
    for step in (0, 1):
        sink.write(step, [snapshot(tiles + step, step, "conv")])
    sink.close()
    return tmp_path


def test_nothing_else_is_installed() -> None:
    heavy = ("tensorflow", "keras", "jax", "torch", "h5py", "rich", "fsspec", "google_crc32c", "scipy")
    assert [name for name in heavy if importlib.util.find_spec(name)] == []


def test_a_run_is_written_and_read(log_dir: Path) -> None:
    index = read_run_index(folder_of(log_dir / "filters"))
    assert index.steps == {0, 1}
    assert read_tiles(folder_of(log_dir / "filters"), 1)["conv"].shape == (6, 12, 12, 1)


def test_a_run_of_the_first_format_is_read() -> None:
    index = read_run_index(folder_of(ROOT / "tests" / "data" / "format_1" / "filters"))
    assert index.steps == {-1, 0, 1, 2, 3, 4}


def test_what_was_logged_is_read_back_and_saved(log_dir: Path, tmp_path: Path) -> None:
    run = tb_filterviz.read_run(log_dir)
    assert run["conv"].tiles.shape == (2, 6, 12, 12, 1)
    assert "<LayerSeries 'conv': 6 filters of 12 x 12 px, epochs 0 to 1 (2 steps)>" in repr(run)
    assert "data:image/png;base64," in run["conv"]._repr_html_()
    for name in ("page.html", "grid.png", "forming.gif", "forming.webp", "table.csv", "arrays.npz"):
        assert run.save(tmp_path / "saved" / name).stat().st_size > 0
    with pytest.raises(tb_filterviz.ConfigError, match="needs the package pandas"):
        run.to_pandas()


def test_runs_of_two_trainings_are_saved_without_what_pairs_their_filters(log_dir: Path) -> None:
    sink = EventSink(log_dir / "other", Config.classic())
    sink.begin({"layers": [{"layer": "conv"}]})
    sink.write(0, [snapshot(np.zeros((6, 12, 12, 1), np.uint8), 0, "conv")])
    sink.close()
    assert main(["export", str(log_dir), "-o", str(log_dir / "page.html")]) == 0
    page = (log_dir / "page.html").read_text(encoding="utf-8")
    answers = re.findall(r'data-answer="\[&quot;match&quot;.*?"( data-error)?>([^<]*)<', page)
    assert [error for error, _ in answers] == [" data-error"] * 2
    assert "pip install scipy" in gzip.decompress(base64.b64decode(answers[0][1])).decode()


@pytest.mark.parametrize("loader", ["true", "false"])
def test_tensorboard_shows_the_tab(log_dir: Path, loader: str) -> None:
    with tensorboard(log_dir, "--load_fast", loader) as server:
        (run,) = server.get_json("data/plugin/filterviz/layers")["runs"]
        assert [layer["name"] for layer in run["layers"]] == ["conv"]
        answer = server.get_json("data/plugin/filterviz/statistics", run="filters", layer="conv")
        assert answer["steps"] == [0, 1]
        (layer,) = server.get_json("data/plugin/filterviz/overview", run="filters")["layers"]
        assert (layer["id"], layer["steps"]) == ("conv", [0, 1])
        near = server.get_json("data/plugin/filterviz/similar", run="filters", layer="conv", filter="0")["similar"]
        assert len(near) == 5
        pair = {"run": "filters", "layer": "conv", "run2": "filters", "layer2": "conv"}
        with pytest.raises(HTTPError) as refused:
            server.get_json("data/plugin/filterviz/match", **pair)
        assert "pip install scipy" in refused.value.read().decode()


def test_the_command_board_serves(log_dir: Path) -> None:
    with board(str(log_dir), "--host", "127.0.0.1") as line:
        assert re.match(r"Filters: http://127\.0\.0\.1:\d+/#filterviz", line)
