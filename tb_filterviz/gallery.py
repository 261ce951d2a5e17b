"""The ready-made callbacks: whole files, each for one situation, to be copied and changed."""

import ast
import difflib
from importlib import resources
from importlib.resources.abc import Traversable

from tb_filterviz.errors import ConfigError


def names() -> list[str]:
    """List the names of the ready-made callbacks."""
    return sorted(_files())


def purpose(name: str) -> str:
    """Say in a line what one of them is for: the first of its docstring."""
    docstring = ast.get_docstring(ast.parse(source(name))) or ""
    return docstring.partition("\n")[0]


def source(name: str) -> str:
    """Return the text of one of them.

    Raises:
        ConfigError: if there is none of that name.
    """
    files = _files()
    if name not in files:
        close = difflib.get_close_matches(name, files, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"There is no callback {name!r}. There are: {', '.join(sorted(files))}.{hint}")
    return files[name].read_text(encoding="utf-8")


def _files() -> dict[str, Traversable]:
    """Find them by name: in an installed package beside its data, else in the repository."""
    package = resources.files("tb_filterviz")
    installed = package / "data" / "callbacks"
    folder = installed if installed.is_dir() else package / ".." / "callbacks"
    return {path.name.removesuffix(".py"): path for path in folder.iterdir() if path.name.endswith(".py")}
