"""The tab's routes. All of them only read; http_api.md says what they take and answer."""

import functools
import hashlib
import importlib.resources
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Any

import numpy as np
from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from tb_filterviz.errors import SeriesError
from tb_filterviz.metadata import PLUGIN_NAME
from tb_filterviz.plugin.matching import Matcher
from tb_filterviz.plugin.overview import overview_to_json
from tb_filterviz.plugin.questions import parse_filters, parse_given, parse_int, parse_step, parse_steps
from tb_filterviz.plugin.responses import examples_to_json, responses_to_json
from tb_filterviz.plugin.results import read_results
from tb_filterviz.plugin.samples import read_samples
from tb_filterviz.reading.curves import read_curves
from tb_filterviz.reading.decoded import Array, Decoded, Place
from tb_filterviz.reading.names import natural_order
from tb_filterviz.reading.store import Store
from tb_filterviz.reading.trainings import trainings
from tb_filterviz.reading.validation import LARGEST_INDEX

TYPES = {".js": "text/javascript", ".css": "text/css"}


def _files_below(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files_below(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry


# The only files that are served, by their paths below static/: nothing that a caller says becomes a path. They are read
# once, so that what is served is what the version below is of, whatever is installed meanwhile.
STATIC = {
    name: entry.read_bytes()
    for name, entry in _files_below(importlib.resources.files(__package__).joinpath("static"))
    if PurePath(name).suffix in TYPES
}
# Named in their addresses, so that browsers keep them until they are others.
STATIC_VERSION = hashlib.sha256(b"".join(STATIC[name] for name in sorted(STATIC))).hexdigest()[:12]
STATIC_KEPT_S = 365 * 24 * 3600
LARGEST_PX = 1 << 16
MOST_SAMPLES = 64
EXAMPLE_KEPT_S = 3600  # by the browser: a run's examples stay what they are

Answer = Callable[["FiltersPlugin", wrappers.Request], Any]
App = Callable[..., Any]


def _reads(answer: Answer) -> App:
    """Make a route that only reads; what is wrong with the data or the question becomes a sentence."""

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


def _respond_json(request: wrappers.Request, content: Any) -> Any:
    # as text: TensorBoard's own JSON writer looks at every number in Python
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return http_util.Respond(request, text, "application/json")


def pack(header: Mapping[str, Any], pixels: Iterable[Array]) -> bytes:
    """Pack pixels as the tab reads them: a header's length, uint32 little-endian, the header in JSON, the pixels."""
    encoded = json.dumps(header).encode()
    return b"".join((struct.pack("<I", len(encoded)), encoded, *(np.ascontiguousarray(each).data for each in pixels)))


def _respond_pixels(request: wrappers.Request, header: Mapping[str, Any], pixels: Iterable[Array]) -> Any:
    return http_util.Respond(request, pack(header, pixels), "application/octet-stream")


def _respond_decoded(request: wrappers.Request, decoded: Decoded) -> Any:
    header = {"steps": decoded.steps.tolist(), "wall_times": decoded.wall_times.tolist(), "shape": decoded.values.shape}
    return _respond_pixels(request, header, [decoded.values])


class FiltersPlugin(base_plugin.TBPlugin):  # type: ignore[misc]  # TensorBoard ships no types
    """The tab "Filters"."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._provider = context.data_provider
        self.store = Store(context.data_provider)
        self.matcher = Matcher(self.store)

    def get_plugin_apps(self) -> dict[str, Any]:
        """Name the routes below ``data/plugin/filterviz``."""
        return {
            "/layers": self._serve_layers,
            "/statistics": self._serve_statistics,
            "/tiles": self._serve_tiles,
            "/curves": self._serve_curves,
            "/results": self._serve_results,
            "/overview": self._serve_overview,
            "/samples": self._serve_samples,
            "/match": self._serve_match,
            "/similar": self._serve_similar,
            "/examples": self._serve_examples,
            "/example": self._serve_example,
            "/responses": self._serve_responses,
            "/maps": self._serve_maps,
            "/kernels": self._serve_kernels,
            **{f"/static/{name}": self._serve_static for name in STATIC},
            **{f"/static/{STATIC_VERSION}/{name}": self._serve_static for name in STATIC},
        }

    def is_active(self) -> bool:
        """Leave it to TensorBoard, which shows the tab as soon as a run holds our data."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """Say what TensorBoard shows as the tab."""
        return base_plugin.FrontendMetadata(
            es_module_path=f"/static/{STATIC_VERSION}/index.js", tab_name="Filters", disable_reload=False
        )

    def _place(self, request: wrappers.Request, name: str = "run") -> Place:
        return Place(
            plugin_util.context(request.environ),
            plugin_util.experiment_id(request.environ),
            parse_given(request, name),
        )

    @_reads
    def _serve_static(self, request: wrappers.Request) -> Any:
        path = request.path.rpartition("/static/")[-1]
        name = path.removeprefix(f"{STATIC_VERSION}/")
        kept = 0 if name == path else STATIC_KEPT_S
        return http_util.Respond(request, STATIC[name], TYPES[PurePath(name).suffix], expires=kept)

    @_reads
    def _serve_layers(self, request: wrappers.Request) -> Any:
        context, experiment = plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)
        runs = self.store.runs(context, experiment)
        runs = {name: runs[name] for name in sorted(runs, key=natural_order)}
        training = trainings(runs)
        listed = [{"run": name, "training": training[name], **run.to_json()} for name, run in runs.items()]
        return _respond_json(request, {"runs": listed})

    @_reads
    def _serve_statistics(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, parse_given(request, "layer"))
        return _respond_json(request, self.store.statistics(place, layer).to_json())

    @_reads
    def _serve_tiles(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, parse_given(request, "layer"))
        tiles = self.store.tiles(
            place,
            layer,
            parse_filters(request, layer.about.filters),
            steps=parse_steps(request),
            largest_px=parse_int(request, "size", LARGEST_PX, 1, LARGEST_PX),
        )
        return _respond_decoded(request, tiles)

    @_reads
    def _serve_examples(self, request: wrappers.Request) -> Any:
        return _respond_json(request, examples_to_json(self.store.examples(self._place(request))))

    @_reads
    def _serve_example(self, request: wrappers.Request) -> Any:
        index = parse_int(request, "index", 0, 0, LARGEST_INDEX)
        content, media_type = self.store.example(self._place(request), index)
        return http_util.Respond(request, content, media_type, expires=EXAMPLE_KEPT_S)

    @_reads
    def _serve_responses(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, parse_given(request, "layer"))
        filter_ = parse_int(request, "filter", 0, 0, layer.about.filters - 1)
        return _respond_json(request, responses_to_json(self.store, place, layer, filter_))

    @_reads
    def _serve_maps(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, parse_given(request, "layer"))
        maps = self.store.of_filters(place, layer, "maps")
        which = parse_int(request, "example", 0, 0, maps.values.shape[2] - 1)
        return _respond_decoded(request, Decoded(maps.steps, maps.wall_times, maps.values[:, :, which, ..., None]))

    @_reads
    def _serve_kernels(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, parse_given(request, "layer"))
        return _respond_decoded(request, self.store.of_filters(place, layer, "effective"))

    @_reads
    def _serve_curves(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        layer = self.store.layer(place, parse_given(request, "layer"))
        return _respond_json(request, read_curves(self._provider, place, layer))

    @_reads
    def _serve_results(self, request: wrappers.Request) -> Any:
        context, experiment = plugin_util.context(request.environ), plugin_util.experiment_id(request.environ)
        runs = self.store.runs(context, experiment)
        return _respond_json(request, read_results(self._provider, context, experiment, runs))

    @_reads
    def _serve_overview(self, request: wrappers.Request) -> Any:
        return _respond_json(request, overview_to_json(self.store, self._place(request)))

    @_reads
    def _serve_samples(self, request: wrappers.Request) -> Any:
        place = self._place(request)
        count = parse_int(request, "count", 10, 1, MOST_SAMPLES)
        samples = read_samples(self.store, place, count, parse_int(request, "size", 48, 1, LARGEST_PX))
        header = {"layers": [sample.to_json() for sample in samples]}
        return _respond_pixels(request, header, [sample.tiles for sample in samples])

    @_reads
    def _serve_match(self, request: wrappers.Request) -> Any:
        one, other = self._place(request), self._place(request, "run2")
        layer, layer2 = parse_given(request, "layer"), parse_given(request, "layer2")
        step, step2 = parse_step(request, "step"), parse_step(request, "step2")
        return _respond_json(request, self.matcher.match(one, layer, step, other, layer2, step2))

    @_reads
    def _serve_similar(self, request: wrappers.Request) -> Any:
        place, layer, step = self._place(request), parse_given(request, "layer"), parse_step(request, "step")
        parse_given(request, "filter")
        filter_ = parse_int(request, "filter", 0, 0, LARGEST_INDEX)
        return _respond_json(request, self.matcher.similar(place, layer, filter_, step))
