"""Facts of runs: what makes a comparison unfair is said, what is compared is not."""

import json
from pathlib import Path

import yaml

from sleep_tune.results.comparison import compare
from sleep_tune.results.facts import RunFacts, fact_notes, read_facts
from tests.results.conftest import SyntheticLog

CONFIG = {"sleep": {"folds": 5}, "training": {"seed": 1, "warmup": 0.05, "masking": {"probability": 0.15}}}


def make_run(run: Path, *, commit: str = "a" * 40, dirty: bool = False, exposures: list[int] | None = None) -> None:
    run.mkdir(parents=True)
    (run / "environment.json").write_text(json.dumps({"commit": commit, "uncommitted": dirty}))
    (run / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    lines = [{"kind": "sleep", "exposures": [1] * 12}, {"kind": "sleep", "exposures": exposures or [4]}]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (run / "metrics.jsonl").write_text(text + '{"kind":"train","los')


def test_a_folder_is_read(tmp_path: Path) -> None:
    make_run(tmp_path / "run", dirty=True, exposures=[0] * 10 + [6, 2])
    facts = read_facts(tmp_path / "run")
    assert facts.commit == "aaaaaaaaaa+"
    assert facts.config["training.masking.probability"] == 0.15
    assert facts.seen_often == 0.25


def test_an_empty_folder_says_nothing(tmp_path: Path) -> None:
    assert read_facts(tmp_path) == RunFacts()


def test_what_is_compared_is_no_warning() -> None:
    ours = {"sleep.folds": 20, "training.seed": 7, "run.name": "t", "tracking.group": "x", "training.warmup": 0.05}
    theirs = {"sleep.folds": 1, "training.seed": 8, "run.name": "e", "tracking.group": None, "training.warmup": 0.05}
    assert list(fact_notes({"epochs": [RunFacts("a", theirs)], "t0001": [RunFacts("a", ours)]}, "epochs")) == []


def test_what_makes_it_unfair_is_said() -> None:
    ours = {"training.warmup": 0.1, "training.masking.probability": 0.3}
    theirs = {"training.warmup": 0.05, "training.masking.probability": 0.15}
    told = list(fact_notes({"epochs": [RunFacts("b", theirs)], "t0001": [RunFacts("a", ours, 0.125)]}, "epochs"))
    assert told == [
        "Beware: the runs were made by 2 versions of the code (a, b).",
        "Beware: t0001 differs from epochs in more than its sleep: "
        "warmup 0.1 against 0.05, probability 0.3 against 0.15.",
        "Beware: some samples were seen more than 10 times (share of the samples: t0001 12.5%), which BabyLM's rule, "
        "read to the letter, does not allow.",
    ]


def test_a_comparison_says_it_of_its_own_runs(log: SyntheticLog) -> None:
    log.open()
    for seed, commit in ((1, "a" * 40), (2, "b" * 40)):
        log.run("epochs", seed, 2.0, 0.8)
        make_run(log.folder / "trials" / f"epochs-s{seed}", commit=commit)
    notes = compare(log.folder).notes
    assert "Beware: the runs were made by 2 versions of the code (aaaaaaaaaa, bbbbbbbbbb)." in notes
