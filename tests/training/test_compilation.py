"""Runs with training.compile: one graph for both phases, nothing else than without it, and code that is kept."""

import logging
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch._dynamo.utils import counters
from transformers import PreTrainedModel

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.sleep.budget import plan_budget
from sleep_tune.training import compilation
from sleep_tune.training.compilation import WORTHWHILE_UPDATES, code_folder, count_updates, find_doubt
from sleep_tune.training.run import train
from tests.training.runs import keep_training, make_config, read_lines, same_outcome

OBJECTIVES = {"mlm": "roberta_prelayernorm", "clm": "gpt2", "hybrid": "roberta"}
"""Objective -> an architecture that is trained with it."""


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of compiled code from the surroundings."""
    monkeypatch.delenv(compilation.VARIABLE, raising=False)


def no_evaluation(model: PreTrainedModel, split: str) -> dict[str, float]:
    """An evaluation that costs nothing."""
    return {"eval/nll": 0.0}


def make_compiled(folder: Path, objective: str = "mlm", **training: Any) -> RunConfig:
    """A run that is compiled."""
    config = make_config(folder, objective=objective, **{"compile": True} | training)
    config.model.kind = OBJECTIVES[objective]
    if objective == "hybrid":
        config.training.causal_ratio = 0.3
    return config


@pytest.mark.slow
@pytest.mark.timeout(900)  # compiling takes minutes where other programs run
@pytest.mark.parametrize(
    ("kind", "objective", "masking"),
    [
        ("roberta_prelayernorm", "mlm", "bernoulli"),
        ("roberta_prelayernorm", "mlm", "fixed"),
        ("modernbert", "mlm", "fixed"),  # its attention mask is a dict
        ("roberta", "hybrid", "bernoulli"),
        ("roberta", "hybrid", "fixed"),
        ("gpt2", "clm", "fixed"),
    ],
)
def test_one_graph_serves_both_phases(
    kind: str, objective: str, masking: str, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also short batches, padded ones, more masks asleep, evaluations at rungs, and several runs in one process."""
    for run in range(2):
        graphs = CompileCounterWithBackend("eager")
        monkeypatch.setattr(compilation, "BACKEND", graphs)
        config = make_compiled(tmp_path / f"{run}", objective, batch_size=7)
        config.model.kind = kind
        config.training.masking.kind = masking
        config.sleep.context = "shuffle"  # has rows with padding
        config.sleep.masking = None if objective == "clm" else 0.4
        config.sleep.learning_rate, config.sleep.shrink.factor = 0.5, 0.9
        config.evaluation.rungs = (0.3, 0.6)
        outcome = train(config, keep_training, corpus=corpus)
        phases = {line["phase"] for line in read_lines(tmp_path / f"{run}", "train")}
        assert phases == {"wake", "sleep"}
        assert len(read_lines(tmp_path / f"{run}", "eval")) == 4
        assert outcome.updates > 40
        assert graphs.frame_count == 1


@pytest.mark.slow
@pytest.mark.timeout(900)  # compiling takes minutes where other programs run
def test_more_runs_in_a_process_than_torch_keeps_graphs(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch stops to compile a function after eight graphs, silently."""
    graphs = CompileCounterWithBackend("eager")
    monkeypatch.setattr(compilation, "BACKEND", graphs)
    with torch._dynamo.config.patch(recompile_limit=2):
        for run in range(4):
            config = make_compiled(tmp_path / f"{run}")
            config.model.hidden = 8 + 2 * run
            config.budget.passes = 0.3
            config.sleep.length.ratio, config.sleep.folds = 0.0, 1
            train(config, keep_training, corpus=corpus, evaluate=no_evaluation)
    assert graphs.frame_count == 4


@pytest.mark.slow
@pytest.mark.timeout(900)  # compiling takes minutes where other programs run
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own modules
def test_a_compiled_run(corpus: Corpus, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its losses are those of the plain run; interrupted and resumed, to the last bit; the code is compiled once."""
    caplog.set_level(logging.INFO, logger="sleep_tune.training.compilation")
    losses = {}
    for name in ("plain", "compiled"):
        config = make_compiled(tmp_path / name, compile=name == "compiled")
        config.model.dropout = config.model.attention_dropout = 0.0
        config.sleep.replay.strategy = "random"
        config.data.cache_dir = str(tmp_path / "cache")
        train(config, keep_training, corpus=corpus, evaluate=no_evaluation)
        losses[name] = [line["loss"] for line in read_lines(tmp_path / name, "train")]
    assert losses["compiled"] == pytest.approx(losses["plain"], rel=1e-4)
    notes = [record.getMessage() for record in caplog.records]
    assert sum("CPU" in note for note in notes) == 1
    assert sum(str(tmp_path / "cache") in note for note in notes) == 1
    assert sum("took" in note for note in notes) == 1

    def pause(progress: Progress) -> Decision:
        return Decision.CONTINUE if progress.rung is None else Decision.PAUSE

    finished: list[Outcome] = []
    for name, answers in (("whole", [keep_training]), ("parts", [pause, keep_training])):
        config = make_compiled(tmp_path / name)
        config.data.cache_dir = str(tmp_path / "cache")
        config.evaluation.rungs = (0.4,)
        counters.clear()
        outcomes = [train(config, answer, corpus=corpus, evaluate=no_evaluation) for answer in answers]
        finished.append(outcomes[-1])
    assert [outcome.state for outcome in outcomes] == ["paused", "completed"]
    assert not counters["inductor"]["fxgraph_cache_miss"]
    assert counters["aot_autograd"]["autograd_cache_hit"] == 2
    assert same_outcome(*finished)
    assert read_lines(tmp_path / "whole") == read_lines(tmp_path / "parts")
    assert compilation.VARIABLE not in os.environ
    assert not torch.are_deterministic_algorithms_enabled()


def test_compiled_code_is_kept_with_the_tokens(tmp_path: Path) -> None:
    folder = code_folder(tmp_path / "cache")
    assert folder is not None
    assert folder.parent == tmp_path / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert code_folder(tmp_path / "cache") == folder


def test_the_users_own_folder_is_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compilation.VARIABLE, str(tmp_path / "mine"))
    assert code_folder(tmp_path / "cache") is None
    assert not (tmp_path / "cache").exists()


def test_torchs_own_variable_is_not_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch sets it to its default when it looks for its folder."""
    monkeypatch.setenv(compilation.VARIABLE, str(Path(tempfile.gettempdir()) / "torchinductor_anna"))
    assert code_folder(tmp_path) is not None


def test_code_that_others_could_change_is_not_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = code_folder(tmp_path)
    assert folder is not None
    folder.chmod(0o777)
    assert code_folder(tmp_path) is None
    (tmp_path / "file").touch()
    assert code_folder(tmp_path / "file") is None
    assert [str(folder) in caplog.text, str(tmp_path / "file") in caplog.text] == [True, True]


def test_updates_of_a_run() -> None:
    plan = plan_budget(corpus_words=1000, num_samples=100, batch_size=10, folds=1, budget_passes=4, length_ratio=0)
    assert count_updates(plan, 1) == 40
    assert count_updates(plan, 4) == 10


def test_what_compiling_cannot_save() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert "CPU" in str(find_doubt(cpu, 10**6))
    assert f"{WORTHWHILE_UPDATES:,}" in str(find_doubt(gpu, 49))
    assert find_doubt(gpu, WORTHWHILE_UPDATES) is None
