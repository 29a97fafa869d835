"""Minimal pairs per second: the official pipeline's loop against ours, on the same models and pairs.

    OMP_NUM_THREADS=2 python tests/benchmarks/bench_zero_shot.py CHECKOUT BLIMP_DIR TOKENIZER_DIR

CHECKOUT is a working tree of babylm/evaluation-pipeline-2025, BLIMP_DIR a folder of BLiMP's files, TOKENIZER_DIR any
tokenizer with a mask. Start-up (imports, opening the model) is left out on both sides; tokenising is in on both. Each
repeat times both, one after the other, and medians are compared. Weights do not matter for speed and are untrained.
"""

import argparse
import dataclasses
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

from sleep_tune.config.schema import ModelConfig
from sleep_tune.evaluation.backends import load_model, load_tokenizer
from sleep_tune.evaluation.suite import Suite, find_folders
from sleep_tune.evaluation.tasks import TASKS
from sleep_tune.model import build_model
from sleep_tune.sleep.samples import SpecialTokens

REPEATS = 3


@dataclasses.dataclass(frozen=True)
class Setting:
    """A model, how many pairs of each paradigm, and what is asked for."""

    model: ModelConfig
    pairs: int
    floor: float


SETTINGS = {
    "tiny": Setting(ModelConfig(layers=2, hidden=64, heads=4, feed_forward=256), 10, 3.0),
    "small": Setting(ModelConfig(), 1, 1.5),
}


def main(checkout: Path, blimp: Path, tokenizer_dir: Path) -> None:
    """Measure and print."""
    threads, machine = torch.get_num_threads(), platform.machine()
    print(f"torch {torch.__version__}, transformers {transformers.__version__}, {threads} threads, {machine}, CPU")
    for name, setting in SETTINGS.items():
        with tempfile.TemporaryDirectory() as temporary:
            measure(name, setting, checkout, blimp, tokenizer_dir, Path(temporary))


def measure(name: str, setting: Setting, checkout: Path, blimp: Path, tokenizer_dir: Path, temporary: Path) -> None:
    """One model."""
    model_dir, data = temporary / name, temporary / "data"
    write_model(model_dir, setting.model, tokenizer_dir)
    (data / "blimp_fast").mkdir(parents=True)
    for file in sorted(blimp.glob("*.jsonl")):
        lines = file.read_text().splitlines(keepends=True)[: setting.pairs]
        (data / "blimp_fast" / file.name).write_text("".join(lines))
    model = load_model(model_dir, "mlm")
    tokenizer = load_tokenizer(model_dir, "mlm", model)
    ours, theirs = [], []
    for _ in range(REPEATS):
        started = time.perf_counter()
        suite = Suite(find_folders(data, TASKS), tokenizer, backend="mlm", batch_tokens=16_384)
        results = suite.score(model)
        ours.append(time.perf_counter() - started)
        theirs.append(run_official(results, checkout, model_dir, "mlm", temporary)[0])
    pairs = len(results[0].items)
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"\n{name}: {setting.model.layers} x {setting.model.hidden}, vocabulary {len(tokenizer)}, {pairs} pairs")
    for title, seconds, every in (("official", other, theirs), ("sleep-tune", mine, ours)):
        spread = ", ".join(f"{one:.2f}" for one in every)
        print(f"  {title:12}{seconds:8.2f} s {pairs / seconds:9.1f} pairs/s   ({spread})")
    verdict = "met" if other / mine >= setting.floor else "NOT met"
    print(f"  sleep-tune / official   {other / mine:.2f}x (floor {setting.floor}x: {verdict})", flush=True)


def write_model(folder: Path, config: ModelConfig, tokenizer_dir: Path) -> None:
    """An untrained model, with the tokenizer beside it."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_dir)
    special = SpecialTokens(
        start=tokenizer.bos_token_id,
        separator=tokenizer.eos_token_id,
        pad=tokenizer.pad_token_id,
        mask=tokenizer.mask_token_id,
    )
    size = int(np.max(list(tokenizer.get_vocab().values()))) + 1
    build_model(config, vocab_size=size, max_length=128, special=special, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for argument in ("checkout", "blimp", "tokenizer"):
        parser.add_argument(argument, type=Path)
    given = parser.parse_args()
    main(given.checkout.resolve(), given.blimp, given.tokenizer)
