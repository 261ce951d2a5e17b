"""Read what a request asks for."""

import re

from tensorboard import errors
from werkzeug import wrappers

FURTHEST_STEP = 1 << 62


def parse_given(request: wrappers.Request, name: str) -> str:
    """Read a parameter that has to be there.

    Raises:
        InvalidArgumentError: if it is not.
    """
    value = request.args.get(name)
    if value is None:
        raise errors.InvalidArgumentError(f"`{name}` is missing.")
    return value


def parse_int(request: wrappers.Request, name: str, default: int, low: int, high: int) -> int:
    """Read a whole number.

    Raises:
        InvalidArgumentError: if it is something else, or out of range.
    """
    given = request.args.get(name)
    if given is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,19}", given) or not low <= int(given) <= high:
        raise errors.InvalidArgumentError(
            f"`{name}` must be a whole number from {low} to {high}. Received: {given[:40]!r}"
        )
    return int(given)


def parse_step(request: wrappers.Request, name: str) -> int | None:
    """Read a step; None if none is named.

    Raises:
        InvalidArgumentError: if it is something else.
    """
    return parse_int(request, name, 0, -FURTHEST_STEP, FURTHEST_STEP) if name in request.args else None


def parse_filters(request: wrappers.Request, count: int) -> range:
    """Read which places among the `count` filters that are drawn; without a word on it, all.

    Raises:
        InvalidArgumentError: if they are not within these.
    """
    given = request.args.get("filters", f"0-{count - 1}")
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", given)
    if not found or not int(found[1]) <= int(found[2] or found[1]) < count:
        raise errors.InvalidArgumentError(
            f"`filters` must be one filter or a range, like 8-15, within 0-{count - 1}. Received: {given[:40]!r}"
        )
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def parse_steps(request: wrappers.Request) -> tuple[int, int] | None:
    """Read the first and the last step that is wanted; None for the latest alone.

    Raises:
        InvalidArgumentError: if there is no such choice.
    """
    chosen = request.args.get("steps", "all")
    if chosen not in ("all", "latest"):
        raise errors.InvalidArgumentError(f"`steps` must be all or latest. Received: {chosen[:40]!r}")
    first = parse_int(request, "from", -FURTHEST_STEP, -FURTHEST_STEP, FURTHEST_STEP)
    last = parse_int(request, "to", FURTHEST_STEP, -FURTHEST_STEP, FURTHEST_STEP)
    return None if chosen == "latest" else (first, last)
