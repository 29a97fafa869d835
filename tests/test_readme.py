"""The search space of the README is one that can be searched."""

import re
from pathlib import Path

from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.space_file import load_space

ROOT = Path(__file__).parents[1]


def test_the_search_space_of_the_readme_is_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "mine.yaml").write_text(text.replace("/path/to/texts", str(tmp_path)), encoding="utf-8")
    space = load_space(tmp_path / "mine.yaml")
    assert space.name == "mine"
    assert len(space.parameters) == 5
    assert compose_base(space).model.layers == 8
