"""The files that the README names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_path_that_a_command_names_is_there() -> None:
    paths = re.findall(r"\b(?:tune|train_worker)\.py\b|\b(?:analysis|search_spaces|cluster|tests)/[\w/]+\.\w+", README)
    assert {"tune.py", "train_worker.py", "analysis/compare.py", "search_spaces/replay.yaml"} <= set(paths)
    assert [path for path in paths if not (ROOT / path).exists()] == []
