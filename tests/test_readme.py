"""What the README and docs/ refer to exists, and the README's search space is one that can be searched."""

import re
from pathlib import Path

import pytest

from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.space_file import load_space

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PATH = re.compile(
    r"\b(?:tune|train_worker)\.py\b|\b(?:analysis|cluster|conf|docs|search_spaces|sleep_tune|tests)/[\w/-]+\.\w+"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []
    named = [path for path in PATH.findall(text) if "<" not in path]
    assert [path for path in named if not (ROOT / path).exists()] == []
    assert page != ROOT / "README.md" or {"tune.py", "train_worker.py", "search_spaces/replay.yaml"} <= set(named)


def test_the_search_space_of_the_readme_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text.replace("/path/to/texts", str(tmp_path)), encoding="utf-8")
    space = load_space(tmp_path / "mine.yaml")
    assert space.name == "mine"
    assert len(space.parameters) == 5
    assert compose_base(space).model.layers == 8
