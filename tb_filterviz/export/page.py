"""The Filters tab as one page: the same frontend, with what the server would have answered in the page itself.

Every answer is taken from the routes of the plugin, and stands in an element of its own, compressed; the tab's module
data/saved_page.js reads them. Modules come by an import map, under names in place of paths: a page that was opened as a
file may load no other file.
"""

import base64
import gzip
import html
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, get_args

from tensorboard import errors
from tensorboard.plugins import base_plugin
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tb_filterviz.errors import ConfigError, SeriesError
from tb_filterviz.export.choosing import Chosen, chosen_layers, every_so_many
from tb_filterviz.plugin.plugin import STATIC, FiltersPlugin, pack
from tb_filterviz.plugin.responses import responses_to_json
from tb_filterviz.reading.catalog import Layer
from tb_filterviz.reading.decoded import Place
from tb_filterviz.reading.files import Choice, FileProvider

if TYPE_CHECKING:
    from tb_filterviz.filter_run import FilterRun

Report = Callable[[float, float, str], None]
Part = Literal["examples", "maps", "kernels", "likeness"]  # what a page may go without
Query = Mapping[str, str | int]
_KINDS: Mapping[Part, tuple[str, ...]] = {
    "examples": ("examples", "answers to examples", "maps"),
    "maps": ("maps",),
    "kernels": ("kernels",),
    "likeness": ("likeness",),
}

_MB = 1_000_000
_TILES_BYTES = 16 << 20  # of one answer: above 128 MiB the plugin refuses it, and a browser is to stay quick
_SMALL_LAYER, _FEW_STEPS = 128, 64  # above, it takes minutes to say which filters are alike at every step
_SAMPLES = {"count": 12, "size": 48}  # as the overview asks for them
_IMPORT = re.compile(r'((?:from|import)\s*\(?\s*)"(\.{1,2}/[^"]+)"')
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' data:; style-src 'unsafe-inline' data:; img-src data: blob:; "
    "media-src blob:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one question is answered, compressed.

    Attributes:
        kind: of what takes its room, in words.
        key: the question.
        content: of the answer, gzip.
        is_error: whether it is a sentence that says why there is none.
    """

    kind: str
    key: str
    content: bytes
    is_error: bool = False

    def to_html(self) -> str:
        data = base64.b64encode(self.content).decode()
        error = " data-error" if self.is_error else ""
        return f'<script type="text/plain" data-answer="{html.escape(self.key)}"{error}>{data}</script>'


def question(route: str, query: Query = {}) -> str:  # noqa: B006  never changed
    """Write a question so that Python and JavaScript write the same."""
    asked = [route, *([name, str(value)] for name, value in sorted(query.items()))]
    return json.dumps(asked, ensure_ascii=False, separators=(",", ":"))


def page(
    runs: "Sequence[FilterRun]",
    *,
    layers: Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
    every: int = 1,
    leave_out: Collection[Part] = (),
    max_mb: float = 50.0,
    report: Report | None = None,
) -> bytes:
    """Make the tab as one page of HTML that needs neither a server nor a network.

    Args:
        runs: those that it shows, all of one log directory.
        layers: names; None for all.
        steps: those that are meant; None for all.
        every: of the steps of each run, every so many only, and the last.
        leave_out: parts that it goes without: the real ``"examples"``, the ``"maps"`` and ``"kernels"``, and the
            ``"likeness"`` of filters, which costs more time than room.
        max_mb: how large it may become, in millions of bytes.
        report: told how far it is.

    Raises:
        ConfigError: if it would be larger, or there is nothing to show.
        UnknownLayerError, StepError: if there is no such layer or step.
    """
    unknown = sorted(set(leave_out) - set(get_args(Part)))
    if unknown:
        raise ConfigError(f"`leave_out` may hold {', '.join(get_args(Part))}. Received: {unknown[0]!r}")
    chosen = chosen_layers(runs, layers, steps, every)
    kept: dict[str, dict[str, list[int]]] = {}
    for each in chosen:
        kept.setdefault(each.layer.run, {})[each.layer.id] = each.steps
    provider = runs[0].provider.choosing(Choice(kept))
    asked = _Asked(provider, kept, _saved_sentence(chosen), frozenset(leave_out))
    answers = list(asked.answers(report or (lambda *_: None)))
    for answer in answers:
        if answer.is_error and answer.kind in ("tiles", "numbers"):
            raise SeriesError(gzip.decompress(answer.content).decode())
    content = _html(asked.title, answers)
    if len(content) > max_mb * _MB:
        most = max(len(each.steps) for each in chosen)
        raise ConfigError(_too_large(len(content), answers, max_mb, most, every if steps is None else None))
    return content


class _Asked:
    """Asks the plugin all that the tab may ask of some runs."""

    def __init__(
        self,
        provider: FileProvider,
        kept: Mapping[str, Mapping[str, Sequence[int]]],
        said: str,
        leave_out: frozenset[Part],
    ) -> None:
        self._plugin = FiltersPlugin(base_plugin.TBContext(data_provider=provider))
        self._apps = self._plugin.get_plugin_apps()
        self._kept = kept
        self._names = names = list(kept)
        self._runs = {name: run for name, run in self._plugin.store.runs(None, "").items() if name in self._names}
        self._leave_out = leave_out
        self.title = f"Filters: {names[0]}" if len(names) == 1 else "Filters"
        self._said = said

    def answers(self, report: Report) -> Iterator[_Answer]:
        """Yield all answers."""
        layers = [(name, layer) for name in self._names for layer in self._runs[name].layers]
        work = float(len(layers) + 1)
        report(0.0, work, "runs")
        yield from self._of_runs()
        for done, (name, layer) in enumerate(layers, 1):
            report(float(done), work, f"{name}, {layer.about.layer}")
            yield from self._of_layer(name, layer)
        report(work, work, "")

    def _of_runs(self) -> Iterator[_Answer]:
        listed = self._json("layers")
        runs = [run for run in listed["runs"] if run["run"] in self._names]
        if "examples" in self._leave_out:
            runs = [{**run, "examples": 0} for run in runs]
        runs = [{**run, "layers": [self._without(layer) for layer in run["layers"]]} for run in runs]
        yield _json_answer("numbers", "layers", {}, {"runs": runs, "saved": self._said})
        results = self._json("results")["runs"]
        yield _json_answer("numbers", "results", {}, {"runs": {name: results.get(name) for name in self._names}})
        yield _json_answer("numbers", "runs", {}, sorted(self._names, key=lambda name: self._runs[name].begun or 0.0))
        for name in self._names:
            yield self._answer("numbers", "overview", {"run": name})
            yield self._answer("tiles", "samples", {"run": name, **_SAMPLES})
            if self._runs[name].examples and "examples" not in self._leave_out:
                yield self._answer("examples", "examples", {"run": name})
                yield self._pictures(name)

    def _without(self, layer: dict[str, Any]) -> dict[str, Any]:
        """Leave out of what is said of a layer what the page goes without."""
        kept = dict(layer)
        if kept["responses"] and "examples" in self._leave_out:
            kept["responses"] = None
        elif kept["responses"] and "maps" in self._leave_out:
            kept["responses"] = {**kept["responses"], "map": None}
        if "kernels" in self._leave_out:
            kept["kernels"] = None
        return kept

    def _of_layer(self, name: str, layer: Layer) -> Iterator[_Answer]:
        where = {"run": name, "layer": layer.id}
        yield self._answer("numbers", "statistics", where)
        yield self._answer("numbers", "curves", where)
        yield from self._tiles(where, layer, len(self._kept[name][layer.id]))
        has_examples = bool(layer.responses) and "examples" not in self._leave_out
        has_kernels = bool(layer.kernels) and "kernels" not in self._leave_out
        if has_examples or has_kernels:
            store, place = self._plugin.store, Place(None, "", name)
            of_filters = [responses_to_json(store, place, layer, at) for at in range(layer.about.filters)]
            yield _json_answer("answers to examples", "responses", where, of_filters)
        maps = layer.parts_of("maps")
        if maps and has_examples and "maps" not in self._leave_out:
            for example in range(maps[0].about.shape[1]):
                yield self._answer("maps", "maps", {**where, "example": example})
        if layer.parts_of("effective") and has_kernels:
            yield self._answer("kernels", "kernels", where)
        if "likeness" not in self._leave_out:
            yield from self._likeness(name, layer)

    def _tiles(self, where: Query, layer: Layer, steps: int) -> Iterator[_Answer]:
        """Ask for tiles as the tab does, some filters at a time, and say which go together."""
        per_answer = max(1, _TILES_BYTES // (steps * math.prod(layer.about.shape[1:])))
        last = layer.about.filters - 1
        chunks = [f"{first}-{min(first + per_answer - 1, last)}" for first in range(0, last + 1, per_answer)]
        yield _json_answer("tiles", "tiles", where, chunks)
        for chunk in chunks:
            yield self._answer("tiles", "tiles", {**where, "filters": chunk})

    def _likeness(self, name: str, layer: Layer) -> Iterator[_Answer]:
        where = {"run": name, "layer": layer.id}
        steps = self._kept[name][layer.id]
        is_small = layer.about.filters <= _SMALL_LAYER and len(steps) <= _FEW_STEPS
        found = self._similar(name, layer, steps if is_small else steps[-1:])
        yield _json_answer("likeness", "similar", where, {"steps": found})
        for other in self._names:
            match = _like(layer, self._runs[other].layers) if other != name else None
            if match is not None:
                yield self._answer("likeness", "match", {**where, "run2": other, "layer2": match.id})

    def _similar(self, name: str, layer: Layer, steps: Sequence[int]) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for step in steps:
            try:
                found[step] = self._plugin.matcher.all_similar(Place(None, "", name), layer.id, step)
            except (errors.PublicError, SeriesError):  # then it is not said what is alike there
                continue
        return found

    def _pictures(self, name: str) -> _Answer:
        place = Place(None, "", name)
        count = self._runs[name].examples[0].about.count
        found = [self._plugin.store.example(place, index) for index in range(count)]
        header = {"media_type": found[0][1], "sizes": [len(content) for content, _ in found]}
        packed = pack(header, []) + b"".join(content for content, _ in found)
        return _Answer("examples", question("example", {"run": name}), gzip.compress(packed, 6, mtime=0))

    def _answer(self, kind: str, route: str, query: Query) -> _Answer:
        content, is_error = self._ask(route, query)
        return _Answer(kind, question(route, query), gzip.compress(content, 6, mtime=0), is_error)

    def _json(self, route: str, query: Query = {}) -> Any:  # noqa: B006
        content, is_error = self._ask(route, query)
        return {} if is_error else json.loads(content)

    def _ask(self, route: str, query: Query) -> tuple[bytes, bool]:
        """Ask the plugin; what it cannot answer is a sentence."""
        texts = {name: str(value) for name, value in query.items()}
        environ = EnvironBuilder(path=f"/{route}", query_string=texts).get_environ()
        try:
            content, status, _ = run_wsgi_app(self._apps[f"/{route}"], environ, buffered=True)
        except (errors.PublicError, SeriesError) as error:
            return str(error).encode(), True
        body = b"".join(content)
        return body, not status.startswith("200")


def _json_answer(kind: str, route: str, query: Query, content: Any) -> _Answer:
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return _Answer(kind, question(route, query), gzip.compress(text.encode(), 6, mtime=0))


def _like(layer: Layer, others: Sequence[Layer]) -> Layer | None:
    """Find the layer of another run with which the tab compares one: at the same position, or of the same name."""
    at_its_position = (each for each in others if each.about.position == layer.about.position)
    of_its_name = (each for each in others if each.about.layer == layer.about.layer)
    return next(at_its_position, None) or next(of_its_name, None)


def _saved_sentence(chosen: Sequence[Chosen]) -> str:
    now = datetime.now(UTC)
    said = f"Saved on {now.day} {now:%B %Y}"
    counts = {
        each.layer.run: (len(each.steps), len(each.layer.steps))
        for each in chosen
        if len(each.steps) < len(each.layer.steps)
    }
    fewer = [f"{kept} of {count} steps of {name}" for name, (kept, count) in counts.items()]
    if not fewer:
        return f"{said}."
    more = f" and {len(fewer) - 3} more" if len(fewer) > 3 else ""
    return f"{said}, with {', '.join(fewer[:3])}{more}: what is said of how filters formed goes by these."


def _too_large(nbytes: int, answers: Sequence[_Answer], max_mb: float, steps: int, every: int | None) -> str:
    """Say what takes the room, and what would make it fit; `every` is None where steps were chosen one by one."""
    by_kind: dict[str, int] = {}
    for answer in answers:
        by_kind[answer.kind] = by_kind.get(answer.kind, 0) + len(answer.content) * 4 // 3
    largest = sorted(by_kind.items(), key=lambda each: -each[1])[:3]
    shares = ", ".join(f"{kind} {size / _MB:.1f}" for kind, size in largest)
    ways = []
    growing = sum(size for kind, size in by_kind.items() if kind != "examples")
    for times in range(2, steps):
        kept = len(every_so_many(range(steps), times))
        if nbytes - growing * (1 - kept / steps) < 0.95 * max_mb * _MB:
            wanted = f"every={times * every}, or --every {times * every}" if every else f"{kept} of {steps}"
            ways.append(f"fewer steps ({wanted})")
            break
    ways += [
        f"less in it (leave_out=[{part!r}], or --leave-out {part})"
        for part in get_args(Part)
        if nbytes - sum(by_kind.get(kind, 0) for kind in _KINDS[part]) < max_mb * _MB
    ][:1]
    ways.append(f"more room (max_mb={nbytes // _MB + 1}, or --max-mb {nbytes // _MB + 1})")
    return (
        f"The page would have {nbytes / _MB:.1f} MB ({shares}), and {max_mb:g} are allowed. "
        f"Choose fewer layers or runs, {', '.join(ways[:-1])}{', ' if len(ways) > 1 else ''}or {ways[-1]}."
    )


def _modules() -> dict[str, str]:
    """Name the modules of the tab, with what they hold; each imports others by these names."""
    return {
        _module_name(name): _IMPORT.sub(partial(_renamed, name), content.decode())
        for name, content in STATIC.items()
        if name.endswith(".js")
    }


def _renamed(importer: str, found: re.Match[str]) -> str:
    return f'{found[1]}"{_module_name(_joined(importer, found[2]))}"'


def _module_name(path: str) -> str:
    return f"filters/{path}"


def _joined(importer: str, relative: str) -> str:
    parts: list[str] = list(PurePosixPath(importer).parent.parts)
    for part in PurePosixPath(relative).parts:
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _data_url(media_type: str, text: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(text.encode()).decode()}"


def _html(title: str, answers: Sequence[_Answer]) -> bytes:
    imports = {name: _data_url("text/javascript", text) for name, text in _modules().items()}
    style = _data_url("text/css", STATIC["style.css"].decode())
    stored = "\n".join(answer.to_html() for answer in answers)
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="tb_filterviz">
<title>{html.escape(title)}</title>
<script type="importmap">{json.dumps({"imports": imports})}</script>
</head>
<body>
<noscript>This page shows its pictures with JavaScript, which is switched off here.</noscript>
{stored}
<script>
if (!("DecompressionStream" in window && HTMLScriptElement.supports?.("importmap"))) {{
  document.body.textContent = "This page needs a browser of 2023 or later.";
}}
</script>
<script type="module">
import {{ render }} from "{_module_name("index.js")}";
render("{style}");
</script>
</body>
</html>
"""
    return text.encode()
