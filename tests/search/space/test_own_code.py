"""Functions by import path in a search space: as choices, in the base, as the task of an objective."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sleep_tune.errors import ConfigError
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import Choice, Space
from sleep_tune.search.space.space_file import load_space
from sleep_tune.search.space.trial_configs import TrialConfigs
from tests.messages import missing, raises_naming
from tests.own_code import own_code
from tests.search.studies import start

SPACE = """\
base:
  model: tiny
parameters:
  sleep.replay.strategy: {choice: [strict, space_lab:middle]}
"""


@pytest.fixture(autouse=True)
def lab(tmp_path: Path) -> Iterator[Path]:
    """A working directory with a module of its own and a folder of evaluation data."""
    (tmp_path / "tasks" / "stripes").mkdir(parents=True)
    with own_code(tmp_path, {"space_lab.py": "def middle():\n    pass\n\n\ndef stripes():\n    pass\n"}):
        yield tmp_path


def read(text: str, *overrides: str) -> Space:
    Path("study.yaml").write_text(text)
    return load_space(Path("study.yaml"), overrides)


def test_a_choice_may_be_an_import_path() -> None:
    space = read(SPACE)
    assert space.parameters[0].domain == Choice(("strict", "space_lab:middle"))
    (entry,) = compose_base(space).run.sources
    assert entry.startswith("space_lab:middle space_lab.py sha256:")


def test_a_trial_names_the_sources_that_it_uses(tmp_path: Path) -> None:
    space = read(SPACE, "stop.trials=4", "search.algorithm=random")
    base = compose_base(space)
    director = Director(space, base, TOY_CORPUS, tmp_path / "results")
    configs = TrialConfigs(space, base, TOY_CORPUS, tmp_path, ())
    seen = {}
    for _ in range(2):
        trial = director.state.trials[start(director).id]
        seen[str(trial.parameters["sleep.replay.strategy"])] = configs.of(trial)["run"]["sources"]
    director.close()
    assert seen == {"strict": [], "space_lab:middle": list(base.run.sources)}


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("space_lab:middle", "space_lab:midle", "study.yaml:4|sleep.replay.strategy=space_lab:midle|middle?"),
        ("space_lab:middle", "space_lob:middle", "study.yaml:4|space_lob|space_lab?"),
        ("model: tiny", "data.kind: space_lob:read", "study.yaml:2|data.kind=space_lob:read"),
        ("strict", "stritc", "study.yaml:4|'strict'|package.module:function"),
    ],
)
def test_what_cannot_be_imported_is_a_mistake_with_its_line(before: str, after: str, names: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(SPACE.replace(before, after))
    assert not missing(caught.value, names)


def test_a_task_of_the_users_own_can_be_the_objective_and_the_endpoint() -> None:
    own = ["evaluation.data=tasks", "evaluation.tasks=[space_lab:stripes]"]
    space = read(SPACE, *own, "objective.metric=babylm2026/stripes", "comparison.primary=babylm2026/stripes")
    assert (space.objective.metric, space.objective.mode) == ("babylm2026/stripes", "max")
    for key in ("objective.metric", "comparison.primary"):
        with raises_naming(ConfigError, key, "babylm/stirpes", "'babylm2026/stripes'"):
            read(SPACE, *own, f"{key}=babylm/stirpes")


def test_the_folder_of_a_task_must_be_there(lab: Path) -> None:
    (lab / "tasks" / "stripes").rmdir()
    with pytest.raises(ConfigError) as caught:
        read(SPACE, "evaluation.data=tasks", "evaluation.tasks=[space_lab:stripes]")
    assert not missing(caught.value, "evaluation.tasks|stripes|tasks")
