"""What is said of the package outside of it agrees with itself. `tests/check_wheel.py` looks at the built package."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import tb_filterviz

HOME = "https://github.com/tb-filterviz/tb_filterviz"


@pytest.fixture(scope="module")
def declared(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def _read(root: Path, name: str) -> str:
    return (root / name).read_text(encoding="utf-8")


def _pythons(text: str) -> list[str]:
    return re.findall(r"\b3\.\d\d\b", text)


def test_the_version_stands_in_the_package_alone(root: Path, declared: dict[str, Any]) -> None:
    assert "version" in declared["project"]["dynamic"]
    assert declared["tool"]["hatch"]["version"]["path"] == "tb_filterviz/__init__.py"
    assert str(Version(tb_filterviz.__version__)) == tb_filterviz.__version__
    assert re.search(r"^version:", _read(root, "CITATION.cff"), re.MULTILINE) is None


def test_a_version_that_is_no_development_version_has_its_changes_listed(root: Path) -> None:
    version = Version(tb_filterviz.__version__)
    heading = "Unreleased" if version.is_devrelease else f"{version} - "
    assert re.search(rf"^## {re.escape(heading)}", _read(root, "CHANGELOG.md"), re.MULTILINE)


def test_the_pythons_that_are_named_are_those_that_are_tested(root: Path, declared: dict[str, Any]) -> None:
    named = _pythons(" ".join(declared["project"]["classifiers"]))
    (loop,) = re.findall(r"^for version in (.*); do$", _read(root, ".ci/run"), re.MULTILINE)
    (matrix,) = re.findall(r"^ *python: \[(.*)\]$", _read(root, ".github/workflows/ci.yml"), re.MULTILINE)
    assert named == _pythons(loop) == _pythons(matrix)
    allowed = SpecifierSet(declared["project"]["requires-python"])
    assert all(Version(python) in allowed for python in named)
    assert Version("3.10") not in allowed


@pytest.mark.parametrize("workflow", ["ci.yml", "release.yml"])
def test_what_a_workflow_runs_is_there(root: Path, workflow: str) -> None:
    text = _read(root, f".github/workflows/{workflow}")
    called = re.findall(r"run: (\.\S+)|uses: \./(\S+)", text)
    assert called
    for script, other in called:
        assert (root / (script or other)).is_file()
        assert other or (root / script).stat().st_mode & 0o100, f"{script} cannot be run"


def test_a_release_is_built_as_it_is_tested(root: Path) -> None:
    """The same script, and nothing is published before all tests have passed."""
    release = _read(root, ".github/workflows/release.yml")
    assert "run: .ci/build" in release
    assert "uses: ./.github/workflows/ci.yml" in release
    assert "needs: [test, build]" in release
    assert re.search(r"^\.ci/build$", _read(root, ".ci/run"), re.MULTILINE)


def test_hooks_run_the_linters_of_the_extra_and_say_no_version(root: Path, declared: dict[str, Any]) -> None:
    hooks = _read(root, ".pre-commit-config.yaml")
    assert re.findall(r"repo: (\S+)", hooks) == ["local"]
    tools = {entry.split()[0] for entry in re.findall(r"entry: (.*)", hooks)}
    packages = {
        re.split(r"\W", line.replace("-", "_"))[0] for line in declared["project"]["optional-dependencies"]["lint"]
    }
    assert tools == {"lint-imports" if name == "import_linter" else name for name in packages}
    assert not re.search(r"rev:|==|\d\.\d", hooks)


def test_every_address_of_the_project_is_of_one_home(root: Path, declared: dict[str, Any]) -> None:
    assert set(declared["project"]["urls"]) >= {"Homepage", "Documentation", "Changelog", "Issues", "Source"}
    addresses = list(declared["project"]["urls"].values())
    addresses += re.findall(r"https://github\.com/\S+", _read(root, "CITATION.cff"))
    addresses += re.findall(r"https://github\.com/\S+", _read(root, ".github/ISSUE_TEMPLATE/config.yml"))
    assert len(addresses) >= 7
    for address in addresses:
        assert re.match(rf"{HOME}(?=$|[/#])", address), address
        page = re.match(rf"{HOME}/blob/main/(.+)", address)
        assert page is None or (root / page[1]).is_file(), address


def test_the_sdist_is_told_of_files_that_are_there(root: Path, declared: dict[str, Any]) -> None:
    include = declared["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in include:
        assert (root / name.removeprefix("/")).exists(), name
    documents = {f"/{path.name}" for path in root.glob("*.md")} | {"/LICENSE", "/CITATION.cff"}
    assert documents <= set(include)
