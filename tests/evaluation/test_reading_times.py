"""Surprisal against the definition, one model call for each token; and errors in a broken file."""

import json
import math
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import BACKENDS
from sleep_tune.evaluation.official_files import write_official_reading
from sleep_tune.evaluation.reading_times import ReadingScorer, WordInContext, read_times
from tests.evaluation.folders import SENTENCES, write_reading
from tests.evaluation.tiny import tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer(SENTENCES)


@pytest.fixture(scope="module")
def lm(tokenizer: PreTrainedTokenizerFast) -> dict[str, PreTrainedModel]:
    return {backend: tiny_model(backend, tokenizer) for backend in BACKENDS}


def surprisal(place: WordInContext, tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel, backend: str) -> float:
    """The definition: a call of the model for each token, no batch, the whole of the logits."""
    total, before = 0.0, place.before
    for index, token in enumerate(tokenizer(place.word, add_special_tokens=False)["input_ids"]):
        text = str(tokenizer.decode([token]))
        target = token if index == 0 else tokenizer(text, add_special_tokens=False)["input_ids"][0]
        ids = tokenizer(before + ("" if backend == "causal" else "<mask>" * 3), return_tensors="pt")["input_ids"]
        with torch.no_grad():
            log_p = model(input_ids=ids).logits[0].double().log_softmax(dim=-1)
        at = {"causal": -1, "mlm": -4, "mntp": -5}[backend]  # three masks and the end
        total -= float(log_p[at, target])
        before += text
    return total


@pytest.mark.parametrize("backend", ["mlm", "mntp", "causal"])
def test_every_word_and_the_one_before_it_agree_with_the_definition(
    backend: str, tokenizer: PreTrainedTokenizerFast, lm: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    times = read_times(write_reading(tmp_path / "reading_data.csv"))
    found = ReadingScorer(times, tokenizer, backend=backend, batch_tokens=512).score(lm[backend])
    expected = [surprisal(place, tokenizer, lm[backend], backend) for place in times.words]
    assert found.words == pytest.approx(expected, abs=1e-4)
    for place, value in zip(times.previous, found.previous, strict=True):
        assert (
            math.isnan(value) if place is None else value == pytest.approx(expected[times.words.index(place)], abs=1e-4)
        )
    assert times.words[0] == WordInContext("None", "the")  # the pipeline's text for an empty context
    assert [place is None for place in times.previous].count(True) == 2 * len(SENTENCES)
    # The first word has none before it, and the context of the second one's is empty in the file.


def test_predictions_and_report_are_in_the_official_layout(
    tokenizer: PreTrainedTokenizerFast, lm: dict[str, PreTrainedModel], tmp_path: Path
) -> None:
    times = read_times(write_reading(tmp_path / "reading_data.csv"))
    found = ReadingScorer(times, tokenizer, backend="mlm", batch_tokens=512).score(lm["mlm"])
    write_official_reading(tmp_path, found, {"reading_eye_tracking": 5.346, "reading_self_paced": 2.6})
    rows = json.loads((tmp_path / "predictions.json").read_text())["reading"]["predictions"]
    assert [row["id"] for row in rows] == list(range(len(times.words)))
    assert rows[3]["pred"] == found.words[3] and math.isnan(rows[0]["prev_pred"])
    assert list(found.scores(times)) == ["reading_eye_tracking", "reading_self_paced"]
    assert (tmp_path / "report.txt").read_text() == "EYE TRACKING SCORE: 5.35\nSELF-PACED READING SCORE: 2.60\n"


def test_a_broken_file_is_named_with_line_and_column(tmp_path: Path) -> None:
    path = write_reading(tmp_path / "reading_data.csv", drop="RTgopast")
    with pytest.raises(DataError, match=r"reading_data.csv:1: .*'RTgopast'.* item, word"):
        read_times(path)
    whole = write_reading(path).read_text(encoding="utf-8").splitlines()
    path.write_text(whole[0] + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="at least one row"):
        read_times(path)
    path.write_text("\n".join([whole[0], whole[1], whole[2].replace("the,dog", "the,")]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r":3: word .* nan"):
        read_times(path)
    path.write_text("\n".join([whole[0], whole[1] + "1x"]), encoding="utf-8")
    with pytest.raises(DataError, match=r":2: self_paced_reading_time .*'[\d.]+x'"):
        read_times(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(DataError, match=r"CSV.*No columns"):
        read_times(path)
    with pytest.raises(DataError, match=r"no\.csv.*CSV"):
        read_times(tmp_path / "no.csv")


def test_a_word_without_a_token_is_refused(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    nothing = Tokenizer(models.BPE({"<s>": 0, "</s>": 1, "<pad>": 2, "<mask>": 3}, []))
    bare = PreTrainedTokenizerFast(tokenizer_object=nothing, mask_token="<mask>")  # type: ignore[no-untyped-call]
    times = read_times(write_reading(tmp_path / "reading_data.csv"))
    with pytest.raises(DataError, match=r"at least one token .*'the'"):
        ReadingScorer(times, bare, backend="mlm", batch_tokens=512)
