"""Model cards: family, objective and sizes, what opening needs, and an example that runs."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from sleep_tune.config.schema import ModelConfig, TokenizerConfig
from sleep_tune.data.tokenizer import bpe_recipe
from sleep_tune.experiment.run_folder import write_outcome
from sleep_tune.records import Outcome
from sleep_tune.results.card import CardFacts, Licences, checkpoint_card, model_card
from sleep_tune.results.comparison import compare
from sleep_tune.results.published_model import PublishedModel, read_published_model
from sleep_tune.results.winner import Winner, winner_of_run
from tests.data.kinds import TEXT
from tests.data.stored_text import tokenize
from tests.results.conftest import SyntheticLog


@pytest.fixture
def run(log: SyntheticLog) -> Path:
    """The run of a search that has one."""
    log.open()
    log.run("t0001", 1, 2.0, 0.8, role="finalist")
    folder = log.folder / "trials" / "t0001-s1"
    (folder / "model").mkdir(parents=True)
    return folder


FACTS = CardFacts(place="owner/model", command="sleep-tune train data.kind=text data.path=DATA_PATH")


def card(run: Path, facts: CardFacts = FACTS) -> str:
    winner = Winner("t0001", run, "it is best", {"folds": 5}, {}, {})
    return model_card(winner, compare(run.parents[1]), facts)


def write(run: Path, options: dict[str, Any], config: dict[str, Any]) -> None:
    (run / "config.yaml").write_text(yaml.safe_dump(options))
    (run / "model" / "config.json").write_text(json.dumps(config))


GPT2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_layer": 8, "n_embd": 256, "n_head": 4}
ROBERTA = {"model_type": "roberta", "architectures": ["RobertaForMaskedLM"], "num_hidden_layers": 2, "vocab_size": 8192}
OPTIONS = {"data": {"max_length": 128}, "model": {"kind": "gpt2"}}


@pytest.mark.parametrize(
    ("config", "pipeline", "parts"),
    [
        (GPT2 | {"training_objective": "clm"}, "text-generation", ("causal language model", "family: GPT-2")),
        (ROBERTA | {"training_objective": "mlm"}, "fill-mask", ("masked language model", "family: RoBERTa")),
        (ROBERTA, "fill-mask", ("masked language model", "training.objective: mlm", "vocabulary: 8,192")),
        (ROBERTA | {"training_objective": "hybrid"}, None, ("hybrid language model", "is_decoder=True", "MaskedLM")),
        ({"training_objective": "clm", "model_type": "custom"}, "text-generation", ("family: custom",)),
    ],
)
def test_a_card_names_family_objective_and_sizes(
    run: Path, config: dict[str, Any], pipeline: str | None, parts: tuple[str, ...]
) -> None:
    write(run, OPTIONS, config)
    text = card(run)
    assert yaml.safe_load(text.split("---")[1]).get("pipeline_tag") == pipeline
    for part in (*parts, "longest row, in tokens: 128"):
        assert part in text
    causal = config.get("training_objective") in ("clm", "hybrid")
    assert ("AutoModelForCausalLM" in text, "generate(" in text) == (causal, causal)


def test_the_objective_of_a_run_whose_model_was_made_elsewhere_is_that_of_its_options(run: Path) -> None:
    write(run, {"training": {"objective": "clm"}}, {})
    assert read_published_model(run / "model") == PublishedModel(objective="clm")


def test_a_card_says_what_code_the_model_needs(run: Path) -> None:
    write(run, {"model": {"kind": "lab.models:build"}}, {"architectures": ["OurModel"], "auto_map": {}})
    text = card(run)
    for part in ("lab.models:build", "OurModel", "trust_remote_code=True"):
        assert part in text


def test_averaged_weights_that_were_chosen_are_the_ones_that_are_published(run: Path) -> None:
    write(run, OPTIONS, {"training_objective": "mlm"})
    (run / "model-ema").mkdir()
    (run / "model-ema" / "config.json").write_text(json.dumps({"training_objective": "clm"}))
    winner = Winner("t0001", run, "it is best", {"folds": 5}, {}, {}, "model-ema")
    text = model_card(winner, compare(run.parents[1]), FACTS)
    assert "causal language model" in text
    assert "training.ema" in text


def test_a_run_without_files_or_with_broken_ones_has_a_card_too(run: Path) -> None:
    assert "masked language model" in card(run)
    for name in ("config.json", "model.safetensors"):
        (run / "model" / name).write_bytes(b"\xff" * 20)
    assert read_published_model(run / "model") == PublishedModel(objective="mlm")
    (run / "model" / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"[]")
    assert read_published_model(run / "model").parameters is None


def metadata(text: str) -> dict[str, Any]:
    """The metadata as the Hub's own client reads it."""
    read: Any = ModelCard(text).data
    found: dict[str, Any] = read.to_dict()
    return found


def entries(text: str) -> dict[str, tuple[float, str]]:
    """Name of a metric in the model-index -> value and type of the dataset."""
    read: Any = ModelCard(text).data
    return {one.metric_name: (one.metric_value, one.dataset_type) for one in read.eval_results}


def test_scores_are_means_over_seeds_beside_those_of_the_model_itself(log: SyntheticLog) -> None:
    log.open()
    for seed, nll in ((1000, 2.0), (1001, 2.2), (1002, 2.4)):
        log.run("epochs", seed, nll + 0.5, 0.7)
        log.run("t0001", seed, nll, 0.8, role="finalist", metrics={"babylm/blimp_fast": 60.0})
    run = log.folder / "trials" / "t0001-s1001"
    (run / "model").mkdir(parents=True)
    write(run, OPTIONS | {"training": {"seed": 1001}}, ROBERTA)
    text = card(run)
    found = entries(text)
    assert found["test nll, this model of seed 1001"] == (2.2, "text")
    assert found["test nll, mean over 3 seeds, 95% interval 1.703 to 2.697"] == (2.2, "text")
    assert found["BLiMP fast 2025, this model of seed 1001"] == (60.0, "blimp_fast")
    assert "| test nll | 2.200 | 2.200 [1.703, 2.697], 3 seeds |" in text
    assert "| epochs" in text  # the table of the comparison


def test_a_run_by_itself_has_its_own_scores_only(tmp_path: Path) -> None:
    run = tmp_path / "alone"
    (run / "model").mkdir(parents=True)
    write(run, {"sleep": {"folds": 3}, "training": {"seed": 4}}, ROBERTA)
    metrics = {"eval/nll": 2.0, "test/nll": 2.5, "test/pairs/agreement": 0.5}
    cost: dict[str, Any] = {"words_seen": 900, "updates": 3, "seconds": 1.0, "flops": 1e9, "device": "cpu"}
    write_outcome(run, Outcome(state="completed", metrics=metrics, **cost))
    text = model_card(winner_of_run(run), None, FACTS)
    assert entries(text) == {"test nll, this model of seed 4": (2.5, "text")}
    assert "repetitions included: 900" in text
    assert "one run, under one seed" in text
    assert "## Comparison" not in text


def test_a_card_states_data_and_base_and_no_licence_unless_it_is_given(run: Path) -> None:
    data = {"kind": "babylm", "dataset": "BabyLM-community/BabyLM-2026-Strict", "revision": "abc"}
    write(run, {"data": data, "model": {"init": "owner/base"}}, ROBERTA)
    assert "words: train 100,000" in card(run)  # as the search recorded them
    (run / "log.txt").write_text("2026 INFO sleep_tune.training.run: text: train 1,200 words (a.txt); dev 30 words\n")
    found = metadata(card(run))
    assert (found["datasets"], found["base_model"]) == ([data["dataset"]], "owner/base")
    assert (found["language"], "license" in found) == ("en", False)
    for part in ("licence of the text: not stated", "words: train 1,200, dev 30", "revision: abc"):
        assert part in card(run)
    licences = Licences(model="apache-2.0", data="CC BY-SA 4.0", language="nl")
    given = card(run, replace(FACTS, licences=licences))
    assert (metadata(given)["license"], metadata(given)["language"]) == ("apache-2.0", "nl")
    assert "licence of the text: CC BY-SA 4.0" in given


def test_text_and_weights_of_the_author_s_own_are_named_without_their_places(run: Path) -> None:
    write(run, {"data": {"kind": "text", "path": "/home/me/diary"}, "model": {"init": "/home/me/base"}}, ROBERTA)
    text = card(run)
    assert "/home/me" not in text
    assert not {"datasets", "base_model", "language"} & metadata(text).keys()
    assert "trained further from base" in text


def test_a_card_says_how_the_model_is_trained_again(run: Path) -> None:
    write(run, OPTIONS, ROBERTA)
    packages = {"torch": "2.13.0+cpu", "ray": "2.60.0"}
    made = {"sleep_tune": "0.1.0", "commit": "0123abc", "uncommitted": True, "python": "3.11.7", "packages": packages}
    (run / "environment.json").write_text(json.dumps(made))
    text = card(run, replace(FACTS, repository="https://example.org/sleep-tune"))
    lines = text.partition("```sh\n")[2].splitlines()
    assert lines[:5] == [
        "git clone https://example.org/sleep-tune sleep-tune",
        "cd sleep-tune",
        "git checkout 0123abc",
        "pip install . torch==2.13.0",
        FACTS.command,
    ]
    assert "in no commit" in text
    assert "git clone REPOSITORY" in card(run)


@pytest.mark.parametrize(("kind", "alike"), [("roberta", True), ("stripes", False)])
def test_a_card_says_which_releases_open_the_model(run: Path, kind: str, alike: bool) -> None:
    write(run, OPTIONS, {"model_type": kind, "transformers_version": "5.23.0"})
    text = card(run)
    assert "transformers 5.23.0" in text
    assert ("Release 4.57" in text, "use release 5" in text) == (alike, not alike)


def test_a_tokenizer_that_transformers_would_replace_is_opened_by_its_own_class(run: Path) -> None:
    write(run, OPTIONS, {"model_type": "qwen2", "transformers_version": "5.23.0"})
    assert "tokenizer = PreTrainedTokenizerFast.from_pretrained" in card(run)
    assert "= AutoTokenizer" not in card(run)


def test_the_card_of_a_checkpoint_names_its_words_and_has_no_scores() -> None:
    text = checkpoint_card("chck_10M", "owner/model")
    assert "10 million words" in text
    assert 'revision="chck_10M"' in text
    assert "model-index" not in text


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "objective"), [("gpt2", "clm"), ("roberta", "mlm"), ("roberta", "hybrid")])
def test_the_example_of_a_card_runs(run: Path, tmp_path: Path, kind: str, objective: str) -> None:
    from sleep_tune.models.build import build_model
    from sleep_tune.training.outputs import write_model

    made = tokenize(bpe_recipe(TokenizerConfig(vocab_size=400), tmp_path), {"train": TEXT}, tmp_path / "tokenizer")
    sizes = ModelConfig(kind=kind, layers=1, hidden=16, heads=2, feed_forward=32)
    model = build_model(
        sizes, objective=objective, vocab_size=made.vocab_size, max_length=16, special=made.special, seed=0
    )
    write_model(run / "model", model, tmp_path / "tokenizer")
    text = card(run, replace(FACTS, place=str(run / "model")))
    assert f"parameters: {sum(one.numel() for one in model.parameters()):,}" in text
    example = re.search(r"```python\n(.*?)\n```", text, re.DOTALL)
    assert example is not None
    exec(example[1], {})
