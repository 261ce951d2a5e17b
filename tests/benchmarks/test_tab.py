"""What the Filters tab costs, and how fast it is, next to the Images tab on the same logs.

python -m pytest tests/benchmarks/test_tab.py --override-ini addopts="--import-mode=importlib -s"
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from tb_filterviz.sinks.events import EventSink
from tests.memory import resident_mib
from tests.plugin.browser import Browser, browser, needs_browser, view
from tests.plugin.serving import recipe, snapshot
from tests.tensorboard import TensorBoard, tensorboard

PAIRS = 9
LARGEST_ANSWER = 256 << 20

# Both start in the same way, but one does not see our entry point.
START = """
import sys
from importlib import metadata
real = metadata.entry_points
unseen = {"with": "nothing", "without": "filterviz"}[sys.argv.pop(1)]
metadata.entry_points = lambda **named: metadata.EntryPoints(one for one in real(**named) if one.name != unseen)
from tensorboard.main import run_main
run_main()
"""

FIRST_PICTURE = "return performance.getEntriesByName('filters-first-picture').map((one) => one.startTime)"

# Seconds that one step of the slider keeps the page busy, and that one step takes from frame to frame.
STEP = """
const done = arguments[0];
const slider = document.querySelector("input[type=range]");
const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve(performance.now())));
(async () => {
  const busy = [];
  const last = Number(slider.max);
  const count = Math.min(200, last);
  slider.value = 0;
  slider.dispatchEvent(new Event("input"));
  await frame();
  const started = performance.now();
  for (let at = 1; at <= count; at += 1) {
    const before = frame();
    slider.value = at;
    slider.dispatchEvent(new Event("input"));
    const after = frame();
    busy.push(await after - await before);
  }
  const each = (performance.now() - started) / count;
  busy.sort((one, other) => one - other);
  done({each, median: busy[Math.floor(count / 2)], slowest: busy[count - 1]});
})();
"""

# The pictures of the Images tab's slider, one after the other: fetched and decoded.
IMAGES = """
const done = arguments[1];
(async () => {
  const listed = await (await fetch(`data/plugin/images/images?run=filters&sample=0&tag=${arguments[0]}`)).json();
  const took = [];
  for (const {query} of listed) {
    const started = performance.now();
    const blob = await (await fetch(`data/plugin/images/individualImage?${query}`)).blob();
    await createImageBitmap(blob);
    took.push(performance.now() - started);
  }
  took.sort((one, other) => one - other);
  done({count: took.length, median: took[Math.floor(took.length / 2)]});
})();
"""


def start_up_seconds(log_dir: Path, how: str) -> float:
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", START, how, "--logdir", str(log_dir), "--host", "127.0.0.1", "--port", "0"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr
    for line in process.stderr:
        if "http://127.0.0.1" in line:
            break
    took = time.perf_counter() - started
    process.kill()
    process.wait()
    process.stderr.close()
    return took


def test_start_up(tmp_path: Path) -> None:
    for how in ("with", "without"):
        start_up_seconds(tmp_path, how)
    pairs = []
    for number in range(PAIRS):
        order = ("with", "without") if number % 2 else ("without", "with")
        took = {how: start_up_seconds(tmp_path, how) for how in order}
        pairs.append((took["with"], took["without"]))
    ratio = median(one / other for one, other in pairs)
    print(
        f"\nTensorBoard starts in {median(one for one, _ in pairs):.2f} s with the plugin, "
        f"in {median(other for _, other in pairs):.2f} s without: ratio {ratio:.3f} (median of {PAIRS} pairs)"
    )
    assert ratio <= 1.1


def memory(server: TensorBoard) -> str:
    main = server.process.pid
    children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
    return f"{resident_mib(main):.0f} MiB + its data server {sum(resident_mib(int(pid)) for pid in children):.0f} MiB"


LOGS: dict[str, dict[str, Any]] = {
    "1000 epochs of LeNet": {
        "steps": 1000,
        "layers": [
            {"layer": "conv2d_1", "shape": (20, 5, 5, 1)},
            {"layer": "conv2d_2", "shape": (50, 28, 28, 1), "position": 1},
        ],
    },
    "100 epochs of 512 filters, 64 x 64 RGB": {
        "steps": 100,
        "layers": [{"layer": "large", "shape": (512, 64, 64, 3)}],
    },
}


@pytest.fixture(scope="module", params=list(LOGS))
def logs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    log_dir = tmp_path_factory.mktemp("logs")
    kind = LOGS[request.param]
    sink = EventSink(log_dir)
    rng = np.random.default_rng(0)
    base = {layer["layer"]: rng.integers(0, 256, layer["shape"]).astype(np.uint8) for layer in kind["layers"]}
    for step in range(kind["steps"]):
        tiles = {name: np.roll(value, step, axis=2) for name, value in base.items()}
        snapshots = [snapshot(step, **layer, tiles=tiles[layer["layer"]]) for layer in kind["layers"]]
        if not sink.is_begun:
            sink.begin(recipe(snapshots))
        sink.write(step, snapshots)
    sink.close()
    yield request.param, log_dir
    for path in log_dir.rglob("*tfevents*"):
        path.unlink()


@needs_browser
@pytest.mark.parametrize("loader", ["true", "false"], ids=["fast-loader", "python-loader"])
def test_large_logs(logs: tuple[str, Path], loader: str, tmp_path: Path) -> None:
    name, log_dir = logs
    layer = LOGS[name]["layers"][-1]["layer"]
    with tensorboard(log_dir, f"--load_fast={loader}") as server:
        idle = memory(server)
        with browser(tmp_path / "profile") as window:
            measure(window, server, name, layer, idle, loader)


def measure(window: Browser, server: TensorBoard, name: str, layer: str, idle: str, loader: str) -> None:
    firsts = []
    for _ in range(3):
        window.open(view(server, view="grid", layer=layer))
        (first,) = window.wait(lambda: window.run(FIRST_PICTURE), "the first picture")
        firsts.append(first)
        started = time.perf_counter()
        window.wait(lambda: window.shown(".grid") and not window.shown(".progress"), "all pictures")
        rest = time.perf_counter() - started
    step = window.driver.execute_async_script(STEP)
    sizes = window.run(
        "return performance.getEntriesByType('resource').filter((one) => one.name.includes('/tiles?'))"
        ".map((one) => one.transferSize)"
    )
    after = memory(server)
    window.driver.switch_to.default_content()
    image = window.driver.execute_async_script(IMAGES, f"filters/{layer}")
    print(
        f"\n{name}, {'fast' if loader == 'true' else 'Python'} loader"
        f"\n  first picture {', '.join(f'{first:.0f}' for first in firsts)} ms after the tab opens;"
        f" all others {rest:.1f} s later"
        f"\n  a step of the slider: {step['each']:.1f} ms from frame to frame ({1000 / step['each']:.0f} a second),"
        f" busy for {step['median']:.1f} ms, at most {step['slowest']:.1f} ms"
        f"\n  largest answer {max(sizes) / 2**20:.1f} MiB of {len(sizes)}"
        f"\n  memory: {idle}; with the tab open {after}"
        f"\n  Images tab: {image['count']} pictures, {image['median']:.0f} ms each",
    )
    assert max(sizes) < LARGEST_ANSWER
    assert step["median"] < image["median"]


# Steps that are shown in a second while one plays, as fast as it goes: counted from frame to frame.
PLAYED = """
const [seconds, done] = arguments;
const slider = document.querySelector("input[type=range]");
let shown = 0;
let last = slider.value;
const began = performance.now();
const look = () => {
  if (slider.value !== last) shown += 1;
  last = slider.value;
  const took = (performance.now() - began) / 1000;
  if (took < seconds) requestAnimationFrame(look);
  else done(shown / took);
};
requestAnimationFrame(look);
"""
OVERVIEW = "return performance.getEntriesByName('filters-overview').map((one) => one.startTime)"
ASKED = """
const entries = performance.getEntriesByType("resource");
const modules = entries.filter(({name}) => name.endsWith(".js"));
const named = entries.filter(({name}) => /layers|results|overview|samples|runs/.test(name) && !name.endsWith(".js"));
return [["modules", modules[0].startTime, Math.max(...modules.map((one) => one.responseEnd))],
  ...named.map((one) => [one.name.split("/").at(-1).slice(0, 12), one.startTime, one.responseEnd])];
"""
HEAP = "return performance.memory.usedJSHeapSize / 2 ** 20"
MINUTES = int(os.environ.get("MINUTES_OF_PLAYING", "10"))


def write_layers(log_dir: Path, layers: list[dict[str, Any]], steps: int) -> None:
    rng = np.random.default_rng(0)
    base = {layer["layer"]: rng.integers(0, 256, layer["shape"]).astype(np.uint8) for layer in layers}
    sink = EventSink(log_dir)
    for step in range(steps):
        taken = [snapshot(step, **layer, tiles=np.roll(base[layer["layer"]], step, axis=2)) for layer in layers]
        if not sink.is_begun:
            sink.begin(recipe(taken))
        sink.write(step, taken)
    sink.close()


@needs_browser
def test_overview_of_53_layers(tmp_path: Path) -> None:
    names = [f"conv{1 + at // 13}_block{1 + at % 13 // 4}_{at % 4}_conv" for at in range(53)]
    layers = [{"layer": name, "shape": (16, 24, 24, 3), "position": at} for at, name in enumerate(names)]
    write_layers(tmp_path / "logs", layers, 100)
    for loader in ("true", "false"):
        profile = tmp_path / f"profile-{loader}"
        with tensorboard(tmp_path / "logs", f"--load_fast={loader}") as server, browser(profile) as window:
            took = []
            for _ in range(4):
                window.open(view(server, view="overview"))
                (first,) = window.wait(lambda: window.run(OVERVIEW), "the overview")
                took.append(first)
            assert len(window.all(".layer-row")) == 53
            asked = window.run(ASKED)
        listed = ", ".join(f"{one:.0f}" for one in took)
        print(f"\n53 layers, 100 epochs, loader {loader}: the overview {listed} ms after the tab opens, the first cold")
        print("  of the last, from when to when:", "; ".join(f"{name} {a:.0f} to {b:.0f} ms" for name, a, b in asked))


@pytest.fixture
def long_training(tmp_path: Path) -> Iterator[TensorBoard]:
    layer = {"layer": "conv2d_2", "shape": (50, 28, 28, 1)}
    write_layers(tmp_path / "logs", [layer], 300)
    with tensorboard(tmp_path / "logs") as started:
        yield started


@needs_browser
def test_playing_with_a_filter_open(long_training: TensorBoard, tmp_path: Path) -> None:
    """As many steps a second as without: alternately, since these machines are noisy."""
    rates: dict[str, list[float]] = {"grid": [], "filter": []}
    with browser(tmp_path / "profile") as window:
        for _ in range(5):
            for name, state in {"grid": {}, "filter": {"filter": 17}}.items():
                window.open(view(long_training, view="grid", step=0, **state))
                window.loaded()
                window.choose("Speed", "60 / s")
                window.click("Play")
                rates[name].append(window.driver.execute_async_script(PLAYED, 3))
    ratio = median(rates["filter"]) / median(rates["grid"])
    print(f"\nSteps a second: {rates}\nWith a filter open, over without: {ratio:.2f}")
    assert ratio >= 0.9


@needs_browser
@pytest.mark.timeout(1800)
def test_playing_takes_no_more_memory_as_it_goes_on(long_training: TensorBoard, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as window:
        window.open(view(long_training, view="grid", filter=17, step=0))
        window.loaded()
        window.choose("Speed", "60 / s")
        window.click("Loop")
        window.click("Play")
        heap = []
        for _ in range(MINUTES + 1):
            window.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
            heap.append(window.run(HEAP))
            time.sleep(60)
            assert window.all("button[aria-label=Pause]"), "it has stopped"
        print(f"\nMiB of the page's own, minute by minute: {[round(one, 1) for one in heap]}")
        assert heap[-1] <= 1.1 * heap[1]
