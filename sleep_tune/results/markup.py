"""A comparison as a document: Markdown, LaTeX (booktabs) or HTML."""

import re
from collections.abc import Callable, Iterable

from sleep_tune.plain_text import visible
from sleep_tune.results.arms import Comparison
from sleep_tune.results.html_templates import render_page
from sleep_tune.results.sheet import Cell, make_sheet

__all__ = ["DOCUMENTS", "as_html", "as_latex", "as_markdown", "markdown_text"]


def as_markdown(comparison: Comparison) -> str:
    """Return title, verdict, table and notes."""
    sheet = make_sheet(comparison)
    title = markdown_text(f"{comparison.experiment.name}: arms against {comparison.baseline}")
    lines = [f"# {title}", "", markdown_text(comparison.verdict), ""]
    if sheet.rows:
        numbers = len(sheet.headings) - sheet.words
        lines += [
            _markdown_row(map(markdown_text, sheet.headings)),
            _markdown_row(["---"] * sheet.words + ["---:"] * numbers),
        ]
        lines += [_markdown_row(_markdown_cell(cell) for cell in row) for row in sheet.rows]
        lines.append("")
    lines += [f"- {markdown_text(note)}" for note in comparison.notes]
    return "\n".join(lines) + "\n"


def as_latex(comparison: Comparison) -> str:
    r"""Return a table for `\input`, with verdict and notes as caption; needs the packages booktabs and graphicx."""
    sheet = make_sheet(comparison)
    columns = "l" * sheet.words + "r" * (len(sheet.headings) - sheet.words)
    caption = _latex(" ".join([comparison.verdict, *comparison.notes]))
    lines = [
        "% \\usepackage{booktabs,graphicx}",
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{caption}}}",
        f"  \\label{{tab:{re.sub('[^A-Za-z0-9-]+', '-', comparison.experiment.name)}}}",
        "  \\resizebox{\\textwidth}{!}{%",
        f"  \\begin{{tabular}}{{{columns}}}",
        "    \\toprule",
        f"    {' & '.join(_latex(heading) for heading in sheet.headings)} \\\\",
        "    \\midrule",
        # {}: a row that begins with [ or * would be an argument of the preceding \\\\
        *(f"    {{}}{' & '.join(_latex_cell(cell) for cell in row)} \\\\" for row in sheet.rows),
        "    \\bottomrule",
        "  \\end{tabular}}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_html(comparison: Comparison) -> str:
    """Return an HTML page without scripts."""
    title = f"{comparison.experiment.name}: arms against {comparison.baseline}"
    return render_page("comparison.html", title=title, comparison=comparison, sheet=make_sheet(comparison))


DOCUMENTS: dict[str, Callable[[Comparison], str]] = {"md": as_markdown, "tex": as_latex, "html": as_html}
"""Suffix of a file -> function that returns its content."""


def _markdown_cell(cell: Cell) -> str:
    text = markdown_text(" ".join(part for part in (cell.text, cell.detail) if part))
    return f"**{text}**" if cell.claim else text


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


MARKDOWN = str.maketrans(
    {character: f"\\{character}" for character in "\\`*|~$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
"""Characters with a meaning in Markdown or in HTML -> how they are written as text."""

MARKDOWN_ENDS = re.compile(r"(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])")
"""Characters that could start or end an emphasis, or end the text of a link; `as_epochs` and `[1, 2]` are text."""


def markdown_text(text: str) -> str:
    """Return `text` escaped for Markdown, on one line."""
    return MARKDOWN_ENDS.sub(r"\\\g<0>", " ".join(visible(text).split()).translate(MARKDOWN))


LATEX = {
    "\\": r"\textbackslash{}",
    "–": "--",  # noqa: RUF001
    "−": "$-$",  # noqa: RUF001
    "<": "$<$",
    ">": "$>$",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
} | {character: f"\\{character}" for character in "&%$#_{}"}
"""Characters with a meaning in LaTeX, or missing from its fonts -> how they are written as text."""


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in " ".join(visible(text).split()))


def _latex_cell(cell: Cell) -> str:
    text = re.sub(r"^-(?=\d)", "$-$", _latex(cell.text))
    detail = re.sub(r"-(?=\d)", "$-$", _latex(cell.detail))
    text = f"\\textbf{{{text}}}" if cell.claim else text
    return f"{text} {{\\scriptsize {detail}}}" if detail else text
