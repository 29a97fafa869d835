"""Folders of evaluation data in the official layout, with a few items each."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.evaluation.reading_times import NUMBERS

__all__ = ["SENTENCES", "write_blimp", "write_data", "write_reading", "write_rows", "write_wug"]

SENTENCES = (
    "the dog saw the naïve café , and the café saw no dog .",
    "“Really ?” the zebra asked the dogs — unbelievably quietly .",
)

WORDS = ("dog", "dogs", "cat", "cats", "zebra", "zebras", "friend", "friends", "boy", "boys")


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_blimp(folder: Path, seed: int = 0, size: int = 8) -> None:
    """Two paradigms in BLiMP's columns."""
    rng = np.random.default_rng(seed)
    for uid in ("agreement_1", "wh_island"):
        rows = []
        for _ in range(size):
            noun, other = rng.choice(WORDS, size=2)
            good, bad = f"the {noun} saw the {other} .", f"the {other} the saw {noun} ."
            rows.append(
                {"sentence_good": good, "sentence_bad": bad, "field": "syntax", "linguistics_term": uid, "UID": uid}
            )
        write_rows(folder / f"{uid}.jsonl", rows)


def write_wug(folder: Path, size: int = 12) -> None:
    """Made-up words in two forms, and how people chose."""
    rng = np.random.default_rng(1)
    rows = [
        {"sentences": f"the wug{word} is daxity\tthe wug{word} is daxness", "ratio": round(float(rng.random()), 2)}
        for word in rng.choice(WORDS, size=size)
    ]
    write_rows(folder / f"{folder.name}.jsonl", rows)


def write_reading(path: Path, sentences: Sequence[str] = SENTENCES, drop: str = "") -> Path:
    """The official columns, one row a word, with holes in the times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows = []
    for sentence in sentences:
        words = sentence.split(" ")
        for index, word in enumerate(words):
            row: dict[str, object] = {"item": " ".join(words[:index]), "word": word, "prev_item": "", "prev_word": ""}
            if index:
                row |= {"prev_item": " ".join(words[: index - 1]), "prev_word": words[index - 1]}
            row |= {name: round(float(rng.gamma(3, 80)), 2) if rng.random() > 0.05 else "" for name in NUMBERS}
            rows.append(row)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != drop], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_data(folder: Path) -> Path:
    """A folder with BLiMP, wug, Zorro and reading."""
    write_blimp(folder / "blimp_fast")
    write_wug(folder / "wug_adj_nominalization")
    zorro = folder / "zorro" / "npi.txt"
    zorro.parent.mkdir(parents=True, exist_ok=True)
    zorro.write_text("dog the saw .\nthe dog saw .\n", encoding="utf-8")
    write_reading(folder / "reading" / "reading_data.csv", SENTENCES * 3)
    return folder
