"""Notebooks are thin: written on the API, committed with outputs of a real search, and they run from top to bottom."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.results.report.searches import make_search

NOTEBOOKS = sorted((Path(__file__).parents[2] / "analysis").glob("*.ipynb"))
PLOTLY = "application/vnd.plotly.v1+json"


def cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_there_is_one_for_the_search_the_comparison_the_replay_and_the_quick_start() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["01_search", "02_comparison", "03_replay", "04_quick_start"]
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 2_000_000


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_has_its_outputs_and_no_logic(notebook: Path) -> None:
    """Each figure also as a picture, which GitHub shows; the only names that it imports are those of the package."""
    code = cells(notebook)
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code[1:])
    for cell in code:
        source = ast.parse("".join(cell["source"]))
        logic = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If)
        assert not any(isinstance(node, logic) for node in ast.walk(source))
        imported = [node for node in ast.walk(source) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert all(isinstance(node, ast.ImportFrom) and node.module == "sleep_tune" for node in imported)
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert PLOTLY not in output.get("data", {}) or "image/png" in output["data"]
    shown = json.dumps([cell["outputs"] for cell in code])
    assert re.findall(r"/(?:work|tmp|home|root)/[\w.-]+", shown) == []


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_runs_as_jupyter_runs_it(notebook: Path, tmp_path: Path) -> None:
    """Beside results/demo, where it writes nothing; the quick start, which searches, with fewer runs."""
    folder = tmp_path / "results" / "demo"
    make_search(folder, 30, paradigms=["agreement", "binding", "island"])
    (folder / "trials" / "t0003-s0" / "config.yaml").write_text("sleep: {folds: 5}\n")
    shutil.copytree(folder / "trials" / "t0003-s0", folder / "trials" / "t0003-s1", dirs_exist_ok=True)
    shutil.copytree(folder / "trials" / "t0003-s0", folder / "trials" / "t0003-s2", dirs_exist_ok=True)
    before = sorted(folder.rglob("*"))
    analysis = tmp_path / "analysis"
    analysis.mkdir()
    copied = analysis / shutil.copy(notebook, analysis)
    text = copied.read_text(encoding="utf-8")
    for option in ("stop.trials", "finalists.seeds"):
        text = text.replace(f'\\"{option}\\": 2', f'\\"{option}\\": 1')
    ran = NotebookClient(
        nbformat.reads(text, as_version=4),  # type: ignore[no-untyped-call]
        timeout=240,
        resources={"metadata": {"path": str(analysis)}},
    ).execute()
    shown = [output for cell in ran.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in shown if output.output_type == "error"]
    figures = sum(PLOTLY in output.get("data", {}) for output in shown)
    assert figures >= 1 or "quick_start" in notebook.name
    assert sorted(folder.rglob("*")) == before
