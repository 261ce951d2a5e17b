"""`tb-filterviz render`: one layer of a saved model, as a PNG."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from tb_filterviz.cli.console import add_drawing_arguments, add_model_arguments, drawing_config, load_model, say
from tb_filterviz.config import Config
from tb_filterviz.errors import ConfigError


def add_render(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("render", help="draw the filters of one layer of a saved model as a PNG")
    add_model_arguments(command)
    command.add_argument("-o", "--output", type=Path, default=Path("filters.png"), help="default: filters.png")
    command.add_argument("--layer", help="name, path or pattern (default: the last convolutional layer)")
    add_drawing_arguments(command, preset="classic")
    command.add_argument("--steps", type=int, help="ascent steps")
    command.add_argument("--columns", type=int, help="tiles in a row")
    command.add_argument("--top-k", type=int, help="how many tiles at most")
    command.add_argument("--scale", type=int, help="whole factor by which tiles are enlarged")
    command.set_defaults(run=render)


def render(args: argparse.Namespace) -> int:
    """Draw one layer of a saved model."""
    config = drawing_config(args)
    if args.steps is not None:
        config = dataclasses.replace(config, ascent=dataclasses.replace(config.ascent, steps=args.steps))
    given = {name: getattr(args, name) for name in ("columns", "top_k", "scale") if getattr(args, name) is not None}
    if args.preset == "classic":
        given.setdefault("scale", 1)
    config = dataclasses.replace(config, grid=dataclasses.replace(config.grid, **given))
    return _render(args, config)


def _render(args: argparse.Namespace, config: Config) -> int:
    model = load_model(args)
    from tb_filterviz.imaging.layout import cell_order
    from tb_filterviz.optvis.layer_calls import select
    from tb_filterviz.progress import shown_if_long
    from tb_filterviz.session import Session

    layer = args.layer or select(model)[-1].path
    session = Session(model, layers=layer, config=config)
    if len(session.layers) > 1:
        raise ConfigError(f"--layer {layer!r} names {len(session.layers)} layers; render draws one.")
    cost = session.prepare()
    for sentence in session.describe():
        say(sentence)
    if cost.is_long:
        say(cost.describe())
    with shown_if_long(cost, "Filters", 1) as report:
        (snapshot,) = session.render(0, report)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_bytes(snapshot.png(config))
    shown = len(cell_order(snapshot.scores, snapshot.responsive, config.grid))
    say(f"{snapshot.describe()} {snapshot.describe_outcome()} Shown: {shown}.")
    for name in args.statistic or ():
        values = snapshot.statistics[name]
        say(f"{name}: {values.min():.3g} to {values.max():.3g}, mean {values.mean():.3g}")
    if snapshot.flat.mean() > 0.5:
        say("Most are flat: this objective shows nothing in this layer. Try --preset clean.")
    print(args.output)
    return 0
