"""What is saved, opened by other programs."""

import csv
import json
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from PIL import Image, ImageSequence

from tb_filterviz import (
    ConfigError,
    FilterRun,
    Statistic,
    StepError,
    UnknownLayerError,
    VisualizationWarning,
    read_run,
    read_runs,
)
from tb_filterviz.config import GridConfig
from tb_filterviz.export.frames import MOST_FRAMES_BYTES
from tb_filterviz.imaging.animation import HOLD_S
from tb_filterviz.imaging.layout import grid_sides
from tests.plugin.serving import layer_events, snapshot, write, write_events

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
    # What pandas 2 reads by itself may miss the last bit of a number; what it would be told not to is gone in pandas 3.
    exactly = partial(pandas.read_csv, converters={"wall_time": float})
    for read, ending in ((exactly, "csv"), (pandas.read_parquet, "parquet")):
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
        ("a.gif", {"fps": 0}, r"`fps` must be a number above 0\.1, up to 50. Received: fps=0"),
        ("a.gif", {"fps": 60}, r"`fps` must be a number above 0\.1, up to 50. Received: fps=60"),
        ("a.html", {"max_mb": float("nan")}, "`max_mb` must be a number above 0"),
        ("a.html", {"max_mb": "5"}, "`max_mb` must be a number above 0, up to 1e[+]06. Received: max_mb='5'"),
        ("a.html", {"leave_out": "tiles"}, "`leave_out` may hold .*Received: 'tiles'"),
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
    with pytest.raises(UnknownLayerError, match="No run has a layer 'b'. Layers: gray, block/coloured"):
        run.save(tmp_path / "a.csv", layer="b")
    with pytest.raises(StepError, match=r"among those that were logged: -1, 0, 1, 2, 3, 4. Received: steps=\[9\]"):
        run.save(tmp_path / "a.gif", steps=[9])


def test_pictures_that_are_too_many_say_how_many_are_not(tmp_path: Path) -> None:
    write(tmp_path / "logs", range(150), {"layer": "a", "shape": (64, 5, 5, 1)})
    run = read_run(tmp_path / "logs")
    with pytest.raises(ConfigError, match="too many for one animation: choose at most") as said:
        run.save(tmp_path / "a.gif", scale=50)
    most = re.search(r"at most (\d+) of these steps", str(said.value))
    assert most
    height, width = grid_sides(64, 5, 5, GridConfig(scale=50))
    assert int(most[1]) * height * width * 3 <= MOST_FRAMES_BYTES < (int(most[1]) + 1) * height * width * 3
    for kind in ("grid", "filmstrip"):
        with pytest.raises(ConfigError, match="px is too large: choose a smaller scale"):  # and no memory is asked for
            run.save(tmp_path / "a.png", scale=10_000, kind=kind)
    with pytest.raises(ConfigError, match=r"A \.webp has sides of at most 16383 px, and this one would have 16635"):
        run.save(tmp_path / "a.webp", scale=51, columns=1, steps=[0], caption=False)
    assert run.save(tmp_path / "a.webp", scale=50, columns=1, steps=[0], caption=False).exists()


def test_a_picture_is_as_large_as_is_said_before_it_is_drawn() -> None:
    for count, columns, scale in ((6, None, None), (7, 3, 2), (50, None, 1), (1, 4, 3)):
        tiles = np.zeros((count, 5, 7, 1), np.uint8)
        config = GridConfig(columns=columns, scale=scale)
        drawn = snapshot(0, shape=(count, 5, 7, 1), tiles=tiles).grid(config)
        assert drawn.shape[:2] == grid_sides(count, 5, 7, config)


def test_steps_and_filters_of_any_kind(run: FilterRun, tmp_path: Path) -> None:
    series = run["gray"]
    path = run.save(tmp_path / "a.gif", layer="gray", steps=series.steps[::2], filters=series.filters[:2])
    with Image.open(path) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]
    for wrong in (3, "12", [1.5], [None]):
        with pytest.raises(ConfigError, match="`steps` must be a list of whole numbers"):
            run.save(tmp_path / "a.gif", steps=wrong)  # type: ignore[arg-type]


def test_each_layer_at_its_own_steps(tmp_path: Path) -> None:
    events = [*(event for step in range(7) for event in layer_events(step, step, "often"))]
    events += [event for step in (1, 3, 5) for event in layer_events(step, step, "seldom", position=1)]
    write_events(tmp_path / "filters", sorted(events, key=lambda event: event.step))
    run = read_run(tmp_path)
    table = pandas.read_csv(run.save(tmp_path / "table.csv", every=2))
    steps = table.groupby("layer")["step"].unique()
    assert steps["often"].tolist() == [0, 2, 4, 6]
    assert steps["seldom"].tolist() == [1, 5]
    with pytest.warns(VisualizationWarning, match="Left out: seldom of filters has none of these steps"):
        table = pandas.read_csv(run.save(tmp_path / "table.csv", steps=[0, 2]))
    assert set(table["layer"]) == {"often"}
    with pytest.raises(StepError, match=r"among those that were logged: 1, 3, 5. Received: steps=\[0\]"):
        run.save(tmp_path / "page.html", layer="seldom", steps=[0])


def test_runs_of_other_lengths_and_without_the_layer(tmp_path: Path) -> None:
    write(tmp_path / "long", range(6), GRAY)
    write(tmp_path / "short", range(2), GRAY)
    write_events(tmp_path / "old" / "filters", layer_events(0, 1.0, "other"))  # no recipe: as of the first edition
    runs = read_runs(tmp_path)
    with pytest.warns(VisualizationWarning, match="gray of short/filters has none of these steps"):
        table = pandas.read_csv(runs.save(tmp_path / "table.csv", layer="gray", steps=[4]))
    assert set(table["run"]) == {"long/filters"}
    with pytest.warns(VisualizationWarning):
        assert runs.save(tmp_path / "page.html", layer="gray", steps=[4]).exists()
    assert len(pandas.read_csv(runs.save(tmp_path / "table.csv", run=["short/filters"] * 2))) == 12
    with pytest.raises(ConfigError, match=r"`layer` must name a layer: .*Received: layer=\[\]"):
        runs.save(tmp_path / "table.csv", layer=[])


def test_statistics_that_are_called_as_columns_are(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32) / 2
    write(tmp_path, [3], {"more": {"step": values, "tiles": values}}, statistics=[named("step"), named("tiles")])
    run = read_run(tmp_path)
    table = run.to_pandas()
    assert table["step"].tolist() == [3] * 6
    assert table["statistic_step"].tolist() == values.tolist()
    with np.load(run.save(tmp_path / "arrays.npz")) as arrays:
        assert arrays["conv2d_1/tiles"].shape == (1, 6, 5, 5, 1)
        assert arrays["conv2d_1/statistic_tiles"].tolist() == [values.tolist()]


def named(name: str) -> Statistic:
    return Statistic(name=name, compute=lambda _: 0, description="of one's own")


def test_white_is_white_to_the_edge(run: FilterRun, tmp_path: Path) -> None:
    path = run.save(tmp_path / "a.webp", layer="gray", filters=[0], scale=2, background="white")
    with Image.open(path) as image:
        for frame in ImageSequence.Iterator(image):
            assert np.asarray(frame.convert("L"))[12:, -1].min() == 255  # beside the words


def test_addresses_are_no_files(run: FilterRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for address in ("s3://bucket/table.csv", Path("s3://bucket/table.csv")):
        with pytest.raises(ConfigError, match="Files are saved on this machine"):
            run.save(address)
    assert list(tmp_path.iterdir()) == []


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
