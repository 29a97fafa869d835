"""One hostile text, in every name, reason and text of an experiment, through every output: it stays text everywhere."""

import base64
import csv
import gzip
import io
import json
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from sleep_tune.console import PlainConsole
from sleep_tune.results.card import CardFacts, model_card
from sleep_tune.results.comparison import compare
from sleep_tune.results.markup import as_html, as_latex, as_markdown
from sleep_tune.results.report.page import write_report
from sleep_tune.results.sheet import make_sheet
from sleep_tune.results.table_files import write_comparison
from sleep_tune.results.terminal import print_comparison
from sleep_tune.results.winner import Winner
from tests.results.report.searches import make_search

MARKED = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
LINKED = "[l](javascript:alert(1)) ![i](http://a.example/i) <a href='javascript:alert(1)'>a</a>"
MOVING = "\x1b[31m\x1b]0;t\x07\x9b2J\u202e\u200b\ufeff\n\r"
HOSTILE = f"=HYPERLINK(1)|a {MARKED} {LINKED} [red]x[/red] :boom: {MOVING}| `_*\\ %$&#{{}}~^ </pre>"
FENCED = "a\n```\n<script>document.title=1</script>"


def write_hostile(folder: Path) -> Path:
    """An experiment whose name, arm, parameter, values, measure, reasons, sources, texts and versions are hostile."""
    log = make_search(folder, 12)
    parameter, measure = f"sleep.{HOSTILE.replace('/', '')}", f"eval/{HOSTILE}"  # a measure has a /, no parameter has
    for seed in range(3):
        trial = f"h-s{seed}"
        log.ask(trial, role="finalist", arm=HOSTILE, seed=seed, parameters={parameter: HOSTILE, "sleep.folds": -5})
        metrics = {"eval/nll": 3.0 + seed / 100, "test/nll": 3.0 + seed / 90, measure: 1.0}
        log.complete(trial, metrics, device=HOSTILE)
        journal = (folder / "trials" / "t0003-s0" / "metrics.jsonl").read_text(encoding="utf-8")
        changed = journal.replace('"a dog ran"', json.dumps(HOSTILE)).replace('"tales"', json.dumps(HOSTILE))
        (folder / "trials" / trial).mkdir()
        (folder / "trials" / trial / "metrics.jsonl").write_text(changed, encoding="utf-8")
    for number, reason in enumerate((HOSTILE, f"+1\ud800{HOSTILE}")):
        log.ask(f"{HOSTILE[:5]}{number}", parameters={parameter: "-1", "sleep.folds": 5})
        log.event("failed", f"{HOSTILE[:5]}{number}", 1, kind="bug", reason=reason, log=HOSTILE)
    description = {
        "space": {"name": HOSTILE, "parameters": {parameter: {}, "sleep.folds": {}}},
        "packages": {HOSTILE: HOSTILE},
        **dict.fromkeys(("platform", "python", "sleep_tune", "commit"), HOSTILE),
    }
    (folder / "experiment.yaml").write_text(json.dumps(description), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hostile(tmp_path_factory.mktemp("hostile") / "replay")


def controls(text: str) -> set[str]:
    return {letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n"} | (
        set(text) & set("\u2028\u2029\u202a\u202b\u202d\u202e\u200b\ufeff")
    )


class Hostile(HTMLParser):
    """Collects what would run, load or lead elsewhere."""

    def __init__(self, scripts: int = 0) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text = ""
        self.scripts = scripts

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at a tag and its attributes."""
        if tag == "script" and self.scripts:
            self.scripts -= 1
        elif tag in ("script", "img", "iframe", "object", "embed", "svg", "form", "base"):
            self.found.append(tag)
        for name, value in attrs:
            place = name in ("href", "src", "action") and not (value or "").startswith(("#s", "data:,"))
            if name.startswith("on") or place:
                self.found.append(f"{name}={value}")

    def handle_data(self, data: str) -> None:
        """Keep what is read."""
        self.text += data


def check_page(text: str, scripts: int = 0) -> None:
    page = Hostile(scripts)
    page.feed(text)
    assert page.found == []
    assert '<img src=x onerror="document.title=1">' in page.text


def check_markdown(text: str) -> None:
    """As a reader with HTML and tables renders it."""
    body = text.split("---\n", 2)[2] if text.startswith("---\n") else text
    page = MarkdownIt("commonmark").enable("table").render(body)
    check_page(page)
    rows = [row.count("<td") + row.count("<th") for row in page.split("<tr>")[1:]]
    assert len(set(rows)) == 1
    assert page.count("<h1>") == 1
    assert page.count("<table>") == 1


def check_latex(text: str) -> None:
    """No character that is a command, and none that begins an argument of a row's end."""
    bare = re.sub(r"\\(?:[a-z]+|\\|[&%$#_{}])", "", text)
    assert not re.search(r"(?<!\\)[#~]", bare.replace("\\", ""))
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert len({len(re.split(r"(?<!\\)&", row)) for row in rows}) == 1


def check_terminal(text: str) -> None:
    assert "[red]x" in text
    assert ":boom:" in text


def check_report(text: str) -> None:
    """Nothing in the page, and in its figures no tag but those that they are written with."""
    check_page(text, scripts=4)
    packed = re.search(r'id="figures">(.*?)</script>', text)
    assert packed is not None
    figures = gzip.decompress(base64.b64decode(packed[1])).decode()
    assert set(re.findall(r"<[^>]*>?", figures)) == {"<b>", "</b>", "<br>", "<extra>", "</extra>"}
    assert "&lt;img src=x" in figures


def report(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def printed(folder: Path) -> str:
    text = io.StringIO()
    print_comparison(compare(folder), PlainConsole(file=text, width=5000))
    return text.getvalue()


def card(folder: Path) -> str:
    winner = Winner(HOSTILE, folder / HOSTILE, f"{HOSTILE} is best", {HOSTILE: HOSTILE, "x": FENCED}, {}, {})
    return model_card(winner, compare(folder), CardFacts(place="owner/model", command="sleep-tune train"))


OUTPUTS: dict[str, tuple[Callable[[Path], str], Callable[[str], None]]] = {
    "comparison.html": (lambda folder: as_html(compare(folder)), check_page),
    "comparison.md": (lambda folder: as_markdown(compare(folder)), check_markdown),
    "comparison.tex": (lambda folder: as_latex(compare(folder)), check_latex),
    "report.html": (report, check_report),
    "model card": (card, check_markdown),
    "terminal": (printed, check_terminal),
}
"""Output -> how it is made of an experiment's folder, and what must hold of it besides."""


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_hostile_name_is_nothing_but_text(folder: Path, output: str) -> None:
    make, check = OUTPUTS[output]
    text = make(folder)
    assert controls(text) == set()
    check(text)


def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(folder: Path, tmp_path: Path) -> None:
    write_comparison(compare(folder), tmp_path, experiment=folder)
    for name in ("comparison", "trials"):
        text = (tmp_path / f"{name}.csv").read_text(encoding="utf-8")
        assert controls(text) == set()
        cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
        texts = [cell for cell in cells if not re.fullmatch(r"[-+]?[0-9.]+(?:e[-+]?[0-9]+)?", cell)]
        assert [cell for cell in texts if cell.startswith(tuple("=+-@\t\r"))] == []
        assert any(cell.startswith("'=HYPERLINK") for cell in cells)
    compared, trials = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("comparison", "trials"))
    assert (compared["difference"] < 0).any()
    assert set(trials["sleep.folds"].dropna()) >= {-5.0}
    whole = pd.read_parquet(tmp_path / "trials.parquet")
    assert whole["arm"].str.startswith("=HYPERLINK").any(), "Parquet has no formulas, and keeps the names"
    assert len(whole) == len(trials)


def test_a_hostile_heading_makes_no_columns(folder: Path) -> None:
    sheet = make_sheet(compare(folder))
    assert {len(row) for row in sheet.rows} == {len(sheet.headings)}


@pytest.mark.slow
def test_nothing_runs_in_a_browser(folder: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("no Chromium is installed")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=30000"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom"]
    done = subprocess.run(
        [browser, *flags, write_report(folder).as_uri()], capture_output=True, text=True, check=True, timeout=200
    )
    assert "data-drawn=" in done.stdout
    assert "<title>1</title>" not in done.stdout
    drawn = done.stdout.partition("<body")[2]
    assert "<img" not in re.sub(r"<script.*?</script>", "", drawn, flags=re.DOTALL)
    assert not re.search(r"<a [^>]*(?:javascript|example)", drawn)
