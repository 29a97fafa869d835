"""The functions for notebooks and scripts: what they return, refuse, print, and leave of the process."""

import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sleep_tune
from sleep_tune import compare, evaluate, load_experiment, search, train
from sleep_tune.errors import ConfigError, DataError, RunFolderError
from sleep_tune.interrupts import current
from tests.evaluation import official_data
from tests.messages import raises_naming
from tests.results.report.searches import make_search

TINY = {
    "data": "toy",
    "data.sentences": 400,
    "data.max_length": 64,
    "tokenizer.vocab_size": 300,
    "model": "tiny",
    "model.layers": 1,
    "model.hidden": 16,
    "model.heads": 2,
    "model.feed_forward": 16,
    "sleep.folds": 2,
    "budget.passes": 2,
    "evaluation.samples": 8,
    "evaluation.pairs": 20,
}
SPACE = {
    "name": "mine",
    "base": TINY,
    "parameters": {"sleep.replay.ratio": {"choice": (0.3, 0.6)}},
    "stop": {"trials": 2},
    "baselines": {"epochs": {}},
    "finalists": {"count": 1, "seeds": {"looks": [2, 3]}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "demo"
    make_search(folder, 20, paradigms=["agreement", "binding"])
    return folder


def test_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, sleep_tune; assert set(sleep_tune.__all__) <= set(dir(sleep_tune)); sleep_tune.search\n"
        "sys.exit(str({'torch', 'transformers', 'hydra', 'numpy', 'pandas', 'ray'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_function_is_not_replaced_by_the_subpackage_of_its_name() -> None:
    import sleep_tune.evaluate.zero_shot
    import sleep_tune.search.space.space_file

    assert callable(sleep_tune.search) and callable(sleep_tune.evaluate)
    with pytest.raises(AttributeError):
        sleep_tune.nothing  # type: ignore[attr-defined]  # noqa: B018


def test_an_experiment_is_its_frames_and_its_verdict(made: Path) -> None:
    experiment = load_experiment(made)
    assert (experiment.name, experiment.objective, experiment.mode) == ("demo", "eval/nll", "min")
    assert not experiment.ended
    assert len(experiment.trials) == 20 and set(experiment.runs["arm"]) == {"epochs", "as_epochs", "t0003"}
    best = experiment.curves.query("metric == 'eval/nll' and role == 'search'").nsmallest(1, "value")
    assert best["trial"].item() in set(experiment.trials["trial"])
    assert set(experiment.comparison["arm"]) == set(experiment.runs["arm"])
    assert experiment.losses.groupby(["arm", "seed"]).ngroups == 9
    totals = experiment.exposures.groupby(["arm", "seed"])["share"].sum()
    assert totals.to_numpy() == pytest.approx(1.0)
    assert experiment.verdict in repr(experiment) and "| epochs" in str(experiment)
    assert str(experiment) == experiment._repr_markdown_()
    assert experiment.problems == ()
    assert experiment.figures("search")[0].data
    with raises_naming(ConfigError, "serach", "'search'"):
        experiment.figures("serach")


def test_folders_are_compared_by_name_and_written(made: Path, tmp_path: Path) -> None:
    both = compare(made)
    assert both.folder == made and both.baseline == "epochs"
    assert tmp_path / "comparison.csv" in both.write(tmp_path)
    assert compare([made], baseline="t0003").baseline == "t0003"
    with raises_naming(DataError, "nobody", "t0003"):
        compare(made, baseline="nobody")
    with raises_naming(ConfigError, "word", "words"):
        compare(made, matched="word")
    assert compare(made, protocol=2026).verdict == both.verdict  # a year may be a number, as in train and search
    with raises_naming(ConfigError, "2027", "2026"):
        compare(made, protocol=2027)
    with raises_naming(RunFolderError, "nowhere"):
        compare({"ours": [tmp_path / "nowhere"]})


@pytest.mark.slow
def test_a_run_is_trained_once_and_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = TINY | {"run.dir": tmp_path / "run", "evaluation.test": True}
    run = train(settings)
    assert f"Training in {tmp_path / 'run'}" in capsys.readouterr().out
    assert run.metrics["test/nll"] > 0 and run.config["model.hidden"] == 16
    assert set(run.curves["split"]) == {"dev", "test"}
    measured = run.curves.set_index("metric")["value"]
    assert measured["test/nll"] == pytest.approx(run.metrics["test/nll"])
    assert len(run.sleeps) > 0 and run.losses["loss"].notna().any() and run.averaged_model is None
    assert "nll" in repr(run)
    again = train([f"{key}={str(value).lower()}" for key, value in TINY.items()] + [f"run.dir={tmp_path / 'run'}"])
    assert again.metrics == run.metrics
    with raises_naming(RunFolderError, "training.seed", "7"):
        train(settings | {"training.seed": 7})
    official_data.write_data(tmp_path / "data")
    assert run.model is not None
    results = evaluate(run.model, tmp_path / "data", tasks=["blimp"], output=tmp_path / "out")
    (score,) = results.scores.query("task == 'blimp_fast'")["score"]
    assert score == pytest.approx(100 * results.items.groupby("uid")["correct"].mean().mean())
    assert set(results.scores["model"]) == {"run"} and results.folders[0].is_dir()
    assert "blimp_fast" in repr(results) and "blimp_fast" in results._repr_html_()


@pytest.mark.slow
def test_a_search_ends_in_results_and_is_not_run_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT), sys.stdout
    experiment = search(SPACE, {"stop.trials": 1}, results=tmp_path, launcher="inline")
    assert (signal.getsignal(signal.SIGINT), sys.stdout) == before
    assert "t0001 completed" in capfd.readouterr().out
    assert len(experiment.trials) == 1 and experiment.ended
    first = experiment.looks.iloc[0]  # judged by the search as by the table
    assert (first["look"], first["seeds"], first["level"]) == (1, 2, pytest.approx(0.045))
    assert len(experiment.runs) == (6 if pd.isna(first["decided"]) else 4)
    assert (tmp_path / "mine" / "report.html").is_file() and (tmp_path / "mine" / "tables").is_dir()
    written = (tmp_path / "mine" / "trials.jsonl").read_bytes()
    again = search(SPACE, {"stop.trials": 1}, results=tmp_path, launcher="inline")
    assert (tmp_path / "mine" / "trials.jsonl").read_bytes() == written
    pd.testing.assert_frame_equal(again.comparison, experiment.comparison)
    best = experiment.best.settings
    assert best["sleep.replay.ratio"] in (0.3, 0.6) and best["data.sentences"] == 400
    run = train(best | {"run.dir": tmp_path / "best", "training.seed": 3})
    assert run.config["sleep.replay.ratio"] == best["sleep.replay.ratio"]


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: train({"training.sed": 3}), ["training.sed", "training.seed"]),
        (lambda: train({"training": {"seed": 3}}), ["training"]),
        (lambda: train(["training.seed"]), ["training.seed"]),
        (lambda: train("data=toy"), ["mapping", "list", "'data=toy'"]),
        (lambda: search(SPACE, "stop.trials=2"), ["mapping", "list", "'stop.trials=2'"]),
        (lambda: search("no_such.yaml"), ["no_such.yaml"]),
        (lambda: search({key: SPACE[key] for key in ("base", "parameters")}), ["name"]),
        (lambda: search(SPACE, {"stop.trails": 1}), ["stop.trails in the overrides", "trials"]),
        (lambda: search(SPACE | {"stop": {"trails": 1}}), ["the search space", "trials"]),
        (lambda: search(SPACE, {"training.sed": 1}), ["training.sed in the overrides", "training.seed"]),
        (lambda: search(SPACE, launcher="slurm"), ["slurm", "inline, ray"]),
        (lambda: evaluate("m", "d", device="gpu"), ["gpu", "cuda"]),
        (lambda: evaluate("m", "d", batch_tokens=0), ["batch_tokens", "0"]),
        (lambda: load_experiment("nowhere"), ["nowhere"]),
    ],
)
def test_a_mistake_is_one_exception_and_leaves_nothing(
    call: Any, parts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with raises_naming(sleep_tune.UserError, *parts):
        call()
    assert not list(tmp_path.iterdir())


def test_signals_are_caught_while_a_function_runs_and_never_end_the_process(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(*arguments: object, **more: object) -> None:
        current().waits = True
        signal.raise_signal(number)
        monkeypatch.setattr("sleep_tune.interrupts.DOUBLE_SECONDS", 0.0)
        if number == signal.SIGINT:
            signal.raise_signal(number)  # the second does not wait
        current().end()

    monkeypatch.setattr("sleep_tune.results.folder_comparison.compare_folders", wait)
    seen: list[int] = []
    monkeypatch.setattr("sleep_tune.interrupts.SIGNALS", (signal.SIGINT, signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            with pytest.raises(KeyboardInterrupt, match=f"{signal.Signals(number).name}.*call compare again"):
                compare(made)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_may_be_called_in_another_thread(made: Path) -> None:
    found = []
    thread = threading.Thread(target=lambda: found.append(load_experiment(made).name))
    thread.start()
    thread.join()
    assert found == ["demo"]


def test_a_full_disk_is_a_mistake_of_the_users(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device", "tables/comparison.csv")

    monkeypatch.setattr("sleep_tune.results.folder_comparison.compare_folders", fail)
    with raises_naming(sleep_tune.UserError, "tables/comparison.csv"):
        compare(made)
