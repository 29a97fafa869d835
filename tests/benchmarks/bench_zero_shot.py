"""Minimal pairs per second: the official pipeline's loop against ours, on the same models and pairs.

    OMP_NUM_THREADS=1 python tests/benchmarks/bench_zero_shot.py CHECKOUT BLIMP_DIR TOKENIZER_DIR [--protocol YEAR]

CHECKOUT is a working tree of the official code of 2025, or `strict/` in one of 2026, BLIMP_DIR a folder of BLiMP's
files, TOKENIZER_DIR any tokenizer with a mask. Start-up (imports, opening the model) is left out on both sides;
tokenising is in on both. Each repeat times both, one after the other, and medians are compared: of the processor's
seconds, to which other work adds less than to those by the clock. Weights do not matter for speed and are untrained.
The causal models are GPT-2s of the masked ones' sizes; a sentence is one row for them, and not one for each of its
tokens.
"""

import argparse
import dataclasses
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).parent))
from parity_zero_shot import run_official  # type: ignore[import-not-found]

from sleep_tune.babylm.protocols import NEWEST, PROTOCOLS, Protocol
from sleep_tune.config.schema import ModelConfig
from sleep_tune.evaluation.backends import OBJECTIVE_BACKENDS
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.evaluation.suite import Suite
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import tasks_of
from sleep_tune.models.build import build_model
from sleep_tune.sleep.samples import SpecialTokens

REPEATS = 3
LONGEST = 128
"""Tokens that the models have positions for."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """A model, how many pairs of each paradigm, and what is asked for."""

    model: ModelConfig
    backend: str
    pairs: int
    floor: float


TINY, SMALL = ModelConfig(layers=2, hidden=64, heads=4, feed_forward=256), ModelConfig()
TINY_CAUSAL, SMALL_CAUSAL = (dataclasses.replace(sizes, kind="gpt2") for sizes in (TINY, SMALL))
SETTINGS = {
    "tiny": Setting(TINY, "mlm", 10, 3.0),
    "small": Setting(SMALL, "mlm", 1, 1.5),
    "tiny causal": Setting(TINY_CAUSAL, "causal", 10, 3.0),
    "small causal": Setting(SMALL_CAUSAL, "causal", 3, 2.0),
}


def main(checkout: Path, blimp: Path, tokenizer_dir: Path, protocol: Protocol, only: list[str]) -> None:
    """Measure and print."""
    threads, machine = torch.get_num_threads(), platform.machine()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {threads} threads, {machine}, CPU")
    print(f"official code: {protocol.pipeline}")
    print(f"load at the start {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for name, setting in SETTINGS.items():
        if only and name not in only:
            continue
        with tempfile.TemporaryDirectory() as temporary:
            measure(name, setting, checkout, blimp, tokenizer_dir, protocol, Path(temporary))


def measure(
    name: str, setting: Setting, checkout: Path, blimp: Path, tokenizer_dir: Path, protocol: Protocol, temporary: Path
) -> None:
    """One model."""
    model_dir, data, backend = temporary / "model", temporary / "data", setting.backend
    write_model(model_dir, setting.model, backend, tokenizer_dir)
    (data / "blimp_fast").mkdir(parents=True)
    for file in sorted(blimp.glob("*.jsonl")):
        lines = file.read_text().splitlines(keepends=True)[: setting.pairs]
        (data / "blimp_fast" / file.name).write_text("".join(lines))
    model = load_model(model_dir, backend)
    tokenizer = load_fast_tokenizer(model_dir, backend, model)
    ours, theirs = [], []
    for _ in range(REPEATS):
        started, worked = time.perf_counter(), time.process_time()
        folders = find_task_folders(data, tasks_of(protocol))
        suite = Suite(folders, tokenizer, backend=backend, batch_tokens=16_384, protocol=protocol)
        results = suite.score(model).tasks
        ours.append((time.perf_counter() - started, time.process_time() - worked))
        theirs.append(run_official(results, checkout, model_dir, backend, temporary)[0])
    pairs = len(results[0].items)
    print(f"\n{name}: {setting.model.layers} x {setting.model.hidden}, vocabulary {len(tokenizer)}, {pairs} pairs")
    medians = []
    for title, every in (("official", theirs), ("sleep-tune", ours)):
        clock, worked = (statistics.median(seconds) for seconds in zip(*every, strict=True))
        medians.append((clock, worked))
        spread = ", ".join(f"{seconds:.2f}" for _, seconds in every)
        print(f"  {title:12}{clock:8.2f} s by the clock {worked:8.2f} s of the processor ({spread})", end="")
        print(f" {pairs / worked:9.1f} pairs/s")
    by_clock, ratio = (other / mine for other, mine in zip(*medians, strict=True))
    verdict = "met" if ratio >= setting.floor else "NOT met"
    print(f"  official / sleep-tune   {ratio:.2f}x of the processor, {by_clock:.2f}x by the clock", end="")
    print(f" (floor {setting.floor}x: {verdict})", flush=True)


def write_model(folder: Path, config: ModelConfig, backend: str, tokenizer_dir: Path) -> None:
    """Write an untrained model, with the tokenizer beside it."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    special = SpecialTokens(
        start=tokenizer.bos_token_id,
        separator=tokenizer.eos_token_id,
        pad=tokenizer.pad_token_id,
        mask=tokenizer.mask_token_id,
    )
    objective = next(name for name, backends in OBJECTIVE_BACKENDS.items() if backends == (backend,))
    size = int(np.max(list(tokenizer.get_vocab().values()))) + 1
    build_model(
        config, objective=objective, vocab_size=size, max_length=LONGEST, special=special, seed=0
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for argument in ("checkout", "blimp", "tokenizer"):
        parser.add_argument(argument, type=Path)
    parser.add_argument("--protocol", default=NEWEST, choices=PROTOCOLS, help="year of the official code")
    parser.add_argument("--only", action="append", default=[], choices=SETTINGS, help="one of the models")
    given = parser.parse_args()
    main(given.checkout.resolve(), given.blimp, given.tokenizer, PROTOCOLS[given.protocol], given.only)
