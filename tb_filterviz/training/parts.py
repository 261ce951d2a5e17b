"""Models inside a model: of a GAN or a distiller, which has no `call` of its own, a part can be drawn."""

import keras

from tb_filterviz.errors import ConfigError, ModelError
from tb_filterviz.optvis.image_model import leaves

_LISTED = 8


def part_of(model: keras.Model, part: "str | keras.Model | None") -> keras.Model:
    """Find the model to draw.

    Args:
        model: what is trained.
        part: a model inside it, as an object, or by the attributes (``"critic"``, ``"gan.critic"``) or names of layers
            (``"critic"``, ``"gan/critic"``) that lead to it; None for the model itself.

    Raises:
        ModelError: if there is no such part, or the model itself cannot be run and no part is named.
    """
    if isinstance(part, keras.Model):
        if part is model or _attribute_of(model, part) or any(part is each for _, each in _models_inside(model)):
            return part
        raise ModelError(
            f"`part` {part.name!r} is no part of model {model.name!r}; it may be a copy. Give its name. "
            f"{_advice(model)}"
        )
    if part is None:
        if not has_call(model):
            raise ModelError(f"Model {model.name!r} has no call(), so it cannot be drawn as a whole. {_advice(model)}")
        return model
    found = _by_attributes(model, part) or dict(_models_inside(model)).get(part.replace(".", "/"))
    if found is None:
        raise ModelError(f"Model {model.name!r} has no part {part!r}. {_advice(model)}")
    return found


def as_part(part: object) -> "str | keras.Model | None":
    """Return the part as it was given.

    Raises:
        ConfigError: if it can be none.
    """
    if part is None or isinstance(part, keras.Model) or (isinstance(part, str) and part):
        return part
    raise ConfigError(f"`part` must be a Keras model, or the name of one inside the model. Received: part={part!r}")


def has_call(model: keras.Model) -> bool:
    """Tell whether a model says how it is run."""
    return type(model).call not in (keras.Model.call, keras.Layer.call)


def _by_attributes(model: keras.Model, path: str) -> keras.Model | None:
    found: object = model
    for name in path.replace("/", ".").split("."):
        found = getattr(found, name, None)
    return found if isinstance(found, keras.Model) else None


def _models_inside(model: keras.Model) -> list[tuple[str, keras.Model]]:
    return [(path, layer) for path, layer in leaves(model) if isinstance(layer, keras.Model)]


def _attribute_of(model: keras.Model, part: keras.Model) -> str | None:
    return next((name for name, value in vars(model).items() if value is part and not name.startswith("_")), None)


def _advice(model: keras.Model) -> str:
    names = [_attribute_of(model, part) or path for path, part in _models_inside(model) if has_call(part)]
    if not names:
        return "It holds no other model that could be drawn."
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    listed = ", ".join(f"part={name!r}" for name in names[:_LISTED])
    return f"Parts of it can: give FilterVisualizer one of {listed}{more}."
