"""BabyLM's tasks as a run is scored on them."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sleep_tune.errors import DataError
from sleep_tune.evaluation.benchmark import Benchmark, cached_benchmark, with_macro
from sleep_tune.evaluation.reading_times import ReadingScorer, read_times
from sleep_tune.evaluation.suite import Suite
from tests.evaluation.folders import SENTENCES, write_data, write_rows
from tests.evaluation.tiny import LONGEST, tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return tiny_tokenizer(SENTENCES)


@pytest.fixture(scope="module")
def lm(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    return tiny_model("mlm", tokenizer)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_data(tmp_path / "fast_eval")


def test_scores_are_those_of_the_tasks_in_percent(
    data: Path, tokenizer: PreTrainedTokenizerFast, lm: PreTrainedModel
) -> None:
    metrics = Benchmark(data, tokenizer, backend="mlm", batch_tokens=512, positions=LONGEST).score(lm)
    assert {key for key in metrics if key.startswith("babylm/")} == {
        "babylm/blimp_fast",
        "babylm/wug_adj_nominalization",
        "babylm/zorro",
        "babylm/reading_eye_tracking",
        "babylm/reading_self_paced",
    }
    suite = Suite(
        {"wug_adj_nominalization": data / "wug_adj_nominalization"}, tokenizer, backend="mlm", batch_tokens=512
    )
    (wug,) = suite.score(lm).tasks
    assert metrics["babylm/wug_adj_nominalization"] == pytest.approx(100 * wug.report.average)
    times = read_times(data / "reading" / "reading_data.csv")
    reading = ReadingScorer(times, tokenizer, backend="mlm", batch_tokens=512).score(lm).scores(times)
    assert {key: metrics[f"babylm/{key}"] for key in reading} == pytest.approx(reading)


def test_a_model_that_answers_a_constant_is_right_everywhere_and_its_ties_say_so(
    data: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    constant = tiny_model("mlm", tokenizer)
    with torch.no_grad():
        for parameter in constant.parameters():
            parameter.zero_()
    metrics = Benchmark(data, tokenizer, only=["zorro"], backend="mlm", batch_tokens=512, positions=LONGEST).score(
        constant
    )
    assert metrics == {"babylm/zorro": 100.0, "ties/zorro": 100.0}


def test_the_macro_average_joins_what_was_measured() -> None:
    scores = {"babylm/blimp_fast": 60.0, "babylm/wug_past_tense": 20.0, "babylm/zorro": 0.0, "eval/nll": 3.0}
    assert with_macro(scores) == {**scores, "babylm/macro": 40.0}
    assert with_macro(with_macro(scores)) == with_macro(scores)
    assert with_macro({"eval/nll": 3.0}) == {"eval/nll": 3.0}


def test_only_and_without_choose_folders(data: Path, tokenizer: PreTrainedTokenizerFast, lm: PreTrainedModel) -> None:
    rest = Benchmark(
        data, tokenizer, without=["blimp_fast", "reading"], backend="mlm", batch_tokens=512, positions=LONGEST
    ).score(lm)
    assert {key for key in rest if key.startswith("babylm/")} == {"babylm/wug_adj_nominalization", "babylm/zorro"}
    everything = ("blimp_fast", "reading", "wug_adj_nominalization", "zorro")
    assert (
        Benchmark(data, tokenizer, without=everything, backend="mlm", batch_tokens=512, positions=LONGEST).score(lm)
        == {}
    )
    with pytest.raises(DataError, match=r"comps.* blimp_fast, .*zorro"):
        Benchmark(data, tokenizer, only=["comps"], backend="mlm", batch_tokens=512, positions=LONGEST)


def test_what_a_model_cannot_read_is_left_out_and_refused_if_it_was_named(
    data: Path, tokenizer: PreTrainedTokenizerFast, lm: PreTrainedModel
) -> None:
    long = {"input_prefix": "the dog saw the cat . " * 30, "options": ["dog", "cat"], "numops": 0}
    write_rows(data / "entity_tracking_fast" / "regular.jsonl", [long, {**long, "input_prefix": "the "}])
    benchmark = Benchmark(data, tokenizer, backend="mlm", batch_tokens=512, positions=30)
    skipped = {task.name: (task.items, task.of) for task in benchmark.too_long}
    assert skipped["entity_tracking_fast"] == (1, 2)
    times = read_times(data / "reading" / "reading_data.csv")
    assert skipped["reading"][1] == len(times.words) and 0 < skipped["reading"][0] < len(times.words)
    assert "babylm/entity_tracking_fast" not in benchmark.score(lm)
    for name, pattern in (("entity_tracking_fast", "1 of its 2"), ("reading", r"\d+ of its")):
        with pytest.raises(DataError, match=rf"evaluation\.tasks .*{name}.* {pattern} .*data\.max_length=30"):
            Benchmark(data, tokenizer, only=[name], backend="mlm", batch_tokens=512, positions=30)


def test_the_model_is_left_as_it_was(data: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    model = tiny_model("mlm", tokenizer).train()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    benchmark = Benchmark(data, tokenizer, backend="mlm", batch_tokens=512, positions=LONGEST)
    assert benchmark.score(model) == benchmark.score(model)
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_runs_of_one_process_share_what_was_prepared(
    data: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    arguments = (str(data), tmp_path / "tokenizer", ("zorro",), (), "mlm", 512, LONGEST)
    assert cached_benchmark(*arguments) is cached_benchmark(*arguments)
