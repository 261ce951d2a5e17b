"""`tb-filterviz layers`: which layers of a saved model can be shown, and how."""

import argparse
import json
from typing import Any

from tb_filterviz.cli.console import add_model_arguments, load_model, say
from tb_filterviz.config import Config


def add_layers(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("layers", help="list the layers of a saved model that can be shown")
    add_model_arguments(command)
    command.add_argument("--json", action="store_true", help="for scripts")
    command.set_defaults(run=layers)


def layers(args: argparse.Namespace) -> int:
    """List what can be shown."""
    model = load_model(args)
    from tb_filterviz.optvis.maximize import model_ascents

    found = model_ascents(model, None, Config(image_shape=args.image_shape))
    rows: list[dict[str, Any]] = [
        {
            "position": ascent.layer_call.position,
            "layer": ascent.layer_call.path,
            "kind": type(ascent.layer_call.layer).__name__,
            "filters": ascent.info.filters,
            "output": [ascent.info.height, ascent.info.width, ascent.info.filters],
            "objective": ascent.plan.objective.name,
            "tile": list(ascent.tile_shape[:2]),
        }
        for ascent in found.layers
    ]
    for sentence in found.describe():
        say(sentence)
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    widest = max(len(row["layer"]) for row in rows)
    print(f"{'layer':{widest}}  {'kind':16}  filters  {'output':14}  objective (tile)")
    for row in rows:
        output, tile = (" x ".join(map(str, row[name])) for name in ("output", "tile"))
        print(
            f"{row['layer']:{widest}}  {row['kind']:16}  {row['filters']:7}  {output:14}  {row['objective']} ({tile})"
        )
    return 0
