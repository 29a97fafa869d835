"""An update of the 8 x 256 models, 16 x 128 on a CPU with sleep on, beside plain transformers: time and memory.

    python tests/benchmarks/bench_training.py              # masked: five pairs of eight updates, some minutes
    python tests/benchmarks/bench_training.py causal 3 8   # GPT-2: three pairs of eight updates
    python tests/benchmarks/bench_training.py hybrid 3 8   # half of the batches causal, beside its parts alone
    python tests/benchmarks/bench_training.py memory       # GPT-2: each figure in a process of its own

The peer is transformers' own Trainer with DataCollatorForLanguageModeling: a model of the same kind, sizes and
dropout, the same rows, batch, share of masks, optimizer and precision. Both run in turns in one process; the first
update of each run is not counted. Ours is a whole run, wake and sleep, with its journal; both are stripped of
evaluation and checkpoints. Memory is the highest resident size of a process, less what it held before the model was
made.
"""

import dataclasses
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import transformers
from torch.optim.optimizer import register_optimizer_step_post_hook
from transformers import AutoTokenizer, DataCollatorForLanguageModeling, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from sleep_tune.config.schema import (
    BudgetConfig,
    DataConfig,
    LengthConfig,
    ModelConfig,
    RunConfig,
    RunSection,
    SleepConfig,
    TokenizerConfig,
    TrainingConfig,
)
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.models.build import build_model
from sleep_tune.records import Decision
from sleep_tune.training.run import train

BATCH, LENGTH, VOCABULARY, LARGE_VOCABULARY = 16, 128, 8192, 50_257


@dataclass(frozen=True)
class Case:
    """What is trained, and what is asked of its speed."""

    kind: str
    objective: str
    floor: float
    """Lowest ratio of transformers' time to ours."""
    goal: float


CASES = {
    "masked": Case("roberta_prelayernorm", "mlm", floor=1.15, goal=1.5),
    "causal": Case("gpt2", "clm", floor=1.15, goal=1.4),
}
HYBRID_LIMIT = 1.1
"""Highest ratio of the hybrid update's time to the mean of its parts."""
MEMORY_LIMITS = {VOCABULARY: 0.7, LARGE_VOCABULARY: 0.4}
"""Vocabulary -> highest share of transformers' memory."""


def make_corpus(updates: int, vocabulary: int = VOCABULARY) -> Corpus:
    """Toy rows enough for half the updates (the rest is replay), with the vocabulary size of the real study."""
    corpus = prepare(DataConfig(max_length=LENGTH, sentences=4000), TokenizerConfig(vocab_size=512))
    rows = slice(BATCH * max(updates // 2, 1))
    samples = dataclasses.replace(
        corpus.train,
        tokens=corpus.train.tokens[rows],
        starts_word=corpus.train.starts_word[rows],
        sources=corpus.train.sources[rows],
        vocab_size=vocabulary,
    )
    return dataclasses.replace(corpus, train=samples)


@dataclass(frozen=True)
class Cost:
    """Mean seconds of an update."""

    clock: float
    processor: float


def measure(run: Callable[[], None]) -> Cost:
    """Return the mean cost of the updates of a run but the first; each ends with a step of the optimizer."""
    times: list[tuple[float, float]] = []
    handle = register_optimizer_step_post_hook(lambda *_: times.append((time.perf_counter(), time.process_time())))
    try:
        run()
    finally:
        handle.remove()
    clock, processor = np.diff(times, axis=0).mean(axis=0)
    return Cost(clock, processor)


def ours(corpus: Corpus, updates: int, case: Case, *, causal_ratio: float = 0.06) -> None:
    """Train half of the updates awake, half asleep, in two cycles."""
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(
            run=RunSection(dir=folder),
            model=ModelConfig(kind=case.kind),
            sleep=SleepConfig(folds=min(2, max(updates // 2, 1)), length=LengthConfig(passes=1.0)),
            budget=BudgetConfig(passes=2.0),
            training=TrainingConfig(
                objective=case.objective,
                causal_ratio=causal_ratio,
                batch_size=BATCH,
                device="cpu",
                log_ratio=1e-6,
                checkpoint_ratio=0,
                save_model=False,
            ),
        )
        train(
            config, lambda progress: Decision.CONTINUE, corpus=corpus, evaluate=lambda model, split: {"eval/nll": 0.0}
        )
        lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    phases = {line["phase"] for line in lines if line["kind"] == "train"}
    assert phases == {"wake", "sleep"}, phases


def plain_model(corpus: Corpus, case: Case) -> PreTrainedModel:
    """The peer's model: ours, or transformers' own GPT-2 of the same sizes, with its own activation and cache."""
    sizes, samples = ModelConfig(kind=case.kind), corpus.train
    if case.kind != "gpt2":
        return build_model(
            sizes, vocab_size=samples.vocab_size, max_length=LENGTH, special=samples.special, seed=TrainingConfig().seed
        )
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=samples.vocab_size,
            n_positions=LENGTH,
            n_embd=sizes.hidden,
            n_layer=sizes.layers,
            n_head=sizes.heads,
            n_inner=sizes.feed_forward,
            bos_token_id=samples.special.start,
            eos_token_id=samples.special.separator,
            pad_token_id=samples.special.pad,
        )
    )


def theirs(corpus: Corpus, updates: int, case: Case) -> None:
    """Train with transformers' Trainer."""
    training = TrainingConfig()
    with tempfile.TemporaryDirectory() as folder:
        transformers.Trainer(
            model=plain_model(corpus, case),
            args=transformers.TrainingArguments(
                output_dir=folder,
                max_steps=updates,
                per_device_train_batch_size=BATCH,
                learning_rate=training.learning_rate,
                weight_decay=training.weight_decay,
                adam_beta2=training.beta2,
                max_grad_norm=training.max_grad_norm,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                use_cpu=True,
                logging_strategy="no",
            ),
            train_dataset=[{"input_ids": row} for row in np.asarray(corpus.train.tokens).astype(int).tolist()],
            data_collator=DataCollatorForLanguageModeling(
                AutoTokenizer.from_pretrained(corpus.tokenizer_dir),
                mlm=case.objective == "mlm",
                mlm_probability=training.masking.probability,
            ),
        ).train()


def print_machine(what: str) -> None:
    """Print what was measured on what."""
    print(f"{what}, {BATCH} x {LENGTH}, dropout 0.1, fp32, {torch.get_num_threads()} thread(s)")
    print(f"{platform.machine()}, Python {platform.python_version()}, torch {torch.__version__}, ", end="")
    print(f"transformers {transformers.__version__}")


def print_costs(costs: dict[str, list[Cost]]) -> None:
    """Print the median time of an update of each program, and each run's."""
    for name, values in costs.items():
        clock, processor = (
            statistics.median(getattr(value, field) for value in values) for field in ("clock", "processor")
        )
        each = " ".join(f"{value.clock:.2f}" for value in values)
        print(f"{name:14} {clock:6.3f} s an update, {BATCH / clock:6.2f} samples/s, ", end="")
        print(f"{processor:6.3f} s of processor   ({each})")


def compare_pairs(name: str, pairs: int, updates: int) -> None:
    """Time pairs in turns and print the ratio."""
    case, corpus = CASES[name], make_corpus(updates)
    costs: dict[str, list[Cost]] = {"sleep-tune": [], "transformers": []}
    for _ in range(pairs):
        costs["transformers"].append(measure(lambda: theirs(corpus, updates, case)))
        costs["sleep-tune"].append(measure(lambda: ours(corpus, updates, case)))
    print_machine(f"{name} model ({case.kind}), {pairs} pairs")
    print_costs(costs)
    both = list(zip(costs["transformers"], costs["sleep-tune"], strict=True))
    ratio = statistics.median(peer.clock / own.clock for peer, own in both)
    processor = statistics.median(peer.processor / own.processor for peer, own in both)
    each = " ".join(f"{peer.clock / own.clock:.2f}" for peer, own in both)
    verdict = "goal reached" if ratio >= case.goal else "floor reached" if ratio >= case.floor else "below the floor"
    print(f"ratio, median of pairs: {ratio:.2f}x ({each}), {processor:.2f}x in processor time; ", end="")
    print(f"floor {case.floor}x, goal {case.goal}x: {verdict}")


def compare_hybrid(rounds: int, updates: int) -> None:
    """Time runs with half of the batches causal, all and none, in turns; print the ratio to the mean of the parts."""
    corpus, case = make_corpus(updates), Case("roberta_prelayernorm", "hybrid", 0, 0)
    costs: dict[str, list[Cost]] = {"half causal": [], "all causal": [], "none causal": []}
    for _ in range(rounds):
        for name, ratio in (("half causal", 0.5), ("all causal", 1.0), ("none causal", 0.0)):
            run = partial(ours, corpus, updates, case, causal_ratio=ratio)
            costs[name].append(measure(run))
    print_machine(f"hybrid objective, {rounds} rounds")
    print_costs(costs)
    ratios = [half.clock / ((whole.clock + none.clock) / 2) for half, whole, none in zip(*costs.values(), strict=True)]
    ratio = statistics.median(ratios)
    each = " ".join(f"{value:.2f}" for value in ratios)
    verdict = "reached" if ratio <= HYBRID_LIMIT else "missed"
    print(f"half causal to the mean of its parts: {ratio:.2f}x ({each}); at most {HYBRID_LIMIT}x: {verdict}")


def compare_memory(updates: int) -> None:
    """Print the highest memory of both programs, each in a process of its own."""
    print_machine(f"peak memory of gpt2, {updates} updates")
    for vocabulary, limit in MEMORY_LIMITS.items():
        peaks = {}
        for program in ("transformers", "sleep-tune"):
            command = [sys.executable, __file__, "peak", program, str(vocabulary), str(updates)]
            peaks[program] = float(
                subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]
            )
        share = peaks["sleep-tune"] / peaks["transformers"]
        print(f"vocabulary {vocabulary:6,}: ", end="")
        print("  ".join(f"{program} {peak:5,.0f} MB" for program, peak in peaks.items()), end="")
        print(f"  share {share:.2f}; at most {limit}: {'reached' if share <= limit else 'missed'}")


def print_peak(program: str, vocabulary: int, updates: int) -> None:
    """Print the highest memory of one program in MB, above what was held before its model was made."""
    corpus = make_corpus(updates, vocabulary)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = {"transformers": theirs, "sleep-tune": ours}[program]
    run(corpus, updates, CASES["causal"])
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main(name: str = "masked", *numbers: str) -> None:
    """Run a case, with its numbers of pairs and updates."""
    if name == "peak":
        print_peak(numbers[0], int(numbers[1]), int(numbers[2]))
    elif name == "memory":
        compare_memory(*(int(number) for number in numbers or ("6",)))
    elif name == "hybrid":
        compare_hybrid(*(int(number) for number in numbers or ("3", "8")))
    else:
        compare_pairs(name, *(int(number) for number in numbers or ("5", "8")))


if __name__ == "__main__":
    main(*sys.argv[1:])
