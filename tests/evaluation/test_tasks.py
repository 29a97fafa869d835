import json
from pathlib import Path

import pytest

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.errors import DataError
from sleep_tune.evaluation.items import Item
from sleep_tune.evaluation.tasks import TASKS, read_items, tasks_of

BLIMP = {"sentence_good": "It is.", "sentence_bad": "It are.", "field": "syntax_semantics", "UID": "x"}
EWOK = {
    "Context1": "It is hot.",
    "Context2": "It is cold.",
    "Target1": "Ann sweats.",
    "Target2": "Ann shivers.",
    "Domain": "material",
    "ContextType": "direct",
    "ContextDiff": "antonym",
    "TargetDiff": "swap",
}


def items_of(task: str, tmp_path: Path, *rows: object, stem: str = "some_file") -> tuple[Item, ...]:
    suffix = TASKS[task].suffix
    lines = rows if suffix == ".txt" else [json.dumps(row) for row in rows]
    (tmp_path / f"{stem}{suffix}").write_text("".join(f"{line}\n" for line in lines))
    return read_items(TASKS[task], tmp_path)


def endings(item: Item) -> list[tuple[str, str]]:
    return [(option.text, option.ending) for option in item.options]


def test_every_task_is_one_of_babylm() -> None:
    assert set(TASKS) < set(FOLDERS)


def test_blimp_names_its_groups(tmp_path: Path) -> None:
    first, second = items_of("blimp_fast", tmp_path, *([{**BLIMP, "linguistics_term": "npi"}] * 2))
    assert endings(first) == [("It is.", "It is."), ("It are.", "It are.")]
    assert (first.uid, first.id, second.id, first.label) == ("x", "x_0", "x_1", 0)
    assert list(first.groups.items()) == [("field", "syntax/semantics"), ("UID", "x"), ("linguistics_term", "npi")]


def test_the_supplement_takes_them_from_its_files(tmp_path: Path) -> None:
    (item,) = items_of("supplement_fast", tmp_path, {"sentence_good": "a", "sentence_bad": "b"}, stem="hypernym")
    assert item.groups == {"field": "supplement", "UID": "hypernym", "linguistics_term": "supplement"}


def test_ewok_scores_the_targets_after_the_first_context(tmp_path: Path) -> None:
    (item,) = items_of("ewok_fast", tmp_path, EWOK)
    assert endings(item) == [("It is hot. Ann sweats.", " Ann sweats."), ("It is hot. Ann shivers.", " Ann shivers.")]
    assert list(item.groups) == ["UID", "context_type", "context_contrast", "target_contrast"]


def test_entity_tracking_scores_what_ends_the_story(tmp_path: Path) -> None:
    row = {"input_prefix": "Box 0 contains", "options": [" a", " b", " c"], "numops": 3}
    (item,) = items_of("entity_tracking", tmp_path, row, stem="regular")
    assert endings(item)[2] == ("Box 0 contains c", " c")
    assert item.uid == "regular_3_ops"


def test_wug_compares_with_people(tmp_path: Path) -> None:
    (item,) = items_of("wug_past_tense", tmp_path, {"sentences": "a b\ta c", "ratio": "0.25"})
    assert endings(item) == [("a b", "a b"), ("a c", "a c")]
    assert (item.uid, item.human) == ("wug_past", 0.25)


@pytest.mark.parametrize(
    ("stem", "uid"), [("comps_base", "base"), ("comps_wugs_dist-in-between", "wugs_dist_in_between")]
)
def test_comps_scores_one_property_of_two_things(tmp_path: Path, stem: str, uid: str) -> None:
    row = {"prefix_acceptable": "a cat", "prefix_unacceptable": "a car", "property_phrase": "purrs"}
    (item,) = items_of("comps", tmp_path, row, stem=stem)
    assert endings(item) == [("a cat purrs", "purrs"), ("a car purrs", "purrs")]
    assert item.uid == uid


def test_zorro_puts_the_bad_sentence_first(tmp_path: Path) -> None:
    items = items_of("zorro", tmp_path, "bad one", "good one", "bad two", "good two")
    assert [option.text for option in items[1].options] == ["good two", "bad two"]
    with pytest.raises(DataError, match=r"some_file\.txt:3: "):
        items_of("zorro", tmp_path, "bad one", "good one", "bad two")


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        ("blimp_fast", BLIMP, r"some_file\.jsonl:1: .*'linguistics_term'"),
        ("wug_past_tense", {"sentences": "a b", "ratio": 1}, "'sentences' .*tab"),
        ("entity_tracking", {"input_prefix": "a", "options": ["b"], "numops": 1}, "'options' .*at least two"),
        (
            "entity_tracking",
            {"input_prefix": "a", "options": ["b", "c"], "numops": 1},
            "regular, ambiref, move_contents",
        ),
    ],
)
def test_broken_lines_are_refused(tmp_path: Path, task: str, row: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        items_of(task, tmp_path, row)


def items_of_2026(task: str, tmp_path: Path, *rows: object) -> tuple[Item, ...]:
    (tmp_path / "regular.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return read_items(tasks_of(PROTOCOLS["2026"])[task], tmp_path)


def test_ewok_of_2026_scores_one_target_after_two_contexts(tmp_path: Path) -> None:
    (item,) = items_of_2026("ewok_fast", tmp_path, EWOK)
    assert endings(item) == [("It is hot. Ann sweats.", " Ann sweats."), ("It is cold. Ann sweats.", " Ann sweats.")]
    assert tasks_of(PROTOCOLS["2026"])["ewok_fast"].predicts_text


def test_entity_tracking_of_2026_has_no_items_with_nothing(tmp_path: Path) -> None:
    rows = [
        {"input_prefix": "Box 0 contains", "options": options, "numops": 1}
        for options in ([" the cup.", " nothing."], [" the cup.", " the hat."])
    ]
    (item,) = items_of_2026("entity_tracking", tmp_path, *rows)
    assert item.id == "regular_1_ops_0"
    assert len(items_of("entity_tracking", tmp_path, *rows, stem="regular")) == 2


def test_global_piqa_takes_its_labels_from_the_file(tmp_path: Path) -> None:
    row = {"prompt": "To cut,", "solution0": "a cup.", "solution1": "a knife.", "label": 1, "example_id": "eng_7"}
    (item,) = items_of_2026("global_piqa_nonparallel", tmp_path, row)
    assert (item.uid, item.id, item.label, item.per_token) == ("eng_7", "eng_7_0", 1, True)
    assert endings(item)[1] == ("To cut, a knife.", " a knife.")
    with pytest.raises(DataError, match="label"):
        items_of_2026("global_piqa_nonparallel", tmp_path, row | {"label": 2})


def test_a_protocol_has_only_its_own_tasks() -> None:
    for protocol in PROTOCOLS.values():
        assert set(tasks_of(protocol)) == set(TASKS) & set(protocol.folders)
