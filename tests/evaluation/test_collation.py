"""The file for the leaderboard against that of the official collation for the same folder, and its errors."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from sleep_tune.commands.evaluate import main
from sleep_tune.errors import DataError
from sleep_tune.evaluation.collation import collate
from sleep_tune.evaluation.submission import AGES, missing_parts
from tests.evaluation.made_submission import write_fast_data, write_results

pytestmark = pytest.mark.slow

KEPT = Path(__file__).with_name("official") / "collation.json"
"""Written by tests/benchmarks/parity_collation.py."""

TRACK = "strict-small"
WUG = "chck_2M/zero_shot/mlm/wug_adj/wug_adj_nominalization/predictions.json"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fast_data(tmp_path_factory.mktemp("data") / "fast_eval")


@pytest.fixture(scope="module")
def results(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "made"
    write_results(folder, data, backend="mlm", track=TRACK)
    return folder


def test_the_command_writes_the_official_file(data: Path, results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All but the fits of reading times to the last byte; those to 1e-9, because they are fitted by another method."""
    arguments = [results.name, "--data", data, "--submission", "--backend", "mlm", "--output-dir", results.parent]
    assert main([str(argument) for argument in arguments]) == 0
    path = results / "all_full_preds_and_fast_scores_mlm.json"
    assert f"submission of back end mlm for {TRACK}: upload {path} (" in capsys.readouterr().out
    ours, kept = json.loads(path.read_text(encoding="utf-8")), json.loads(KEPT.read_text(encoding="utf-8"))
    fast, theirs = ours.pop("fast_eval_results"), kept["fast_eval_results"]
    assert hashlib.sha256(json.dumps(ours).encode()).hexdigest() == kept["sha256"]
    assert list(fast) == list(theirs)
    for fits, official in zip(fast.pop("reading"), theirs.pop("reading"), strict=True):
        assert list(fits) == list(official)
        assert fits == pytest.approx(official, abs=1e-9)
    assert fast == theirs


def test_the_fast_data_must_be_whole(data: Path, results: Path, tmp_path: Path) -> None:
    part = tmp_path / "fast_eval"
    shutil.copytree(data, part)
    shutil.rmtree(part / "reading")
    shutil.rmtree(part / "ewok_fast")
    with pytest.raises(DataError, match=r"--data evaluation_data/fast_eval.* ewok_fast, reading"):
        collate(results, "mlm", TRACK, part)


def test_predictions_must_be_those_of_the_data(data: Path, results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "made"
    shutil.copytree(results, copy, copy_function=os.link)
    whole = json.loads((copy / WUG).read_text(encoding="utf-8"))
    (name,) = whole
    for content, message in {
        "{}": rf"{WUG} .*'{name}'.* \[\]",
        json.dumps({name: {"predictions": whole[name]["predictions"][:7]}}): r"200 items.* 7",
        json.dumps({name: {"predictions": [{"id": "x"}] * 200}}): r"prediction 0 .*prob.* \{'id': 'x'\}",
    }.items():
        (copy / WUG).unlink()
        (copy / WUG).write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            collate(copy, "mlm", TRACK, data)


def test_each_gap_is_named(results: Path, tmp_path: Path) -> None:
    copy = tmp_path / "made"
    shutil.copytree(results, copy, copy_function=os.link)
    top = copy / "main" / "zero_shot" / "mlm"
    (copy / "main" / "finetune" / "rte" / "predictions.json").unlink()
    shutil.rmtree(copy / "chck_7M")
    for path, content in {
        copy / "main" / "finetune" / "wsc" / "predictions.json": {"wsc": {"predictions": [0]}},
        top / "comps" / "comps" / "predictions.json": {"x": {"predictions": []}},
        copy / "chck_1M" / "zero_shot" / "mlm" / "reading" / "predictions.json": {"reading": {"predictions": [0]}},
        top / AGES: {"results": [{"step": "chck_200M"}]},
    }.items():
        path.unlink()
        path.write_text(json.dumps(content), encoding="utf-8")
    message = "\n".join(missing_parts(copy, "mlm", TRACK))
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
        assert text in message
