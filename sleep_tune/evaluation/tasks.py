"""BabyLM's zero-shot tasks with items: the folder of each, and how a line of its files becomes an item.

Columns, scored endings and groups are those of babylm/evaluation-pipeline-2025. To add a task, write a function from a
line to an item and add it to `TASKS`; `own_tasks` are functions of the user's own code.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.protocols import Protocol
from sleep_tune.babylm.score_names import known_scores
from sleep_tune.errors import ConfigError, DataError, shortened
from sleep_tune.evaluation.items import Item, TextOption
from sleep_tune.evaluation.task_files import (
    NUMBER,
    TEXT,
    TEXTS,
    ColumnRule,
    TaskFile,
    checked_rows,
    is_nonblank,
    read_task_files,
    text_lines,
)
from sleep_tune.evaluation.task_report import SPLITS, TaskReport, accuracy_report, correlation_report, split_report
from sleep_tune.import_paths import function_name, import_function, is_import_path, require_parameters

__all__ = ["TASKS", "Task", "own_tasks", "read_items", "tasks_of"]

OPTION = "evaluation.tasks"

Row = Mapping[str, Any]
Columns = Mapping[str, ColumnRule]
Read = Callable[[TaskFile], Iterator[Item]]


@dataclass(frozen=True, slots=True)
class Task:
    """A task: how its files are read, and how its report is computed."""

    official: str
    """The pipeline's name of the task (`--task`), which is a folder of its output."""
    read: Read
    """Function file -> items, whose ids are still empty."""
    report: Callable[[Sequence[Item], Sequence[NDArray[np.float64]], NDArray[np.float64]], TaskReport] = accuracy_report
    """Function (items, option scores, credits) -> report."""
    suffix: str = ".jsonl"
    """Ending of the files' names; '' for any."""
    predicts_text: bool = False
    """Whether predictions.json gives the whole text of the chosen option instead of its ending."""
    predicts_probability: bool = False
    """Whether predictions.json gives the probability of the first of two options too."""


def json_lines(columns: Columns | Callable[[Row], Columns], item: Callable[[Row, str], Item]) -> Read:
    """Return a reader of JSON lines, from the columns that each must have and a function (line, stem) -> item."""
    required: Callable[[Row], Columns] = columns if callable(columns) else lambda _row: columns

    def read(file: TaskFile) -> Iterator[Item]:
        for _, row in checked_rows(file, required):
            yield item(row, file.stem)

    return read


def blimp_columns(row: Row) -> Columns:
    """Return the columns of a line: BLiMP's lines name their groups, those of its supplement do not."""
    sentences = {"sentence_good": TEXT, "sentence_bad": TEXT}
    return sentences | ({"UID": TEXT, "linguistics_term": TEXT, "field": TEXT} if "field" in row else {})


def blimp(row: Row, stem: str) -> Item:
    """Return an item of BLiMP (Warstadt et al. 2020) or BabyLM's supplement: the good sentence, then the bad one."""
    options = (TextOption(row["sentence_good"]), TextOption(row["sentence_bad"]))
    if "field" not in row:
        return uncounted(stem, options, {"field": "supplement", "UID": stem, "linguistics_term": "supplement"})
    field = "syntax/semantics" if row["field"] == "syntax_semantics" else row["field"]
    groups = {"field": field, "UID": row["UID"], "linguistics_term": row["linguistics_term"]}
    return uncounted(row["UID"], options, groups)


def ewok(row: Row, stem: str) -> Item:
    """Return an item of EWoK (Ivanova et al. 2024): after the first context the first target is right."""
    context = row["Context1"]
    options = tuple(TextOption(f"{context} {row[name]}", f" {row[name]}") for name in ("Target1", "Target2"))
    groups = {
        "UID": str(row["Domain"]),
        "context_type": str(row["ContextType"]),
        "context_contrast": str(row["ContextDiff"]),
        "target_contrast": str(row["TargetDiff"]),
    }
    return uncounted(groups["UID"], options, groups)


def ewok_contexts(row: Row, stem: str) -> Item:
    """Return an item of EWoK as of 2026: the first target is more probable after the first context than the second."""
    options = tuple(
        TextOption(f"{row[name]} {row['Target1']}", f" {row['Target1']}") for name in ("Context1", "Context2")
    )
    return dataclasses.replace(ewok(row, stem), options=options)


def entity_tracking(row: Row, stem: str) -> Item:
    """Return an item of entity tracking (Kim and Schuster 2023): the first ending names what the box holds."""
    prefix = row["input_prefix"]
    uid = f"{stem}_{row['numops']}_ops"
    return uncounted(uid, tuple(TextOption(prefix + option, option) for option in row["options"]), {"UID": uid})


def wug(name: str) -> Callable[[Row, str], Item]:
    """Return a function to items of made-up words (Hofmann et al. 2024; Weissweiler et al. 2023)."""

    def item(row: Row, stem: str) -> Item:
        options = tuple(TextOption(sentence) for sentence in row["sentences"].split("\t"))
        return dataclasses.replace(uncounted(name, options, {"UID": name}), human=float(row["ratio"]))

    return item


COMPS_SUBSETS = {"comps_base": "base", "comps_wugs": "wugs", "comps_wugs_dist-before": "wugs_dist_before"}


def comps(row: Row, stem: str) -> Item:
    """Return an item of COMPS (Misra et al. 2023): first a concept that has the property, then one that does not."""
    uid = COMPS_SUBSETS.get(stem, "wugs_dist_in_between")
    phrase = row["property_phrase"]
    options = tuple(
        TextOption(f"{row[name]} {phrase}", phrase) for name in ("prefix_acceptable", "prefix_unacceptable")
    )
    return uncounted(uid, options, {"UID": uid})


def global_piqa(options: int) -> Read:
    """Return a reader of Global PIQA (Chang et al. 2025): a prompt, and the label of its right continuation.

    Args:
        options: number of continuations, `solution0` and so on.
    """
    names = [f"solution{number}" for number in range(options)]
    label = ColumnRule(
        f"a whole number from 0 to {options - 1}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and value in range(options),
    )

    def item(row: Row, stem: str) -> Item:
        texts = tuple(TextOption(f"{row['prompt']} {row[name]}", f" {row[name]}") for name in names)
        uid = str(row["example_id"])
        return dataclasses.replace(uncounted(uid, texts, {"UID": uid}), label=row["label"], per_token=True)

    return json_lines(dict.fromkeys(("prompt", *names, "example_id"), TEXT) | {"label": label}, item)


def zorro(file: TaskFile) -> Iterator[Item]:
    """Yield items of Zorro (Huebner et al. 2021): a line with the bad sentence is followed by one with the good one."""
    lines = [line for _, line in text_lines(file)]
    if len(lines) % 2:
        raise DataError(f"{file.where}:{len(lines)}: a bad sentence must be followed by a good one; the file ends")
    for bad, good in zip(lines[::2], lines[1::2], strict=True):
        yield uncounted(file.stem, (TextOption(good), TextOption(bad)), {"UID": file.stem})


def uncounted(uid: str, options: tuple[TextOption, ...], groups: Mapping[str, str]) -> Item:
    """Return an item without id, whose number within its UID is not known yet."""
    return Item(uid=uid, id="", options=options, groups=groups)


PAIR_OF_SENTENCES = ColumnRule(
    "two sentences with a tab between",
    lambda value: isinstance(value, str) and value.count("\t") == 1 and all(map(is_nonblank, value.split("\t"))),
)

BLIMP = Task("blimp", json_lines(blimp_columns, blimp))
EWOK_COLUMNS = dict.fromkeys(("Context1", "Context2", "Target1", "Target2", "Domain"), TEXT) | dict.fromkeys(
    ("ContextType", "ContextDiff", "TargetDiff"), ColumnRule("given", lambda _value: True)
)
EWOK = Task("ewok", json_lines(EWOK_COLUMNS, ewok))
EWOK_CONTEXTS = Task("ewok", json_lines(EWOK_COLUMNS, ewok_contexts), predicts_text=True)
ENTITY_TRACKING = Task(
    "entity_tracking",
    json_lines({"input_prefix": TEXT, "options": TEXTS, "numops": NUMBER}, entity_tracking),
    report=split_report,
)
WUG_COLUMNS = {"sentences": PAIR_OF_SENTENCES, "ratio": NUMBER}
WUG_ADJ, WUG_PAST = (
    Task(name, json_lines(WUG_COLUMNS, wug(name)), report=correlation_report, predicts_probability=True)
    for name in ("wug_adj", "wug_past")
)
COMPS = Task(
    "comps",
    json_lines(dict.fromkeys(("prefix_acceptable", "prefix_unacceptable", "property_phrase"), TEXT), comps),
    predicts_text=True,
)

TASKS: dict[str, Task] = {
    "blimp_fast": BLIMP,
    "blimp_filtered": BLIMP,
    "supplement_fast": BLIMP,
    "supplement_filtered": BLIMP,
    "ewok_fast": EWOK,
    "ewok_filtered": EWOK,
    "entity_tracking_fast": ENTITY_TRACKING,
    "entity_tracking": ENTITY_TRACKING,
    "wug_adj_nominalization": WUG_ADJ,
    "wug_past_tense": WUG_PAST,
    "comps": COMPS,
    "global_piqa_parallel": Task("global_piqa_parallel", global_piqa(4)),
    "global_piqa_nonparallel": Task("global_piqa_nonparallel", global_piqa(2)),
    "zorro": Task("zorro", zorro, suffix=".txt"),
}
"""Folder of evaluation_data/fast_eval or full_eval -> its task, with all items. Zorro is not part of BabyLM."""


def tasks_of(protocol: Protocol) -> dict[str, Task]:
    """Return folder -> its task by the rules of a year's protocol, for the folders that the protocol has."""
    tasks = {name: task for name, task in TASKS.items() if name in protocol.folders}
    contexts = {name: EWOK_CONTEXTS for name in tasks if name in protocol.whole_sentences}
    filtered = {
        name: dataclasses.replace(task, read=without_nothing(task.read))
        for name, task in tasks.items()
        if name in protocol.without_nothing
    }
    return tasks | contexts | filtered


def without_nothing(read: Read) -> Read:
    """Return a reader that passes over items with an option that has the word "nothing"."""

    def filtered(file: TaskFile) -> Iterator[Item]:
        for item in read(file):
            if not any("nothing" in option.ending for option in item.options):
                yield item

    return filtered


def own_tasks(names: Iterable[str], option: str = OPTION) -> dict[str, Task]:
    """Return the tasks among `names` that are import paths: folder, which is the function's name -> task.

    The function takes a TaskFile, each file in the folder in turn, and yields Items, whose id may stay empty:

        def stripes(file: TaskFile) -> Iterator[Item]:
            for good, bad in csv.reader(file.content.decode().splitlines()):
                yield Item(uid=file.stem, id="", options=(TextOption(good), TextOption(bad)))

    The score is the percentage of items whose right option (the first, or `label`) has the highest probability.

    Args:
        names: folders and import paths.
        option: that names them, for messages.

    Raises:
        ConfigError: a function cannot be imported, takes other arguments, or has the name of another task.
    """
    tasks: dict[str, Task] = {}
    for path in filter(is_import_path, names):
        function, name = import_function(path, option).function, function_name(path)
        require_parameters(function, f"{option}={path}", "file")
        if name in tasks or name in FOLDERS or name in known_scores():
            raise ConfigError(f"{option}={path}: the function must have a name that no other task has; got {name}")
        tasks[name] = Task(name, _checked_reader(function, f"{option}={path}"), suffix="")
    return tasks


def _checked_reader(function: Callable[[TaskFile], object], what: str) -> Read:
    """Return a reader that checks each item of a user's own function."""

    def read(file: TaskFile) -> Iterator[Item]:
        items = function(file)
        if not isinstance(items, Iterable):
            raise ConfigError(f"{what} must yield Items; got {shortened(repr(items))} for {file.where}")
        for item in items:
            if not (isinstance(item, Item) and _is_sound(item)):
                raise ConfigError(
                    f"{what} must yield Items of at least two options, with texts that are not blank, each "
                    "with the completion at its end if it has one, and the label of one of them; got "
                    f"{shortened(repr(item), 200)} for {file.where}"
                )
            yield dataclasses.replace(item, groups={"UID": item.uid, **item.groups})

    return read


def _is_sound(item: Item) -> bool:
    return (
        is_nonblank(item.uid)
        and len(item.options) > 1
        and all(
            isinstance(option, TextOption)
            and is_nonblank(option.text)
            and is_nonblank(option.ending)
            and option.text.endswith(option.ending)
            for option in item.options
        )
        and item.label in range(len(item.options))
    )


def read_items(task: Task, path: Path) -> tuple[Item, ...]:
    """Read a task's items from its folder or zip, the files in the order of their names.

    Raises:
        DataError: a file or line is not as the task needs it; the message gives file, line and what was expected.
    """
    counts: Counter[str] = Counter()
    items = []
    for file in read_task_files(path, task.suffix):
        for item in task.read(file):
            items.append(dataclasses.replace(item, id=f"{item.uid}_{counts[item.uid]}"))
            counts[item.uid] += 1
    if not items:
        raise DataError(f"{path} must hold at least one item of {task.official}; it holds none")
    if task.official == ENTITY_TRACKING.official and not any(item.uid.startswith(SPLITS) for item in items):
        raise DataError(f"{path}: names of its files must begin with {', '.join(SPLITS)}; got {sorted(counts)[:3]}")
    return tuple(items)
