"""A run of each objective: what it measures, and that its folder measures the same by each of its back ends."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sleep_tune.commands.evaluate import main
from sleep_tune.data.pairs import MinimalPair, write_pairs
from sleep_tune.data.prepare import Corpus
from sleep_tune.evaluation.backends import choose_backends, variants
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.evaluation.model_folder import load_model
from sleep_tune.metric_names import of_variant
from sleep_tune.records import Decision, Progress
from sleep_tune.training.run import find_unscored_tasks, train
from tests.training.runs import DATA, make_config

CASES = {"gpt2": "clm", "llama": "clm", "roberta": "clm", "roberta_prelayernorm": "hybrid"}
"""Architecture -> objective; masked language modelling is in test_run.py."""

ALONE = {"mntp": "hybrid", "causal": "clm"}
"""Back end -> objective whose evaluation gives its metrics without a prefix."""


@pytest.mark.parametrize("kind", CASES)
def test_a_folder_measures_by_each_back_end_as_the_run_did(kind: str, corpus: Corpus, tmp_path: Path) -> None:
    """In the run a hybrid model is read with a causal mask; its folder is opened by the class of causal models."""
    objective, data = CASES[kind], tmp_path / "fast_eval"
    pairs = [
        MinimalPair("agreement", f"the {noun} sees a dog .", f"a the {noun} dog .") for noun in ("boy", "cat", "dog")
    ]
    (data / "blimp_fast").mkdir(parents=True)
    write_pairs(data / "blimp_fast" / "agreement.jsonl", pairs)
    config = make_config(tmp_path / "run", rungs=(0.5,), objective=objective)
    evaluation = replace(config.evaluation, data=str(data), tasks=("blimp_fast",))
    config = replace(config, model=replace(config.model, kind=kind), evaluation=evaluation)
    reported: list[Progress] = []

    def report(progress: Progress) -> Decision:
        reported.append(progress)
        return Decision.CONTINUE

    metrics = train(config, report, corpus=corpus).metrics
    prefixes = {backend: of_variant(variant, "") for backend, variant in variants(objective).items()}
    for progress in reported:
        if progress.rung is not None:
            assert all(math.isfinite(progress.metrics[f"{prefix}eval/nll"]) for prefix in prefixes.values())
            assert not [name for name in progress.metrics if "test/" in name]

    folder, items = tmp_path / "run" / "model", pd.read_parquet(tmp_path / "run" / "eval" / "items.parquet")
    assert choose_backends(folder) == tuple(prefixes)
    assert main([str(folder), "--data", str(data), "--output-dir", str(tmp_path / "results")]) == 0
    for backend, prefix in prefixes.items():
        again = Evaluator(corpus, config.evaluation, DATA.seed, objective=ALONE[backend])(load_model(folder, backend))
        plain = {name: value for name, value in again.items() if not name.startswith("causal/")}
        assert {name: metrics[prefix + name] for name in plain} == pytest.approx(plain, rel=1e-5)
        (top,) = (tmp_path / "results").rglob(backend)
        scores = json.loads((top / "scores.json").read_text())["scores"]
        assert scores["blimp_fast"] == metrics[f"{prefix}babylm2026/blimp_fast"]
        kept = items[items["task"] == f"{prefix}blimp_fast"]["scores"]
        theirs = pd.read_parquet(top / "items.parquet")["scores"]
        np.testing.assert_allclose(np.stack(theirs.tolist()), np.stack(kept.tolist()), atol=1e-4)


def test_tasks_that_are_too_long_are_known_before_a_run_of_any_objective(tmp_path: Path) -> None:
    (tmp_path / "blimp_fast").mkdir()
    pair = MinimalPair("agreement", "the boy sees a dog " * 20, "the boy see a dog " * 20)
    write_pairs(tmp_path / "blimp_fast" / "agreement.jsonl", [pair])
    config = make_config(tmp_path / "run", objective="hybrid")
    config = replace(config, evaluation=replace(config.evaluation, data=str(tmp_path)))
    with pytest.warns(UserWarning, match="blimp_fast is not scored"):
        reasons = find_unscored_tasks(config)
    assert [reason.split()[0] for reason in reasons] == ["blimp_fast", "causal/blimp_fast"]
