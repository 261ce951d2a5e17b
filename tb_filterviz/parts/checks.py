"""What settings of a part have to be."""

import math

from tb_filterviz.errors import ConfigError


def check_number(
    part: object, setting: str, *, low: float, is_low_allowed: bool = True, high: float = math.inf
) -> None:
    """Check that a setting of a part is a finite number within bounds.

    Raises:
        ConfigError: if it is not.
    """
    value = getattr(part, setting)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not (is_number and (low <= value if is_low_allowed else low < value) and value <= high):
        above = f"{'from' if is_low_allowed else 'above'} {low:g}"
        demand = f"a number {above}{'' if math.isinf(high) else f' to {high:g}'}"
        raise ConfigError(f"`{setting}` of {type(part).__name__} must be {demand}. Received: {setting}={value!r}")
