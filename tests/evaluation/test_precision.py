from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from sleep_tune.evaluation import precision
from sleep_tune.evaluation.backends import BACKENDS
from sleep_tune.evaluation.item_scorer import ItemScorer
from sleep_tune.evaluation.items import Item, TextOption, choose
from tests.evaluation import official_data, official_rows


@pytest.fixture
def tokenizer(tmp_path: Path) -> PreTrainedTokenizerBase:
    official_data.write_tokenizer(tmp_path, framed=True)
    opened: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(tmp_path)
    return opened


@pytest.fixture
def model(tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    return official_data.masked_model(len(tokenizer))


def questions_of(
    tokenizer: PreTrainedTokenizerBase,
    number: int,
    human: float | None = None,
    backend: str = "mlm",
    *,
    per_token: bool = False,
) -> ItemScorer:
    """Pairs whose options are as like as can be, so that many are near-ties in bf16."""
    rng = np.random.default_rng(1)
    items = []
    for n in range(number):
        words = rng.choice(official_rows.NOUNS, size=4)
        texts = (" ".join(["the", *words]), " ".join(["the", *rng.permutation(words)]))
        options = tuple(TextOption(text) for text in texts)
        items.append(Item("a", f"a_{n}", options, human=human, per_token=per_token))
    return ItemScorer(items, tokenizer, backend=backend, batch_tokens=2048)


@pytest.mark.parametrize("per_token", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
def test_bf16_makes_the_choices_of_float32(
    backend: str, per_token: bool, tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "SAMPLE", 10)
    build = official_data.causal_model if backend == "causal" else official_data.masked_model
    model = build(len(tokenizer))
    questions = questions_of(tokenizer, 80, backend=backend, per_token=per_token)
    exact = precision.in_fp32(questions, model)
    scored: list[int] = []
    whole = ItemScorer.subset

    def counting(self: ItemScorer, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> ItemScorer:
        scored.append(len(chosen))
        return whole(self, chosen)

    monkeypatch.setattr(ItemScorer, "subset", counting)
    mixed = precision.in_bf16(questions, model)
    assert [choose(scores) for scores in mixed] == [choose(scores) for scores in exact]
    kept = [n for n, (a, b) in enumerate(zip(mixed, exact, strict=True)) if not np.allclose(a, b, atol=1e-5)]
    assert scored[0] == 80, "all are scored in bf16"
    assert 10 <= sum(scored[1:]) < 80, "some are scored again"
    assert len(kept) >= 80 - sum(scored[1:]), "and the others keep scores that are bf16's"


def test_values_that_are_compared_are_never_bf16(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    questions = questions_of(tokenizer, 5, human=0.5)
    exact, mixed = precision.in_fp32(questions, model), precision.in_bf16(questions, model)
    assert all(np.array_equal(a, b) for a, b in zip(exact, mixed, strict=True))
