"""Facts of runs: what makes a comparison unfair is said, what is compared is not."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from sleep_tune.config.load import compose
from sleep_tune.config.tree import to_dict
from sleep_tune.experiment.exposures import Exposures, write_exposures
from sleep_tune.experiment.run_folder import write_outcome
from sleep_tune.records import Outcome
from sleep_tune.results.comparison import compare
from sleep_tune.results.run_facts import RunFacts, fact_notes, model_notes, read_facts
from tests.results.conftest import SyntheticLog, has_note

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


def test_tasks_that_were_left_out_are_said_once(tmp_path: Path) -> None:
    reason = "zorro is not scored: 6 of its 4600 items are longer than a model reads"
    for name in ("a", "b"):
        make_run(tmp_path / name)
        (tmp_path / name / "eval").mkdir()
        (tmp_path / name / "eval" / "left_out.json").write_text(json.dumps([reason]))
    facts = {"epochs": [read_facts(tmp_path / "a")], "t0001": [read_facts(tmp_path / "b")]}
    assert list(fact_notes(facts, "epochs")) == [f"Warning: {reason}."]


def test_an_empty_folder_says_nothing(tmp_path: Path) -> None:
    assert read_facts(tmp_path) == RunFacts()


def test_what_is_compared_is_no_warning() -> None:
    ours = {"sleep.folds": 20, "training.seed": 7, "run.name": "t", "tracking.group": "x", "training.warmup": 0.05}
    ours |= {"data.cache_dir": "c", "training.checkpoint_minutes": 1.0, "training.mirror": "file:///m"}
    theirs = {"sleep.folds": 1, "training.seed": 8, "run.name": "e", "tracking.group": None, "training.warmup": 0.05}
    theirs |= {"data.cache_dir": None, "training.checkpoint_minutes": 5.0, "training.mirror": None}
    assert list(fact_notes({"epochs": [RunFacts("a", theirs)], "t0001": [RunFacts("a", ours)]}, "epochs")) == []


def test_what_makes_it_unfair_is_said() -> None:
    ours = {"training.warmup": 0.1, "training.masking.probability": 0.3}
    theirs = {"training.warmup": 0.05, "training.masking.probability": 0.15}
    notes = list(fact_notes({"epochs": [RunFacts("b", theirs)], "t0001": [RunFacts("a", ours, 0.125)]}, "epochs"))
    assert len(notes) == 3
    assert all(note.startswith("Warning: ") for note in notes)
    assert "2 versions of the code (a, b)" in notes[0]
    assert "t0001 differs from epochs" in notes[1]
    assert notes[1].endswith(": warmup 0.1 instead of 0.05, probability 0.3 instead of 0.15.")
    assert "10 times" in notes[2]
    assert "t0001 12.5%" in notes[2]


def test_one_run_among_several_is_enough() -> None:
    one, other = {"training.warmup": 0.05}, {"training.warmup": 0.1}
    both = [RunFacts("a", one), RunFacts("a", other)]
    (note,) = fact_notes({"epochs": both}, "epochs")
    assert "the runs of epochs differ" in note
    assert note.endswith(": warmup 0.1 instead of 0.05.")
    (note,) = fact_notes({"epochs": both[:1], "t1": both}, "epochs")
    assert "t1 differs from epochs" in note
    assert note.endswith(": warmup 0.1 instead of 0.05.")


def test_a_comparison_says_it_of_its_own_runs(log: SyntheticLog) -> None:
    log.open()
    for seed, commit in ((1, "a" * 40), (2, "b" * 40)):
        log.run("epochs", seed, 2.0, 0.8)
        make_run(log.folder / "trials" / f"epochs-s{seed}", commit=commit)
    assert has_note(compare(log.folder), "Warning: ", "2 versions of the code (aaaaaaaaaa, bbbbbbbbbb).")


@pytest.mark.parametrize(("passes", "share"), [(10.0, 0.0), (10.25, 0.25), (12.0, 1.0)])
def test_a_run_that_never_slept_saw_everything_as_often_as_it_read_it(
    tmp_path: Path, passes: float, share: float
) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"budget": {"passes": passes, "words": None}}))
    (tmp_path / "metrics.jsonl").write_text('{"kind":"train","loss":1.0}\n')
    assert read_facts(tmp_path).seen_often == share


def test_exposures_count_where_the_run_kept_them_and_a_damaged_file_does_not(tmp_path: Path) -> None:
    make_run(tmp_path / "run", exposures=[0] * 10 + [6, 2])
    run = tmp_path / "run"
    write_exposures(run, Exposures(np.array([1, 10, 11, 30], np.int32), "corpus", "keep", 100, 1))
    assert (read_facts(run).seen_often, read_facts(run).has_exposures) == (0.25, True)  # by the record of its sleep
    write_outcome(run, Outcome(state="completed", words_seen=100, updates=1, seconds=1.0, flops=1.0, device="cpu"))
    assert read_facts(run).seen_often == 0.5
    (run / "exposures.npz").write_bytes(b"PK")
    assert read_facts(run).seen_often == 0.25


DEPARTURES = {
    "budget.passes=8": "passes 8 instead of 10",
    "training.warmup=0.2": "warmup 0.2 instead of 0.05",
    "training.masking.probability=0.3": "probability 0.3 instead of 0.15",
    "training.masking.kind=bernoulli": "kind bernoulli instead of fixed",
    "training.learning_rate=0.5": "learning_rate 0.5 instead of",
    "training.learning_rate=0.00031234567890123456": "learning_rate 0.0003123 instead of",
    "training.warmup=0.05000000000000001": "warmup 0.05000000000000001 instead of 0.05",
    "data.seed=9": "seed 9 instead of 0",
}
"""Override of one arm's runs -> what the note says of it."""


@pytest.mark.parametrize("override", DEPARTURES)
def test_arms_that_differ_in_more_than_sleep_are_named_from_their_real_configurations(
    log: SyntheticLog, override: str
) -> None:
    log.open()
    for arm, role, more in (("epochs", "baseline", []), ("t0001", "finalist", ["sleep=strict", override])):
        for seed in (1, 2):
            log.run(arm, seed, 2.0 + seed / 10, 0.8, role=role)
            run = log.folder / "trials" / f"{arm}-s{seed}"
            make_run(run)
            (run / "config.yaml").write_text(yaml.safe_dump(to_dict(compose([*more, f"training.seed={seed}"]))))
    (note,) = [note for note in compare(log.folder).notes if "t0001 differs from epochs" in note]
    assert DEPARTURES[override] in note
    assert "folds" not in note


def test_every_warning_of_a_table_is_given_of_real_folders(log: SyntheticLog) -> None:
    """Few seeds, tuning, budget, code, exposures: one folder that has all that is wrong."""
    log.open(baselines={"epochs": {"trials": 2}, "as_epochs": {}}, parameters={"sleep.folds": {}})
    for number in range(5):
        log.ask(f"t000{number}")
    for arm, role, words in (("epochs", "baseline", 999_700), ("t0001", "finalist", 500_000)):
        for seed in (1, 2):
            log.run(arm, seed, 2.0 + seed / 10, 0.8, role=role, words_seen=words)
            make_run(
                log.folder / "trials" / f"{arm}-s{seed}",
                commit=("a" if arm == "epochs" else "b") * 40,
                exposures=[1] * 11 + [0 if arm == "epochs" else 9],
            )
    comparison = compare(log.folder)
    for parts in (
        ("Warning: only 2 seeds", "at least 5"),
        ("Warning: epochs was tuned with 2 trials", "finalists with 5"),
        ("Not matched on words seen: t0001 saw 500,000 words, 50.0% fewer than epochs",),
        ("Warning: ", "2 versions of the code (aaaaaaaaaa, bbbbbbbbbb)."),
        ("Warning: ", "more than 10 times", "t0001 45.0%"),
    ):
        assert has_note(comparison, *parts)


GPT2 = {"model.kind": "gpt2", "model.layers": 8, "model.hidden": 256, "training.objective": "clm"}


@pytest.mark.parametrize(
    ("configs", "parts"),
    [
        ([{}], None),
        ([GPT2], "gpt2|8|256|clm"),
        ([{"model.kind": "roberta"}], "roberta|mlm|adamw"),
        ([{"model.kind": "hf", "model.config": "opt", "training.objective": "clm"}], "hf opt;|clm"),
        (
            [{"model.kind": "llama", "training.optimizer": name} for name in ("adamw", "muon", "adamw")],
            "adamw or muon.",
        ),
    ],
)
def test_the_model_its_objective_and_its_optimizer_are_said(
    configs: list[dict[str, object]], parts: str | None
) -> None:
    notes = list(model_notes([RunFacts(config=config) for config in configs]))
    assert len(notes) == (parts is not None)
    assert all(part in note for note in notes for part in (parts or "").split("|"))
