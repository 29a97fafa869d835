"""The file for the leaderboard against that of the official collation for the same folder, and its errors."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.babylm.protocols import PROTOCOLS, Protocol
from sleep_tune.commands.evaluate import main
from sleep_tune.errors import DataError
from sleep_tune.evaluation.collation import FAST_RESULTS, collate
from sleep_tune.evaluation.submission import Gaps, missing_parts
from tests.evaluation.made_submission import remove_parts, write_fast_data, write_results

pytestmark = pytest.mark.slow

KEPT = Path(__file__).with_name("official")
"""Folder of collation_<year>.json, written by tests/benchmarks/parity_collation.py."""

TRACK, BACKEND = "strict-small", "mlm"
WUG = "chck_2M/zero_shot/mlm/wug_adj/wug_adj_nominalization/predictions.json"
PIQA = "chck_2M/zero_shot/mlm/global_piqa_parallel/global_piqa_parallel/predictions.json"

EACH_YEAR = pytest.mark.parametrize("year", PROTOCOLS)
Submissions = dict[str, tuple[Path, Path]]


@pytest.fixture(scope="module")
def submissions(tmp_path_factory: pytest.TempPathFactory) -> Submissions:
    """Year -> folder of results and fast data of a complete submission."""
    made = {}
    for year, protocol in PROTOCOLS.items():
        data = write_fast_data(tmp_path_factory.mktemp("data") / "fast_eval", protocol)
        results = tmp_path_factory.mktemp("results") / "made"
        write_results(results, data, backend=BACKEND, track=TRACK, protocol=protocol)
        made[year] = (results, data)
    return made


@pytest.fixture
def copied(submissions: Submissions, tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Function year -> folder of results, of which files may be replaced, and fast data."""

    def copy(year: str) -> tuple[Path, Path]:
        results, data = submissions[year]
        shutil.copytree(results, tmp_path / "made", copy_function=os.link)
        return tmp_path / "made", data

    return copy


def join(results: Path, data: Path, *further: str) -> int:
    arguments = [results.name, "--data", data, "--submission", "--backend", BACKEND, "--output-dir", results.parent]
    return main([*map(str, arguments), *further])


def joined(results: Path) -> dict[str, Any]:
    path = results / f"all_full_preds_and_fast_scores_{BACKEND}.json"
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def replace(path: Path, content: object) -> None:
    path.unlink()
    path.write_text(json.dumps(content), encoding="utf-8")


def collated(results: Path, data: Path, protocol: Protocol) -> tuple[dict[str, Any], Gaps]:
    return collate(results, BACKEND, TRACK, data, protocol, missing_parts(results, BACKEND, TRACK, protocol))


@EACH_YEAR
def test_the_command_writes_the_official_file(
    year: str, submissions: Submissions, capsys: pytest.CaptureFixture[str]
) -> None:
    """All but the fits of reading times to the last byte; those to 1e-9, because they are fitted by another method."""
    results, data = submissions[year]
    assert join(results, data) == 0
    printed = capsys.readouterr().out
    assert f"complete submission of {year}" in printed and "null" not in printed
    assert str(results / f"all_full_preds_and_fast_scores_{BACKEND}.json") in printed
    ours, kept = joined(results), json.loads((KEPT / f"collation_{year}.json").read_text(encoding="utf-8"))
    fast, theirs = ours.pop(FAST_RESULTS), kept[FAST_RESULTS]
    assert hashlib.sha256(json.dumps(ours).encode()).hexdigest() == kept["sha256"]
    assert list(fast) == list(theirs)
    for fits, official in zip(fast.pop("reading"), theirs.pop("reading"), strict=True):
        assert list(fits) == list(official)
        assert fits == pytest.approx(official, abs=1e-9)
    assert fast == theirs


def test_parts_may_be_null_in_2026(
    copied: Callable[[str], tuple[Path, Path]], submissions: Submissions, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is named with its reason, and every other part is as in the complete file."""
    results, data = copied("2026")
    remove_parts(results, BACKEND)
    (results / "main" / "zero_shot" / BACKEND / "AoA_word" / "aoa_score.json").unlink()
    (name, *_) = json.loads((results / PIQA).read_text(encoding="utf-8"))
    whole = json.loads((results / PIQA).read_text(encoding="utf-8"))
    replace(results / PIQA, {f"other_{name}" if key == name else key: value for key, value in whole.items()})
    assert join(results, data) == 0
    printed = capsys.readouterr().out
    assert "incomplete submission of 2026" in printed and "10 things" in printed
    for text in ("chck_7M", "fine-tuning on rte", "wsc must have 52", "cdi_human.csv", f"'{name}'", "comps"):
        assert text in printed
    ours = joined(results)
    assert [part for part, value in ours.items() if value is None] == [
        *("comps", "global_piqa_parallel", "aoa_surprisals", "aoa")
    ]
    assert not {"rte", "wsc"} & set(ours["glue"]) and len(ours["glue"]) == 5
    nulls = {
        task: [number for number, value in enumerate(scores) if value is None]
        for task, scores in ours[FAST_RESULTS].items()
    }
    gone = {task: [6] for task in ours[FAST_RESULTS]} | {
        "blimp": [2, 6],
        "global_piqa_parallel": [1, 6],
        "reading": [1, 6],
    }
    assert nulls == gone
    complete, _ = collated(*submissions["2026"], PROTOCOLS["2026"])
    for task, scores in ours[FAST_RESULTS].items():
        kept = [value for number, value in enumerate(complete[FAST_RESULTS][task]) if number not in nulls[task]]
        assert [value for value in scores if value is not None] == kept


@EACH_YEAR
def test_the_fast_data_must_be_whole(year: str, submissions: Submissions, tmp_path: Path) -> None:
    results, data = submissions[year]
    part = tmp_path / "fast_eval"
    shutil.copytree(data, part)
    shutil.rmtree(part / "reading")
    shutil.rmtree(part / "ewok_fast")
    with pytest.raises(DataError, match=r"--data evaluation_data/fast_eval.* ewok_fast, reading"):
        collated(results, part, PROTOCOLS[year])


def test_predictions_must_be_those_of_the_data(copied: Callable[[str], tuple[Path, Path]]) -> None:
    results, data = copied("2025")
    whole = json.loads((results / WUG).read_text(encoding="utf-8"))
    (name,) = whole
    for content, message in (
        ({}, rf"{WUG} .*'{name}'.* \[\]"),
        ({name: {"predictions": whole[name]["predictions"][:7]}}, r"200 items.* 7"),
        ({name: {"predictions": [{"id": "x"}] * 200}}, r"prediction 0 .*prob.* \{'id': 'x'\}"),
    ):
        replace(results / WUG, content)
        with pytest.raises(DataError, match=message):
            collate(results, BACKEND, TRACK, data, PROTOCOLS["2025"], {})


@EACH_YEAR
def test_parts_of_another_protocol_are_refused(year: str, copied: Callable[[str], tuple[Path, Path]]) -> None:
    """A scores.json without a protocol is 2025's."""
    results, data = copied(year)
    (other,) = set(PROTOCOLS) - {year}
    main_scores, glue = (results / "main" / name / "scores.json" for name in (f"zero_shot/{BACKEND}", "finetune/rte"))
    for path, content in ((main_scores, {"protocol": other}), (glue, {} if year != "2025" else {"protocol": other})):
        path.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(DataError, match=rf"(?s)--protocol {year}.*{path}: {other}$"):
            join(results, data)
        path.write_text(json.dumps({"protocol": year}), encoding="utf-8")
    assert join(results, data) == 0


def test_each_gap_is_named(copied: Callable[[str], tuple[Path, Path]]) -> None:
    results, data = copied("2025")
    top = results / "main" / "zero_shot" / BACKEND
    (results / "main" / "finetune" / "rte" / "predictions.json").unlink()
    shutil.rmtree(results / "chck_7M")
    replace(results / "main" / "finetune" / "wsc" / "predictions.json", {"wsc": {"predictions": [0]}})
    replace(top / "comps" / "comps" / "predictions.json", {"x": {"predictions": []}})
    replace(results / "chck_1M/zero_shot/mlm/reading/predictions.json", {"reading": {"predictions": [0]}})
    replace(top / "AoA_word" / "surprisal.json", {"results": [{"step": "chck_200M"}]})
    with pytest.raises(DataError) as refused:
        join(results, data)
    for text in (
        "rte/predictions.json (fine-tuning on rte)",
        "wsc must have 52 predictions; it has 1",
        "comps has no group 'x'",
        "comps must have the group 'base'",
        "reading must have 1726 predictions; it has 1",
        "chck_100M must have 8005 contexts; it has 0",
        "chck_200M is not a checkpoint of strict-small",
        "fast tasks of checkpoint chck_7M",
    ):
        assert text in str(refused.value)
