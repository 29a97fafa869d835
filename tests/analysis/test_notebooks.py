"""Notebooks are thin: outputs cleared, no logic of their own; each runs from top to bottom in a kernel of its own."""

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.results.report.searches import make_search

NOTEBOOKS = sorted((Path(__file__).parents[2] / "analysis").glob("*.ipynb"))


def cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"]
    return found


def test_there_is_one_for_the_search_the_comparison_and_the_replay() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["01_search", "02_comparison", "03_replay"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_outputs_and_without_logic(notebook: Path) -> None:
    for cell in cells(notebook):
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            defined = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If)
            assert not any(isinstance(node, defined) for node in ast.walk(ast.parse("".join(cell["source"]))))


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_as_jupyter_runs_it(notebook: Path, tmp_path: Path) -> None:
    """Beside results/demo, and writing nothing there."""
    folder = tmp_path / "results" / "demo"
    make_search(folder, 30, paradigms=["agreement", "binding", "island"])
    before = sorted(folder.rglob("*"))
    analysis = tmp_path / "analysis"
    analysis.mkdir()
    copied = analysis / shutil.copy(notebook, analysis)
    ran = NotebookClient(
        nbformat.read(copied, as_version=4),  # type: ignore[no-untyped-call]
        timeout=120,
        resources={"metadata": {"path": str(analysis)}},
    ).execute()
    shown = [output for cell in ran.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error"]
    assert sum("application/vnd.plotly.v1+json" in output.get("data", {}) for output in shown) >= 1
    assert sorted(folder.rglob("*")) == before
