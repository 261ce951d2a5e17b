"""The parts of the ascent that have names, and how a setting is told from a part."""

from collections.abc import Sequence

from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.ascent_part import AscentPart
from tb_filterviz.parts.preconditioners import ColorDecorrelation, GradientBlur, SpectralDecay
from tb_filterviz.parts.registry import check_texts, registered, resolve
from tb_filterviz.parts.regularizers import L2, FixedContrast, TotalVariation
from tb_filterviz.parts.transformations import Jitter

ASCENT_PARTS = registered(
    (SpectralDecay(), GradientBlur(), ColorDecorrelation(), Jitter(), TotalVariation(), L2(), FixedContrast())
)


def ascent_part_of(part: object) -> AscentPart:
    """Return the part itself, or the one of that name.

    Raises:
        ConfigError: if it is neither, or says nothing of itself.
    """
    found: AscentPart = resolve(part, ASCENT_PARTS, AscentPart, "parts")
    check_texts("part of the ascent", name=found.name, label="", description=found.description)
    return found


def ascent_parts_of(parts: Sequence[object]) -> tuple[AscentPart, ...]:
    """Return the parts, each by itself or of that name.

    Raises:
        ConfigError: if one is neither.
    """
    if isinstance(parts, str) or not isinstance(parts, Sequence):
        raise ConfigError(f"`parts` must be a list of parts of the ascent. Received: parts={parts!r}")
    return tuple(map(ascent_part_of, parts))
