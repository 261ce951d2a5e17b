"""The wheel, installed where Python cannot find this repository's package: it has everything, and works.

Run by .ci/run, in a folder that holds nothing but a link to `tests`: python -m pytest tests/check_wheel.py
"""

import importlib.metadata
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tb_filterviz
from tests import processes
from tests.event_reader import steps
from tests.tensorboard import tensorboard

ROOT = Path(__file__).resolve().parent.parent
HOME = "https://github.com/tb-filterviz/tb_filterviz"
RAW = "https://raw.githubusercontent.com/tb-filterviz/tb_filterviz"
PACKAGE = Path(tb_filterviz.__file__).parent
INSTALLED = importlib.metadata.distribution("tb_filterviz")


def command(*arguments: str, cwd: Path) -> str:
    """What the installed command prints; it has to end well."""
    path = Path(sys.executable).with_name("tb-filterviz")
    done = subprocess.run(
        [path, *arguments], cwd=cwd, capture_output=True, text=True, timeout=processes.LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody works who has installed the package: a short demo has run here, into `logs`."""
    path = tmp_path_factory.mktemp("work")
    command("demo", "--epochs", "1", "--layer", "conv2d_1", "--filters", "4", cwd=path)
    return path


def files_of_the_repository() -> dict[str, Path]:
    """What a wheel has to hold, by its place there."""
    package = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "tb_filterviz").rglob("*")}
    callbacks = {f"tb_filterviz/data/callbacks/{path.name}": path for path in (ROOT / "callbacks").glob("*.py")}
    both = {**package, **callbacks}
    return {name: path for name, path in both.items() if path.is_file() and "__pycache__" not in name}


def test_it_is_the_wheel_that_is_tested() -> None:
    assert PACKAGE != ROOT / "tb_filterviz"
    assert PACKAGE.parent == Path(str(INSTALLED.locate_file("")))
    assert processes.run("-c", "import tb_filterviz; print(tb_filterviz.__file__)").stdout.strip() == str(
        PACKAGE / "__init__.py"
    )


def test_it_holds_what_the_repository_holds() -> None:
    """To the byte; so does the sdist, out of which it was built."""
    listed = {path.as_posix(): path for path in INSTALLED.files or ()}
    held = {name for name in listed if name.startswith("tb_filterviz/") and "__pycache__" not in name}
    expected = files_of_the_repository()
    assert held == set(expected)
    for name, path in expected.items():
        assert listed[name].read_binary() == path.read_bytes(), name
    for name in ("py.typed", "data/mnist_subset.npz", "plugin/static/index.js", "data/callbacks/every_epoch.py"):
        assert f"tb_filterviz/{name}" in held


def test_its_version_is_said_in_one_place(tmp_path: Path) -> None:
    assert INSTALLED.version == tb_filterviz.__version__
    assert command("--version", cwd=tmp_path) == f"tb-filterviz {tb_filterviz.__version__}\n"


def test_it_has_the_licences_of_code_and_data() -> None:
    assert INSTALLED.metadata["License-Expression"] == "Apache-2.0 AND CC-BY-SA-3.0"
    names = INSTALLED.metadata.get_all("License-File")
    assert names == ["LICENSE", "tb_filterviz/data/LICENSE-MNIST.md"]
    for name in names:
        (found,) = (path for path in INSTALLED.files or () if path.as_posix().endswith(f"licenses/{name}"))
        assert found.read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8")


def test_its_readme_leads_to_files_that_are_there() -> None:
    """Where a package is listed, nothing is beside its README."""
    text = INSTALLED.metadata.json["description"]
    assert isinstance(text, str)
    original = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", text)
    assert len(links) == len(re.findall(r"\]\([^)]+\)", original)) > 10
    for picture, link in links:
        if link.startswith("#"):
            assert f"]({link})" in original  # a heading of the README itself, which tests/test_docs.py looks for
            continue
        before = f"{RAW}/v{INSTALLED.version}/" if picture else f"{HOME}/blob/v{INSTALLED.version}/"
        assert link.startswith(before), link
        assert (ROOT / link.removeprefix(before).partition("#")[0]).is_file(), link
    assert sum(bool(picture) for picture, _ in links) == original.count("![") >= 5


@pytest.mark.parametrize("name", ["", *re.findall(r"^    (\w+)", command("--help", cwd=Path.cwd()), re.MULTILINE)])
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    shown = command(*([name] if name else []), "--help", cwd=tmp_path)
    assert shown.startswith(f"usage: tb-filterviz {name}".rstrip())


def test_the_ready_made_callbacks_are_printed(tmp_path: Path) -> None:
    for path in sorted((ROOT / "callbacks").glob("*.py")):
        assert command("callbacks", path.stem, cwd=tmp_path) == path.read_text(encoding="utf-8")


def test_a_demo_is_logged(folder: Path) -> None:
    assert steps(folder / "logs" / "filters", "filters/conv2d_1") == [-1, 0]


def test_a_demo_is_exported(folder: Path) -> None:
    written = ("filters.html", "filters.gif", "strip.png", "table.csv", "arrays.npz")
    chosen = [argument for name in written for argument in ("-o", name)]
    assert command("export", *chosen, "--kind", "animation", cwd=folder).split() == list(written)
    page = (folder / "filters.html").read_text(encoding="utf-8")
    assert all(f'"filters/{path.name}"' in page for path in (ROOT / "tb_filterviz/plugin/static").glob("*.js"))
    with Image.open(folder / "filters.gif") as image:
        assert image.n_frames == 2  # type: ignore[attr-defined]
    with np.load(folder / "arrays.npz") as arrays:
        assert arrays["conv2d_1/tiles"].shape == (2, 4, 5, 5, 1)


def test_tensorboard_shows_the_tab(folder: Path) -> None:
    with tensorboard(folder / "logs", package_from=folder) as server:
        assert server.get_json("data/plugins_listing")["filterviz"]["enabled"] is True
        (run,) = server.get_json("data/plugin/filterviz/layers")["runs"]
        assert [layer["name"] for layer in run["layers"]] == ["conv2d_1"]
        index = server.get_json("data/plugins_listing")["filterviz"]["loading_mechanism"]["module_path"]
        static = ROOT / "tb_filterviz" / "plugin" / "static"
        assert server.get(index.removeprefix("/")) == (static / "index.js").read_bytes()
        for path in sorted(path for path in static.rglob("*.js")):
            served = server.get(f"data/plugin/filterviz/static/{path.relative_to(static).as_posix()}")
            assert served == path.read_bytes(), path


def test_a_type_checker_sees_its_types(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from tb_filterviz import Config, build_lenet, maximize\n"
        "reveal_type(maximize(build_lenet(), 'conv2d_2', [3]).scores)\n"
        "Config(max_filters='many')\n"
    )
    said = processes.run("-m", "mypy", "--strict", script, cwd=tmp_path, status=1).stdout
    assert re.search(r"script\.py:2: note: Revealed type is .*ndarray.*float", said), said
    assert 'script.py:3: error: Argument "max_filters" to "Config" has incompatible type "str"' in said
    assert said.count("error:") == 1, said


def test_the_sdist_has_what_one_needs_to_go_on() -> None:
    """Its own files are those of the repository; nothing of an environment has come along."""
    (sdist,) = (ROOT / "dist").glob("*.tar.gz")
    assert sdist.name == f"tb_filterviz-{INSTALLED.version}.tar.gz"
    with tarfile.open(sdist) as archive:
        files = {name.partition("/")[2]: archive.extractfile(name) for name in archive.getnames()}
        for name, file in files.items():
            assert file is not None
            if name != "PKG-INFO":  # which the builder adds
                assert file.read() == (ROOT / name).read_bytes(), name
    needed = {"pyproject.toml", "CITATION.cff", "callbacks/every_epoch.py", "tests/check_wheel.py", "docs/files.md"}
    assert needed <= set(files)
    assert [name for name in files if re.search(r"node_modules|__pycache__|(^|/)\.venv", name)] == []
