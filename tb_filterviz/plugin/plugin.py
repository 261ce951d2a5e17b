"""The tab's routes. All of them only read; http_api.md says what they take and answer."""

import functools
import importlib.resources
import json
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from tb_filterviz.errors import SeriesError
from tb_filterviz.plugin.curves import read_curves
from tb_filterviz.plugin.store import Array, Decoded, Place, Store
from tb_filterviz.records import PLUGIN_NAME

MODULES: tuple[str, ...] = ("app", "chart", "data", "dom", "draw", "grid", "host", "index", "model", "panels")
MODULES += ("save", "stage", "timeline", "toolbar", "view")
# the only files that are served; nothing that a caller says becomes a path
STATIC = {**{f"{name}.js": "text/javascript" for name in MODULES}, "style.css": "text/css"}
FURTHEST_STEP = 1 << 62

Answer = Callable[["FiltersPlugin", wrappers.Request], Any]
App = Callable[..., Any]


def _reads(answer: Answer) -> App:
    """A route that only reads; what is wrong with the data or the question becomes a sentence."""

    @wrappers.Request.application  # type: ignore[arg-type]  # takes methods as well
    @functools.wraps(answer)
    def application(plugin: "FiltersPlugin", request: wrappers.Request) -> Any:
        if request.method not in ("GET", "HEAD"):
            text = f"This route can only be read: GET or HEAD, not {request.method}."
            return http_util.Respond(request, text, "text/plain", code=405, headers=[("Allow", "GET, HEAD")])
        try:
            return answer(plugin, request)
        except SeriesError as error:
            raise errors.InvalidArgumentError(str(error)) from error

    return application


def _given(request: wrappers.Request, name: str) -> str:
    value = request.args.get(name)
    if value is None:
        raise errors.InvalidArgumentError(f"`{name}` is missing.")
    return value


def _whole(request: wrappers.Request, name: str, default: int, low: int, high: int) -> int:
    given = request.args.get(name)
    if given is None:
        return default
    if not re.fullmatch(r"-?[0-9]{1,19}", given) or not low <= int(given) <= high:
        raise errors.InvalidArgumentError(
            f"`{name}` must be a whole number from {low} to {high}. Received: {given[:40]!r}"
        )
    return int(given)


def _filters(request: wrappers.Request, count: int) -> range:
    given = request.args.get("filters", f"0-{count - 1}")
    found = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", given)
    if not found or not int(found[1]) <= int(found[2] or found[1]) < count:
        raise errors.InvalidArgumentError(
            f"`filters` must be one filter or a range, like 8-15, within 0-{count - 1}. Received: {given[:40]!r}"
        )
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _rounded(row: Array) -> list[Any]:
    """Five digits of the largest, so that an answer stays small; what is not finite becomes None."""
    finite = np.isfinite(row)
    largest = float(np.abs(row[finite]).max(initial=0))
    digits = 5 - int(np.floor(np.log10(largest))) if largest > 0 else 0
    rounded = np.round(row.astype(np.float64), min(max(digits, 0), 300))
    if finite.all():
        listed: list[Any] = rounded.tolist()
        return listed
    as_objects = rounded.astype(object)
    as_objects[~finite] = None
    nulled: list[Any] = as_objects.tolist()
    return nulled


def pack(decoded: Decoded) -> bytes:
    """Tiles as the tab reads them: the length of a header, uint32 little-endian, the header in JSON, the pixels."""
    header = json.dumps(
        {"steps": decoded.steps.tolist(), "wall_times": decoded.wall_times.tolist(), "shape": decoded.values.shape}
    ).encode()
    return b"".join((struct.pack("<I", len(header)), header, np.ascontiguousarray(decoded.values).data))


class FiltersPlugin(base_plugin.TBPlugin):  # type: ignore[misc]  # TensorBoard ships no types
    """The tab "Filters"."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._provider = context.data_provider
        self.store = Store(context.data_provider)

    def get_plugin_apps(self) -> dict[str, Any]:
        """Routes below ``data/plugin/filterviz``."""
        return {
            "/layers": self._serve_layers,
            "/stats": self._serve_stats,
            "/tiles": self._serve_tiles,
            "/curves": self._serve_curves,
            **{f"/static/{name}": self._serve_static for name in STATIC},
        }

    def is_active(self) -> bool:
        """TensorBoard shows the tab as soon as a run holds our data; it finds that out by itself."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """What TensorBoard shows as the tab."""
        return base_plugin.FrontendMetadata(es_module_path="/static/index.js", tab_name="Filters", disable_reload=False)

    def _place(self, request: wrappers.Request) -> Place:
        return Place(
            plugin_util.context(request.environ),
            plugin_util.experiment_id(request.environ),
            _given(request, "run"),
        )

    @_reads
    def _serve_static(self, request: wrappers.Request) -> Any:
        name = request.path.rsplit("/", 1)[-1]
        content = importlib.resources.files(__package__).joinpath("static", name).read_bytes()
        return http_util.Respond(request, content, STATIC[name])

    @_reads
    def _serve_layers(self, request: wrappers.Request) -> Any:
        context, experiment = plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)
        runs = [
            {"run": run, "layers": [layer.to_json() for layer in found], "problems": problems}
            for run, (found, problems) in sorted(self.store.runs(context, experiment).items())
        ]
        return http_util.Respond(request, {"runs": runs}, "application/json")

    @_reads
    def _serve_stats(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, _given(request, "layer"))
        decoded = self.store.series(place, layer.stats or layer.parts[0])
        names = layer.stats.about.rows if layer.stats else ()
        rows = {name: _rounded(decoded.values[:, index]) for index, name in enumerate(names)}
        answer = {"steps": decoded.steps.tolist(), "wall_times": decoded.wall_times.tolist(), "rows": rows}
        # as text: TensorBoard's own JSON writer looks at every number in Python
        return http_util.Respond(request, json.dumps(answer, separators=(",", ":")), "application/json")

    @_reads
    def _serve_tiles(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, _given(request, "layer"))
        chosen = request.args.get("steps", "all")
        if chosen not in ("all", "latest"):
            raise errors.InvalidArgumentError(f"`steps` must be all or latest. Received: {chosen[:40]!r}")
        begin = _whole(request, "from", -FURTHEST_STEP, -FURTHEST_STEP, FURTHEST_STEP)
        end = _whole(request, "to", FURTHEST_STEP, -FURTHEST_STEP, FURTHEST_STEP)
        tiles = self.store.tiles(
            place,
            layer,
            _filters(request, layer.about.filters),
            steps=None if chosen == "latest" else (begin, end),
            largest_px=_whole(request, "size", 1 << 16, 1, 1 << 16),
        )
        return http_util.Respond(request, pack(tiles), "application/octet-stream")

    @_reads
    def _serve_curves(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, _given(request, "layer"))
        text = json.dumps(read_curves(self._provider, place, layer), separators=(",", ":"))
        return http_util.Respond(request, text, "application/json")
