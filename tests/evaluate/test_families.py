"""A model of every architecture and objective of this package passes through the evaluation command."""

import json
from pathlib import Path

import pytest

from sleep_tune.commands.evaluate import main
from sleep_tune.config.schema import ModelConfig
from sleep_tune.evaluation.backends import OBJECTIVE_BACKENDS
from sleep_tune.evaluation.score_files import SCORES
from sleep_tune.models.build import build_model
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.sleep.samples import SpecialTokens
from tests.evaluation.folders import SENTENCES, write_data, write_rows
from tests.evaluation.tiny import LONGEST, tiny_tokenizer

CASES = [(kind, objective) for kind, objectives in OBJECTIVES_OF.items() if kind != "hf" for objective in objectives]
"""Architecture and objective; `hf` is any architecture of transformers (tests/evaluation/test_architectures.py)."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Minimal pairs, made-up words and reading times, and one task of fine-tuning."""
    folder = write_data(tmp_path_factory.mktemp("full_eval"))
    for split, size in (("train", 32), ("valid", 8)):
        rows = [{"sentence1": SENTENCES[n % 2], "sentence2": "a café", "label": n % 2} for n in range(size)]
        write_rows(folder / "glue_filtered" / f"rte.{split}.jsonl", rows)
    return folder


@pytest.mark.parametrize(("kind", "objective"), CASES)
def test_a_saved_model_is_scored_and_fine_tuned(kind: str, objective: str, data: Path, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(SENTENCES)
    model = build_model(
        ModelConfig(kind=kind, layers=2, hidden=16, heads=2, feed_forward=32, initializer_range=0.3),
        objective=objective,
        vocab_size=len(tokenizer),
        max_length=LONGEST,
        special=SpecialTokens(start=0, separator=1, pad=2, mask=3),
        seed=0,
    )
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    command = [str(tmp_path / "model"), "--data", str(data), "--output-dir", str(tmp_path)]
    assert main(command) == 0
    found = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.rglob(f"zero_shot/*/{SCORES}")}
    assert set(found) == set(OBJECTIVE_BACKENDS[objective])
    for content in found.values():
        tasks = {"blimp_fast", "wug_adj_nominalization", "zorro", "reading_eye_tracking", "reading_self_paced", "macro"}
        assert set(content["scores"]) == tasks
        assert content["tasks"]["blimp_fast"]["ties"] < 1, "the model gives no two sentences the same score"
    assert main([*command, "--glue", "--tasks", "rte"]) == 0
    (path,) = tmp_path.rglob(f"finetune/rte/{SCORES}")
    tuned = json.loads(path.read_text())
    assert tuned["token"] == ("last" if objective == "clm" else "first")
