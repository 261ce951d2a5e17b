"""What TensorBoard imports at every start: next to nothing, and nothing that can fail."""

import argparse
import contextlib
from typing import TYPE_CHECKING

from tensorboard.plugins import base_plugin

if TYPE_CHECKING:
    from tb_filterviz.plugin.plugin import FiltersPlugin

KEEP_ALL = 0
IMAGES_KEPT = 100


class FiltersLoader(base_plugin.TBLoader):  # type: ignore[misc]  # TensorBoard ships no types
    """Sees to it that every epoch is kept, and loads the tab."""

    def fix_flags(self, flags: argparse.Namespace) -> None:
        """Keep all of our steps and 100 pictures a tag in the Images tab, unless the user said otherwise.

        An exception here would end TensorBoard, so whatever another version of it hands over is let pass.
        """
        with contextlib.suppress(Exception):
            flags.samples_per_plugin.setdefault("filterviz", KEEP_ALL)
            flags.samples_per_plugin.setdefault("images", IMAGES_KEPT)  # not 0, by which that tab means none

    def load(self, context: base_plugin.TBContext) -> "FiltersPlugin":
        """Make the tab. TensorBoard logs what fails here, and goes on without us."""
        from tb_filterviz.plugin.plugin import FiltersPlugin

        return FiltersPlugin(context)
