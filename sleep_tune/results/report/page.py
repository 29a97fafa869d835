"""The page: sections of text and figures as one file that needs nothing else, on any screen and on paper."""

import base64
import functools
import gzip
import hashlib
import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sleep_tune.results.markup import html_text

__all__ = ["Plot", "Section", "make_page"]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page."""

    title: str
    parts: tuple["str | Plot", ...]
    """HTML, or figures."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure and what it shows."""

    figure: dict[str, Any] = field(repr=False)
    caption: str
    wide: bool = False
    """Too many parts for a telephone's width: there it is scrolled."""


def make_page(title: str, sections: Sequence[Section]) -> str:
    """The whole file.

    plotly.js is 4.8 MB; compressed it is below 2 MB, and the browser unpacks it, and the figures with it. Without
    scripts the text and tables remain.
    """
    figures: list[dict[str, Any]] = []
    body = "\n".join(_section(section, number, figures) for number, section in enumerate(sections, 1))
    links = " · ".join(f'<a href="#s{at}">{html_text(one.title)}</a>' for at, one in enumerate(sections, 1))
    data = _as_text(json.dumps(figures, separators=(",", ":"), allow_nan=False, default=str)).encode()
    scripts = f"{_packed('figures', data)}\n{_packed_library()}\n<script>{LOADER}</script>"
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{html_text(title)}</title>\n<style>{STYLE}</style></head>\n'
        f"<body>\n<h1>{html_text(title)}</h1>\n<nav>{links}</nav>\n{body}\n"
        f"{scripts if figures else ''}\n</body>\n</html>\n"
    )


FIGURE_TAG = re.compile(r"<(?!(?:/?b|br|extra|/extra)>)")
"""Begins what plotly.js would take for a tag (it knows links too), but for those that our figures are written with."""


def _as_text(figures: str) -> str:
    """Return figures as JSON in which a name with a tag in it is text."""
    return FIGURE_TAG.sub("&lt;", figures)


def _policy() -> str:
    """Return what a browser may do for the page: run the two scripts that are in it, load nothing, send nothing.

    plotly.js makes functions of its own at run time (for WebGL), hence 'unsafe-eval'.
    """
    scripts = " ".join(f"'sha256-{base64.b64encode(_sha256(text)).decode()}'" for text in (LOADER.encode(), _library()))
    return (
        f"default-src 'none'; script-src {scripts} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _section(section: Section, number: int, figures: list[dict[str, Any]]) -> str:
    parts = "\n".join(part if isinstance(part, str) else _plot(part, figures) for part in section.parts)
    return f'<section id="s{number}"><h2>{html_text(section.title)}</h2>\n{parts}\n</section>'


def _plot(plot: Plot, figures: list[dict[str, Any]]) -> str:
    figures.append(plot.figure)
    caption, height = html_text(plot.caption), plot.figure["layout"]["height"]
    name = "plot wide" if plot.wide else "plot"
    return (
        f'<figure><div class="{name}" role="img" aria-label="{caption}" data-figure="{len(figures) - 1}" '
        f'style="min-height:{height}px"></div><figcaption>{caption}</figcaption></figure>'
    )


@functools.cache
def _library() -> bytes:
    """plotly.js out of the package plotly, without importing that."""
    found = importlib.util.find_spec("plotly")
    assert found is not None and found.submodule_search_locations, "plotly is a dependency"
    source = Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js"
    return source.read_bytes()


@functools.cache
def _packed_library() -> str:
    return _packed("plotly", _library())


def _packed(name: str, content: bytes) -> str:
    """Compressed, in letters that end no script."""
    letters = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
    return f'<script type="text/plain" id="{name}">{letters}</script>'


CONFIG = {
    "responsive": True,
    "displaylogo": False,
    "displayModeBar": "hover",
    "modeBarButtonsToRemove": ["sendChartToCloud", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
}
"""Of plotly.js: the page is to send nothing anywhere, so there is no button for it."""

LOADER = """
(async () => {
  const unpack = name => {
    const packed = Uint8Array.from(atob(document.getElementById(name).textContent), c => c.charCodeAt(0));
    return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const script = document.createElement("script");
  script.textContent = await unpack("plotly");
  document.head.append(script);
  const figures = JSON.parse(await unpack("figures"));
  for (const place of document.querySelectorAll(".plot")) {
    const { data, layout } = figures[place.dataset.figure];
    try { await Plotly.newPlot(place, data, layout, CONFIG); }
    catch (error) { place.textContent = `This figure cannot be drawn here: ${error.message}`; }
  }
  const fit = width => document.querySelectorAll(".js-plotly-plot").forEach(place => Plotly.relayout(place, width));
  addEventListener("beforeprint", () => fit({ width: PAPER, autosize: false }));
  addEventListener("afterprint", () => fit({ width: null, autosize: true }));
  document.body.dataset.drawn = figures.length;
})();
""".replace("CONFIG", json.dumps(CONFIG)).replace("PAPER", "680")
"""Draws every figure; on paper they are as wide as A4 and Letter have room for."""

STYLE = """
:root { color-scheme: light }
body { font: 16px/1.55 system-ui, sans-serif; color: #222; margin: 0 auto; max-width: 66rem; padding: 1rem }
h1 { font-size: 1.6rem; margin: .5rem 0 }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 2px solid #222 }
h3 { font-size: 1rem; margin: 1.6rem 0 .4rem }
nav { font-size: .85rem; color: #555 } a { color: #0072b2 }
.answer { font-size: 1.15rem; border-left: 4px solid #0072b2; padding: .6rem 1rem; background: #f4f8fb }
.warn { border-left: 4px solid #d55e00; padding: .4rem 1rem; background: #fdf5f0 }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #ddd; vertical-align: top; text-align: left }
th { vertical-align: bottom } td.n, th.n { text-align: right } td.n { white-space: nowrap }
th:first-child, td:first-child { position: sticky; left: 0; background: white }
.arms td:nth-child(2) { min-width: 11rem } .text { width: 60%; min-width: 11rem; overflow-wrap: anywhere }
small { display: block; color: #666; white-space: nowrap }
.better { color: #00694d; font-weight: bold } .worse { color: #a3300a; font-weight: bold }
.better::after { content: " \\25B2" } .worse::after { content: " \\25BC" }
figure { margin: 1rem 0; overflow-x: auto } figcaption { font-size: .85rem; color: #555; position: sticky; left: 0 }
pre, code { font-size: .82rem } pre { background: #f6f6f6; padding: .6rem .8rem; overflow-x: auto }
.plot { width: 100% } .wide { min-width: 42rem }
@media print {
  nav, .modebar { display: none } body { max-width: none; font-size: 13px } figure, tr, .warn { break-inside: avoid }
  h2, h3 { break-after: avoid } .scroll, figure { overflow: visible } table { font-size: .72rem }
  th, td { padding: .2rem .3rem } .arms td:nth-child(2), .text, .wide { min-width: 0 } pre { white-space: pre-wrap }
}
"""
