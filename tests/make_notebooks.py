"""Run the notebooks of `examples/` that are kept with what they show, and put that into them.

``python -m tests.make_notebooks``, after a change of what they show.
"""

import tempfile
from pathlib import Path
from typing import Any

import nbformat

from tests.notebooks import EXAMPLES, Notebook, execute

WITH_OUTPUTS = ("lenet.ipynb",)


def tidied(executed: Notebook) -> Notebook:
    """Without times, and what libraries say on stderr of the machine; what was printed line by line is one output."""
    for cell in executed.cells:
        cell.metadata.pop("execution", None)
        kept: list[Any] = []
        for each in cell.get("outputs", []):
            if each.get("name") == "stdout" and kept and kept[-1].get("name") == "stdout":
                kept[-1].text += each.text
            elif each.get("name") != "stderr":
                kept.append(each)
        if cell.cell_type == "code":
            cell.outputs = kept
    executed.metadata.language_info = {"name": "python"}
    return executed


def main() -> None:
    for name in WITH_OUTPUTS:
        path = EXAMPLES / name
        with tempfile.TemporaryDirectory() as folder:
            executed = tidied(execute(nbformat.read(path, as_version=4), Path(folder)))
        nbformat.write(executed, path)
        print(f"{name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
