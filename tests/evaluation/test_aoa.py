"""Surprisal over checkpoints and the official file; the fits against numbers that the official pipeline gave."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sleep_tune.errors import DataError
from sleep_tune.evaluation.aoa import (
    WordScorer,
    compare_with_children,
    find_checkpoints,
    read_words,
    score_checkpoints,
    surprisal_record,
    write_score,
    write_surprisal,
)
from sleep_tune.evaluation.backends import BACKENDS
from sleep_tune.evaluation.learning_curves import AGE_RULES
from tests.evaluation.made_ages import age_tokenizer, write_ages
from tests.evaluation.tiny import LONGEST, tiny_model, tiny_tokenizer

CONTEXTS = {
    "dog": [{"context": "  I saw the naïve "}, {"context": "“Really,” said the"}, {"context": "the dog " * 300}],
    "café": [{"context": "they went to a"}],
    "a": [{"context": "one letter is no word for"}],
    "never": [],
}


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer(text["context"] for texts in CONTEXTS.values() for text in texts)


@pytest.fixture
def words_file(tmp_path: Path) -> Path:
    path = tmp_path / "cdi_childes.json"
    path.write_text(json.dumps(CONTEXTS), encoding="utf-8")
    return path


def surprisal(text: str, word: str, tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel, backend: str) -> float:
    """The definition: the tokens that end after the word's beginning, one call of the model for each."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    start, total = len(text) - len(word), 0.0
    for position, (_, end) in enumerate(encoded["offset_mapping"]):
        if end > start:
            ids = torch.tensor([encoded["input_ids"]])
            target = int(ids[0, position])
            if backend != "causal":
                ids[0, position] = tokenizer.mask_token_id
            with torch.no_grad():
                log_p = model(input_ids=ids).logits[0].double().log_softmax(dim=-1)
            total -= float(log_p[position - (backend != "mlm"), target])
    return total


@pytest.mark.parametrize("backend", BACKENDS)
def test_surprisal_agrees_with_the_definition(
    backend: str, tokenizer: PreTrainedTokenizerFast, words_file: Path
) -> None:
    words, model = read_words(words_file), tiny_model(backend, tokenizer)
    assert [word for word, _, _ in words] == ["dog", "dog", "dog", "café"] and len(words) == 4
    contexts = WordScorer(words, tokenizer, backend=backend, batch_tokens=512, positions=LONGEST)
    found = contexts.surprisal(model)
    assert contexts.num_unread == 1 and math.isnan(found[2])  # longer than the model reads
    for (word, number, context), value in zip(words, found, strict=True):
        if number != 2:
            assert value == pytest.approx(
                surprisal(f"{context.strip()} {word}", word, tokenizer, model, backend), abs=1e-4
            )


def test_checkpoints_are_scored_in_order_and_missing_ones_are_named(
    tokenizer: PreTrainedTokenizerFast, words_file: Path, tmp_path: Path
) -> None:
    words = read_words(words_file)
    for millions in (10, 2):
        folder = tmp_path / "checkpoints" / f"chck_{millions}M"
        tiny_model("mlm", tokenizer, seed=millions).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    found, missing = find_checkpoints(tmp_path / "checkpoints", "strict-small")
    assert list(found) == [2, 10] and missing[:2] == ["chck_1M", "chck_3M"] and len(missing) == 17
    surprisals, unread = score_checkpoints(words, found, backend="mlm", batch_tokens=512)
    assert list(surprisals) == [2, 10] and surprisals[2] != surprisals[10] and unread == 1
    path = write_surprisal(tmp_path / "mlm", surprisal_record(words, surprisals, model="m", expected=19))
    assert path == tmp_path / "mlm" / "AoA_word" / "surprisal.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["metadata"] == {
        "model_name": "m",
        "use_bos_only": False,
        "total_steps": 19,
        "completed_steps": 2,
    }
    assert written["results"][4] == {
        "step": "chck_10M",
        "word_count": 10_000_000,
        "target_word": "dog",
        "context_id": 0,
        "context": "  I saw the naïve ",
        "surprisal": surprisals[10][0],
    }
    with pytest.raises(DataError, match=r"chck_1M.*training\.word_checkpoints=true.*AoA_word"):
        find_checkpoints(tmp_path / "mlm", "strict-small")


def test_a_broken_file_of_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cdi_childes.json"
    with pytest.raises(DataError, match=r"cdi_childes\.json .*no such file"):
        read_words(path)
    for text, message in {
        "[]": "object.*got list",
        '{"dog": [{"text": "x"}]}': "'dog' .*'context'",
        '{"dog": "x"}': "'dog' .*list",
        '{"a": [{"context": "x"}]}': "at least one context",
        '{"dog": [': "JSON.*Expecting value",
    }.items():
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read_words(path)


def synthetic(folder: Path) -> tuple[dict[str, Any], Path]:
    """Thirty words with noisy curves at the challenge's nineteen checkpoints, three contexts each."""
    rng, months = np.random.default_rng(7), np.arange(16, 31)
    lines, rows = ["word," + ",".join(map(str, months))], []
    for n in range(30):
        child, model = 17 + rng.uniform(0, 12), 6.2 + rng.uniform(0, 1.6)
        shares = 1 / (1 + np.exp(-0.5 * (months - child))) + rng.normal(0, 0.03, len(months))
        lines.append(f"word{n}," + ",".join(f"{share:.3f}" for share in shares))
        for step in (*range(1, 10), *range(10, 101, 10)):
            for _ in range(3):
                fallen = 11 / (1 + np.exp(-4 * (np.log10(step * 1e6 + 1) - model)))
                value = round(float(14 - fallen + rng.normal(0, 0.4)), 4)
                rows.append({"step": f"chck_{step}M", "target_word": f"word{n}", "surprisal": value})
    path = folder / "cdi_human.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"results": rows}, path


def test_the_fits_are_the_official_pipeline_s(tmp_path: Path) -> None:
    """Reference: AoAEvaluator.compute_curve_fitness of babylm/evaluation-pipeline-2025 on the same two files.

    SciPy ends a fit where a step gains less than 1e-8 of the squared error. That is up to 3e-6 from the best ages and
    4e-7 from the best correlation (measured with tolerances of 1e-15). Where it ends within that, the last bits of exp
    and of the BLAS decide: kernels of other processors differ by 1e-9.
    """
    tokenizer = tiny_tokenizer(["the dog"])
    found = compare_with_children(*synthetic(tmp_path), year="2025", tokenizer=tokenizer)
    assert found.words == tuple(f"word{n}" for n in range(30))
    assert found.correlation == pytest.approx(0.09195260273443247, abs=1e-6)
    assert found.p_value == pytest.approx(0.6289036728997822, abs=5e-6)
    official = (7.384765228527758, 7.357201565868276, 6.421732446206345, 7.059988270057661)
    assert found.model[:4] == pytest.approx(official, abs=1e-5)
    official = (24.460765010418555, 27.096291486951554, 28.406651006896965, 18.342956487296572)
    assert found.children[:4] == pytest.approx(official, abs=1e-5)
    with pytest.raises(DataError, match=r"chck_<n>M.*'last'"):
        compare_with_children(
            {"results": [{"step": "last", "target_word": "dog", "surprisal": 1.0}]},
            tmp_path / "cdi_human.csv",
            year="2025",
            tokenizer=tokenizer,
        )


KEPT = Path(__file__).with_name("official") / "ages.json"
"""Written by tests/benchmarks/parity_ages.py: year -> seed -> the official score and number of words."""


@pytest.mark.parametrize("year", AGE_RULES)
def test_made_up_tables_get_the_official_scores(year: str, tmp_path: Path) -> None:
    """The parity script compares many more tables, and every age to the last bit; see the test above for `abs`."""
    tokenizer = age_tokenizer()
    for seed, kept in json.loads(KEPT.read_text(encoding="utf-8"))[year].items():
        found = compare_with_children(*write_ages(tmp_path, int(seed)), year=year, tokenizer=tokenizer)
        assert found.score == pytest.approx(kept["score"], abs=1e-6) and len(found.words) == kept["words"]


def test_a_score_of_an_earlier_surprisal_is_removed(tmp_path: Path) -> None:
    path = write_score(tmp_path, 0.25)
    assert json.loads(path.read_text(encoding="utf-8")) == {"aoa": 0.25}
    write_surprisal(tmp_path, {"results": []})
    assert not path.exists()
