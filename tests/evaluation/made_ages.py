"""Made-up learning curves of words, of a model and of children, from a seed: the same on every machine."""

from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerFast

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.evaluation.learning_curves import AGES
from tests.evaluation.tiny import tiny_tokenizer

__all__ = ["age_tokenizer", "write_ages"]


def age_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer in which the words have different numbers of tokens."""
    return tiny_tokenizer(["the dog saw the naïve café word1 word2"])


def write_ages(folder: Path, seed: int) -> tuple[dict[str, Any], Path]:
    """Return the object of surprisal.json and the path of cdi_human.csv, which is written into a folder.

    Seeds differ in the number of words, contexts and checkpoints, in noise, in gaps, in words that only one of the
    files has, and in how well the two ages agree. Some curves are flat, rising or of one value.
    """
    rng = np.random.default_rng([2026, seed])
    steps = AOA_CHECKPOINTS["strict" if seed % 3 == 0 else "strict-small"]
    steps = steps[: 2 + seed] if seed < 4 else steps
    noise, gaps, agreement = rng.uniform(0, 1.2), rng.choice([0.0, 0.02, 0.2]), rng.uniform(-1, 1)
    log_words = np.log10(np.array(steps) * 1e6)
    months = np.array(AGES)
    lines, rows = [",".join(["word", *map(str, AGES)])], []
    for n in range(int(rng.integers(2, 30))):
        word = ("dog", "ice cream", "naïve", "Tyrannosaurus")[n] if n < 4 else f"word{n}"
        child = rng.uniform(14, 32)
        mixed = agreement * (child - 14) / 18 + (1 - abs(agreement)) * rng.random() + (agreement < 0)
        age, height, steep = 5.7 + 2 * mixed, rng.uniform(0, 14), rng.uniform(0.5, 8)
        shares = np.clip(1 / (1 + np.exp(-0.5 * (months - child))) + rng.normal(0, 0.03, len(months)), 0, 1)
        known = rng.random(len(months)) >= gaps
        if n % 11 != 10:
            lines.append(",".join([word, *(f"{s:.3f}" if k else "" for s, k in zip(shares, known, strict=True))]))
        if n % 13 == 12:
            continue
        for step, log in zip(steps, log_words, strict=True):
            for number in range(1 + (seed + n) % 4):
                fallen = height / (1 + np.exp(-steep * (log - age))) if n % 9 != 8 else -log
                value = float(15 - fallen + noise * rng.normal()) if n % 17 != 16 else 9.0
                value = float("nan") if rng.random() < gaps / 4 else round(value, 4)
                about = {"step": f"chck_{step}M", "word_count": step * 1_000_000, "target_word": word}
                rows.append({**about, "context_id": number, "context": "", "surprisal": value})
    path = folder / "cdi_human.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"results": rows}, path
