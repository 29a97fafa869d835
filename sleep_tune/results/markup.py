"""A comparison as a document: Markdown, LaTeX (booktabs) or HTML. Lays text out and computes none."""

import re
from collections.abc import Callable, Iterable

from sleep_tune.plain_text import visible
from sleep_tune.results.arms import Comparison
from sleep_tune.results.html_templates import render_page
from sleep_tune.results.sheet import Cell, make_sheet

__all__ = ["DOCUMENTS", "as_html", "as_latex", "as_markdown", "markdown_text"]


def as_markdown(comparison: Comparison) -> str:
    """Title, verdict, table, notes."""
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
    r"""A table for `\input`: needs booktabs and graphicx; wide as the text, the caption says how it is to be read."""
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
        # {}: a row that begins with [ or * would be an argument of the \\\\ before it
        *(f"    {{}}{' & '.join(_latex_cell(cell) for cell in row)} \\\\" for row in sheet.rows),
        "    \\bottomrule",
        "  \\end{tabular}}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def as_html(comparison: Comparison) -> str:
    """A page of its own, without scripts."""
    title = f"{comparison.experiment.name}: arms against {comparison.baseline}"
    return render_page("comparison.html", title=title, comparison=comparison, sheet=make_sheet(comparison))


DOCUMENTS: dict[str, Callable[[Comparison], str]] = {"md": as_markdown, "tex": as_latex, "html": as_html}
"""Suffix of a file -> what makes its content."""


def _markdown_cell(cell: Cell) -> str:
    text = markdown_text(" ".join(part for part in (cell.text, cell.detail) if part))
    return f"**{text}**" if cell.claim else text


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


MARKDOWN = str.maketrans(
    {character: f"\\{character}" for character in "\\`*|~$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
)
"""Characters that Markdown, or the HTML in it, would take for its own -> how they are written."""

MARKDOWN_ENDS = re.compile(r"(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])")
"""What may begin or end an emphasis, or end the words of a link; `as_epochs` and an interval in brackets are text."""


def markdown_text(text: str) -> str:
    """Return `text` on one line of Markdown, where it is nothing but text."""
    return MARKDOWN_ENDS.sub(r"\\\g<0>", " ".join(visible(text).split()).translate(MARKDOWN))


LATEX = {
    "\\": r"\textbackslash{}",
    "–": "--",  # noqa: RUF001
    "−": "$-$",  # noqa: RUF001
    "<": "$<$",
    ">": "$>$",
    "†": r"\textdagger{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
} | {character: f"\\{character}" for character in "&%$#_{}"}
"""Characters that LaTeX would take for its own."""


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in " ".join(visible(text).split()))


def _latex_cell(cell: Cell) -> str:
    text = re.sub(r"^-(?=\d)", "$-$", _latex(cell.text))
    detail = re.sub(r"-(?=\d)", "$-$", _latex(cell.detail))
    text = f"\\textbf{{{text}}}" if cell.claim else text
    return f"{text} {{\\scriptsize {detail}}}" if detail else text
