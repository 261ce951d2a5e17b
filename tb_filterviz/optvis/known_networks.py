"""Ranges that are documented, of networks of `keras.applications` that leave it to others to bring pixels to them."""

import re
from collections.abc import Iterable

from tb_filterviz.config import Range

_MINUS_ONE_TO_ONE: Range = (-1.0, 1.0)
_BGR_MEANS = (103.939, 116.779, 123.68)
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
