"""A whole submission of made-up predictions, in the challenge's sizes, and fast data with the right answers.

It is made from a seed and the same on every machine. The official collation's output on it is stored in
`official/collation.json`; `tests/benchmarks/parity_collation.py` makes it again.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.babylm.group_sizes import AOA_CONTEXTS, GROUP_SIZES, expected_size
from sleep_tune.evaluation.items import Item
from sleep_tune.evaluation.submission import AGES, FAST_TASKS, FULL_TASKS
from sleep_tune.evaluation.tasks import TASKS, read_items
from tests.evaluation.folders import SENTENCES, write_reading, write_rows

__all__ = ["write_fast_data", "write_results"]

Row = dict[str, Any]

GROUPS = {
    "blimp_fast": ("adjunct_island", "principle_A_case_1"),
    "supplement_fast": ("hypernym", "turn_taking"),
    "ewok_fast": ("agent-properties", "social-relations"),
    "entity_tracking_fast": ("regular",),
    "wug_adj_nominalization": ("wug_adj_nominalization",),
    "wug_past_tense": ("wug_past_tense",),
}
"""Task -> its files; of those with a table of equal sizes, some."""


def _blimp(uid: str, number: int) -> Row:
    groups = {"field": "syntax", "linguistics_term": "x", "UID": uid}
    return {"sentence_good": f" Zoë sees {number} cats. ", "sentence_bad": f"Zoë cats {number} sees.", **groups}


def _supplement(uid: str, number: int) -> Row:
    return {"sentence_good": f"A {number}?\nB.", "sentence_bad": f"B {number}?\nA."}


def _ewok(uid: str, number: int) -> Row:
    texts = {f"{name}{n}": f"{name} {number} is {n}." for name in ("Context", "Target") for n in (1, 2)}
    return {**texts, "Domain": uid, "ContextType": "direct", "ContextDiff": "x", "TargetDiff": "y"}


def _wug(uid: str, number: int) -> Row:
    return {"sentences": f"a {number}ity\ta {number}ness", "ratio": (number * 37 % 101) / 100}


LINES: dict[str, Callable[[str, int], Row]] = {
    "blimp_fast": _blimp,
    "supplement_fast": _supplement,
    "ewok_fast": _ewok,
    "wug_adj_nominalization": _wug,
    "wug_past_tense": _wug,
}


def _stories() -> Iterator[Row]:
    """Numbers of operations mixed, as the official file may have them."""
    sizes = GROUP_SIZES["2025"]["entity_tracking_fast"]
    left = {int(name.split("_")[1]): size for name, size in sizes.items()}
    for number in range(max(left.values())):
        for operations, size in left.items():
            if number < size:
                options = [f" the {thing} {number}." for thing in ("map", "cap", "key")]
                yield {"input_prefix": f"Box {number} holds", "options": options, "numops": operations}


def write_fast_data(folder: Path) -> Path:
    """The seven fast tasks, each group of the official size."""
    for name, line in LINES.items():
        for uid in GROUPS[name]:
            size = expected_size(name, uid, "2025") or 0
            write_rows(folder / name / f"{uid}.jsonl", [line(uid, number) for number in range(size)])
    write_rows(folder / "entity_tracking_fast" / "regular.jsonl", list(_stories()))
    write_reading(folder / "reading" / "reading_data.csv", (*SENTENCES * 69, "Nobody"))
    return folder


def write_results(results: Path, fast_data: Path, *, backend: str, track: str) -> None:
    """Files of all tasks and checkpoints, chosen at random, into OUTPUT_DIR/<model>."""
    rng = np.random.default_rng(3)
    main = results / "main"
    top = main / "zero_shot" / backend
    for folder, place in FULL_TASKS.items():
        groups = {group.replace("*", folder): size for group, size in GROUP_SIZES["2025"][folder].items()}
        rows = {group: _predictions(group, _choices(rng, size)) for group, size in groups.items()}
        _write(top / place / "predictions.json", rows)
    for task, size in GROUP_SIZES["2025"]["glue_filtered"].items():
        _write(
            main / "finetune" / task / "predictions.json",
            {task: _predictions(task, _choices(rng, size))},
        )
    steps = [f"chck_{millions}M" for millions in AOA_CHECKPOINTS[track]]
    ages = [{"step": step, "context": "é", "surprisal": float("nan")} for step in steps for _ in range(AOA_CONTEXTS)]
    _write(top / AGES, {"results": ages})
    items = {name: read_items(TASKS[name], fast_data / name) for name in GROUPS}
    for step in steps:
        for folder, place in FAST_TASKS.items():
            rows = _reading(rng) if folder == "reading" else _chosen(items[folder], rng)
            _write(results / step / "zero_shot" / backend / place / "predictions.json", rows)


def _choices(rng: np.random.Generator, size: int) -> list[int]:
    drawn: list[int] = rng.integers(2, size=size).tolist()
    return drawn


def _predictions(group: str, choices: list[int]) -> Row:
    return {"predictions": [{"id": f"{group}_{n}", "pred": f"naïve {choice}"} for n, choice in enumerate(choices)]}


def _chosen(items: tuple[Item, ...], rng: np.random.Generator) -> dict[str, Row]:
    groups: dict[str, Row] = {}
    for item in items:
        chosen = item.options[int(rng.integers(len(item.options)))].ending
        row = {"id": item.id, "pred": chosen} | ({"prob": float(rng.random())} if item.human is not None else {})
        groups.setdefault(item.uid, {"predictions": []})["predictions"].append(row)
    return groups


def _reading(rng: np.random.Generator) -> dict[str, Row]:
    size = GROUP_SIZES["2025"]["reading"]["*"]
    drawn = np.round(rng.gamma(3.0, 2.5, size=(size, 2)), 4)
    drawn[rng.random(size) < 0.05, 1] = np.nan
    rows = [{"id": number, "pred": now, "prev_pred": before} for number, (now, before) in enumerate(drawn.tolist())]
    return {"reading": {"predictions": rows}}


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
