"""Gradients with PyTorch, which needs no compilation."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import torch

from tb_filterviz.optvis import weight_overrides
from tb_filterviz.optvis.backends.compiled import Compiled


def value_and_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Make of `function(images, *rest) -> [n]` a function that returns its values and their gradients to the images."""

    def compute(images: Any, *rest: Any) -> tuple[Any, Any]:
        with torch.enable_grad():
            leaf = images.detach().requires_grad_()
            values = function(leaf, *rest)
            if not values.requires_grad:
                return values, torch.zeros_like(images)
            (gradient,) = torch.autograd.grad(values.sum(), leaf, allow_unused=True)
        return values.detach(), torch.zeros_like(images) if gradient is None else gradient

    return compute


def compiled(function: Callable[..., Any], model: keras.Model) -> Compiled:
    """Run a function with the model's variables as they are at every call, and no gradients to them."""
    variables = list(model.variables)

    def run(*arrays: Any) -> Any:
        frozen = [(variable, variable.value.detach()) for variable in variables]
        with torch.no_grad(), weight_overrides.given(frozen), _repeatable():
            return function(*arrays)

    return Compiled(run, lambda: None)


@contextmanager
def _repeatable() -> Iterator[None]:
    """Have a GPU compute the same each time; else the pictures of a network that does not change do."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


def shortcuts(layer: keras.Layer) -> dict[str, Any]:  # noqa: ARG001  none is known
    """Return attributes with which the layer computes the same, and its gradients faster."""
    return {}


def is_chief(model: keras.Model) -> bool:  # noqa: ARG001  the same for all
    """Tell whether this process is the one that writes."""
    distributed = torch.distributed
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
