"""Make pictures of the Filters tab, light and dark, and the README's among them: look at them after every change.

Run: python -m pytest tests/make_screenshots.py
"""

import shutil
from pathlib import Path

import pytest

from tests.plugin.browser import browser, needs_browser
from tests.processes import run
from tests.tensorboard import tensorboard

EPOCHS = 30
VIEWS: dict[str, dict[str, object]] = {
    "grid": {"layer": "conv2d_2", "step": 9},
    "kernels": {"layer": "conv2d_1", "sort": "score"},
    "filter": {"layer": "conv2d_2", "step": 9, "filter": 24, "metric": "loss"},
    "maps": {"layer": "conv2d_2", "step": 9, "lens": "maps", "example": 1},
    "weights": {"layer": "conv2d_2", "step": 9, "lens": "kernels"},
    "compare": {"layer": "conv2d_2", "view": "compare", "step2": 1},
    "compare-filter": {"layer": "conv2d_2", "view": "compare", "step2": 1, "filter": 24},
    "runs": {"layer": "conv2d_1", "view": "compare", "run2": "another/filters"},
}
README = ("filter-dark", "examples/tab.png")


def train(log_dir: Path, seed: int) -> None:
    run("-m", "tb_filterviz", "demo", "--log-dir", log_dir, "--epochs", EPOCHS, "--seed", seed)


@needs_browser
@pytest.mark.timeout(3000)
def test_make_screenshots(root: Path, tmp_path: Path) -> None:
    output = root / "build" / "screenshots"
    train(tmp_path / "lenet", 0)
    train(tmp_path / "another", 1)
    with tensorboard(tmp_path) as server:
        for size, (width, height) in {"": (1280, 720), "-wide": (1920, 1080)}.items():
            with browser(tmp_path / f"profile{size}", width=width, height=height) as window:
                for name, view in VIEWS.items():
                    for theme in ("light", "dark"):
                        pairs = "".join(f"&p.filterviz.{key}={value}" for key, value in view.items())
                        address = f"{server.address}#filterviz&p.filterviz.run=lenet%2Ffilters{pairs}"
                        window.open(address.replace("another/", "another%2F"), dark=theme == "dark")
                        window.loaded()
                        window.screenshot(output / f"{name}-{theme}{size}.png")
                        assert window.complaints() == []
    shot, shown = README
    shutil.copyfile(output / f"{shot}.png", root / shown)
