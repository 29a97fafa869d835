"""A whole submission of made-up predictions, in the challenge's sizes, and fast data with the right answers.

It is made from a seed and the same on every machine, with the tasks of a protocol. The official collations' output on
it is stored in `official/collation_<year>.json`; `tests/benchmarks/parity_collation.py` makes it again.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.babylm.group_sizes import AOA_CONTEXTS, GROUP_SIZES, NUM_GROUPS, expected_size
from sleep_tune.babylm.protocols import AGE_SCORE, AGE_SURPRISAL, Protocol
from sleep_tune.evaluation.items import Item
from sleep_tune.evaluation.official_files import PREDICTIONS
from sleep_tune.evaluation.submission import age_files, glue_files, prediction_files
from sleep_tune.evaluation.tasks import TASKS, read_items
from tests.evaluation.folders import SENTENCES, write_reading, write_rows

__all__ = ["remove_parts", "write_fast_data", "write_results"]

Row = dict[str, Any]

GROUPS = {
    "blimp_fast": ("adjunct_island", "principle_A_case_1"),
    "supplement_fast": ("hypernym", "turn_taking"),
    "ewok_fast": ("agent-properties", "social-relations"),
    "entity_tracking_fast": ("regular",),
    "wug_adj_nominalization": ("wug_adj_nominalization",),
    "wug_past_tense": ("wug_past_tense",),
    "global_piqa_parallel": ("eng_latn",),
    "global_piqa_nonparallel": ("eng_latn",),
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


def _piqa(options: int) -> Callable[[str, int], Row]:
    def line(uid: str, number: int) -> Row:
        solutions = {f"solution{n}": f"do {number} things, {n} of them well " for n in range(options)}
        return {"prompt": f"How {number}?", **solutions, "label": number % options, "example_id": f"eng_{number}"}

    return line


LINES: dict[str, Callable[[str, int], Row]] = {
    "blimp_fast": _blimp,
    "supplement_fast": _supplement,
    "ewok_fast": _ewok,
    "wug_adj_nominalization": _wug,
    "wug_past_tense": _wug,
    "global_piqa_parallel": _piqa(4),
    "global_piqa_nonparallel": _piqa(2),
}


def _stories() -> Iterator[Row]:
    """Numbers of operations mixed, as the official file may have them; in items beyond 2026's sizes a box is empty."""
    sizes, counted = (GROUP_SIZES[year]["entity_tracking_fast"] for year in ("2025", "2026"))
    for number in range(max(sizes.values())):
        for group, size in sizes.items():
            operations, left = int(group.split("_")[1]), size - counted[group]
            if number < left:
                yield {"input_prefix": "Box 1 has", "options": [" a cap.", " nothing.", " x."], "numops": operations}
            elif number < size:
                options = [f" the {thing} {number}." for thing in ("map", "cap", "key")]
                yield {"input_prefix": f"Box {number} holds", "options": options, "numops": operations}


def write_fast_data(folder: Path, protocol: Protocol) -> Path:
    """The seven fast tasks, each group of the official size."""
    for name in set(protocol.fast) & set(LINES):
        line = LINES[name]
        for uid in GROUPS[name]:
            size = NUM_GROUPS.get(name) or expected_size(name, uid, protocol.year) or 0
            write_rows(folder / name / f"{uid}.jsonl", [line(uid, number) for number in range(size)])
    write_rows(folder / "entity_tracking_fast" / "regular.jsonl", list(_stories()))
    write_reading(folder / "reading" / "reading_data.csv", (*SENTENCES * 69, "Nobody"))
    return folder


def write_results(results: Path, fast_data: Path, *, backend: str, track: str, protocol: Protocol) -> None:
    """Files of all tasks and checkpoints, chosen at random, into OUTPUT_DIR/<model>."""
    rng = np.random.default_rng(3)
    main = results / "main"
    top = main / "zero_shot" / backend
    sizes = GROUP_SIZES[protocol.year]
    for folder, path in prediction_files(top, protocol.full).items():
        groups = {group.replace("*", folder): size for group, size in sizes[folder].items()}
        if folder in NUM_GROUPS:
            groups = {f"eng_{number}": 1 for number in range(NUM_GROUPS[folder])}
        _write(path, {group: _predictions(group, _choices(rng, size)) for group, size in groups.items()})
    for task, path in glue_files(main, protocol).items():
        _write(path, {task: _predictions(task, _choices(rng, sizes["glue_filtered"][task]))})
    steps = [f"chck_{millions}M" for millions in AOA_CHECKPOINTS[track]]
    ages = [{"step": step, "context": "é", "surprisal": float("nan")} for step in steps for _ in range(AOA_CONTEXTS)]
    for path in age_files(top, protocol).values():
        _write(path, {"aoa": 0.25} if path.name == AGE_SCORE else {"results": ages})
    items = {name: _counted(name, fast_data / name, protocol) for name in protocol.fast if name in GROUPS}
    for step in steps:
        for folder, path in prediction_files(results / step / "zero_shot" / backend, protocol.fast).items():
            whole = folder in protocol.whole_sentences
            _write(path, _reading(rng) if folder == "reading" else _chosen(items[folder], rng, whole=whole))


def remove_parts(results: Path, backend: str) -> None:
    """Take away a checkpoint, tasks of others and of the final model, and leave some with too few predictions."""
    top = results / "main" / "zero_shot" / backend
    shutil.rmtree(results / "chck_7M")
    for path in (
        results / "chck_2M" / "zero_shot" / backend / "reading" / PREDICTIONS,
        results / "main" / "finetune" / "rte" / PREDICTIONS,
        top / "global_piqa_parallel" / "global_piqa_parallel" / PREDICTIONS,
    ):
        path.unlink()
    for path in (
        results / "chck_3M" / "zero_shot" / backend / "blimp" / "blimp_fast" / PREDICTIONS,
        results / "main" / "finetune" / "wsc" / PREDICTIONS,
        top / "comps" / "comps" / PREDICTIONS,
        top / "AoA_word" / AGE_SURPRISAL,
    ):
        whole = json.loads(path.read_text(encoding="utf-8"))
        rows = whole["results"] if "results" in whole else next(iter(whole.values()))["predictions"]
        rows.pop()
        path.unlink()
        _write(path, whole)


def _counted(name: str, folder: Path, protocol: Protocol) -> list[Item]:
    """The items of a task that its protocol counts."""
    items = read_items(TASKS[name], folder)
    if name not in protocol.without_nothing:
        return list(items)
    return [item for item in items if not any("nothing" in option.text for option in item.options)]


def _choices(rng: np.random.Generator, size: int) -> list[int]:
    drawn: list[int] = rng.integers(2, size=size).tolist()
    return drawn


def _predictions(group: str, choices: list[int]) -> Row:
    return {"predictions": [{"id": f"{group}_{n}", "pred": f"naïve {choice}"} for n, choice in enumerate(choices)]}


def _chosen(items: Sequence[Item], rng: np.random.Generator, *, whole: bool) -> dict[str, Row]:
    groups: dict[str, Row] = {}
    for item in items:
        option = item.options[int(rng.integers(len(item.options)))]
        chosen = option.text if whole else option.ending
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
