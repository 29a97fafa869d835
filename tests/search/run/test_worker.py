import dataclasses
import re
from pathlib import Path

import pytest

from sleep_tune.config.load import compose
from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError, DataError, Diverged
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.search.run.launch import PreparedSearch
from sleep_tune.search.run.worker import list_unscored_tasks, summarize, train_worker
from sleep_tune.search.space.search_space import Finalists, Int, Parameter, Space, Stop
from tests.messages import raises_naming


def scored_on(data: Path, cache: Path) -> RunConfig:
    base = compose(["data=toy", "data.sentences=200", "data.max_length=12", "tokenizer.vocab_size=300"])
    return dataclasses.replace(
        base,
        data=dataclasses.replace(base.data, cache_dir=str(cache)),
        evaluation=dataclasses.replace(base.evaluation, data=str(data), pairs=0),
    )


def test_without_tasks_nothing_is_looked_at() -> None:
    assert list_unscored_tasks(RunConfig()) == ()


@pytest.mark.slow
def test_a_model_that_cannot_be_trained_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    small = ["data=toy", "data.sentences=200", "data.max_length=12", "tokenizer.vocab_size=300"]
    base = compose([*small, f"data.cache_dir={tmp_path / 'cache'}", "model=hf", "model.config=t5"])
    space = Space(name="study", stop=Stop(trials=1), finalists=Finalists(count=0, seeds=1))
    folder = tmp_path / "study"
    study = PreparedSearch(space=space, base=base, corpus=summarize(base), folder=folder, worker=train_worker)
    with raises_naming(ConfigError, "model.config=t5"):
        study.plan(launcher="inline", address=None)
    with raises_naming(ConfigError, "model.config=t5"):
        study.run(launcher="inline", address=None)
    assert not folder.exists()


@pytest.mark.slow
def test_a_task_is_looked_at_before_anything_is_trained(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """One that will not be scored is said at the start of a search, and a broken line is an error there."""
    pairs = tmp_path / "tasks" / "zorro" / "npi.txt"
    pairs.parent.mkdir(parents=True)
    pairs.write_text("cat the\nthe cat\n" + "cat the " * 20 + "\n" + "the cat " * 20 + "\n", encoding="utf-8")
    base = scored_on(tmp_path / "tasks", tmp_path / "cache")
    (reason,) = list_unscored_tasks(base)
    assert re.match(r"zorro is not scored: 1 of its 2 items .* while data.max_length=12", reason)
    pairs.write_text("cat the\nthe cat\ncat the\n", encoding="utf-8")
    space = Space(name="study", stop=Stop(trials=1), finalists=Finalists(count=0, seeds=1))
    folder = tmp_path / "study"
    study = PreparedSearch(space=space, base=base, corpus=summarize(base), folder=folder, worker=train_worker)
    with pytest.raises(DataError, match=r"npi.txt.*3"):
        study.run(launcher="inline", address=None)
    assert not folder.exists()
    assert "asked" not in capfd.readouterr().out


@pytest.mark.slow
def test_a_search_that_ends_leaves_nothing_in_the_mirror(tmp_path: Path) -> None:
    """Its first trial fails in training, after a checkpoint."""
    options = ["data=toy", "data.sentences=200", "data.max_length=12", "tokenizer.vocab_size=300", "model=tiny"]
    options += ["budget.passes=2", "training.checkpoint_ratio=0.1", "evaluation.samples=4", "evaluation.pairs=0"]
    mirror = tmp_path / "mirror"
    base = compose([*options, f"data.cache_dir={tmp_path / 'cache'}", f"training.mirror={mirror.as_uri()}"])
    space = Space(
        name="study",
        parameters=(Parameter("sleep.folds", Int(1, 3)),),
        stop=Stop(trials=2),
        finalists=Finalists(count=0, seeds=1),
    )
    left: list[str] = []

    def moody(config: RunConfig, report: Report) -> Outcome:
        def until(progress: Progress) -> Decision:
            if config.run.name == "t0001" and progress.rung == progress.budget_words:
                left.extend(path.name for path in mirror.iterdir())
                raise Diverged("loss is nan")
            return report(progress)

        return train_worker(config, until)

    folder = tmp_path / "study"
    PreparedSearch(space=space, base=base, corpus=summarize(base), folder=folder, worker=moody).run(
        launcher="inline", address=None
    )
    assert len(left) == 1
    assert re.fullmatch(r"study-t0001-[0-9a-f]{12}", left[0])
    assert not list(mirror.iterdir())
