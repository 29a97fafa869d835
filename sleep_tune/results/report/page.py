"""report.html of an experiment: one file with text, tables and figures that opens anywhere, without a network."""

import base64
import functools
import gzip
import hashlib
import importlib.util
import json
import re
from pathlib import Path

from markupsafe import Markup

from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.search_state import fold_events
from sleep_tune.files import write_whole
from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.html_templates import read_template, render_page
from sleep_tune.results.look_table import list_looks
from sleep_tune.results.paradigms import compare_paradigms
from sleep_tune.results.report.figure_style import Figure
from sleep_tune.results.report.palette import DARK
from sleep_tune.results.report.report_sections import SECTIONS
from sleep_tune.results.report.search_tables import make_search_tables
from sleep_tune.results.report.section_figures import ReportData, make_plots
from sleep_tune.results.report.training_logs import read_training_logs
from sleep_tune.results.trial_tables import tabulate_curves, tabulate_trials

__all__ = ["FILE", "write_report"]

FILE = "report.html"

FIGURE_TAG = re.compile(r"<(?!(?:/?b|br|extra|/extra)>)")
"""Start of what plotly.js would take for a tag (such as a link), except the tags that our figures contain."""


def write_report(folder: Path, comparison: Comparison | None = None, *, place: Path | None = None) -> Path:
    """Write the report of the experiment in `folder`; of a search that is still running, a partial report that says so.

    Args:
        folder: of the experiment.
        comparison: of its arms, if it has been made already.
        place: folder for the file; the experiment's by default.

    Returns:
        The file: self-contained, below 5 MB.

    Raises:
        RunFolderError: the folder holds no experiment, or a file in it is not as it was written.
        DataError: experiment.yaml names an unknown objective mode or matched resource.
    """
    comparison = comparison or compare(folder)
    state = fold_events(read_events(folder / LOG))
    trials, curves = tabulate_trials(state), tabulate_curves(state)
    data = ReportData(
        folder=folder,
        comparison=comparison,
        trials=trials,
        search=make_search_tables(trials, curves, comparison.experiment),
        logs=read_training_logs(folder, trials),
        ended=state.closed,
        paradigms=compare_paradigms(comparison),
        looks=list_looks(comparison),
    )
    file = (place or folder) / FILE
    write_whole(file, _render(data))
    return file


def _render(data: ReportData) -> str:
    """Return the page. Without scripts a browser shows its text and tables."""
    figures: list[Figure] = []
    sections = []
    for name, section in SECTIONS.items():
        plots = make_plots(name, data)
        numbered = [(len(figures) + at, plot) for at, plot in enumerate(plots)]
        figures += filter(None, (plot.figure for plot in plots))
        sections.append({"name": name, "title": section.title, "plots": numbered, "values": section.values(data)})
    return render_page(
        "report.html",
        name=data.comparison.experiment.name,
        title=f"{data.comparison.experiment.name}: does sleep beat epochs?",
        sections=sections,
        policy=_content_policy(),
        # Colours, base64 and our own script: nothing in them ends a <script>.
        dark=Markup(json.dumps(DARK)),
        figures=Markup(_pack(_figures_json(figures))) if figures else None,
        plotly=Markup(_packed_plotly()),
        script=Markup(read_template("draw.js")),
    )


def _content_policy() -> str:
    """Return what a browser may do for the page: run the two scripts in it, load nothing, send nothing.

    'unsafe-eval' is for plotly.js, which compiles functions for WebGL.
    """
    scripts = (read_template("draw.js").encode(), _plotly())
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one).digest()).decode()}'" for one in scripts)
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _figures_json(figures: list[Figure]) -> bytes:
    """Return the figures as JSON in which a tag in a name is plain text."""
    text = json.dumps(figures, separators=(",", ":"), allow_nan=False, default=str)
    return FIGURE_TAG.sub("&lt;", text).encode()


@functools.cache
def _plotly() -> bytes:
    """Return plotly.js from the package plotly, without importing that."""
    found = importlib.util.find_spec("plotly")
    assert found is not None and found.submodule_search_locations, "plotly is a dependency"
    return (Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js").read_bytes()


@functools.cache
def _packed_plotly() -> str:
    """Return plotly.js compressed: 2 MB instead of 4.8; the browser unpacks it."""
    return _pack(_plotly())


def _pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
