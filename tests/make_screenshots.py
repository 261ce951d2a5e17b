"""Make pictures of the Filters tab, light and dark, at every width: look at them after every change.

Run: python -m tests.make_screenshots LOGS, on the logs of `tests.make_logs`. They go into build/screenshots, and with
--readme into examples/ what the README shows.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.plugin.browser import Browser, browser, view
from tests.tensorboard import tensorboard

ROOT = Path(__file__).parents[1]
SIZES = ((390, 844), (768, 1024), (1024, 700), (1280, 720), (1920, 1080), (2560, 1440))
LAYER = {"run": "run_03_lr0.01_bs32/filters", "layer": "conv2d_2"}
# What is seen, by log: names of pictures, and the states they show.
VIEWS: dict[str, dict[str, dict[str, Any]]] = {
    "resnet": {"overview": {"view": "overview"}, "texture": {"view": "grid", "layer": "conv4_block1_2_conv"}},
    "sweep": {
        "grid": {"view": "grid", **LAYER},
        "filter": {"view": "grid", "filter": 24, **LAYER},
        "large": {"view": "grid", "filter": 24, "large": "true", **LAYER},
        "epochs": {"view": "compare", "step2": 0, "filter": 24, **LAYER},
        "compare": {"view": "compare", "run2": "run_06_lr0.03_bs32/filters", **LAYER},
        "runs": {"view": "runs", **LAYER},
        "filter-in-runs": {"view": "runs", "filter": 24, **LAYER},
    },
    "long": {"few-layers": {"view": "overview"}, "kernels": {"view": "grid", "lens": "kernels", "layer": "conv2d_2"}},
    "dies": {
        "alarm": {"view": "overview", "run": "lr0.5/filters"},
        "alarm-layer": {"view": "grid", "run": "lr0.5/filters", "layer": "conv2d_2"},
        "hidden": {"view": "grid", "run": "lr0.5/filters", "layer": "conv2d_2", "stuck": "hide"},
    },
}
README = {"overview-1280-light": "overview", "runs-1280-dark": "runs", "filter-1280-dark": "tab"}


def shown(window: Browser) -> None:
    window.wait(
        lambda: not window.shown(".progress") and (window.shown(".grid") or window.shown(".layer-row")), "pictures"
    )
    expected = "return document.querySelectorAll('.runs').length && !document.querySelector('.many-runs[hidden]')"
    if window.run(expected):
        window.wait(lambda: len(window.all(".run-card")) >= 12, "all runs")
    window.settle()


def main(logs: Path, output: Path, *, is_readme: bool) -> None:
    for log, views in VIEWS.items():
        if not (logs / log).exists():
            print(f"{logs / log} is not there: {', '.join(views)} left out.")
            continue
        with (
            tensorboard(logs / log) as server,
            tempfile.TemporaryDirectory() as profile,
            browser(Path(profile)) as window,
        ):
            for name, state in views.items():
                for width, height in SIZES:
                    window.resize(width, height)
                    for theme in ("light", "dark"):
                        window.open(view(server, **state), dark=theme == "dark")
                        shown(window)
                        window.screenshot(output / f"{name}-{width}-{theme}.png")
                        assert window.complaints() == []
    if is_readme:
        for shot, kept in README.items():
            shutil.copyfile(output / f"{shot}.png", ROOT / "examples" / f"{kept}.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--readme", action="store_true")
    args = parser.parse_args()
    main(args.logs, args.output, is_readme=args.readme)
