"""A comparison as a document: Markdown, LaTeX (booktabs) or HTML."""

import re
from collections.abc import Callable, Iterable

from sleep_tune.plain_text import visible
from sleep_tune.results.arms import Comparison
from sleep_tune.results.gain_sheet import gain_sheet
from sleep_tune.results.gain_text import TITLE, gain_notes
from sleep_tune.results.html_templates import render_page
from sleep_tune.results.sheet import Cell, Sheet, make_sheet

__all__ = ["DOCUMENTS", "as_html", "as_latex", "as_markdown", "markdown_text"]


def as_markdown(comparison: Comparison) -> str:
    """Return title, verdict, table and notes."""
    sheet, gains = make_sheet(comparison), gain_sheet(comparison)
    title = markdown_text(f"{comparison.experiment.name}: arms against {comparison.baseline}")
    lines = [f"# {title}", "", markdown_text(comparison.verdict), ""]
    lines += _markdown_table(sheet)
    lines += [f"- {markdown_text(note)}" for note in comparison.notes]
    if gains is not None:
        lines += ["", f"## {TITLE}", "", *_markdown_table(gains)]
        lines += [f"- {markdown_text(note)}" for note in gain_notes(comparison)]
    return "\n".join(lines) + "\n"


def _markdown_table(sheet: Sheet) -> list[str]:
    """Return the lines of a table and an empty one; none where it has no row."""
    if not sheet.rows:
        return []
    return [
        _markdown_row(map(markdown_text, sheet.headings)),
        _markdown_row(["---"] * sheet.words + ["---:"] * (len(sheet.headings) - sheet.words)),
        *(_markdown_row(_markdown_cell(cell) for cell in row) for row in sheet.rows),
        "",
    ]


def as_latex(comparison: Comparison) -> str:
    r"""Return tables for `\input`, with verdict and notes as captions; needs the packages booktabs and graphicx."""
    label = re.sub("[^A-Za-z0-9-]+", "-", comparison.experiment.name)
    lines = ["% \\usepackage{booktabs,graphicx}"]
    lines += _latex_table(make_sheet(comparison), label, [comparison.verdict, *comparison.notes])
    gains = gain_sheet(comparison)
    if gains is not None:
        lines += _latex_table(gains, f"{label}-gain", [f"{TITLE}.", *gain_notes(comparison)])
    return "\n".join(lines) + "\n"


def _latex_table(sheet: Sheet, label: str, sentences: Iterable[str]) -> list[str]:
    """Return the lines of a table whose caption is made of sentences."""
    columns = "l" * sheet.words + "r" * (len(sheet.headings) - sheet.words)
    return [
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{_latex(' '.join(sentences))}}}",
        f"  \\label{{tab:{label}}}",
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


def as_html(comparison: Comparison) -> str:
    """Return an HTML page without scripts."""
    title = f"{comparison.experiment.name}: arms against {comparison.baseline}"
    gains = gain_sheet(comparison)
    made_of = None if gains is None else {"title": TITLE, "sheet": gains, "notes": list(gain_notes(comparison))}
    return render_page(
        "comparison.html", title=title, comparison=comparison, sheet=make_sheet(comparison), made_of=made_of
    )


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
