"""Run the notebooks and write them back with their outputs: `python analysis/run_notebooks.py [NOTEBOOK ...]`.

They read results/demo; their first cells say how it is made. GitHub shows no plotly figures, so each one also gets a
picture, which headless Chromium draws.
"""

import base64
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import plotly
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.resolve()
PLOTLY = "application/vnd.plotly.v1+json"
WIDTH = 760
"""Pixels of a picture."""

PAGE = """<script src="{script}"></script><body><script>
Promise.all({figures}.map(async (figure) => {{
  const size = {{width: {width}, height: figure.layout.height || 400}}
  return (await Plotly.toImage(figure, {{format: "png", scale: 1, ...size}})).split(",")[1]
}})).then((images) => {{ document.body.textContent = images.join(" ") }})
</script></body>"""


def main(names: list[str]) -> None:
    """Run the notebooks of these names, or all."""
    paths = [FOLDER / name for name in names] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        resources = {"metadata": {"path": str(FOLDER)}}
        NotebookClient(notebook, timeout=1800, coalesce_streams=True, resources=resources).execute()
        add_pictures(notebook)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # the times, which differ in every run
        notebook.metadata["language_info"] = {"name": "python"}
        text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
        path.write_text(text.replace(f"{FOLDER.parent}/", "") + "\n", encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def add_pictures(notebook: Any) -> None:
    """Add a PNG to every output that is a figure of plotly."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    figures = [output["data"] for output in outputs if PLOTLY in output.get("data", {})]
    for data, picture in zip(figures, draw([data[PLOTLY] for data in figures]), strict=True):
        data.pop("text/html", None)
        data["image/png"] = picture


def draw(figures: list[Any]) -> list[str]:
    """Return each figure as a PNG in base64."""
    if not figures:
        return []
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for found in map(shutil.which, names) if found), None)
    if browser is None:
        raise SystemExit("the pictures need Chromium on PATH")
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        content = PAGE.format(script=script.as_uri(), figures=json.dumps(figures), width=WIDTH)
        page.write_text(content, encoding="utf-8")
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=60000", "--dump-dom"]
        flags += [f"--user-data-dir={folder}/browser", "--allow-file-access-from-files"]
        done = subprocess.run([browser, *flags, page.as_uri()], check=True, capture_output=True, text=True)
    pictures = done.stdout.rpartition("<body>")[2].partition("</body>")[0].split()
    if len(pictures) != len(figures):
        raise SystemExit(f"Chromium drew {len(pictures)} of {len(figures)} figures")
    for picture in pictures:
        base64.b64decode(picture, validate=True)
    return pictures


if __name__ == "__main__":
    main(sys.argv[1:])
