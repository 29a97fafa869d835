"""The command that trains one model by hand: what it prints, refuses, leaves behind, and resumes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sleep_tune import cli
from sleep_tune.commands import train
from sleep_tune.config.load import compose
from sleep_tune.config.options import options
from sleep_tune.config.tree import from_dict
from sleep_tune.experiment.run_folder import BUDGET_IS_FIXED, record_run
from tests.evaluation.folders import write_blimp
from tests.messages import missing

ROOT = Path(__file__).parents[1]
TINY = ["data.sentences=300", "data.max_length=32", "budget.passes=2", "model.layers=1", "model.hidden=16"]
TINY += ["model.heads=2", "model.feed_forward=16", "evaluation.samples=8", "evaluation.pairs=20", "sleep.folds=2"]
SMALL_TEXT = [option for option in TINY if not option.startswith("model.")]


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(ROOT / "train_worker.py"), *arguments]
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False, timeout=240)


@contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, killed at the end if it still runs."""
    line = [sys.executable, str(ROOT / "train_worker.py"), *arguments]
    with subprocess.Popen(line, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_it_trains(process: subprocess.Popen[str], folder: Path) -> None:
    deadline = time.monotonic() + 240
    while not ((folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def run(*arguments: str) -> int:
    return cli.run(train.main, arguments)


def test_help_lists_every_option_and_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python train_worker.py")
    assert all(f"  {key} " in text for key in options())
    assert "* tiny" in text and "sleep=epochs run.name=baseline" in text


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from sleep_tune.commands import train; train.main(['--help'])\n"
        "sys.exit(str({'torch', 'transformers', 'hydra', 'omegaconf', 'numpy', 'ray'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_cfg_prints_the_configuration_with_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sleep=epochs", "--cfg", "job", "training.seed=3") == 0
    text = capsys.readouterr().out
    config = from_dict(yaml.safe_load(text))
    assert (config.sleep.length.ratio, config.training.seed) == (0.0, 3)
    assert "# peak learning rate; (0, 1]" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sleep=epoch"], "error: unknown sleep 'epoch'; did you mean 'epochs'?"),
        (["training.sed=3"], "error: unknown option 'training.sed'; did you mean 'training.seed'?"),
        (["sleep.replay.ratio=2"], "error: sleep.replay.ratio must be a number in (0, 1]; got 2"),
        (["data=text"], "error: data=text needs data.path="),
        (["data=text", "data.path=no/such/folder"], "no/such/folder"),
        (["data=text", "data.path=~no-such-user/text"], "~no-such-user/text, which does not exist"),
        (["data.path=a\0b"], "data.path must be text without control characters"),
        (["tokenizer=hub", "tokenizer.name=~no-such-user/gpt2"], "~no-such-user/gpt2, which does not exist"),
        (["sleep.folds=100000", "data.sentences=300"], "sleep.folds"),
        (["model=hf", "model.config=optt", "data=text", "data.path=no/such/folder"], "did you mean opt?"),
        (["model=hf", "model.init=./none", "tokenizer.kind=hub", "tokenizer.name=./none"], "./none"),
        (["model=hf", "model.config=bert", "model.options={chunk_size_feed_forward: 7}", *SMALL_TEXT], "chunk size 7"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing_behind(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    *_, error = capsys.readouterr().err.splitlines()  # after the steps of reading a text that was not in the cache
    assert message in error and error.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_a_model_that_cannot_be_built_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sizes = [
        "data.sentences=300",
        "data.max_length=32",
        "tokenizer.vocab_size=300",
        "sleep.folds=2",
        "evaluation.pairs=0",
    ]
    assert run("model=hf", "model.config=t5", *sizes, f"data.cache_dir={tmp_path / 'cache'}") == 2
    assert "model.config=t5" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_evaluation_data_of_no_such_user_s_home_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("data.sentences=300", "model=tiny", "evaluation.data=~no-such-user/fast_eval") == 2
    assert "error: ~no-such-user/fast_eval must be a folder" in capsys.readouterr().err


def test_a_device_that_is_not_here_is_refused_before_the_text_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert run("training.device=mps", "data.sentences=300", "model=tiny") == 2
    written = capsys.readouterr()
    assert not missing(written.err, "training.device|cpu|got mps") and "text:" not in written.out
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        (["--confg", "job"], "--confg|--cfg"),
        (["--cfg", "hydra"], "hydra"),
        (["--cfg"], "--cfg"),
        (["--learning_rate", "1e-3"], "training.learning_rate=1e-3"),
        (["--learning-rate=1e-3", "sleep=weighted"], "training.learning_rate=1e-3"),
        (["--training.seed", "3"], "training.seed=3"),
        (["--seed", "3"], "training.seed|data.seed|key=value"),
        (["--num_train_epochs", "3"], "nearest|budget.passes|words"),
        (["--output_dir", "here"], "run.dir|run.name"),
        (["--adam_beta1", "--fp16"], "training.beta1=VALUE|training.precision"),
        (
            ["--do_train", "--train_file", "a.jsonl", "--lr=1e-3"],
            "every run trains|data.path|training.learning_rate=1e-3",
        ),
        (["--name", "mine"], "write run.name=mine\n"),
        (["--dir=here"], "write run.dir=here\n"),
        (["--multirun"], "python tune.py"),
        (["--status"], "python tune.py"),
        (["--strange"], "--strange|key=value"),
    ],
)
def test_an_unknown_flag_is_refused(arguments: list[str], facts: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        train.parse(arguments)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert "usage: python train_worker.py" in message and not missing(message, facts)


def test_a_folder_that_is_taken_does_not_hide_another_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record_run(tmp_path / "runs" / "mine", compose(["training.seed=1"]))
    assert run("run.name=mine", "data=text", "data.path=no/such/folder") == 2
    error = capsys.readouterr().err
    assert not missing(error, "no/such/folder, which does not exist|runs/mine|training.seed is 1 there, 0 here")


def test_a_larger_budget_is_refused_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    record_run(tmp_path / "runs" / "mine", compose(["budget.passes=2"]))
    (tmp_path / "runs" / "mine" / "model").mkdir()
    for budget in ("budget.passes=4", "budget.words=100000"):
        assert run("run.name=mine", budget) == 2
        error = capsys.readouterr().err
        assert not missing(error, f"budget.passes is 2.0 there|{BUDGET_IS_FIXED}|run.name|model.init=runs/mine/model")
    assert run("run.name=mine", "budget.passes=4", "training.seed=1") == 2
    assert BUDGET_IS_FIXED not in capsys.readouterr().err


def test_babylm_s_scores_are_on_one_line_the_average_last() -> None:
    metrics = {
        "eval/nll": 3.0,
        "babylm/macro": 50.0,
        "babylm/zorro": 61.0,
        "babylm/blimp_fast": 59.404,
        "ties/zorro": 0.0,
    }
    assert train.format_scores(metrics) == ["babylm BLiMP 59.40, Zorro 61.00, macro average 50.00"]
    assert train.format_scores({"eval/nll": 3.0}) == []


def test_a_variant_s_metrics_have_lines_of_their_own() -> None:
    metrics = {
        "eval/nll": 3.0,
        "eval/pseudo_perplexity": 20.0,
        "babylm/blimp_fast": 60.0,
        "causal/eval/nll": 4.0,
        "causal/eval/perplexity": 54.5,
        "causal/babylm/blimp_fast": 55.0,
        "test/nll": 3.5,
        "ema/causal/test/nll": 3.25,
    }
    assert train.format_metrics(metrics) == [
        "dev   nll 3.0000, pseudo-perplexity 20.00",
        "test  nll 3.5000",
        "babylm BLiMP 60.00, macro average 60.00",
        "dev   causal: nll 4.0000, perplexity 54.50",
        "babylm causal: BLiMP 55.00, macro average 55.00",
        "test  ema/causal: nll 3.2500",
    ]


@pytest.mark.slow
def test_a_run_from_its_start_to_its_summary(tmp_path: Path) -> None:
    write_blimp(tmp_path / "fast_eval" / "blimp_fast", size=2)
    run = [*TINY, "run.name=a", "evaluation.data=fast_eval"]
    done = command(*run, cwd=tmp_path)
    folder = tmp_path / "runs" / "a"
    assert done.returncode == 0, done.stderr
    assert "Training in runs/a" in done.stdout
    for line in (
        "dev   nll ",
        "test  nll ",
        "pseudo-perplexity ",
        "minimal pairs ",
        "babylm2026 BLiMP ",
        ", macro average ",
        "cost  ",
        "model runs/a/model  (Auto",
    ):
        assert line in done.stdout
    assert "Traceback" not in done.stderr and "Warning" not in done.stderr
    assert json.loads((folder / "environment.json").read_text())["packages"]["torch"]
    assert from_dict(yaml.safe_load((folder / "config.yaml").read_text())).run.name == "a"
    assert (folder / "eval" / "items.parquet").exists()
    assert (folder / "model" / "model.safetensors").exists() and (folder / "log.txt").exists()

    written = {path: path.stat().st_mtime_ns for path in folder.rglob("[!.]*")}  # but for the lock
    again = command(*run, cwd=tmp_path)
    assert again.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("[!.]*")} == written
    assert "runs/a has ended already." in again.stdout
    assert done.stdout.splitlines()[1].startswith("text: train ")
    assert done.stdout.splitlines()[1] in (folder / "log.txt").read_text()
    summary = again.stdout.splitlines()[1:]
    assert summary[0].startswith("dev ") and summary == done.stdout.splitlines()[-len(summary) :]

    other = command(*run, "training.seed=1", cwd=tmp_path)
    assert other.returncode == 2
    assert "training.seed is 0 there, 1 here" in other.stderr


@pytest.mark.slow
def test_a_signal_saves_and_the_same_command_resumes(tmp_path: Path) -> None:
    """By SIGTERM; the exit codes of all signals are in test_interrupts.py."""
    longer = [*TINY, "data.sentences=2000", "budget.passes=30", "training.batch_size=8", "run.name=default"]
    folder = tmp_path / "runs" / "default"
    with started(*longer, cwd=tmp_path) as process:
        wait_until_it_trains(process, folder)
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=240)
        assert process.returncode == 143
    assert "runs/default" in error and "same command" in error
    assert "Traceback" not in error
    assert list(folder.glob("attempt-*/checkpoint-*"))
    with started(*longer, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Resuming in runs/default")
        assert process.stderr is not None
        saved = max(folder.glob("attempt-1/checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
        assert any(f"runs/default/attempt-1/{saved.name}, after " in line for line in process.stderr)
        os.kill(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_of_two_that_start_together_in_one_new_folder_one_trains(tmp_path: Path) -> None:
    """The other is refused in one sentence, naming the first, and removes nothing of it."""
    longer = [*TINY, "data.sentences=2000", "budget.passes=30", "training.batch_size=8", "run.name=default"]
    with started(*longer, cwd=tmp_path) as one, started(*longer, cwd=tmp_path) as two:
        deadline = time.monotonic() + 240
        while one.poll() is None and two.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        refused, training = (two, one) if one.poll() is None else (one, two)
        assert refused.returncode == 2
        message = refused.communicate()[1]
        assert f"process {training.pid} on" in message
        assert message.count("\n") == 1
        wait_until_it_trains(training, tmp_path / "runs" / "default")
        assert (tmp_path / "runs" / "default" / "config.yaml").exists()
