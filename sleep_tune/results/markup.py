"""A comparison as a document: Markdown, LaTeX (booktabs) or HTML. Lays text out and computes none."""

import html
import re
from collections.abc import Callable, Iterable

from sleep_tune.plain_text import visible
from sleep_tune.results.arms import Comparison
from sleep_tune.results.sheet import Cell, Sheet, make_sheet

__all__ = ["DOCUMENTS", "as_html", "as_latex", "as_markdown", "html_table", "html_text", "markdown_text"]


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
    title = html_text(f"{comparison.experiment.name}: arms against {comparison.baseline}")
    notes = "".join(f"<li>{html_text(note)}</li>" for note in comparison.notes)
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n<style>{STYLE}</style>\n'
        f"<h1>{title}</h1>\n<p><strong>{html_text(comparison.verdict)}</strong></p>\n"
        f"{html_table(make_sheet(comparison))}\n<ul>{notes}</ul>\n</html>\n"
    )


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
.scroll { overflow-x: auto } table { border-collapse: collapse } td.n, th.n { text-align: right }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top }
small { display: block; color: #666 }
.better { color: #0b6e4f; font-weight: bold } .worse { color: #a4243b; font-weight: bold }
"""


def html_table(sheet: Sheet) -> str:
    """The table alone; what is claimed says so in words too, for whoever does not see its colour."""
    head = "".join(f"<th{_numeric(at, sheet)}>{html_text(text)}</th>" for at, text in enumerate(sheet.headings))
    rows = "\n".join(
        f"<tr>{''.join(_html_cell(cell, _numeric(at, sheet)) for at, cell in enumerate(row))}</tr>"
        for row in sheet.rows
    )
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'


DOCUMENTS: dict[str, Callable[[Comparison], str]] = {"md": as_markdown, "tex": as_latex, "html": as_html}
"""Suffix of a file -> what makes its content."""


def _numeric(at: int, sheet: Sheet) -> str:
    return "" if at < sheet.words else ' class="n"'


def _html_cell(cell: Cell, attributes: str) -> str:
    text = html_text(cell.text)
    if cell.claim:
        text = f'<span class="{cell.claim}" title="{cell.claim} than the baseline">{text}</span>'
    detail = f"<small>{html_text(cell.detail)}</small>" if cell.detail else ""
    return f"<td{attributes}>{text}{detail}</td>"


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


def html_text(text: str) -> str:
    """Return `text` as HTML, in an element or an attribute, where it is nothing but text."""
    return html.escape(visible(text))


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
