"""Notebooks are thin: outputs cleared, no logic of their own, and their cells run."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.files import append_json_line
from sleep_tune.records import Event

NOTEBOOKS = sorted((Path(__file__).parents[2] / "analysis").glob("*.ipynb"))


def cells(notebook: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"]
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_outputs_and_without_logic(notebook: Path) -> None:
    for cell in cells(notebook):
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
            defined = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If)
            assert not any(isinstance(node, defined) for node in ast.walk(ast.parse("".join(cell["source"]))))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebooks_cells_run(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its own folder, on the demo's results, if only just begun."""
    folder = tmp_path / "results" / "demo"
    folder.mkdir(parents=True)
    append_json_line(folder / "trials.jsonl", Event(event="opened", time=0.0).to_json())
    (tmp_path / "analysis").mkdir()
    monkeypatch.chdir(tmp_path / "analysis")
    names: dict[str, Any] = {}
    for cell in cells(notebook):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), notebook.name, "exec"), names)
    assert [path.name for path in folder.iterdir()] == ["trials.jsonl"]
