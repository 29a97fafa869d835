"""What the README and the map say of files and commands is so."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "MAP.md").read_text(encoding="utf-8")


def test_the_map_names_every_file_of_the_package() -> None:
    lines = MAP[MAP.index("    sleep_tune/\n") :].split("\n\n")[0].splitlines()
    folders: list[str] = []
    named = set()
    for line in lines:
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip()) - 4) // 2
        folders = [*folders[:depth], name]
        if name.endswith(".py"):
            named.add("".join(folders))
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "sleep_tune").rglob("*.py") if path.name != "__init__.py"}
    assert named == files


def test_every_path_that_a_command_names_is_there() -> None:
    paths = re.findall(r"\b(?:tune|train_worker)\.py\b|\b(?:analysis|search_spaces|cluster|tests)/[\w/]+\.\w+", README)
    assert {"tune.py", "train_worker.py", "analysis/compare.py", "search_spaces/replay.yaml"} <= set(paths)
    assert [path for path in paths if not (ROOT / path).exists()] == []
