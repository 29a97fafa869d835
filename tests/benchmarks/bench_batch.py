"""Host time to make one batch of 32 x 128: gather and mask, beside the path over Python lists.

    python tests/benchmarks/bench_batch.py

The peer takes rows out of a `datasets.Dataset` as lists and masks them with transformers' collator, as the ancestor
did. Both are timed in turns in one run; figures are medians. Then whole runs of batches are taken as training takes
them, awake and asleep, with the way of the losses back to the scores and the choice of each buffer: with the defaults,
and with every knob of scores on. Those figures are means over a run, the least of three, in processor time.
"""

import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoTokenizer, DataCollatorForLanguageModeling

from sleep_tune.config.schema import (
    DataConfig,
    ReplayConfig,
    RunConfig,
    SleepConfig,
    TokenizerConfig,
    TrainingConfig,
)
from sleep_tune.data.masking import MASKINGS, mask_batch
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.training.batch_feed import BatchFeed
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.session import open_stream

BATCH, LENGTH, REPEATS, ROUNDS = 32, 128, 50, 9
FLOOR_MS = 0.4
REPLAYS = {
    "a run, defaults": ReplayConfig(),
    "a run, every knob": ReplayConfig(signal="progress", refresh=0.5, normalise="cycle", uniform=0.1, decay=0.1),
}


def milliseconds(make: Callable[[np.ndarray], object], order: np.ndarray) -> float:
    """Mean time of a batch over one round."""
    begin = time.perf_counter()
    for at in range(REPEATS):
        make(order[at * BATCH : (at + 1) * BATCH])
    return (time.perf_counter() - begin) * 1000 / REPEATS


def arrays_path(corpus: Corpus, kind: str) -> Callable[[np.ndarray], object]:
    """What a run does for a batch, its generator included."""
    samples = corpus.train

    def make(ids: np.ndarray) -> object:
        rng = np.random.default_rng([0, 4, int(ids[0])])
        masked = mask_batch(
            samples.tokens[ids],
            samples.special,
            samples.vocab_size,
            rng,
            kind=kind,
            probability=0.15,
            mask_share=0.8,
            random_share=0.1,
        )
        return torch.from_numpy(masked.input_ids), torch.from_numpy(masked.positions), torch.from_numpy(masked.labels)

    return make


def run_milliseconds(corpus: Corpus, replay: ReplayConfig) -> float:
    """Processor time of a batch on the host, over a run of 10 passes: all that is not the model's."""
    config = RunConfig(sleep=SleepConfig(replay=replay), training=TrainingConfig(batch_size=BATCH))
    processes = ProcessGroup()
    stream = open_stream(config, corpus, processes)
    feed = BatchFeed(stream, corpus.train, config.training, device=torch.device("cpu"), processes=processes)
    losses = torch.rand(BATCH * LENGTH)
    begin, batches = time.process_time(), 0
    for prepared in feed:
        feed.record_losses(prepared, losses[: len(prepared.labels)])
        batches += 1
    return (time.process_time() - begin) * 1000 / batches


def lists_path(corpus: Corpus) -> Callable[[np.ndarray], object]:
    """Rows as lists out of a dataset, then the collator."""
    rows = Dataset.from_dict({"input_ids": corpus.train.tokens.astype(np.int32).tolist()})
    collator = DataCollatorForLanguageModeling(
        AutoTokenizer.from_pretrained(corpus.tokenizer_dir), mlm_probability=0.15
    )

    def make(ids: np.ndarray) -> object:
        return collator([rows[int(index)] for index in ids])

    return make


def main() -> None:
    """Print the medians and their ratio."""
    torch.set_num_threads(1)
    corpus = prepare(DataConfig(sentences=40_000, max_length=LENGTH), TokenizerConfig())
    paths = {f"arrays, {kind} masks": arrays_path(corpus, kind) for kind in sorted(MASKINGS)}
    paths["lists and collator"] = lists_path(corpus)
    times: dict[str, list[float]] = {name: [] for name in paths}
    rng = np.random.default_rng(0)
    for round_number in range(ROUNDS + 1):
        order = rng.permutation(len(corpus.train))[: REPEATS * BATCH]
        for name, make in paths.items():
            taken = milliseconds(make, order)
            if round_number:
                times[name].append(taken)
    medians = {name: statistics.median(values) for name, values in times.items()}
    peer = medians["lists and collator"]
    print(f"one batch of {BATCH} x {LENGTH} on the host; median of {ROUNDS} rounds of {REPEATS}; {platform.machine()}")
    for name, value in medians.items():
        print(f"{name:<24} {value:7.3f} ms   {peer / value:6.1f}x")
    print(f"floor {FLOOR_MS} ms: {'held' if medians['arrays, fixed masks'] < FLOOR_MS else 'missed'}\n")
    runs: dict[str, list[float]] = {name: [] for name in REPLAYS}
    for _ in range(3):
        for name, replay in REPLAYS.items():
            runs[name].append(run_milliseconds(corpus, replay))
    for name, taken_by_run in runs.items():
        least = min(taken_by_run)
        print(f"{name:<24} {least:7.3f} ms   {'held' if least < FLOOR_MS else 'missed'}")


if __name__ == "__main__":
    main()
