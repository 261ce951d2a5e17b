"""Notebooks, run by a real kernel, and what their outputs show."""

import base64
import io
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
from nbclient import NotebookClient
from PIL import Image

from tests.processes import LIMIT_S

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

Notebook = Any  # nbformat's


def notebook(*cells: str) -> Notebook:
    """A notebook with these cells of code."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


@contextmanager
def running(written: Notebook, folder: Path, env: Mapping[str, str] | None = None) -> Iterator[Notebook]:
    """Run a notebook in a kernel of its own, which lives on in the block; outputs are put into it.

    Args:
        written: the notebook.
        folder: where it runs, and finds neither a profile nor settings of the user.
        env: variables of the kernel, in place of those of this process.
    """
    own = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / ".ipython"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    where = {"metadata": {"path": str(folder)}}
    client = NotebookClient(written, timeout=int(LIMIT_S), kernel_name="python3", resources=where)
    with client.setup_kernel(env={**os.environ, **own, **(env or {})}):
        for place, cell in enumerate(written.cells):
            client.execute_cell(cell, place)
        yield written


def execute(written: Notebook, folder: Path, env: Mapping[str, str] | None = None) -> Notebook:
    """Run a notebook to its end, as `running` does."""
    with running(written, folder, env):
        return written


def outputs(cell: Any, mime: str = "text/html") -> list[str]:
    """What a cell shows of one kind."""
    return [each.data[mime] for each in cell.outputs if mime in each.get("data", {})]


def stream(cell: Any, name: str = "stdout") -> str:
    """What a cell has printed."""
    return "".join(each.text for each in cell.outputs if each.output_type == "stream" and each.name == name)


def pictures(html: str) -> Iterator[npt.NDArray[np.uint8]]:
    """What the images in HTML are, uint8 ``[h, w, c]``, as they are without a script."""
    for encoded in re.findall(r'<img [^>]*?src="data:image/png;base64,([^"]*)"', html):
        yield decoded(base64.b64decode(encoded))


def decoded(data: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of an encoded picture, uint8 ``[h, w, c]``."""
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels if pixels.ndim == 3 else pixels[..., None]
