"""The tab in a window of a browser: what is the same in both of them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tests.waiting import until

# The pixels of every tile in sight, read from the canvas as it is on the screen.
READ_TILES = """
const [label, height, width, most] = arguments;
const root = [...document.querySelectorAll(".grid")].find((grid) => grid.getAttribute("aria-label").startsWith(label));
const canvas = root.querySelector("canvas");
const corner = canvas.getBoundingClientRect();
const scale = canvas.width / corner.width;
const image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
return [...root.querySelectorAll("[role=option]")].slice(0, most).map((option) => {
  const place = option.getBoundingClientRect();
  const seen = [];
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const x = Math.floor((place.left - corner.left + (column + 0.5) * place.width / width) * scale);
      const y = Math.floor((place.top - corner.top + (row + 0.5) * place.height / height) * scale);
      seen.push([...image.data.slice((y * canvas.width + x) * 4, (y * canvas.width + x) * 4 + 3)]);
    }
  }
  return seen;
});
"""


AGE = re.compile("Live: .*")  # what counts seconds is nothing new to be seen, and would be waited for without end


def address_of_tab(address: str, *, dark: bool) -> str:
    """An address of TensorBoard, at our tab unless it says otherwise."""
    base, _, fragment = address.partition("#")
    return f"{base}{'?darkMode=true' if dark else ''}#{fragment or 'filterviz'}"


class Window(ABC):
    """What tests ask of a browser, whichever drives it."""

    unsettled: ClassVar[type[Exception]]  # what is raised while a page builds itself
    downloads: Path

    @abstractmethod
    def run(self, script: str, *arguments: Any) -> Any:
        """What the body of a function returns."""

    @abstractmethod
    def shown(self, selector: str) -> Any:
        """The first such element in sight, or whether there is one."""

    @abstractmethod
    def text(self) -> str:
        """The words of the page."""

    @abstractmethod
    def settle(self) -> None:
        """Once nothing is being fetched, two frames later."""

    def wait(self, seek: Callable[[], Any], what: str) -> Any:
        """What `seek` finds, as soon as it is something."""

        def found() -> Any:
            try:
                seen = seek()
                instead = "" if seen else AGE.sub("Live", self.text())
            except self.unsettled as failure:
                seen, instead = None, str(failure)
            assert seen, f"{what} did not come up: {instead}"
            return seen

        return until(found)

    def loaded(self) -> None:
        """Until all pictures are there."""
        self.wait(lambda: self.shown(".grid") and not self.shown(".progress"), "the pictures")
        self.settle()

    def hash(self) -> str:
        value: str = self.run("return parent.location.hash")
        return value

    def tiles(self, label: str, height: int, width: int, most: int = 1000) -> npt.NDArray[np.uint8]:
        """What the canvas of a grid shows, uint8 ``[n, height, width, 3]``."""
        self.settle()
        seen = self.run(READ_TILES, label, height, width, most)
        return np.array(seen, np.uint8).reshape(len(seen), height, width, 3)
