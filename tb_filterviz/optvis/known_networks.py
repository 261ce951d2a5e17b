"""What is documented of the inputs of networks of `keras.applications` that leave it to others to make these."""

import re
from collections.abc import Iterable

import numpy as np

from tb_filterviz.config import Range

_MINUS_ONE_TO_ONE: Range = (-1.0, 1.0)
_BGR_MEANS = (103.939, 116.779, 123.68)
_NEAR, _GRAY_LEVELS = 1.0, 25.0  # less than their means, pixels lie far on both sides of 0
_LESS_MEANS: Range = tuple(-mean for mean in _BGR_MEANS), tuple(round(255 - mean, 3) for mean in _BGR_MEANS)
_RGB_MEANS, _RGB_DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STANDARDIZED: Range = (
    tuple(round(-mean / deviation, 4) for mean, deviation in zip(_RGB_MEANS, _RGB_DEVIATIONS, strict=True)),
    tuple(round((1 - mean) / deviation, 4) for mean, deviation in zip(_RGB_MEANS, _RGB_DEVIATIONS, strict=True)),
)

# By their names, in lower case, with which Keras counts further ones. Source: the networks' pages on keras.io.
_DOCUMENTED: dict[str, Range] = {
    r"resnet(50|101|152)v2|xception|inception_v3|inception_resnet_v2|nasnet(_mobile|_large)?": _MINUS_ONE_TO_ONE,
    r"mobilenet(v2)?(_[\d.]+_\w+)?|mobilenetv3(small|large)|efficientnetv2-\w+": _MINUS_ONE_TO_ONE,
    r"densenet(121|169|201)?": _STANDARDIZED,
    r"vgg(16|19)|resnet(50|101|152)": _LESS_MEANS,
}


def documented_range(names: Iterable[str], channels: int) -> tuple[str, Range] | None:
    """Find the first network of `keras.applications` among names of models, and the range that it is documented for.

    A name is weak evidence; it is asked only where neither the user, nor data, nor what the model computes tell.
    """
    for name in names:
        for pattern, limits in _DOCUMENTED.items():
            fits = not isinstance(limits[0], tuple) or len(limits[0]) == channels
            if fits and re.fullmatch(rf"({pattern})(_\d+)?", name.lower()):
                return name, limits
    return None


def is_bgr(names: Iterable[str], limits: Range) -> bool:
    """Tell whether a model of such names, whose inputs have these limits, takes blue before green before red.

    So do networks of which each channel's mean was subtracted as in ImageNet's first ones: the means are in this order.
    Where limits are from examples, and so are others, the network's documentation tells.
    """
    low, high = (np.broadcast_to(np.asarray(bound, np.float64), 3) for bound in limits)
    if np.abs(low + _BGR_MEANS).max() <= _NEAR:
        return True
    if np.abs(low + _BGR_MEANS[::-1]).max() <= _NEAR:
        return False
    documented = documented_range(names, 3)
    is_less_means = documented is not None and documented[1] is _LESS_MEANS
    return is_less_means and bool((low < -_GRAY_LEVELS).all() and (high > _GRAY_LEVELS).all())
