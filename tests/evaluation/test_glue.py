"""Fine-tuning on tiny files: what is read, the metrics, and a real fine-tuning that learns and is repeatable."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from sleep_tune.babylm.group_sizes import GROUP_SIZES
from sleep_tune.errors import DataError
from sleep_tune.evaluate.glue_jobs import GlueJob, fine_tune_all, write_results
from sleep_tune.evaluation import fine_tuning
from sleep_tune.evaluation.fine_tuning import (
    FIRST,
    LAST,
    LEFT_PADDING,
    FineTuneSettings,
    _collate,
    _rate,
    fine_tune,
    open_classifier,
)
from sleep_tune.evaluation.glue import GLUE_METRICS, GLUE_TASKS, Examples, GlueTask, find_glue_files, read_examples
from tests.evaluation import official_data
from tests.evaluation.folders import write_rows
from tests.evaluation.tiny import tiny_model, tiny_tokenizer

ROWS = {
    "boolq": {"question": "is it", "passage": "it is .", "label": 1},
    "mnli": {"premise": "a", "hypothesis": "b", "label": 2},
    "mrpc": {"sentence1": "a", "sentence2": "b", "label": 0},
    "multirc": {"question": "who ?", "answer": "me", "paragraph": "p .", "label": 1},
    "qqp": {"question1": "a", "question2": "b", "label": 0},
    "rte": {"sentence1": "a", "sentence2": "b", "label": 0},
    "wsc": {"span1_text": "Ann", "span2_text": "she", "text": "Ann said she ...", "label": 1},
}


def write(folder: Path, task: str, size: int = 2) -> None:
    for split in ("train", "valid"):
        write_rows(folder / f"{task}.{split}.jsonl", [ROWS[task]] * size)


def test_every_task_of_the_challenge_is_read_with_the_pipeline_s_texts(tmp_path: Path) -> None:
    assert set(GLUE_TASKS) == set(GROUP_SIZES["2026"]["glue_filtered"]) == set(ROWS)
    for task in GLUE_TASKS:
        write(tmp_path, task)
    files = find_glue_files(tmp_path)
    assert list(files) == list(GLUE_TASKS)
    read = {name: read_examples(GLUE_TASKS[name], train).texts[0] for name, (train, _) in files.items()}
    assert read["multirc"] == ("Question: who ? Answer: me", "p .")
    assert read["wsc"] == ('Does "she" refer to "Ann" in this passage?', "Ann said she ...")
    assert read["boolq"] == ("is it", "it is .")
    assert [GLUE_TASKS[name].epochs for name in GLUE_TASKS] == [10] * 6 + [30]
    assert {name for name, task in GLUE_TASKS.items() if task.batch_size == 16} == {"boolq", "multirc"}
    assert {name for name, task in GLUE_TASKS.items() if task.chosen_by == "f1"} == {"mrpc", "qqp"}


def test_broken_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"<task>\.train\.jsonl.* it holds none"):
        find_glue_files(tmp_path)
    with pytest.raises(DataError, match=r"'rta'.*did you mean 'rte'"):
        find_glue_files(tmp_path, ["rta"])
    write(tmp_path, "rte")
    (tmp_path / "rte.valid.jsonl").unlink()
    with pytest.raises(DataError, match=r"rte\.train\.jsonl and rte\.valid\.jsonl"):
        find_glue_files(tmp_path)
    write(tmp_path, "mrpc")
    assert list(find_glue_files(tmp_path, ["mrpc"])) == ["mrpc"]
    path = tmp_path / "rte.train.jsonl"
    for row, message in (
        ({"sentence1": "a", "label": 0}, r"rte.train.jsonl:1: .*'sentence2'"),
        (ROWS["rte"] | {"sentence2": 3}, r"rte.train.jsonl:1: .*'sentence2' .* 3"),
        (ROWS["rte"] | {"label": 2}, r":1: label .*0 to 1; got 2"),
        (ROWS["rte"] | {"label": True}, r"got True"),
    ):
        write_rows(path, [row])
        with pytest.raises(DataError, match=message):
            read_examples(GLUE_TASKS["rte"], path)
    for content, message in (
        (b'{"sentence1": "a', r":1:\d+: .*cut off"),
        (b'{"sentence1": "a", "sentence2": "\\ud800", "label": 0}', ":1: column 'sentence2' "),
        (b"[" * 100_000, ":1: .*JSON object"),
        (b'{"sentence1": "\xff"}', r":1:16: .*UTF-8"),
        (b"", "at least one item"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_examples(GLUE_TASKS["rte"], path)


def test_a_line_ends_where_json_lines_end_and_may_have_an_empty_text(tmp_path: Path) -> None:
    """A line separator or a next line (U+2028, U+0085), which JSON leaves as it is, was taken for the end of a line."""
    row = {"sentence1": "a\u2028b\u0085c", "sentence2": "", "label": 0}
    path = tmp_path / "rte.train.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8")
    assert read_examples(GLUE_TASKS["rte"], path).texts == (("a\u2028b\u0085c", ""),)


def test_a_model_that_cannot_be_fine_tuned_is_refused_before_any_training(tmp_path: Path) -> None:
    """Without a tokenizer, transformers makes an empty one, and all pairs would be equal."""
    write(tmp_path, "rte")
    jobs = {
        "rte": GlueJob(tmp_path / "model", "rte", *find_glue_files(tmp_path)["rte"], FineTuneSettings(batch_size=2))
    }
    with pytest.raises(DataError, match="no such folder"):
        next(fine_tune_all(jobs))
    tokenizer = tiny_tokenizer(["the dog saw the cat"])
    tiny_model("mlm", tokenizer).save_pretrained(tmp_path / "model")
    with pytest.raises(DataError, match=r"none of tokenizer\.json"):
        next(fine_tune_all(jobs))
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(tmp_path / "model")
    with pytest.raises(DataError, match=r"tokenizer .*'<new>' as id"):
        next(fine_tune_all(jobs))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"")
    with pytest.raises(DataError, match="AutoModel"):
        next(fine_tune_all(jobs))
    with pytest.raises(DataError, match=r"one batch of 32 training examples; it has 2"):
        next(fine_tune_all({"rte": replace(jobs["rte"], settings=FineTuneSettings())}))


def test_metrics_are_scikit_learn_s() -> None:
    """Numbers of accuracy_score, f1_score and matthews_corrcoef."""
    labels, predictions = np.array([1, 1, 0, 0, 1, 0, 1, 1]), np.array([1, 0, 0, 1, 1, 0, 1, 0])
    assert GLUE_METRICS["accuracy"](labels, predictions) == 0.625
    assert GLUE_METRICS["f1"](labels, predictions) == pytest.approx(2 / 3)
    assert GLUE_METRICS["mcc"](labels, predictions) == pytest.approx(0.2581988897471611)
    nothing = np.zeros(8, dtype=int)
    assert GLUE_METRICS["f1"](nothing, nothing) == 0.0 and GLUE_METRICS["mcc"](labels, nothing) == 0.0


def test_the_learning_rate_rises_and_falls_to_a_tenth() -> None:
    rates = [_rate(update, warmup=6, total=100, floor=0.1) for update in range(101)]
    assert rates[0] == 0.0 and rates[6] == 1.0 and rates[100] == pytest.approx(0.1)
    assert rates[3] == 0.5 and rates[53] == pytest.approx(0.55)


@pytest.mark.slow
def test_a_model_learns_the_same_each_time_and_the_random_numbers_outside_are_untouched(tmp_path: Path) -> None:
    words = ("the dog saw the cat", "no zebra ever asked")
    tokenizer = tiny_tokenizer(words)
    tiny_model("mlm", tokenizer).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    rng = np.random.default_rng(0)
    labels = tuple(int(label) for label in rng.integers(2, size=40))
    examples = Examples(tuple((words[label], "it is .") for label in labels), labels)
    task = GlueTask(("a",), ("b",), batch_size=8, epochs=3)
    updates: list[int] = []
    state = torch.get_rng_state()
    tuned = fine_tune(tmp_path, task, examples, examples, FineTuneSettings(learning_rate=3e-3), updates.append)
    assert torch.equal(torch.get_rng_state(), state)
    assert tuned.metrics["accuracy"] == 1.0 and tuned.predictions == labels
    assert sum(updates) == 15 and 1 <= tuned.best_epoch <= 3 and tuned.length == 200
    again = fine_tune(tmp_path, task, examples, examples, FineTuneSettings(learning_rate=3e-3))
    assert again == tuned


def write_model(folder: Path, backend: str, texts: Sequence[str]) -> None:
    tokenizer = tiny_tokenizer(texts)
    tiny_model(backend, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


WORDS = ("the dog saw the cat", "a zebra saw the cat")


def test_a_model_of_two_trunks_is_refused(tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer(WORDS)
    config = T5Config(vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(DataError, match="T5Model"):
        open_classifier(tmp_path, 2)


def by_the_first_word(size: int) -> Examples:
    """Pairs whose label is whether the first word, which follows the token <s>, is the one or the other."""
    labels = tuple(int(label) for label in np.random.default_rng(0).integers(2, size=size))
    return Examples(tuple((WORDS[label], "it is . " * (1 + n % 3)) for n, label in enumerate(labels)), labels)


def test_a_causal_model_is_classified_from_its_last_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first, which sees no other token, it predicted one label throughout (evaluation-pipeline-2025#38)."""
    write_model(tmp_path, "causal", WORDS)
    examples = by_the_first_word(48)
    task, settings = GlueTask(("a",), ("b",), batch_size=8, epochs=8), FineTuneSettings(learning_rate=1e-2)
    tuned = fine_tune(tmp_path, task, examples, examples, settings)
    assert tuned.metrics["accuracy"] == 1.0 and tuned.token == "last"
    (note,) = tuned.notes
    assert "2025 pipeline" in note and "last token" in note
    write_results(tmp_path / "rte", "rte", tuned, {"model": "m"})
    written = json.loads((tmp_path / "rte" / "scores.json").read_text())
    assert written["scores"]["accuracy"] == 100.0 and written["token"] == "last" and written["warnings"] == [note]

    monkeypatch.setattr(fine_tuning, "first_token_sees_others", lambda *_: True)
    before = fine_tune(tmp_path, task, examples, examples, settings)
    assert len(set(before.predictions)) == 1 and before.metrics["mcc"] == 0.0


@pytest.mark.parametrize("backend", ["mlm", "causal"])
def test_under_2026_the_last_token_of_every_model_is_classified(backend: str, tmp_path: Path) -> None:
    """The last column of a batch that is padded on the left, as the pipeline reads it; GPT-2's positions move."""
    write_model(tmp_path, backend, WORDS)
    notes: list[str] = []
    classifier, tokenizer = open_classifier(tmp_path, 2, last_token=True, note=notes.append)
    classifier.train(False)
    assert classifier.token == LAST and notes == ([LEFT_PADDING] if backend == "causal" else [])
    rows = [((WORDS[0], "it ."), 0), ((WORDS[1], "it is what it is ."), 1), (("a", ""), 0)]
    input_ids, attention_mask, _ = _collate(tokenizer, 50, rows)
    assert bool(attention_mask[:, -1].all()) and not bool(attention_mask[:, 0].all())
    with torch.no_grad():
        logits = classifier(input_ids, attention_mask)
        states = classifier.trunk(input_ids=input_ids, attention_mask=attention_mask)[0]
        assert torch.equal(logits, classifier.head(states[:, -1]))
        alone = torch.cat([classifier(*_collate(tokenizer, 50, [row])[:2]) for row in rows])
    assert torch.allclose(logits, alone, atol=1e-5) == (backend == "mlm")


def test_settings_that_are_given_replace_those_of_the_task(tmp_path: Path) -> None:
    write_model(tmp_path, "causal", WORDS)
    examples = by_the_first_word(24)
    task, updates = GlueTask(("a",), ("b",), batch_size=8, epochs=8), list[int]()
    settings = FineTuneSettings(last_token=True, learning_rate=1e-2, epochs=2, batch_size=4)
    tuned = fine_tune(tmp_path, task, examples, examples, settings, updates.append)
    assert sum(updates) == 12 and tuned.best_epoch <= 2 and tuned.token == LAST
    with pytest.raises(DataError, match=r"25 training examples; it has 24.*--batch-size"):
        fine_tune(tmp_path, task, examples, examples, FineTuneSettings(batch_size=25))


@pytest.mark.parametrize(("backend", "token"), [("mlm", FIRST), ("causal", LAST)])
def test_a_prediction_does_not_depend_on_the_other_texts_of_its_batch(backend: str, token: str, tmp_path: Path) -> None:
    """With and without a padding token of its own, as GPT-2 has none. Padding on the left moved GPT-2's positions."""
    write_model(tmp_path, backend, WORDS)
    path = tmp_path / "tokenizer_config.json"
    for gone in (None, "pad_token"):
        settings = {name: value for name, value in json.loads(path.read_text()).items() if name != gone}
        path.write_text(json.dumps(settings | {"padding_side": "left"}))
        notes: list[str] = []
        classifier, tokenizer = open_classifier(tmp_path, 2, note=notes.append)
        classifier.train(False)
        assert classifier.token == token and len(notes) == (token == LAST)
        rows = [((WORDS[0], "it ."), 0), ((WORDS[1], "it is what it is ."), 1), (("a", ""), 0)]
        input_ids, attention_mask, labels = _collate(tokenizer, 50, rows)
        assert labels.tolist() == [0, 1, 0] and len(set(attention_mask.sum(dim=1).tolist())) == 3
        with torch.no_grad():
            together = classifier(input_ids, attention_mask)
            alone = [classifier(*_collate(tokenizer, 50, [row])[:2]) for row in rows]
        assert torch.allclose(together, torch.cat(alone), atol=1e-5)


OFFICIAL = Path(__file__).with_name("official")


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("name", ["masked", "causal"])
def test_predictions_are_those_of_the_pipeline_of_2026(name: str, accumulate: int, tmp_path: Path) -> None:
    """As parity_glue.py stored them; another processor adds in another order, which may tip an item."""
    official_data.write_model(tmp_path / "model", name)
    shutil.copyfile(OFFICIAL / f"{name}.tokenizer.json", tmp_path / "model" / "tokenizer.json")
    official_data.write_glue(tmp_path)
    task, kept = GLUE_TASKS["rte"], OFFICIAL / "glue_2026" / name / f"rte_{accumulate}"
    train, valid = (read_examples(task, tmp_path / f"rte.{split}.jsonl") for split in ("train", "valid"))
    settings = FineTuneSettings(last_token=True, learning_rate=1e-2, epochs=6, accumulate=accumulate)
    tuned = fine_tune(tmp_path / "model", task, train, valid, settings)
    theirs = [row["pred"] for row in json.loads((kept / "predictions.json").read_text())["rte"]["predictions"]]
    assert np.mean(np.array(theirs) == tuned.predictions) > 0.97
    metrics = dict(line.split(": ") for line in (kept / "results.txt").read_text().splitlines())
    assert tuned.metrics == pytest.approx({key: float(value) for key, value in metrics.items()}, abs=0.03)


def test_a_batch_that_is_read_in_parts_has_the_same_gradients_and_number_of_updates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """26 examples: three batches of 8, and at the end of the epoch two examples that are none."""
    write_model(tmp_path, "mlm", WORDS)  # padding moves no position of it
    config = json.loads((tmp_path / "config.json").read_text())
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (tmp_path / "config.json").write_text(json.dumps(config | dropout))
    monkeypatch.setattr(fine_tuning, "DROPOUT", 0.0)
    found: dict[int, list[torch.Tensor]] = {}

    class Watched(torch.optim.AdamW):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            every = (each.grad for group in self.param_groups for each in group["params"])
            kept.append(torch.cat([gradient.flatten() for gradient in every if gradient is not None]))

    monkeypatch.setattr(torch.optim, "AdamW", Watched)
    for accumulate in (1, 4):
        kept = found[accumulate] = []
        task, updates, examples = GlueTask(("a",), ("b",), batch_size=8, epochs=1), list[int](), by_the_first_word(26)
        settings = FineTuneSettings(last_token=True, accumulate=accumulate)
        fine_tune(tmp_path, task, examples, examples, settings, updates.append)
        assert len(kept) == sum(updates) == 3
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(*found.values(), strict=True))
    with pytest.raises(DataError, match=r"--accumulate .*8.*got 3"):
        fine_tune(tmp_path, task, examples, examples, FineTuneSettings(accumulate=3))
