"""Ranges that are documented, of networks of `keras.applications` that leave it to others to bring pixels to them."""

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

# By how their names begin, in lower case; the first that fits counts. Source: the networks' pages on keras.io.
_DOCUMENTED: dict[str, Range] = {
    "resnet50v2": _MINUS_ONE_TO_ONE,
    "resnet101v2": _MINUS_ONE_TO_ONE,
    "resnet152v2": _MINUS_ONE_TO_ONE,
    "mobilenet": _MINUS_ONE_TO_ONE,
    "xception": _MINUS_ONE_TO_ONE,
    "inception_v3": _MINUS_ONE_TO_ONE,
    "inception_resnet_v2": _MINUS_ONE_TO_ONE,
    "nasnet": _MINUS_ONE_TO_ONE,
    "efficientnetv2": _MINUS_ONE_TO_ONE,
    "densenet": _STANDARDIZED,
    "vgg16": _LESS_MEANS,
    "vgg19": _LESS_MEANS,
    "resnet50": _LESS_MEANS,
    "resnet101": _LESS_MEANS,
    "resnet152": _LESS_MEANS,
}


def documented_range(names: Iterable[str]) -> tuple[str, Range] | None:
    """Find the first network of `keras.applications` among names of models, and the range that it is documented for.

    A name is weak evidence; it is asked only where neither the user, nor data, nor what the model computes tell.
    """
    for name in names:
        for beginning, limits in _DOCUMENTED.items():
            if name.lower().startswith(beginning):
                return name, limits
    return None
