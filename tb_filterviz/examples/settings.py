"""What a user says of examples: where they are, how many of them count, and what is measured with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from tb_filterviz.errors import ConfigError

When = Literal["end", "always", "never"]
MOST_MAPS = 8


@dataclass(frozen=True, slots=True)
class Examples:
    """Real images on which is measured what filters do.

    ```python
    FilterVisualizer("logs", examples=(x_test, y_test))
    FilterVisualizer("logs", examples=Examples((x_test, y_test), class_names=["cat", "dog"], importance="always"))
    ```

    Attributes:
        source: images as the model is given them: an array ``[n, h, w, c]``, or a pair of images and labels; a
            `tf.data.Dataset`, a `keras.utils.PyDataset`, or a PyTorch `DataLoader`, whose order and random state stay
            as they are; an ``.npz`` file that holds ``x``, and may hold ``y``. Or pictures, which are brought to the
            model's input range, black to its low end, and resized: a folder of image files, of which subfolders are
            classes; or ``"digits"``, 1000 digits of MNIST that ship with the package.
        class_names: in the order of the labels, which count from 0; None takes the names of subfolders, or numbers.
        max_examples: how many images at most, spread evenly over the source where it can be told how long that is.
        patches: how many images that excite a filter most are shown with it.
        maps: of how many examples, at most 8, the filters' maps are logged; or which ones, by their places.
        maps_as_images: whether these maps are in TensorBoard's Images tab as well, a grid for each example.
        importance: when is measured how much of the loss hangs on each filter, which takes labels and a backward pass:
            in `fit` at its ``"end"``, and at every drawing elsewhere; ``"always"``; or ``"never"``.
        ablation: whether to measure, at the end of `fit` and at every drawing elsewhere, how much accuracy is lost
            without each filter, with the filters left out one after the other: exact, and a pass over all examples for
            each filter.

    Raises:
        ConfigError: if a setting cannot work.
    """

    source: Any
    class_names: Sequence[str] | None = None
    max_examples: int = 1000
    patches: int = 9
    maps: int | Sequence[int] = 2
    maps_as_images: bool = False
    importance: When = "end"
    ablation: bool = False

    def __post_init__(self) -> None:
        for name, least in (("max_examples", 1), ("patches", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"`{name}` must be a whole number from {least}. Received: {name}={value!r}")
        if self.importance not in get_args(When):
            raise ConfigError(f"`importance` must be one of {get_args(When)}. Received: importance={self.importance!r}")
        for name in ("ablation", "maps_as_images"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"`{name}` must be True or False. Received: {name}={getattr(self, name)!r}")
        self._check_names()
        self._check_maps()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Examples":
        """Share what is never changed: a dataset cannot be copied."""
        return self

    def _check_names(self) -> None:
        if self.class_names is None:
            return
        is_list = not isinstance(self.class_names, str) and isinstance(self.class_names, Sequence)
        if not is_list or not all(isinstance(name, str) and name.strip() for name in self.class_names):
            raise ConfigError(f"`class_names` must be a list of names. Received: class_names={self.class_names!r}")
        object.__setattr__(self, "class_names", tuple(self.class_names))

    def _check_maps(self) -> None:
        if isinstance(self.maps, np.integer):
            object.__setattr__(self, "maps", int(self.maps))
        if isinstance(self.maps, int):
            is_right = not isinstance(self.maps, bool) and 0 <= self.maps <= MOST_MAPS
        else:
            places = () if isinstance(self.maps, str) else tuple(self.maps)
            are_whole = all(isinstance(each, int) and not isinstance(each, bool) and each >= 0 for each in places)
            is_right = are_whole and len(set(places)) == len(places) and 0 < len(places) <= MOST_MAPS
            object.__setattr__(self, "maps", places)
        if not is_right:
            raise ConfigError(
                f"`maps` must be a number up to {MOST_MAPS}, or a list of at most {MOST_MAPS} different places of "
                f"examples, from 0. Received: maps={self.maps!r}"
            )


def as_settings(examples: Any) -> Examples | None:
    """Return what was said, or take it for the source of examples; None for none.

    Raises:
        ConfigError: if it can be read only once, and the training needs it.
    """
    if examples is None or isinstance(examples, Examples):
        source = None if examples is None else examples.source
    else:
        source, examples = examples, Examples(examples)
    if isinstance(source, Iterator):
        raise ConfigError(
            f"`examples` is a {type(source).__name__}, which gives every image once, and the training may need them. "
            "Give an array, such as x[:1000], or what the iterator is made of."
        )
    found: Examples | None = examples
    return found
