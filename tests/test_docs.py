"""What the documents say is run, and what they name is there."""

import functools
import importlib.util
import json
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from tb_filterviz import build_lenet
from tb_filterviz.datasets import Digits
from tests import processes
from tests.event_reader import read_run, steps

ROOT = Path(__file__).parent.parent
FOLDERS = (
    "tb_filterviz",
    "tests",
    "examples",
    "callbacks",
    "docs",
)  # the project's own: not an environment beside them
RECIPES = sorted((ROOT / "callbacks").glob("*.py"))
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
}
README = DOCUMENTS["README.md"]


def _blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENTS[document], re.DOTALL | re.MULTILINE)


PYTHON_BLOCKS = [(document, number) for document in DOCUMENTS for number in range(len(_blocks(document, "python")))]

# Trackers on this machine, in the folder of the blocks; those that the tests do not install are left out there.
TRACKING_HERE = {
    "MLFLOW_TRACKING_URI": "file:./mlruns",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
    "TRACKIO_DIR": "trackio",
}
OTHER_TRACKERS = ("aim", "clearml", "comet_ml", "dvclive", "swanlab", "trackio")

# One block after another, as a reader would type them: in one folder, but each with imports of its own.
RUN_BLOCKS = """
import json, sys, traceback
outcomes = []
for number, block in enumerate(json.load(sys.stdin)):
    try:
        exec(compile(block, f"block {number}", "exec"), {"__name__": "__main__"})
        outcomes.append("")
    except BaseException:
        outcomes.append(traceback.format_exc())
with open("outcomes.json", "w") as file:
    json.dump(outcomes, file)
"""


class Ran(NamedTuple):
    """A folder in which the blocks of a document have run, and what each raised; empty if nothing."""

    folder: Path
    outcomes: list[str]


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ran]:
    @functools.cache
    def run(document: str) -> Ran:
        folder = tmp_path_factory.mktemp(Path(document).stem)
        blocks = json.dumps(_blocks(document, "python"))
        processes.run("-c", RUN_BLOCKS, input=blocks, cwd=folder, env={**os.environ, **TRACKING_HERE})
        return Ran(folder, json.loads((folder / "outcomes.json").read_text()))

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    ("document", "number"), PYTHON_BLOCKS, ids=[f"{name}-{place}" for name, place in PYTHON_BLOCKS]
)
def test_every_python_block_runs(ran: Callable[[str], Ran], document: str, number: int) -> None:
    block = _blocks(document, "python")[number]
    for tracker in OTHER_TRACKERS:
        if re.search(rf"^(?:import|from) {tracker}\b", block, re.MULTILINE) and not importlib.util.find_spec(tracker):
            pytest.skip(f"{tracker} is not installed")
    error = ran(document).outcomes[number]
    assert not error, f"{block}\n{error}"


WRITTEN = {  # by a mark of the block that writes it: the run, a tag, and the steps
    'FilterVisualizer("logs")]': ("logs/filters", "filters/conv2d_1", [-1, 0, 1, 2, 3, 4]),
    'FilterLogger("logs/from_loop")': ("logs/from_loop/filters", "filters/conv2d_2", [0, 1, 2]),
    'FilterLogger("logs/from_files")': ("logs/from_files/filters", "filters/conv2d_2", [0, 1, 2]),
    'FilterLogger("logs/own_parts"': ("logs/own_parts/filters", "filterviz/conv2d_2/statistics/peak", [0]),
    'FilterLogger("logs/mobilenet"': ("logs/mobilenet/filters", "filters/block_5_project", [0]),
}


@pytest.mark.slow
@pytest.mark.parametrize("mark", WRITTEN)
def test_the_blocks_of_the_readme_write_what_they_say(ran: Callable[[str], Ran], mark: str) -> None:
    assert sum(mark in block for block in _blocks("README.md", "python")) == 1
    run, tag, expected = WRITTEN[mark]
    assert steps(ran("README.md").folder / run, tag) == expected


@pytest.mark.slow
@pytest.mark.parametrize("document", ["README.md", "docs/trackers.md"])
def test_the_blocks_of_trackers_write_to_them(ran: Callable[[str], Ran], document: str) -> None:
    folder = ran(document).folder
    (images,) = folder.glob("mlruns/0/*/artifacts/images")
    layers = ("conv2d_1", "conv2d_2")
    assert {path.name.split("+timestamp")[0] for path in images.iterdir()} == {
        f"filters~{layer}+step+{step}" for layer in layers for step in (-1, 0, 1, 2)
    }
    (media,) = folder.glob("wandb/offline-run-*/files/media/images/filters")
    assert [len([*media.glob(f"{layer}_*.png")]) for layer in layers] == [4, 4]


def test_the_readme_shows_the_help_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from tb_filterviz.cli import build_parser

    monkeypatch.setenv("COLUMNS", "100")

    def words(text: str) -> list[str]:  # Python versions differ in how they wrap and indent
        return text.split()

    shown = re.search(r"```text\n(usage: tb-filterviz.*?)```", README, re.DOTALL)
    assert shown
    assert words(shown[1]) == words(build_parser().format_help())


def _files_called(name: str) -> list[Path]:
    return [path for folder in FOLDERS for path in (ROOT / folder).rglob(name)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_that_a_document_names_are_there(document: str) -> None:
    text = DOCUMENTS[document]
    here = (ROOT / document).parent
    for link in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text):
        assert (here / link).exists(), link
    names = re.findall(r"[\w./-]*\b\w+\.(?:py|md)\b", re.sub(r"```(?:python|diff)\n.*?```", "", text, flags=re.DOTALL))
    for name in names:
        name = name.removeprefix("../")
        is_there = (ROOT / name).exists() or (ROOT / "tb_filterviz" / name).exists()
        assert is_there or ("/" not in name and _files_called(name)), name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_within_a_document_lead_somewhere(document: str) -> None:
    here = (ROOT / document).parent
    for link, anchor in re.findall(r"\]\(([^)#:]*)#([\w-]+)\)", DOCUMENTS[document]):
        text = (here / link).read_text(encoding="utf-8") if link else DOCUMENTS[document]
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], anchor


def test_the_design_lists_the_layers_that_are_checked() -> None:
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][
        0
    ]
    (shown,) = [block for block in _blocks("docs/design.md", "text") if block.startswith("__main__")]
    assert shown.split() == " > ".join(checked["layers"]).split()


def _map() -> str:
    (shown,) = [block for block in _blocks("README.md", "text") if block.startswith("tb_filterviz/")]
    return shown


def test_the_map_of_the_tree_names_what_there_is_to_find() -> None:
    package = ROOT / "tb_filterviz"
    folders = (package, package / "parts", package / "optvis", package / "imaging", package / "sinks")
    modules = [path for folder in folders for path in folder.glob("*.py") if not path.name.startswith("__")]
    assert len(modules) > 30
    for path in (*modules, *RECIPES, *EXAMPLES):
        assert path.name in _map(), path
    for folder in package.iterdir():
        if (folder / "__init__.py").exists():
            assert f"{folder.name}/" in _map(), folder


def test_each_of_ten_questions_is_answered_by_one_file() -> None:
    answers = re.findall(r"^\| [^|]+\? \| `([^`]+)` \| `([^`]+)` \|$", README, re.MULTILINE)
    assert len(answers) >= 10
    assert len({file for file, _ in answers}) == len(answers)
    for file, name in answers:
        source = (ROOT / "tb_filterviz" / file).read_text(encoding="utf-8")
        assert re.search(rf"^(?:def|class|export (?:async )?function) {name}\b", source, re.MULTILINE), (file, name)
        assert Path(file).name in _map()


def test_the_lines_that_a_recipe_changes_are_there() -> None:
    """What `CONTRIBUTING.md` shows as a diff applies to the package as it is."""
    diffs = _blocks("CONTRIBUTING.md", "diff")
    assert len(diffs) >= 5
    for diff in diffs:
        file = ""
        for line in diff.splitlines():
            if line.startswith("--- "):
                file = (ROOT / line.removeprefix("--- ")).read_text(encoding="utf-8")
            elif line.startswith("-"):  # the package may have grown since: what it names is there
                words = re.findall(r"\w+", line)
                assert any(all(word in found for word in words) for found in file.splitlines()), line
            elif not line.startswith("+"):
                assert f"{line[1:]}\n" in file, line


def _described(folder: Path) -> dict[str, Any]:
    """The metadata of a run, by tag."""
    run = read_run(folder)
    contents = {tag: run.SummaryMetadata(tag).plugin_data.content for tag in run.Tags()["tensors"]}
    return {tag: json.loads(content) if content else None for tag, content in contents.items()}


@pytest.fixture(scope="session")
def described(ran: Callable[[str], Ran]) -> dict[str, Any]:
    """The metadata of the run that `docs/log_format.md` looks at, by tag."""
    return _described(ran("docs/log_format.md").folder / "logs" / "filters")


@pytest.fixture(scope="session")
def measured(ran: Callable[[str], Ran]) -> dict[str, Any]:
    """The same, of its run with examples."""
    return _described(ran("docs/log_format.md").folder / "logs" / "filters_2")


def test_the_format_lists_every_tag(described: dict[str, Any], measured: dict[str, Any]) -> None:
    listed = re.findall(r"^\| `(filter[^`]*)`", DOCUMENTS["docs/log_format.md"], re.MULTILINE)
    patterns = [re.escape(tag).replace("<layer>", "conv").replace("<name>", r"\w+") for tag in listed]
    for tag in (*described, *measured):
        assert any(re.fullmatch(pattern, tag) for pattern in patterns), tag


def test_the_examples_of_the_format_are_real(described: dict[str, Any]) -> None:
    examples = [json.loads(block) for block in _blocks("docs/log_format.md", "json")]
    shown = {example["kind"]: example for example in examples if example["version"] == 2}
    assert shown["tiles"] == described["filterviz/conv/tiles"]
    assert shown["statistic"] == described["filterviz/conv/statistics/score"]
    written = described["filterviz/recipe"]
    assert shown["recipe"]["recipe"].pop("versions").keys() == written["recipe"].pop("versions").keys()
    assert shown["recipe"] == written


def test_the_examples_of_real_images_are_real(measured: dict[str, Any]) -> None:
    examples = [json.loads(block) for block in _blocks("docs/log_format.md", "json")]
    shown = {example["kind"]: example for example in examples if example["version"] == 2}
    assert shown["patches"] == measured["filterviz/conv/responses/patches"]
    for one in (shown["examples"], measured["filterviz/examples"]):  # another zlib may take other numbers of bytes
        assert one.pop("shape") == [sum(one.pop("sizes"))]
    assert shown["examples"] == measured["filterviz/examples"]
    assert measured["filterviz/recipe"]["recipe"]["examples"]["count"] == 2


def test_the_examples_of_the_first_format_are_real() -> None:
    run = read_run(ROOT / "tests" / "data" / "format_1" / "filters")
    examples = [json.loads(block) for block in _blocks("docs/log_format.md", "json")]
    shown = {example["kind"]: example for example in examples if example["version"] == 1}
    assert len(shown) == 2
    for kind, example in shown.items():
        assert example == json.loads(run.SummaryMetadata(f"filterviz/conv_a/{kind}").plugin_data.content)


EXAMPLE_STEPS = {  # of the examples that write a run
    "fit": [-1, 0, 1, 2],
    "training_loop": [-1, 0, 1, 2],
    "saved_weights": [-1, 0, 1, 2],
}


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_runs(example: Path, tmp_path: Path) -> None:
    processes.run(example, tmp_path)
    if example.stem == "maximize":
        _check_pictures(tmp_path)
    else:
        assert steps(tmp_path / "filters", "filters/conv2d_1") == EXAMPLE_STEPS[example.stem]


def _check_pictures(folder: Path) -> None:
    from PIL import Image

    with np.load(folder / "filters.npz") as arrays:
        assert arrays["images"].shape == (4, 14, 14, 1)
        assert (arrays["scores"][-1] > arrays["scores"][0]).all()
    with Image.open(folder / "filters.png") as picture:
        assert picture.size == (4 * 8 * 14 + 3 * 5, 8 * 14)
        assert np.asarray(picture).std() > 0


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


def test_every_recipe_is_tested() -> None:
    searches = {"every_trial"}  # in tests/test_searches.py
    assert {path.stem for path in RECIPES} == {*EXPECTED_STEPS, *searches}


@pytest.mark.parametrize("recipe", EXPECTED_STEPS)
def test_every_recipe_works(recipe: str, tmp_path: Path, data: Digits) -> None:
    callback = _load(ROOT / "callbacks" / f"{recipe}.py").build(str(tmp_path))
    assert isinstance(callback, keras.callbacks.Callback)
    _train(callback, data, epochs=3)
    assert steps(tmp_path / "filters", "filters/conv2d_2") == EXPECTED_STEPS[recipe]


def test_the_classic_recipe_saves_the_articles_picture(tmp_path: Path, data: Digits) -> None:
    from PIL import Image

    _train(_load(ROOT / "callbacks" / "classic_grid.py").build(str(tmp_path)), data, epochs=1)
    for name in ("conv2d_2--001.png", "conv2d_2-0000.png"):
        with Image.open(tmp_path / "classic" / name) as picture:
            assert picture.size == (193, 193)
            assert np.asarray(picture).std() > 0
