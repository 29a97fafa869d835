"""A comparison as Markdown, LaTeX and HTML: the same cells, each escaped as its language needs."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.markup import as_html, as_latex, as_markdown
from sleep_tune.results.sheet import make_sheet


@pytest.fixture
def comparison(log: Any) -> Comparison:
    """A finalist that is better, under a name with every character that markup would take for its own."""
    log.open(name="a_b & 50% <c>", parameters={"sleep.folds": {}})
    for seed in range(1000, 1005):
        log.run("epochs", seed, 4.0 + seed / 1e5, 0.81 + seed / 1e6)
        log.run("t0007", seed, 3.9 + seed / 0.9e5, 0.86, role="finalist", parameters={"sleep.folds": 20})
    log.run("as_epochs", 1000, 4.0, 0.8)
    return compare(log.folder)


def test_markdown_has_a_cell_for_every_heading(comparison: Comparison) -> None:
    text = as_markdown(comparison)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.split(r"(?<!\\\\)\|", row)) for row in rows} == {len(make_sheet(comparison).headings) + 2}
    assert len(rows) == 2 + len(comparison.arms)
    assert comparison.verdict in text
    assert re.search(r"\*\*-0\.\d+ \[", text)


class Tags(HTMLParser):
    """Counts tags, and refuses one that is closed out of turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember it."""
        self.seen.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must close the last one opened."""
        assert self.open.pop() == tag


def test_html_is_whole_and_says_in_words_what_its_colours_say(comparison: Comparison) -> None:
    text, tags = as_html(comparison), Tags()
    tags.feed(text)
    sheet = make_sheet(comparison)
    assert tags.open == []
    assert tags.seen.count("td") == len(sheet.headings) * len(sheet.rows)
    assert 'title="better than the baseline"' in text
    assert "a_b &amp; 50% &lt;c&gt;" in text
    assert "http" not in text


def test_latex_has_a_cell_for_every_column(comparison: Comparison) -> None:
    text = as_latex(comparison)
    sheet = make_sheet(comparison)
    rows = [line for line in text.splitlines() if line.endswith("\\\\")]
    assert {len(re.split(r"(?<!\\\\)&", row)) for row in rows} == {len(sheet.headings)}
    assert f"{{{'l' * sheet.words}{'r' * (len(sheet.headings) - sheet.words)}}}" in text
    assert "\\toprule" in text
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")
    assert "\\label{tab:a-b-50-c-}" in text


@pytest.mark.parametrize("name", ["[x]", "*x"])
def test_a_row_of_latex_is_no_argument_of_the_row_before(log: Any, name: str) -> None:
    r"""After \\\\ LaTeX takes a * or a bracket for an option: the length of the gap below the row."""
    log.open()
    for arm in ("epochs", name):
        log.run(arm, 1, 2.0, 0.8, role="baseline" if arm == "epochs" else "finalist")
    rows = as_latex(compare(log.folder)).partition("\\midrule")[2].partition("\\bottomrule")[0]
    assert any(row.lstrip().startswith(f"{{}}{name}") for row in rows.splitlines())


@pytest.mark.slow
def test_latex_compiles(comparison: Comparison, tmp_path: Path) -> None:
    program = shutil.which("tectonic") or shutil.which("pdflatex")
    if program is None:
        pytest.skip("neither tectonic nor pdflatex is installed")
    if not program.endswith("tectonic") and subprocess.run(["kpsewhich", "booktabs.sty"], check=False).returncode:
        pytest.skip("pdflatex has no booktabs")
    (tmp_path / "table.tex").write_text(as_latex(comparison), encoding="utf-8")
    page = "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\\input{table}\\end{document}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    flags = [] if program.endswith("tectonic") else ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run([program, *flags, "page.tex"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in done.stdout
    assert (tmp_path / "page.pdf").stat().st_size > 5000
