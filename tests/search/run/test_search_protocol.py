"""A search whose objective is a score of BabyLM's: its protocol, from the space to the table and when resumed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.errors import RunFolderError, UserError
from sleep_tune.experiment.event_log import LOG
from sleep_tune.experiment.experiment_file import EXPERIMENT, describe_experiment, read_experiment_file
from sleep_tune.experiment.run_folder import read_config, read_outcome
from sleep_tune.experiment.run_protocol import protocol_of_experiment
from sleep_tune.results.table_files import write_tables
from sleep_tune.results.trial_tables import read_trials
from sleep_tune.search.run.launch import PreparedSearch
from tests.evaluation.folders import write_blimp, write_rows, write_wug


def space(data: Path, cache: Path, metric: str, **more: Any) -> dict[str, Any]:
    """A search of two trials, of a second or two each."""
    base = {"data": "toy", "data.sentences": 300, "data.max_length": 48, "data.cache_dir": str(cache)}
    base |= {"tokenizer.vocab_size": 400, "model": "tiny", "model.layers": 1, "model.hidden": 16, "model.heads": 2}
    base |= {"model.feed_forward": 16, "training.save_model": False, "training.device": "cpu", "budget.passes": 2}
    base |= {"evaluation.samples": 8, "evaluation.pairs": 0, "sleep.folds": 2, "evaluation.data": str(data)}
    return {
        "name": "scored",
        "base": base | more,
        "objective": {"metric": metric},
        "parameters": {"training.learning_rate": {"choice": [1e-3, 1e-2]}},
        "search": {"algorithm": "random"},
        "scheduler": {"name": "none"},
        "stop": {"trials": 2},
        "baselines": {"epochs": {}},
        "finalists": {"count": 1, "seeds": 1},
    }


def run(folder: Path, content: dict[str, Any]) -> Path:
    prepared = PreparedSearch.read(content, (), folder)
    prepared.run(launcher="inline", address=None)
    return prepared.folder


def undated(file: Path) -> None:
    """Remove the protocol and the checksum from a file, as an earlier version has written it."""
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?m)^(sha256|\s+protocol): .*\n", "", text), encoding="utf-8")


@pytest.mark.slow
def test_a_macro_average_of_2026_is_searched_to_its_table(tmp_path: Path) -> None:
    data = tmp_path / "fast_eval"
    write_blimp(data / "blimp_fast")
    row = {"prompt": "the dog", "solution0": "saw the cat .", "solution1": "the cat saw .", "label": 1}
    rows = [row | {"example_id": f"e{number}", "label": number % 2} for number in range(6)]
    write_rows(data / "global_piqa_nonparallel" / "items.jsonl", rows)
    tasks = ["blimp_fast", "global_piqa_nonparallel"]
    content = space(data, tmp_path / "cache", "babylm2026/macro", **{"evaluation.tasks": tasks})
    folder = run(tmp_path / "results", content)

    assert read_experiment_file(folder / EXPERIMENT)["base"]["evaluation"]["protocol"] == "2026"
    assert (describe_experiment(folder).objective, describe_experiment(folder).mode) == ("babylm2026/macro", "max")
    trials = read_trials(folder)
    runs = sorted((folder / "trials").iterdir())
    assert len(runs) == len(trials)
    macros = {}
    for each in runs:
        assert read_config(each).evaluation.protocol == "2026"
        metrics = metrics_of(each)
        assert metrics["babylm2026/macro"] == pytest.approx(sum(metrics[f"babylm2026/{task}"] for task in tasks) / 2)
        assert not [name for name in metrics if name.startswith("babylm/")]
        macros[each.name] = metrics["babylm2026/macro"]
    assert dict(zip(trials["trial"], trials["babylm2026/macro"], strict=True)) == macros
    write_tables(folder)
    with pytest.raises(UserError, match=r"another study.*|babylm/macro"):
        PreparedSearch.read(content | {"objective": {"metric": "babylm/macro"}}, (), tmp_path / "results")


def metrics_of(run: Path) -> Mapping[str, float]:
    """What the last line of a run that has ended says."""
    outcome = read_outcome(run)
    assert outcome is not None
    return outcome.metrics


@pytest.mark.slow
def test_a_search_of_an_earlier_version_keeps_its_objective_and_names(tmp_path: Path) -> None:
    """Its data has no folder that only one year has, so a new search in it would be scored by the newest protocol."""
    data, results = tmp_path / "fast_eval", tmp_path / "results"
    write_blimp(data / "blimp_fast")
    chosen = {"evaluation.tasks": ["blimp_fast"], "evaluation.protocol": 2025}
    folder = run(results, space(data, tmp_path / "cache", "babylm/macro", **chosen))
    before = len(list((folder / "trials").iterdir()))
    undated(folder / EXPERIMENT)
    for config in folder.glob("trials/*/config.yaml"):
        undated(config)
    assert protocol_of_experiment(folder) == "2025"

    old = space(data, tmp_path / "cache", "babylm/macro", **{"evaluation.tasks": ["blimp_fast"]})
    log = (folder / LOG).read_bytes()
    more = run(results, old | {"finalists": {"count": 1, "seeds": 2}})
    assert (folder / LOG).read_bytes().startswith(log)
    assert describe_experiment(more).objective == "babylm/macro"
    after = [metrics_of(each) for each in sorted((more / "trials").iterdir())]
    assert len(after) > before
    assert all("babylm/blimp_fast" in metrics for metrics in after)
    assert not any(name.startswith("babylm2026/") for metrics in after for name in metrics)
    write_blimp(data / "wug_adj_nominalization")  # any folder of 2025's: the data alone would now decide too
    write_wug(data / "wug_past_tense")
    changed = old | {"base": old["base"] | {"evaluation.protocol": 2026}, "objective": {"metric": "babylm2026/macro"}}
    with pytest.raises(RunFolderError, match=r"objective\.metric is babylm/macro there"):
        run(results, changed)


def test_a_protocol_that_is_no_text_is_left_to_the_check_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / EXPERIMENT).write_text("base: {evaluation: {data: x, protocol: [2025]}}\n", encoding="utf-8")
    assert protocol_of_experiment(tmp_path) == "auto"
