"""Names of parts, and what every part has to say of itself."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar

from tb_filterviz.errors import ConfigError

LONGEST_TEXT = 400


class Part(Protocol):
    """Whatever has a name and can be described."""

    @property
    def name(self) -> str:
        """What it is called in settings and in the log."""

    @property
    def description(self) -> str:
        """What it does, in words."""


AnyPart = TypeVar("AnyPart", bound=Part)


def registered(parts: Iterable[AnyPart]) -> Mapping[str, AnyPart]:
    """Key parts by their names."""
    return MappingProxyType({part.name: part for part in parts})


def resolve(
    part: object, known: Mapping[str, AnyPart], kind: type[AnyPart], setting: str, also: Sequence[str] = ()
) -> AnyPart:
    """Return the part itself, or the one of that name.

    Args:
        part: a name, or a part.
        known: the parts that have names.
        kind: what a part has to be an instance of.
        setting: what the user calls it, for the message.
        also: further names, for the message.

    Raises:
        ConfigError: if it is neither, or is an object of one's own with the name of another.
    """
    if isinstance(part, kind):
        named = known.get(part.name, part)
        is_kind_of_its_own = type(part) is not kind and type(part) is type(named)  # with settings of its own
        if named != part and not is_kind_of_its_own:
            raise ConfigError(
                f"`{setting}` has the name {part.name!r}, which another one has. Give it a name of its own."
            )
        return part
    if isinstance(part, str) and part in known:
        return known[part]
    close = difflib.get_close_matches(part, [*also, *known], n=1) if isinstance(part, str) else []
    names = "".join(f"{name!r}, " for name in [*also, *known])
    raise ConfigError(
        f"`{setting}` must be {'one of ' if names else ''}{names}{'or ' if names else ''}an object of class "
        f"{kind.__name__}. Received: {setting}={part!r}{f' Did you mean {close[0]!r}?' if close else ''}"
    )


def check_texts(kind: str, *, name: object, label: object, description: object, is_tag: bool = False) -> None:
    """Check what a part says of itself: it stands in the log, and in the tab.

    Raises:
        ConfigError: if the name is empty or, for `is_tag`, does not fit a tag, or if a text is none or too long.
    """
    pattern, demand = (r"[a-z][a-z0-9_]{0,39}", "lower case letters, digits and _") if is_tag else (r"[^\n]+", "a line")
    if not (isinstance(name, str) and re.fullmatch(pattern, name)):
        raise ConfigError(f"The name of {article(kind)} must be {demand}. Received: name={name!r}")
    for field, text in (("name", name), ("label", label), ("description", description)):
        is_line = isinstance(text, str) and "\n" not in text and len(text) <= LONGEST_TEXT
        if not is_line or not (text or field == "label"):
            raise ConfigError(
                f"The {field} of {kind} {name!r} must be a line of 1 to {LONGEST_TEXT} characters. "
                f"Received: {field}={text!r}"
            )


def article(noun: str) -> str:
    """Put "a" or "an" before a noun."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def check_callable(kind: str, name: str, field: str, function: object) -> None:
    """Check that a part's function is one.

    Raises:
        ConfigError: if it cannot be called.
    """
    if not callable(function):
        raise ConfigError(f"`{field}` of {kind} {name!r} must be a function. Received: {field}={function!r}")
