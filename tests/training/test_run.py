"""A run as its callers see it: reports, outcome, folder, failures."""

import errno
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel

from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.decoding import decoder
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import REFUSALS, BudgetError, ConfigError, DiskError, Diverged, LimitError, OutOfMemory
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.experiment.run_folder import read_outcome
from sleep_tune.models.sparse import masked_logits
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.training.failures import translated_failures
from sleep_tune.training.run import train
from tests.data.kinds import KINDS, TEXT
from tests.training.runs import DATA, TOKENIZER, keep_training, make_config, read_lines, weigh


class Reports:
    """A report that keeps every progress, and stops a run at a rung."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.received: list[Progress] = []
        self.stop_at = stop_at

    def __call__(self, progress: Progress) -> Decision:
        """Keep it, and answer."""
        self.received.append(progress)
        return Decision.STOP if progress.rung is not None and progress.rung == self.stop_at else Decision.CONTINUE

    @property
    def rungs(self) -> list[Progress]:
        """Those of rungs."""
        return [progress for progress in self.received if progress.rung is not None]


@pytest.fixture(scope="module")
def done(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome, Reports]:
    """A whole run with the real evaluation, under another seed than that of the data, which draws the questions."""
    folder, reports = tmp_path_factory.mktemp("done"), Reports()
    outcome = train(make_config(folder, rungs=(0.3, 0.6), log_ratio=0.05, seed=DATA.seed + 1), reports, corpus=corpus)
    return folder, outcome, reports


@pytest.mark.slow
def test_words_end_within_a_batch_of_the_budget(done: tuple[Path, Outcome, Reports], corpus: Corpus) -> None:
    _, outcome, _ = done
    budget = int(3.5 * corpus.train.num_words)
    most = 8 * int(corpus.train.words.max())
    assert budget - most < outcome.words_seen <= budget
    assert outcome.state == "completed"
    assert outcome.device == "cpu"
    assert outcome.seconds > 0
    assert outcome.flops > 0


@pytest.mark.slow
def test_rungs_are_nominal_and_carry_every_metric_of_dev(done: tuple[Path, Outcome, Reports], corpus: Corpus) -> None:
    _, outcome, reports = done
    budget = int(3.5 * corpus.train.num_words)
    assert [progress.rung for progress in reports.rungs] == [round(0.3 * budget), round(0.6 * budget), budget]
    for progress in reports.rungs[:-1]:
        assert progress.rung is not None
        assert 0 <= progress.words_seen - progress.rung < 8 * int(corpus.train.words.max())
        assert {"eval/nll", "eval/pseudo_perplexity", "eval/pairs_accuracy"} <= progress.metrics.keys()
        assert all(name.startswith("eval/") for name in progress.metrics)
    assert reports.rungs[-1].words_seen == outcome.words_seen
    assert {name: value for name, value in outcome.metrics.items() if name.startswith("eval/")} == reports.rungs[
        -1
    ].metrics
    assert "test/nll" in outcome.metrics


@pytest.mark.slow
def test_heartbeats_are_at_most_one_a_second(done: tuple[Path, Outcome, Reports]) -> None:
    _, outcome, reports = done
    beats = [progress for progress in reports.received if progress.rung is None]
    assert 1 <= len(beats) <= 1 + outcome.seconds
    assert all(progress.metrics.keys() <= {"loss"} for progress in beats)
    assert all(
        later.seconds >= earlier.seconds for earlier, later in zip(reports.received, reports.received[1:], strict=False)
    )


@pytest.mark.slow
def test_the_model_opens_by_itself_and_measures_as_it_did(done: tuple[Path, Outcome, Reports], corpus: Corpus) -> None:
    folder, outcome, _ = done
    model = AutoModelForMaskedLM.from_pretrained(folder / "model")
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    encoded = tokenizer("the boy sees a dog .")["input_ids"]
    special = corpus.train.special
    assert (encoded[0], encoded[-1], tokenizer.mask_token_id) == (special.start, special.separator, special.mask)
    assert model.config.vocab_size == corpus.train.vocab_size
    with torch.no_grad():
        assert masked_logits(model, torch.tensor([encoded]), None, torch.tensor([2])).shape == (
            1,
            model.config.vocab_size,
        )
    measured = Evaluator(corpus, make_config(folder).evaluation, DATA.seed)(model, "dev")
    assert measured["eval/nll"] == pytest.approx(outcome.metrics["eval/nll"], rel=1e-5)
    assert measured["eval/pairs_accuracy"] == outcome.metrics["eval/pairs_accuracy"]


@pytest.mark.slow
def test_the_folder_holds_what_it_should(done: tuple[Path, Outcome, Reports], corpus: Corpus) -> None:
    """Checkpoints of a run that is over are removed; sleeps are on record, and each phase has its losses."""
    folder, outcome, reports = done
    assert sorted(path.name for path in folder.iterdir()) == [
        "eval",
        "exposures.npz",
        "metrics.jsonl",
        "model",
        "outcome.json",
    ]
    assert sorted(path.name for path in (folder / "eval").iterdir()) == ["dev.json", "items.parquet", "test.json"]
    assert Progress.from_json(json.loads((folder / "eval" / "dev.json").read_text())) == reports.rungs[-1]
    assert read_outcome(folder) == outcome
    lines = read_lines(folder, "train")
    assert 15 <= len(lines) <= 21
    assert {"loss", "loss/wake", "loss/sleep"} <= {key for line in lines for key in line}
    assert lines[-1]["words_seen"] == outcome.words_seen
    sleeps = read_lines(folder, "sleep")
    assert [sleep["cycle"] for sleep in sleeps] == list(range(len(sleeps)))
    assert all(sum(sleep["exposures"]) == len(corpus.train) for sleep in sleeps)
    assert all(sleep["corpus"] == corpus.train.source_shares() for sleep in sleeps)
    hardest = sleeps[0]["examples"][0]
    assert hardest.keys() == {"text", "sample", "score", "age", "times_seen"}
    assert hardest["text"] == decoder(corpus.train, corpus.tokenizer_dir)(hardest["sample"])
    assert [(line["split"], line["rung"]) for line in read_lines(folder, "eval")] == [
        *(("dev", progress.rung) for progress in reports.rungs),
        ("test", reports.rungs[-1].rung),
    ]


@pytest.mark.slow
def test_a_finished_run_says_so_again_at_once(done: tuple[Path, Outcome, Reports]) -> None:
    folder, outcome, reports = done
    again = Reports()
    began = time.process_time()
    assert train(make_config(folder, rungs=(0.3, 0.6), log_ratio=0.05), again) == outcome
    assert time.process_time() - began < 1
    assert again.received == reports.rungs[-1:]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["byte_level", "word_level"])
def test_a_run_with_a_loaded_tokenizer_whose_pad_ends_sentences_is_evaluated(tmp_path: Path, kind: str) -> None:
    """Such a run once trained to its end on text a tenth of which was hidden, and died in its evaluation."""
    end = {"byte_level": "<|endoftext|>", "word_level": "</s>"}[kind]
    source = KINDS[kind](tmp_path / "source", pad_token=end, mask_token=end)
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "book.txt").write_text("\n\n".join(TEXT * 8), encoding="utf-8")
    config = make_config(tmp_path / "run")
    config.data = DataConfig(kind="text", path=str(tmp_path / "books"), max_length=16)
    config.tokenizer = TokenizerConfig(kind="hub", name=str(source))
    config.sleep.context = "shuffle"
    outcome = train(config, keep_training)
    assert outcome.state == "completed"
    assert math.isfinite(outcome.metrics["test/nll"])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "run" / "model")
    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "run" / "model")
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert model.get_input_embeddings().weight.shape[0] == max(tokenizer.get_vocab().values()) + 1


def test_a_run_stops_at_the_rung_whose_answer_is_stop(corpus: Corpus, tmp_path: Path) -> None:
    budget = int(3.5 * corpus.train.num_words)
    reports = Reports(stop_at=round(0.5 * budget))
    outcome = train(make_config(tmp_path, rungs=(0.3, 0.5, 0.7)), reports, corpus=corpus, evaluate=weigh)
    assert outcome.state == "stopped"
    assert outcome.words_seen == reports.rungs[-1].words_seen < 0.6 * budget
    assert [progress.rung for progress in reports.rungs] == [round(0.3 * budget), round(0.5 * budget)]
    assert not list(tmp_path.glob("attempt-*"))
    assert not (tmp_path / "model").exists()
    assert read_outcome(tmp_path) is None


@pytest.mark.slow
def test_the_answer_to_a_heartbeat_may_stop_a_run(corpus: Corpus, tmp_path: Path) -> None:
    outcome = train(make_config(tmp_path), lambda progress: Decision.STOP, corpus=corpus, evaluate=weigh)
    assert outcome.state == "stopped"
    assert outcome.updates == 1


@pytest.mark.slow
def test_rungs_that_one_batch_passes_are_all_reported(corpus: Corpus, tmp_path: Path) -> None:
    reports = Reports()
    train(make_config(tmp_path, rungs=(0.5, 0.501, 0.502)), reports, corpus=corpus, evaluate=weigh)
    assert len(reports.rungs) == 4
    assert reports.rungs[0].words_seen == reports.rungs[2].words_seen


@pytest.mark.slow
def test_a_rate_far_too_high_diverges(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path, learning_rate=1.0, warmup=0.0, log_ratio=0.05)
    with pytest.raises(Diverged, match=r"the training loss must stay (below|finite)"):
        train(config, keep_training, corpus=corpus, evaluate=weigh)


@pytest.mark.slow
def test_a_measure_that_is_no_number_diverges(corpus: Corpus, tmp_path: Path) -> None:
    def evaluate(model: PreTrainedModel, split: str) -> dict[str, float]:
        return {"eval/nll": math.nan}

    with pytest.raises(Diverged, match="eval/nll must stay finite; it became nan"):
        train(make_config(tmp_path, rungs=(0.1,)), keep_training, corpus=corpus, evaluate=evaluate)


@pytest.mark.slow
def test_the_macro_average_that_a_search_judges_by_is_over_dev_s_tasks(corpus: Corpus, tmp_path: Path) -> None:
    """It was over test's too in the outcome: a search chose by them, and one that is no number failed the run."""
    measured = {
        "dev": {"eval/nll": 3.0, "babylm/blimp_fast": 60.0, "babylm/macro": 60.0},
        "test": {"test/nll": 3.0, "babylm/comps": math.nan},
    }
    reports = Reports()
    outcome = train(make_config(tmp_path), reports, corpus=corpus, evaluate=lambda _, split: measured[split])
    assert outcome.metrics["babylm/macro"] == reports.rungs[-1].metrics["babylm/macro"] == 60.0
    assert outcome.metrics.keys() == measured["dev"].keys() | measured["test"].keys()


@pytest.mark.slow
def test_a_model_need_not_be_saved_nor_test_be_looked_at(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path, save_model=False, checkpoint_ratio=0.0)
    config.evaluation.test = False
    outcome = train(config, keep_training, corpus=corpus, evaluate=weigh)
    assert outcome.metrics.keys() == {"eval/nll"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "eval",
        "exposures.npz",
        "metrics.jsonl",
        "outcome.json",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("context", ["keep", "repack", "shuffle"])
def test_every_context_trains(context: str, corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    config.sleep.context = context
    assert train(config, keep_training, corpus=corpus, evaluate=weigh).state == "completed"


def test_a_folder_must_be_named(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path)
    config.run.dir = None
    with pytest.raises(ConfigError, match=r"run\.dir must be the folder of the run"):
        train(config, keep_training, corpus=corpus, evaluate=weigh)


def test_settings_that_the_budget_cannot_hold_leave_nothing_behind(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path / "run")
    config.sleep.length.ratio = 9.0
    with pytest.raises(BudgetError, match=r"sleep\.length\.ratio"):
        train(config, keep_training, corpus=corpus, evaluate=weigh)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not there")
def test_a_device_that_is_not_there_is_refused(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training\.device must be .*\bcpu\b.*; got cuda"):
        train(make_config(tmp_path, device="cuda"), keep_training, corpus=corpus, evaluate=weigh)


FAILURES: list[tuple[Exception, type[Exception], str]] = [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), OutOfMemory, "the GPU's memory must hold"),
    (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "the machine's memory"),
    (MemoryError(), OutOfMemory, "the machine's memory"),
    (OSError(28, os.strerror(28)), DiskError, "the disk must have room"),
    (RuntimeError("PytorchStreamWriter failed writing file data/1: file write failed"), DiskError, "the disk must"),
    *[(OSError(number, "no"), kind, "the model in run") for number, (kind, _) in REFUSALS.items()],
    (RuntimeError(f"I/O error: {os.strerror(errno.EFBIG)} (os error 27)"), LimitError, "ulimit -f"),
    (RuntimeError("something else"), RuntimeError, "something else"),
    (FileNotFoundError(2, "gone"), FileNotFoundError, "gone"),
]


@pytest.mark.parametrize(("raised", "expected", "message"), FAILURES)
def test_failures_of_libraries_become_our_errors(raised: Exception, expected: type[Exception], message: str) -> None:
    with pytest.raises(expected, match=message) as error, translated_failures(Path("run")):
        raise raised
    if isinstance(error.value, OutOfMemory):
        assert error.value.on_gpu == ("GPU" in message)


@pytest.mark.slow
def test_memory_that_no_machine_has_is_an_error_of_ours(corpus: Corpus, tmp_path: Path) -> None:
    def evaluate(model: PreTrainedModel, split: str) -> dict[str, float]:
        torch.empty(2**60)
        return {}

    with pytest.raises(OutOfMemory, match=r"lower training\.batch_size"):
        train(make_config(tmp_path, rungs=(0.1,)), keep_training, corpus=corpus, evaluate=evaluate)


ALONE = """
import os, sys
for name in ("ray", "hydra", "omegaconf", "datasets", "optuna"):
    sys.modules[name] = None
os.environ |= {"LOCAL_RANK": "0", "RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
from pathlib import Path
from sleep_tune.training.run import train
from tests.data.kinds import KINDS, TEXT
from tests.training.runs import make_config, keep_training
config = make_config(Path(sys.argv[1]), rungs=(0.5,), threads=1)
config.evaluation.pairs = 0
outcome = train(config, keep_training)
assert outcome.state == "completed", outcome
assert os.environ["LOCAL_RANK"] == "0"
"""


@pytest.mark.slow
def test_a_run_needs_no_search_and_no_hydra_and_prints_nothing(corpus: Corpus, tmp_path: Path) -> None:
    """A launcher's variables are there, as within a worker of Ray Train; a run alone must not be led astray by them."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE, str(tmp_path / "run")],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_runs_follow_one_another_in_a_process(corpus: Corpus, tmp_path: Path) -> None:
    """A warm worker trains trial after trial: none leaves anything for the next."""

    def losses(folder: str, **options: Any) -> list[float]:
        train(make_config(tmp_path / folder, **options), keep_training, corpus=corpus, evaluate=weigh)
        return [line["loss"] for line in read_lines(tmp_path / folder, "train")]

    first = losses("first")
    losses("other", seed=5, precision="bf16")
    with pytest.raises(RuntimeError, match="broken"):
        train(make_config(tmp_path / "broken", rungs=(0.2,)), keep_training, corpus=corpus, evaluate=broken)
    assert losses("again") == first


def broken(model: PreTrainedModel, split: str) -> dict[str, float]:
    raise RuntimeError("broken")


def test_the_shared_corpus_is_the_configurations(corpus: Corpus) -> None:
    """Else the child processes of these tests would train on another."""
    config = make_config(Path("unused"))
    assert (config.data, config.tokenizer) == (DATA, TOKENIZER)
