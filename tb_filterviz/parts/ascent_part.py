"""What a part of the ascent is: a transformation, regularizer, preconditioner of the gradient, or projection."""

from typing import Any


class AscentPart:
    """What takes part in every step of an ascent; a subclass overrides what it does, and leaves the rest.

    A step is, with ``images`` float32 ``[n, h, w, c]`` in the model's own units, colours in the order red, green, blue:

    1. *transformation*: the model is shown ``transform(images, step)``, one part after another;
    2. *regularizer*: every ``penalty(images)`` is taken from the score;
    3. *preconditioner*: the gradient to ``images`` goes through ``precondition(gradient)``, and is then brought to the
       length of the step;
    4. *projection*: the images of the step go through ``project(images)``.

    All four are compiled with the step, once: written with `keras.ops`, from the arguments alone, they run on every
    backend. Dice are drawn when the part is made, never while it runs, so that pictures of different epochs differ
    by the weights alone. Scores that are logged are those of the images as they are, without transformation or penalty,
    before the first step and at the end, and with them in between.

    A frozen dataclass says its settings in the log by itself, compares, and reaches other processes:

    ```python
    @dataclasses.dataclass(frozen=True)
    class Decay(AscentPart):
        name = "decay"
        description = "values that are far from 0 cost"
        weight: float = 0.1

        def penalty(self, images):
            return self.weight * ops.mean(ops.square(images), axis=(1, 2, 3))

    Config(ascent=AscentConfig(parts=[Decay(weight=0.5)]))
    ```
    """

    name: str = ""
    description: str = ""

    def transform(self, images: Any, step: Any) -> Any:  # noqa: ARG002
        """Return what the model is shown, of the same shape; `step` is int32, from 0, a scalar."""
        return images

    def penalty(self, images: Any) -> Any:  # noqa: ARG002
        """Return what is taken from the score, ``[n]``, or a number."""
        return 0.0

    def precondition(self, gradient: Any) -> Any:
        """Return another direction for the gradient ``[n, h, w, c]``; its length does not count."""
        return gradient

    def project(self, images: Any) -> Any:
        """Return images that keep a constraint."""
        return images

    def has_own(self, method: str) -> bool:
        """Tell whether the part overrides the method."""
        return getattr(type(self), method) is not getattr(AscentPart, method)
