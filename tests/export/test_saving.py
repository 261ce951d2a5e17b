"""What is saved, opened by other programs."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from PIL import Image, ImageSequence

from tb_filterviz import ConfigError, FilterRun, StepError, UnknownLayerError, read_run, read_runs
from tb_filterviz.config import GridConfig
from tb_filterviz.imaging.animation import HOLD_S
from tests.plugin.serving import snapshot, write

STEPS = range(-1, 5)
GRAY: dict[str, Any] = {"layer": "gray", "shape": (6, 5, 5, 1)}
COLOURED: dict[str, Any] = {"layer": "block/coloured", "shape": (4, 9, 7, 3), "position": 1}

needs_ffprobe = pytest.mark.skipif(not shutil.which("ffprobe"), reason="no ffprobe: apt-get install ffmpeg")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FilterRun:
    folder = tmp_path_factory.mktemp("logs")
    write(folder, STEPS, GRAY, COLOURED)
    return read_run(folder)


def grid(step: int, layer: dict[str, Any], scale: int) -> Any:
    """What is to be seen of a layer at a step, in red, green and blue."""
    picture = snapshot(step, **layer).grid(GridConfig(scale=scale))
    return np.repeat(picture, 3 // picture.shape[-1], axis=-1)


@pytest.mark.parametrize("layer", [GRAY, COLOURED], ids=lambda layer: str(layer["layer"]))
@pytest.mark.parametrize("ending", ["webp", "apng", "gif"])
def test_an_animation_has_a_picture_of_every_step(
    run: FilterRun, layer: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    path = run.save(tmp_path / f"forming.{ending}", layer=layer["layer"], scale=3, fps=5)
    with Image.open(path) as image:
        frames = [(np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(image)]
        assert image.info["loop"] == 0
    assert len(frames) == len(STEPS)
    assert [duration for _, duration in frames] == [200] * 5 + [200 + 1000 * HOLD_S]
    for step, (frame, _) in zip(STEPS, frames, strict=True):
        expected = grid(step, layer, 3)
        seen = frame[: expected.shape[0], : expected.shape[1]]
        if ending == "gif":  # of 256 colours; the marks of stuck and flat tiles make of gray ones coloured ones
            assert np.abs(seen.astype(int) - expected).mean() < 3
        else:
            assert np.array_equal(seen, expected)
        assert frame[expected.shape[0] :].max() > 200  # what layer and step it is


def test_gray_tiles_without_marks_are_the_same_in_a_gif(run: FilterRun, tmp_path: Path) -> None:
    path = run.save(tmp_path / "two.gif", layer="gray", filters=[4, 0], scale=1, columns=2, caption=False)
    tiles = run["gray"].tiles[:, [4, 0]]
    with Image.open(path) as image:
        frames = [np.asarray(frame.convert("L")) for frame in ImageSequence.Iterator(image)]
    for frame, step in zip(frames, tiles, strict=True):
        assert np.array_equal(frame[:, :5], step[0, ..., 0])
        assert np.array_equal(frame[:, -5:], step[1, ..., 0])


@needs_ffprobe
@pytest.mark.parametrize("layer", ["gray", "block/coloured"])
def test_a_film_is_what_ffprobe_says_of_it(run: FilterRun, layer: str, tmp_path: Path) -> None:
    path = run.save(tmp_path / "film.mp4", layer=layer, fps=4, scale=5)
    asked = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    (stream,) = json.loads(subprocess.run(asked, capture_output=True, check=True, text=True).stdout)["streams"]
    assert (stream["codec_name"], stream["pix_fmt"], stream["r_frame_rate"]) == ("h264", "yuv420p", "4/1")
    assert int(stream["nb_read_frames"]) == len(STEPS) + 4 * HOLD_S
    raw = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    pixels = np.frombuffer(subprocess.run(raw, capture_output=True, check=True).stdout, np.uint8)
    frames = pixels.reshape(-1, stream["height"], stream["width"], 3)
    for step, frame in zip(STEPS, frames, strict=False):
        expected = grid(step, GRAY if layer == "gray" else COLOURED, 5).astype(int)
        seen = frame[: expected.shape[0], : expected.shape[1]].astype(int)
        assert np.abs(seen - expected).mean() < 8  # colours are halved
        others = [np.abs(seen - grid(other, GRAY if layer == "gray" else COLOURED, 5)).mean() for other in STEPS]
        assert int(np.argmin(others)) - 1 == step


def test_a_grid_of_one_step_at_any_scale(run: FilterRun, tmp_path: Path) -> None:
    for scale in (1, 4):
        with Image.open(run.save(tmp_path / "grid.png", layer="gray", steps=[2], scale=scale, caption=False)) as image:
            assert np.array_equal(np.asarray(image.convert("RGB")), grid(2, GRAY, scale))
    with Image.open(run.save(tmp_path / "last.png", caption=False, scale=2)) as image:  # of the last layer
        assert np.array_equal(np.asarray(image), grid(4, COLOURED, 2))


def test_black_words_on_white(run: FilterRun, tmp_path: Path) -> None:
    with Image.open(run.save(tmp_path / "paper.png", layer="gray", background="white", scale=8)) as image:
        caption = np.asarray(image.convert("L"))[grid(4, GRAY, 8).shape[0] :]
    assert caption.max() == 255
    assert caption.min() < 60
    assert np.median(caption) == 255


def test_a_filmstrip_has_a_row_for_each_filter_and_a_column_for_each_step(run: FilterRun, tmp_path: Path) -> None:
    path = run.save(tmp_path / "strip.png", kind="filmstrip", layer="gray", filters=[4, 1], steps=[-1, 2, 4], scale=6)
    with Image.open(path) as image:
        seen = np.asarray(image)
    tiles = run["gray"].tiles
    found = {
        (filter_, step): places_of(seen, tiles[step + 1, filter_, ..., 0].repeat(6, 0).repeat(6, 1))
        for filter_ in (4, 1)
        for step in (-1, 2, 4)
    }
    assert all(len(places) == 1 for places in found.values())
    rows = {filter_: {found[filter_, step][0][0] for step in (-1, 2, 4)} for filter_ in (4, 1)}
    assert all(len(tops) == 1 for tops in rows.values())
    assert min(rows[4]) < min(rows[1])
    lefts = [found[4, step][0][1] for step in (-1, 2, 4)]
    assert lefts == sorted(lefts)
    assert lefts == [found[1, step][0][1] for step in (-1, 2, 4)]


def places_of(picture: Any, part: Any) -> list[tuple[int, int]]:
    """Where a part stands in a picture, to the pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(picture.reshape(picture.shape[:2]), part.shape)
    return [(int(top), int(left)) for top, left in np.argwhere((windows == part).all(axis=(2, 3)))]


def test_a_filmstrip_that_is_left_alone_shows_the_largest_gains_over_a_dozen_steps(tmp_path: Path) -> None:
    write(tmp_path / "logs", range(100), {"layer": "many", "shape": (20, 8, 8, 1)})
    path = read_run(tmp_path / "logs").save(tmp_path / "strip.png", kind="filmstrip", scale=1)
    tiles = read_run(tmp_path / "logs")["many"].tiles
    with Image.open(path) as image:
        seen = np.asarray(image)
    rows = [places_of(seen, tiles[99, filter_, ..., 0]) for filter_ in range(20)]
    assert [bool(places) for places in rows] == [False] * 12 + [True] * 8  # gain rises with the number
    assert (seen.shape[1] - rows[-1][0][1]) // 8 <= 3  # the last step stands at the right
    assert all(places_of(seen, tiles[at, 19, ..., 0]) for at in (0, 9, 99))


def test_a_table_is_what_pandas_reads(run: FilterRun, tmp_path: Path) -> None:
    expected = run.to_pandas()
    for read, ending in ((pandas.read_csv, "csv"), (pandas.read_parquet, "parquet")):
        found = read(run.save(tmp_path / f"table.{ending}"))
        assert list(found.columns) == list(expected.columns)
        assert len(found) == len(STEPS) * (6 + 4)
        for name in expected.columns:
            if expected[name].dtype.kind == "f":
                kind = expected[name].to_numpy().dtype
                assert np.array_equal(found[name].to_numpy().astype(kind), expected[name].to_numpy(), equal_nan=True)
            else:
                assert found[name].tolist() == expected[name].tolist()
    some = pandas.read_csv(run.save(tmp_path / "some.csv", layer="gray", filters=[4, 1], steps=[0, 3]))
    assert list(zip(some["step"], some["filter"], strict=True)) == [(0, 4), (0, 1), (3, 4), (3, 1)]


def test_what_is_not_a_number_is_empty_in_a_table(tmp_path: Path) -> None:
    write(tmp_path / "logs", [0], {"more": {"gain": [np.nan, np.inf, 0.1, 1, 2, 3]}})
    path = read_run(tmp_path / "logs").save(tmp_path / "table.csv")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert [row["gain"] for row in rows] == ["", "inf", "0.1", "1.0", "2.0", "3.0"]


def test_arrays_are_those_of_the_run(run: FilterRun, tmp_path: Path) -> None:
    with np.load(run.save(tmp_path / "arrays.npz")) as arrays:
        for name in run:
            assert np.array_equal(arrays[f"{name}/tiles"], run[name].tiles)
            assert arrays[f"{name}/steps"].tolist() == list(STEPS)
            assert arrays[f"{name}/filters"].tolist() == run[name].filters.tolist()
            for statistic, values in run[name].statistics.items():
                assert np.array_equal(arrays[f"{name}/{statistic}"], values)
    with np.load(run.save(tmp_path / "few.npz", layer="gray", filters=[2], every=3)) as arrays:
        assert arrays["gray/tiles"].shape == (3, 1, 5, 5, 1)
        assert arrays["gray/steps"].tolist() == [-1, 2, 4]


def test_several_runs_in_one_table(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / "logs" / name, [0, 1], GRAY)
    runs = read_runs(tmp_path / "logs")
    table = pandas.read_csv(runs.save(tmp_path / "table.csv"))
    assert table.groupby("run").size().to_dict() == {"one/filters": 12, "two/filters": 12}
    one = pandas.read_csv(runs.save(tmp_path / "table.csv", run="two/filters"))
    assert set(one["run"]) == {"two/filters"}
    with np.load(runs.save(tmp_path / "arrays.npz")) as arrays:
        assert arrays["two/filters/gray/tiles"].shape == (2, 6, 5, 5, 1)
    with pytest.raises(ConfigError, match="must name runs that are there: one/filters, two/filters. Received: run='3'"):
        runs.save(tmp_path / "table.csv", run="3")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.pdf", {}, r"must end in one of \.png, .*Received: '.*a\.pdf'"),
        ("a", {}, "must end in one of"),
        ("a.gif", {"kind": "film"}, "`kind` must be one of 'grid', 'filmstrip', 'animation'. Received: kind='film'"),
        ("a.gif", {"kind": "filmstrip"}, r"A filmstrip is one picture, so its name ends in \.png"),
        ("a.gif", {"fps": 0}, "`fps` must be a number above 0"),
        ("a.gif", {"every": 0}, "`every` must be a positive integer. Received: every=0"),
        ("a.gif", {"every": 2, "steps": [1]}, "Give `steps` or `every`, not both"),
        ("a.png", {"steps": [0, 1]}, "A grid is of one step"),
        ("a.png", {"scale": 0}, "`scale` must be None or a positive integer"),
        ("a.png", {"layer": ["gray", "block/coloured"]}, "A picture is of one layer"),
        ("a.png", {"background": "pink"}, "`background` must be one of 'black', 'white'"),
        (
            "a.gif",
            {"filters": [77]},
            r"numbers of filters of 'block/coloured'.*Received: filters=\[77\]",
        ),
        ("a.csv", {"filters": []}, r"Received: filters=\[\]"),
    ],
)
def test_what_cannot_be_saved(run: FilterRun, name: str, options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        run.save(tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_layers_and_steps_that_are_not_there(run: FilterRun, tmp_path: Path) -> None:
    with pytest.raises(UnknownLayerError, match="Its layers: gray, block/coloured"):
        run.save(tmp_path / "a.gif", layer="b")
    with pytest.raises(UnknownLayerError, match="Its layers: gray, block/coloured"):
        run.save(tmp_path / "a.csv", layer="b")
    with pytest.raises(StepError, match=r"among those that were logged: -1, 0, 1, 2, 3, 4. Received: steps=\[9\]"):
        run.save(tmp_path / "a.gif", steps=[9])


@pytest.mark.slow
def test_pictures_that_are_too_many_say_how_many_are_not(tmp_path: Path) -> None:
    write(tmp_path / "logs", range(150), {"layer": "a", "shape": (64, 5, 5, 1)})
    run = read_run(tmp_path / "logs")
    with pytest.raises(ConfigError, match="too many for one animation") as said:
        run.save(tmp_path / "a.gif", scale=50)
    every = re.search(r"every=(\d+)", str(said.value))
    assert every
    assert run.save(tmp_path / "a.webp", scale=50, every=int(every[1])).stat().st_size > 0


def test_a_file_is_replaced_as_a_whole_or_stays(run: FilterRun, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "table.csv"
    run.save(path)
    first = path.read_bytes()
    with pytest.raises(UnknownLayerError):
        run.save(path, layer="b")
    assert path.read_bytes() == first
    run.save(path, layer="gray")
    assert len(path.read_bytes()) < len(first)
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


@pytest.mark.parametrize(
    ("package", "name", "extra"),
    [("imageio_ffmpeg", "a.mp4", "mp4"), ("pyarrow", "a.parquet", "parquet"), ("pandas", "", "pandas")],
)
def test_a_package_that_is_missing_is_named_with_what_brings_it(
    run: FilterRun, package: str, name: str, extra: str, tmp_path: Path
) -> None:
    asked = f"run.save({str(tmp_path / name)!r})" if name else "run.to_pandas()"
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import tb_filterviz\n"
        f"run = tb_filterviz.read_run({run.log_dir!r})\n"
        f"try: {asked}\n"
        "except tb_filterviz.ConfigError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert f'pip install "tb_filterviz[{extra}]"' in done.stdout
