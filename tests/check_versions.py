"""Print which versions are installed here of all that pyproject.toml asks for, beside their lower bounds.

Run: python tests/check_versions.py [--lowest] [EXTRA ...]

With `--lowest`, it fails unless each version, and Python's, is the lower bound itself: .ci/run makes such an
environment, and runs tests in it. So no bound can be one that other requirements make impossible to install.
"""

import argparse
import platform
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def lower_bound(versions: SpecifierSet) -> Version:
    """Return the version of `>=`, which every requirement of ours has."""
    (bound,) = (Version(each.version) for each in versions if each.operator == ">=")
    return bound


def requirements(declared: dict[str, Any], extras: list[str]) -> dict[str, SpecifierSet]:
    """Collect what building, running and these extras need; an extra may name others of this package."""
    project = declared["project"]
    found: dict[str, SpecifierSet] = {}
    asked = [*declared["build-system"]["requires"], *project["dependencies"]]
    asked += [each for extra in extras for each in project["optional-dependencies"][extra]]
    for requirement in map(Requirement, asked):
        if requirement.name == project["name"]:
            found |= requirements(declared, sorted(requirement.extras))
        else:
            found[requirement.name] = requirement.specifier
    return found


def installed(name: str) -> Version | None:
    """Return the version that is here; None where a wheel was built elsewhere, and its builder is not here."""
    try:
        return Version(version(name))
    except PackageNotFoundError:
        return None


def main() -> int:
    """Print a line for each requirement; return 1 if one of them is not what it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lowest", action="store_true", help="fail unless all are at their lower bounds")
    parser.add_argument("extras", nargs="*", metavar="EXTRA")
    options = parser.parse_args()

    declared = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    python = SpecifierSet(declared["project"]["requires-python"])
    above = Version(platform.python_version()).release[:2] != lower_bound(python).release[:2]
    print(f"python {python}: {platform.python_version()}")
    for name, versions in requirements(declared, options.extras).items():
        here = installed(name)
        is_lowest = here == lower_bound(versions)
        print(f"{name} {versions}: {here}{'' if is_lowest or not options.lowest else ', which is not the lower bound'}")
        above |= not is_lowest
    return int(options.lowest and above)


if __name__ == "__main__":
    sys.exit(main())
