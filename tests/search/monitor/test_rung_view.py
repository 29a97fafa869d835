"""The rung table as it is drawn, and its warning."""

import random
from dataclasses import replace
from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.search.monitor.rung_table import rung_table
from sleep_tune.search.monitor.rung_view import rung_view, warning
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Choice, Finalists, Parameter, Scheduler, Search, Stop, Uniform
from tests.search.monitor.shown import drawn
from tests.search.studies import open_search, study

HALVING = Scheduler(first_rung=0.2, reduction=2)


def noise(config: RunConfig, seed: int, share: float) -> float:
    """A curve whose values at the rungs say nothing of the end."""
    return random.Random(f"{config.sleep.replay.ratio} {share if share < 1 else 1}").random()


def searched(
    folder: Path, worker: FakeWorker, within: str | None = None, trials: int = 12, scheduler: Scheduler = HALVING
) -> str:
    """The view of a whole search."""
    space = study(
        parameters=(
            Parameter("sleep.replay.ratio", Uniform(0.01, 0.99)),
            Parameter("sleep.length.passes", Choice((1, 2))),
        ),
        baselines={},
        finalists=Finalists(count=0, seeds=1),
        search=Search(algorithm="random"),
        stop=Stop(trials=trials),
        scheduler=replace(scheduler, within=within),
    )
    director = open_search(folder / "small", space)
    run_inline(director, worker)
    director.close()
    trained = list(director.trials.values())
    told = warning(rung_table(trained, "min"))
    text = "\n".join(drawn(part, 80) for part in rung_view(trained, "min", within))
    assert (told or "") in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_a_row_tells_who_arrived_went_on_and_stopped(tmp_path: Path) -> None:
    text = searched(tmp_path, FakeWorker())
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "rung"
    assert lines[1].split()[:3] == ["25%", "250k", "12"]
    assert lines[2].split()[:2] == ["50%", "500k"]
    assert lines[3].split()[:2] == ["end", "1.0M"]
    assert lines[4] == "tau (trials): Kendall's, over a selected sample: those that reached both"
    assert "foretell" not in text


def test_rungs_that_foretell_nothing_are_warned_of(tmp_path: Path) -> None:
    lenient = Scheduler(first_rung=0.4, reduction=1.5)
    text = " ".join(searched(tmp_path, FakeWorker(curve=noise), trials=80, scheduler=lenient).split())
    assert "Early rungs do not foretell late ones, with 95% confidence: 44% to 67% (tau below 0." in text
    assert "67% to end (tau below " in text
    assert text.count("A later scheduler.first_rung would stop fewer good trials") == 1


def test_groups_are_named(tmp_path: Path) -> None:
    assert "within one sleep.length.passes" in " ".join(
        searched(tmp_path, FakeWorker(), within="sleep.length.passes").split()
    )


def test_there_is_none_before_a_rung() -> None:
    assert rung_view([], "min") == []
