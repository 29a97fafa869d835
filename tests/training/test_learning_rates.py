"""The rate of each update: the schedule's, times that of its phases; and the rate at which each fold was read."""

import json
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.prepare import Corpus
from sleep_tune.records import Decision, Progress
from sleep_tune.sleep.batch import Batch
from sleep_tune.training.learning_rates import LearningRates
from sleep_tune.training.run import train
from sleep_tune.training.trainer import SleepTrainer
from tests.training.runs import keep_training, make_config, read_lines, weigh

NO_ROWS = np.empty((0, 0), np.int32)
PLACES = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=6)
"""Batches awake and batches asleep of each cycle."""


def batches_of(cycles: list[tuple[int, int]]) -> list[Batch]:
    places = [
        (phase, cycle)
        for cycle, numbers in enumerate(cycles)
        for phase, number in zip(("wake", "sleep"), numbers, strict=True)
        for _ in range(number)
    ]
    return [Batch(phase, index, cycle, 0, cycle, NO_ROWS, NO_ROWS, 10) for index, (phase, cycle) in enumerate(places)]


def run_updates(rates: LearningRates, batches: list[Batch], accumulation: int, scheduled: list[float]) -> list[float]:
    """The rates of updates of `accumulation` batches each."""
    made = []
    for at in range(0, len(batches), accumulation):
        for batch in batches[at : at + accumulation]:
            rates.add(batch, 10 * (batch.index + 1))
        made.append(rates.end_update(scheduled[at // accumulation]))
    return made


@given(cycles=PLACES, accumulation=st.integers(1, 5), asleep=st.floats(0, 100), seed=st.integers(0, 99), data=st.data())
def test_a_rate_is_the_mean_of_its_batches_and_a_phase_records_theirs(
    cycles: list[tuple[int, int]], accumulation: int, asleep: float, seed: int, data: st.DataObject
) -> None:
    batches = batches_of(cycles)
    scheduled = np.random.default_rng(seed).random(len(batches)).tolist()
    rates = LearningRates(asleep)
    made = run_updates(rates, batches, accumulation, scheduled)
    multipliers = [asleep if batch.phase == "sleep" else 1.0 for batch in batches]
    for index, rate in enumerate(made):
        of_update = multipliers[index * accumulation : (index + 1) * accumulation]
        assert rate == pytest.approx(scheduled[index] * np.mean(of_update))
    expected: list[tuple[object, ...]] = []
    for (cycle, phase), group in groupby(batches, key=lambda batch: (batch.cycle, batch.phase)):
        members = [batch.index for batch in group]
        mean = np.mean([made[index // accumulation] for index in members])
        expected.append((cycle, phase, len(members), 10 * (members[-1] + 1), pytest.approx(mean)))
    recorded: list[tuple[object, ...]] = [
        (phase.cycle, ("wake", "sleep")[phase.phase], phase.batches, phase.words_seen, phase.mean)
        for phase in rates.take_all()
    ]
    assert recorded == expected

    updates = data.draw(st.integers(0, len(made)))
    cut, resumed = LearningRates(asleep), LearningRates(asleep)
    first, rest = batches[: updates * accumulation], batches[updates * accumulation :]
    run_updates(cut, first, accumulation, scheduled)
    before = cut.take_ended()
    resumed.load_state_dict(json.loads(json.dumps(cut.state_dict())))
    run_updates(resumed, rest, accumulation, scheduled[updates:])
    run_updates(rates, batches, accumulation, scheduled)
    assert before + resumed.take_all() == rates.take_all()


def learned(corpus: Corpus, folder: Path, *, asleep: float, accumulation: int = 1) -> list[tuple[set[str], float]]:
    """The phases of each update of a run, and the rate with which the optimizer made it."""
    made: list[tuple[set[str], float]] = []
    phases: set[str] = set()

    class Watched(SleepTrainer):
        """Notes the rate of each update."""

        def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
            """The run's optimizer, watched."""
            optimizer = super().create_optimizer(model)
            optimizer.register_step_pre_hook(self.note)
            return optimizer

        def note(self, optimizer: torch.optim.Optimizer, *arguments: object) -> None:
            """Note an update."""
            (rate,) = {group["lr"] for group in optimizer.param_groups}
            made.append((set(phases), rate))
            phases.clear()

        def _mean_loss(self, model: torch.nn.Module, prepared: object) -> torch.Tensor:
            phases.add(prepared.batch.phase)  # type: ignore[attr-defined]
            return super()._mean_loss(model, prepared)  # type: ignore[arg-type]

    config = make_config(folder, schedule="constant", warmup=0.0, accumulation=accumulation)
    config.sleep.learning_rate = asleep
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sleep_tune.training.run.SleepTrainer", Watched)
        train(config, keep_training, corpus=corpus, evaluate=weigh)
    return made


def test_sleep_learns_at_its_own_rate(corpus: Corpus, tmp_path: Path) -> None:
    made = learned(corpus, tmp_path, asleep=0.25)
    assert {(*phases, rate) for phases, rate in made} == {("wake", 0.01), ("sleep", 0.0025)}
    lines = read_lines(tmp_path, "phase")
    assert [(line["phase"], line["cycle"]) for line in lines[:4]] == [
        ("wake", 0),
        ("sleep", 0),
        ("wake", 1),
        ("sleep", 1),
    ]
    for line in lines:
        assert line["learning_rate"] == pytest.approx({"wake": 0.01, "sleep": 0.0025}[line["phase"]])
        assert (line["pass_index"], line["fold"]) == divmod(line["cycle"], 3)
    assert sum(line["batches"] for line in lines) == len(made)
    assert lines[-1]["words_seen"] == read_lines(tmp_path, "train")[-1]["words_seen"]
    sleeps = read_lines(tmp_path, "sleep")
    assert [line["batches"] for line in lines if line["phase"] == "sleep"] == [line["batches"] for line in sleeps]


@pytest.mark.slow
def test_an_update_of_both_phases_has_a_rate_between_theirs(corpus: Corpus, tmp_path: Path) -> None:
    made = learned(corpus, tmp_path, asleep=0.5, accumulation=3)
    mixed = [rate for phases, rate in made if phases == {"wake", "sleep"}]
    assert mixed
    assert all(rate == pytest.approx(0.02 / 3) or rate == pytest.approx(0.025 / 3) for rate in mixed)


@pytest.mark.slow
def test_without_a_rate_asleep_weights_change_awake_only(corpus: Corpus, tmp_path: Path) -> None:
    weights: dict[str, float] = {}

    def report(progress: Progress) -> Decision:
        if progress.rung is not None and progress.phase == "sleep":
            cycle = f"{progress.cycle}"
            assert weights.setdefault(cycle, progress.metrics["eval/nll"]) == progress.metrics["eval/nll"]
            repeats.append(cycle)
        return Decision.CONTINUE

    repeats: list[str] = []
    config = make_config(tmp_path, rungs=tuple(share / 50 for share in range(1, 50)))
    config.sleep.learning_rate = 0.0
    train(config, report, corpus=corpus, evaluate=weigh)
    assert len(repeats) > 2 * len(weights) > 4


def test_a_multiplier_of_one_changes_nothing() -> None:
    """The rate is the schedule's to the last bit, whatever the number of batches in an update."""
    rates = LearningRates()
    for number in range(1, 50):
        for batch in batches_of([(number, number)]):
            rates.add(batch, 1)
        assert rates.end_update(0.1) == 0.1
