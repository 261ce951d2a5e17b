"""`tb-filterviz callbacks`: the ready-made callbacks, to be copied and changed."""

import argparse
from pathlib import Path
from typing import Any

from tb_filterviz.errors import ConfigError
from tb_filterviz.gallery import names, purpose, source


def add_callbacks(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("callbacks", help="print ready-made callbacks, to be copied and changed")
    command.add_argument("name", nargs="?", metavar="NAME", help="which to print (default: list them)")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it into a new file instead")
    command.set_defaults(run=callbacks)


def callbacks(args: argparse.Namespace) -> int:
    """List the callbacks, or print one, or write it."""
    if args.name is None:
        if args.output is not None:
            raise ConfigError(f"-o goes with the name of a callback, one of: {', '.join(names())}.")
        widest = max(map(len, names()))
        for name in names():
            print(f"{name:{widest}}  {purpose(name)}")
        return 0
    text = source(args.name.removesuffix(".py"))
    if args.output is None:
        print(text, end="")
        return 0
    _write_new(args.output, text)
    print(args.output)
    return 0


def _write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet: what is there may have been changed by hand.

    Raises:
        ConfigError: if it is there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{str(path)!r} is there already, and is left as it is. Give another name to -o.") from None
