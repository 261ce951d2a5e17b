"""What the documents say is run."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from tb_filterviz import build_lenet
from tb_filterviz.datasets import Digits
from tests.reading import steps

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
RECIPES = sorted((ROOT / "callbacks").glob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_python_block_of_the_readme_runs(block: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    written = {
        "logs/from_loop": [0, 1, 2],
        "logs/from_files": [0, 1, 2],
        'FilterVisualizer("logs")': [-1, 0, 1, 2, 3, 4],
    }
    for mark, expected in written.items():
        if mark in block:
            run = tmp_path / (mark if mark.startswith("logs/") else "logs") / "filters"
            assert steps(run, "filters/conv2d_2") == expected


def test_the_readme_shows_the_help_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from tb_filterviz.cli import build_parser

    monkeypatch.setenv("COLUMNS", "100")

    def words(text: str) -> list[str]:  # Python versions differ in how they wrap and indent
        return text.split()

    shown = re.search(r"```text\n(usage: tb-filterviz.*?)```", README, re.DOTALL)
    assert shown
    assert words(shown[1]) == words(build_parser().format_help())


def test_the_readme_names_what_is_there() -> None:
    for path in (*RECIPES, *EXAMPLES):
        assert path.name in README
    for name in re.findall(r"\]\((examples/[^)]+)\)", README):
        assert (ROOT / name).exists()
    for name in re.findall(r"\b(\w+\.py)\b", README):
        assert list(ROOT.glob(f"*/**/{name}")), name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs(example: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(example), str(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert steps(tmp_path / "filters", "filters/conv2d_1") == [-1, 0, 1, 2]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _train(callback: keras.callbacks.Callback, data: Digits, epochs: int) -> None:
    model = build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data.x_train[:40], data.y_train[:40], batch_size=10, epochs=epochs, verbose=0, callbacks=[callback])


EXPECTED_STEPS = {
    "every_epoch": [-1, 0, 1, 2],
    "early_batches": [0, 1, 2, 3, 4, 5, 7, 9, 12],
    "classic_grid": [-1, 0, 1, 2],
}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_works(recipe: Path, tmp_path: Path, data: Digits) -> None:
    callback = _load(recipe).build(str(tmp_path))
    assert isinstance(callback, keras.callbacks.Callback)
    _train(callback, data, epochs=3)
    assert steps(tmp_path / "filters", "filters/conv2d_2") == EXPECTED_STEPS[recipe.stem]


def test_the_classic_recipe_saves_the_articles_picture(tmp_path: Path, data: Digits) -> None:
    from PIL import Image

    _train(_load(ROOT / "callbacks" / "classic_grid.py").build(str(tmp_path)), data, epochs=1)
    for name in ("conv2d_2--001.png", "conv2d_2-0000.png"):
        with Image.open(tmp_path / "classic" / name) as picture:
            assert picture.size == (193, 193)
            assert np.asarray(picture).std() > 0
