import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel, RobertaPreLayerNormForCausalLM

from sleep_tune.config.schema import DataConfig, EvaluationConfig, ModelConfig, TokenizerConfig
from sleep_tune.data.masking import mask_batch
from sleep_tune.data.pairs import MinimalPair
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import DataError
from sleep_tune.evaluation.evaluator import LEFT_OUT, Evaluator
from sleep_tune.evaluation.minimal_pairs import draw_pairs
from sleep_tune.evaluation.perplexity import cloze_of_rows
from sleep_tune.models.build import build_model
from sleep_tune.models.sparse import masked_logits
from sleep_tune.sleep.samples import Samples
from tests.evaluation.folders import write_rows

PAIRS = {
    "dev": (MinimalPair("agreement", "the cat sleeps", "the cat sleep"), MinimalPair("order", "the cat", "cat the")),
    "test": (MinimalPair("agreement", "the dog sleeps", "the dog sleep"),),
}


@pytest.fixture
def corpus(samples: Samples, tokenizer_dir: Path) -> Corpus:
    """Twenty rows; test holds the same text in another order."""
    test = dataclasses.replace(samples, tokens=samples.tokens[::-1])
    return Corpus(train=samples, dev=samples, test=test, tokenizer_dir=tokenizer_dir, pairs=PAIRS, key="made up")


def test_nll_is_the_mean_over_tokens_and_perplexity_its_exponential(model: PreTrainedModel, corpus: Corpus) -> None:
    evaluation = EvaluationConfig(method="exact", samples=1000)
    metrics = Evaluator(corpus, evaluation, seed=0)(model)
    answers = cloze_of_rows(
        np.asarray(corpus.dev.tokens), corpus.dev.special, backend="mlm", method="exact", stride=8, batch_tokens=64
    ).score(model)
    assert metrics["eval/nll"] == pytest.approx(-answers.mean(), abs=1e-6)
    assert metrics["eval/pseudo_perplexity"] == math.exp(metrics["eval/nll"])


def test_names_of_the_metrics(model: PreTrainedModel, corpus: Corpus) -> None:
    evaluator = Evaluator(corpus, EvaluationConfig(), seed=0)
    dev, test = evaluator(model), evaluator(model, "test")
    shared = {"nll", "pseudo_perplexity", "pairs_accuracy", "pairs_ties", "pairs/agreement"}
    assert set(dev) == {f"eval/{name}" for name in shared} | {"eval/pairs/order"}
    assert set(test) == {f"test/{name}" for name in shared}
    assert all(type(value) is float for value in (dev | test).values())
    assert test["test/nll"] == pytest.approx(dev["eval/nll"], abs=1e-5)


def test_the_answers_to_the_pairs_of_test_are_kept_and_make_their_score(
    model: PreTrainedModel, corpus: Corpus, tmp_path: Path
) -> None:
    evaluator = Evaluator(corpus, EvaluationConfig(), seed=0)
    evaluator(model)
    metrics = evaluator(model, "test")
    evaluator.write_answers(tmp_path / "items.parquet")
    answers = pd.read_parquet(tmp_path / "items.parquet")
    assert answers["task"].unique().tolist() == ["pairs"]
    assert answers.groupby("uid")["correct"].mean().mean() == metrics["test/pairs_accuracy"]
    assert ((answers["margin"] >= 0) == (answers["correct"] == 1)).all()


def test_pairs_are_left_out_where_there_are_none_or_none_are_wanted(model: PreTrainedModel, corpus: Corpus) -> None:
    bare = dataclasses.replace(corpus, pairs={})
    for evaluator in (Evaluator(bare, EvaluationConfig(), 0), Evaluator(corpus, EvaluationConfig(pairs=0), 0)):
        assert set(evaluator(model)) == {"eval/nll", "eval/pseudo_perplexity"}


def test_rows_are_drawn_from_the_seed_alone(model: PreTrainedModel, corpus: Corpus) -> None:
    """Common random numbers: every run of a study is scored on the same rows."""
    evaluation = EvaluationConfig(samples=3, pairs=0)
    first, again, other = (Evaluator(corpus, evaluation, seed)(model) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_dev_is_the_same_whether_or_not_test_was_measured(model: PreTrainedModel, corpus: Corpus) -> None:
    evaluator = Evaluator(corpus, EvaluationConfig(samples=3), seed=1)
    before = evaluator(model)
    evaluator(model, "test")
    assert evaluator(model) == before


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(model: PreTrainedModel, corpus: Corpus, fails: bool) -> None:
    """In training, an evaluation must change neither the next dropout nor the weights, even one that breaks off."""
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    evaluator = Evaluator(corpus, EvaluationConfig(), seed=0)
    if fails:

        def run_out(*_: object) -> None:
            torch.rand(3)
            raise MemoryError

        hook = model.lm_head.decoder.register_forward_hook(run_out)
        with pytest.raises(MemoryError):
            evaluator(model)
        hook.remove()
    evaluator(model)
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_a_diverged_model_gives_nan_or_infinity_and_no_error(model: PreTrainedModel, corpus: Corpus) -> None:
    """The search must see such a model; a crash of the evaluation would hide it."""
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    metrics = Evaluator(corpus, EvaluationConfig(), seed=0)(model)
    assert math.isnan(metrics["eval/nll"])
    assert math.isnan(metrics["eval/pseudo_perplexity"])
    assert metrics["eval/pairs_accuracy"] == 0


def test_perplexity_beyond_a_float_is_infinite(corpus: Corpus, model: PreTrainedModel) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1000)
    metrics = Evaluator(corpus, EvaluationConfig(pairs=0), seed=0)(model)
    assert metrics["eval/nll"] > 1000
    assert metrics["eval/pseudo_perplexity"] == math.inf


def test_a_split_without_text_is_refused(corpus: Corpus) -> None:
    empty = dataclasses.replace(corpus.dev, tokens=np.zeros((2, 12), np.int32))
    with pytest.raises(DataError, match=r"dev text .*2 rows"):
        Evaluator(dataclasses.replace(corpus, dev=empty), EvaluationConfig(), seed=0)


def test_a_causal_model_has_a_perplexity_of_its_next_tokens(causal: PreTrainedModel, corpus: Corpus) -> None:
    evaluator = Evaluator(corpus, EvaluationConfig(samples=1000), seed=0, objective="clm")
    metrics = evaluator(causal)
    shared = {"nll", "perplexity", "pairs_accuracy", "pairs_ties", "pairs/agreement", "pairs/order"}
    assert set(metrics) == {f"eval/{name}" for name in shared}
    assert metrics["eval/perplexity"] == math.exp(metrics["eval/nll"])
    tokens = torch.from_numpy(np.asarray(corpus.dev.tokens).astype(np.int64))
    labels = tokens.masked_fill(torch.isin(tokens, torch.tensor([0, 1, 2, 3])), -100)[:, 1:]
    causal.train(False)
    with torch.no_grad():
        logits = causal(tokens).logits[:, :-1]
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
    assert metrics["eval/nll"] == pytest.approx(float(expected), abs=1e-5)
    ids = torch.tensor([[0, 4, 6, 10], [0, 4, 6, 11]])  # the cat sleeps, the cat sleep
    with torch.no_grad():
        log_p = causal(ids).logits[:, :-1].log_softmax(dim=-1).gather(2, ids[:, 1:, None]).sum(dim=(1, 2))
    assert metrics["eval/pairs/agreement"] == float(log_p[0] >= log_p[1])


def test_a_hybrid_model_is_evaluated_masked_and_causal_on_the_same_text(
    model: PreTrainedModel, corpus: Corpus, tmp_path: Path
) -> None:
    """The causal half is that of the class that transformers has for the same weights."""
    evaluation = EvaluationConfig(samples=5)
    evaluator = Evaluator(corpus, evaluation, seed=0, objective="hybrid")
    metrics = evaluator(model)
    assert list(metrics)[:2] == ["eval/nll", "eval/pseudo_perplexity"]
    second = {name.removeprefix("causal/") for name in metrics if name.startswith("causal/")}
    assert second - set(metrics) == {"eval/perplexity"} and "eval/pairs_accuracy" in second
    model.save_pretrained(tmp_path)
    twin = RobertaPreLayerNormForCausalLM.from_pretrained(tmp_path, is_decoder=True)
    alone = Evaluator(corpus, evaluation, seed=0, objective="clm")(twin)
    assert {f"causal/{name}": value for name, value in alone.items()} == pytest.approx(
        {name: value for name, value in metrics.items() if name.startswith("causal/")}, abs=1e-5
    )
    assert metrics["causal/eval/nll"] != pytest.approx(metrics["eval/nll"], abs=1e-3)

    evaluator(model, "test")
    evaluator.write_answers(tmp_path / "items.parquet")
    answers = pd.read_parquet(tmp_path / "items.parquet")
    assert answers["task"].tolist() == ["pairs", "causal/pairs"]
    assert answers["text"].nunique() == 1


def test_tasks_of_a_hybrid_model_have_scores_of_both_back_ends(
    model: PreTrainedModel, corpus: Corpus, tmp_path: Path
) -> None:
    pair = {"sentence_good": "the cat sleeps", "sentence_bad": "the cat sleep"}
    write_rows(tmp_path / "blimp_fast" / "agreement.jsonl", [pair, pair])
    (tmp_path / "zorro").mkdir()
    (tmp_path / "zorro" / "npi.txt").write_text("cat the\nthe cat\n", encoding="utf-8")
    evaluation = EvaluationConfig(pairs=0, samples=1, data=str(tmp_path), tasks=("blimp_fast",))
    evaluator = Evaluator(corpus, evaluation, seed=0, objective="hybrid")
    dev, test = evaluator(model), evaluator(model, "test")
    assert {
        "babylm2026/macro",
        "causal/babylm2026/macro",
        "causal/babylm2026/blimp_fast",
        "causal/ties/blimp_fast",
    } <= set(dev)
    assert {"babylm2026/zorro", "causal/babylm2026/zorro", "causal/test/perplexity"} <= set(test)
    evaluator.write_answers(tmp_path / "items.parquet")
    tasks = pd.read_parquet(tmp_path / "items.parquet")["task"]
    assert tasks.value_counts().to_dict() == {
        "blimp_fast": 2,
        "zorro": 1,
        "causal/blimp_fast": 2,
        "causal/zorro": 1,
    }


@pytest.mark.slow
def test_a_model_that_has_memorised_sentences_scores_well_on_them(tmp_path: Path) -> None:
    """The toy language end to end, where the right answer is known: the good sentences were all that was read."""
    data = DataConfig(sentences=300, max_length=32, cache_dir=str(tmp_path))
    corpus = prepare(data, TokenizerConfig(vocab_size=512))
    pairs = draw_pairs(corpus.pairs["dev"], 22, np.random.default_rng(0))
    tokenizer = Tokenizer.from_file(str(corpus.tokenizer_dir / "tokenizer.json"))
    tokenizer.enable_padding(pad_id=corpus.dev.special.pad, length=32)
    rows = np.array([encoding.ids for encoding in tokenizer.encode_batch([pair.good for pair in pairs])], np.int32)
    dev = dataclasses.replace(corpus.dev, tokens=rows)
    corpus = dataclasses.replace(corpus, dev=dev, pairs={**corpus.pairs, "dev": tuple(pairs)})
    special, vocab_size = corpus.train.special, corpus.train.vocab_size
    sizes = ModelConfig(
        layers=2, hidden=64, heads=4, feed_forward=128, dropout=0, attention_dropout=0, initializer_range=0.1
    )
    model = build_model(sizes, vocab_size=vocab_size, max_length=32, special=special, seed=0)
    evaluator = Evaluator(corpus, EvaluationConfig(samples=22), seed=data.seed)
    untrained = evaluator(model)

    attention_mask = torch.from_numpy((rows != special.pad).astype(np.int64))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    rng = np.random.default_rng(0)
    masking: dict[str, Any] = {"kind": "fixed", "probability": 0.3, "mask_share": 0.8, "random_share": 0.1}
    for _ in range(110):
        masked = mask_batch(rows, special, vocab_size, rng, **masking)
        input_ids, positions = torch.from_numpy(masked.input_ids), torch.from_numpy(masked.positions)
        logits = masked_logits(model, input_ids, attention_mask, positions)
        torch.autograd.backward(torch.nn.functional.cross_entropy(logits, torch.from_numpy(masked.labels)))
        optimizer.step()
        optimizer.zero_grad()

    trained, test = evaluator(model), evaluator(model, "test")
    assert untrained["eval/pairs_accuracy"] < 0.7 < 0.9 < trained["eval/pairs_accuracy"]
    assert trained["eval/pairs_ties"] == 0
    assert trained["eval/nll"] < 1.0 < 5.0 < untrained["eval/nll"]
    assert {name.partition("/")[2] for name in test} == {name.partition("/")[2] for name in trained}


def test_tasks_that_a_search_may_look_at_are_scored_on_dev_and_the_others_on_test(
    model: PreTrainedModel, corpus: Corpus, tmp_path: Path
) -> None:
    for name, lines in {"zorro": "cat the\nthe cat\n", "blimp_fast": None, "comps": None}.items():
        (tmp_path / name).mkdir()
        if lines is not None:
            (tmp_path / name / "npi.txt").write_text(lines, encoding="utf-8")
    pair = {"sentence_good": "the cat sleeps", "sentence_bad": "the cat sleep"}
    write_rows(tmp_path / "blimp_fast" / "agreement.jsonl", [pair, pair])
    row = {"prefix_acceptable": "the cat " * 20, "prefix_unacceptable": "the dog", "property_phrase": "sleeps"}
    write_rows(tmp_path / "comps" / "comps_base.jsonl", [row])
    data, bare = str(tmp_path), EvaluationConfig(pairs=0, samples=1)
    with pytest.warns(UserWarning, match=r"comps is not scored: 1 of its 1 items .*data\.max_length=12"):
        evaluator = Evaluator(corpus, dataclasses.replace(bare, data=data, tasks=("blimp_fast",)), seed=0)
    dev, test = evaluator(model), evaluator(model, "test")
    scores = ({key for key in metrics if "nll" not in key and "perplexity" not in key} for metrics in (dev, test))
    assert list(scores) == [
        {"babylm2026/blimp_fast", "babylm2026/macro", "ties/blimp_fast"},
        {"babylm2026/zorro", "ties/zorro"},
    ]
    assert dev["babylm2026/macro"] == dev["babylm2026/blimp_fast"] in (0.0, 100.0)
    evaluator.write_answers(tmp_path / "items.parquet")
    answers = pd.read_parquet(tmp_path / "items.parquet")
    assert answers["task"].tolist() == ["blimp_fast", "blimp_fast", "zorro"]
    assert 100 * answers["correct"][:2].mean() == dev["babylm2026/blimp_fast"]
    (reason,) = json.loads((tmp_path / LEFT_OUT).read_text(encoding="utf-8"))
    assert reason.startswith("comps is not scored: 1 of its 1 items")
    (tmp_path / "bare").mkdir()
    Evaluator(corpus, bare, seed=0).write_answers(tmp_path / "bare" / "none.parquet")
    assert not list((tmp_path / "bare").iterdir())

    at_rungs = Evaluator(corpus, dataclasses.replace(bare, data=data, tasks=("zorro",), test=False), seed=0)
    assert "babylm2026/macro" not in at_rungs(model)  # Zorro is no task of BabyLM's
    assert set(at_rungs(model, "test")) == {"test/nll", "test/pseudo_perplexity"}
    with pytest.raises(DataError, match=r"evaluation\.tasks .*comps.* 1 of its 1 items"):
        Evaluator(corpus, dataclasses.replace(bare, data=data, tasks=("comps",)), seed=0)
    with pytest.raises(DataError, match="no such folder"):
        Evaluator(corpus, dataclasses.replace(bare, data=str(tmp_path / "no")), seed=0)


def test_a_run_is_scored_by_one_protocol_and_folders_of_others_are_named(
    model: PreTrainedModel, corpus: Corpus, tmp_path: Path
) -> None:
    pair = {"sentence_good": "the cat sleeps", "sentence_bad": "the cat sleep"}
    write_rows(tmp_path / "blimp_fast" / "agreement.jsonl", [pair])
    evaluation = EvaluationConfig(pairs=0, samples=1, data=str(tmp_path), tasks=("blimp_fast",), test=False)
    of_2025 = Evaluator(corpus, dataclasses.replace(evaluation, protocol="2025"), seed=0)
    assert of_2025.left_out == ()
    assert {"babylm/blimp_fast", "babylm/macro"} <= set(of_2025(model))
    (tmp_path / "wug_past_tense").mkdir()
    assert {"babylm/blimp_fast", "babylm/macro"} <= set(Evaluator(corpus, evaluation, seed=0)(model))
    with pytest.warns(UserWarning, match=r"wug_past_tense .*evaluation\.protocol=2026"):
        of_2026 = Evaluator(corpus, dataclasses.replace(evaluation, protocol="2026"), seed=0)
    assert len(of_2026.left_out) == 1
    assert {name for name in of_2026(model) if name.startswith("babylm")} == {
        "babylm2026/blimp_fast",
        "babylm2026/macro",
    }
