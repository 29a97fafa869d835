"""A log that was damaged is read as it was or refused in one sentence; `tests/benchmarks/mutate_log.py` tries more."""

from collections import Counter
from pathlib import Path

from tests.mutations import EARLIER, OTHER, REFUSED, SAME, TRACEBACK, Readers, damaged, judge, make_logs


def test_no_damage_passes_unnoticed_and_none_ends_in_a_traceback(tmp_path: Path) -> None:
    space, logs = make_logs(tmp_path)
    readers = Readers(tmp_path / "x", space)
    fates: dict[str, Counter[str]] = {}
    for schema, content in logs.items():
        truth = readers.read(content)
        fates[schema] = Counter()
        for name, changed in damaged(content, 2):
            fate, told = judge(readers, changed, content, truth)
            fates[schema][fate] += 1
            assert fate != TRACEBACK, (schema, name, told)
            assert fate not in (OTHER, SAME) or schema == "schema 1", (schema, name)
            assert fate != EARLIER or name.startswith("cut off"), (schema, name)
            assert fate != REFUSED or "trials.jsonl:" in told, (schema, name, told)
    assert fates["present schema"][REFUSED] >= 24
