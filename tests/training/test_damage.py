"""Damage to the files of a paused run: it resumes as if nothing had happened, or ends with one message."""

import hashlib
import json
import logging
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import RunFolderError
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.run import train
from tests.training.runs import keep_training, make_config, read_lines, same_outcome, weigh

pytestmark = pytest.mark.slow

FILES = (
    *("complete.json", "config.json", "metrics.jsonl", "model.safetensors", "optimizer.pt", "rng_state.pth"),
    *("scheduler.pt", "stream.npz", "trainer_state.json", "training_args.bin"),
)
RUNGS = (0.5,)


class Hostile:
    """Leaves a trace if it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.trace}",)


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """A run that is not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, train(make_config(folder, rungs=RUNGS), keep_training, corpus=corpus, evaluate=weigh)


@pytest.fixture(scope="module")
def resting(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, paused halfway."""
    folder = tmp_path_factory.mktemp("resting") / "run"

    def pause(progress: Progress) -> Decision:
        return Decision.PAUSE if progress.rung is not None else Decision.CONTINUE

    assert train(make_config(folder, rungs=RUNGS), pause, corpus=corpus, evaluate=weigh).state == "paused"
    return folder


@pytest.fixture
def run(resting: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(resting, tmp_path / "run"))


def resume(run: Path, corpus: Corpus) -> Outcome:
    return train(make_config(run, rungs=RUNGS), keep_training, corpus=corpus, evaluate=weigh)


def checkpoints(run: Path) -> list[Path]:
    """The earlier one first."""
    return sorted(run.glob("attempt-*/checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))


def missing(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n{}")


DAMAGES = (missing, empty, truncated, flipped, a_folder, longer)


def reseal(folder: Path, change: Callable[[dict[str, Any]], None] = lambda content: None) -> None:
    """Rewrite the marker so that it matches the present files, as an attacker would."""
    marker = folder / "complete.json"
    content = json.loads(marker.read_text())
    del content["sha256"]
    content["files"] = {
        path.name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
        if path != marker
    }
    change(content)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    marker.write_text(json.dumps(content | {"sha256": digest}))


def test_a_checkpoint_holds_these_files_and_two_are_kept(resting: Path) -> None:
    """The parameters below would mean nothing if a file were forgotten."""
    assert [sorted(file.name for file in folder.iterdir()) for folder in checkpoints(resting)] == [sorted(FILES)] * 2


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(
    name: str, damage: Callable[[Path], None], run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    earlier, latest = checkpoints(run)
    damage(latest / name)
    found = find_latest(run)
    assert found is not None
    assert found.folder == earlier
    if not (name == "complete.json" and damage in (missing, a_folder)):  # as if it had never been completed
        assert f"{latest} is damaged: " in caplog.text
        assert name in caplog.text


def test_a_file_that_is_not_its_own_is_damage_too(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Transformers reads what it finds: scaler.pt, pytorch_model.bin, adapters."""
    latest = checkpoints(run)[1]
    (latest / "scaler.pt").write_bytes(b"")
    assert find_latest(run) is not None
    assert f"{latest} is damaged: scaler.pt is not one of its files" in caplog.text


@pytest.mark.parametrize("name", ["optimizer.pt", "metrics.jsonl"])
def test_the_run_is_the_same_from_the_earlier_checkpoint(
    name: str, run: Path, whole: tuple[Path, Outcome], corpus: Corpus
) -> None:
    """Loss for loss. In particular a lost optimizer.pt is not replaced by a fresh Adam."""
    missing(checkpoints(run)[1] / name)
    assert same_outcome(resume(run, corpus), whole[1])
    assert read_lines(run) == read_lines(whole[0])


@pytest.mark.parametrize("name", FILES)
def test_where_both_are_damaged_one_message_says_so(name: str, run: Path, corpus: Corpus) -> None:
    before = sorted(str(path.relative_to(run)) for path in run.rglob("*"))
    for folder in checkpoints(run):
        flipped(folder / name)
    with pytest.raises(RunFolderError) as refused:
        resume(run, corpus)
    assert f"{checkpoints(run)[1]} is damaged: {name}" in str(refused.value)
    assert f"remove {run}/attempt-* to train the run again" in str(refused.value)
    assert sorted(str(path.relative_to(run)) for path in run.rglob("*")) == [
        path for path in before if not path.endswith("writer")
    ]


def test_a_checkpoint_of_an_earlier_version_is_refused(run: Path) -> None:
    for folder in checkpoints(run):
        (folder / "complete.json").write_text(json.dumps({"identity": {}, "journal_bytes": 7, "seconds": 1.0}))
    with pytest.raises(RunFolderError, match=r"is damaged: an earlier version wrote it, which kept no SHA-256"):
        find_latest(run)


@pytest.mark.parametrize(
    "content",
    ["null", "[]", "7", '"text"', "{}", "{", "[" * 100_000, '{"files": 1, "state": 2, "sha256": 3}', b"\xff\xfe"],
    ids=range(9),
)
def test_a_marker_that_is_none_is_damage(content: str | bytes, run: Path) -> None:
    for folder in checkpoints(run):
        (folder / "complete.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RunFolderError, match=r"is damaged: complete\.json "):
        find_latest(run)


@pytest.mark.parametrize(
    "content",
    ["", "{", "7", "true", "[]", '"attempt-1"', '"../../elsewhere/checkpoint-3"', "[" * 100_000],
    ids=range(8),
)
def test_an_origin_that_is_none_is_refused(content: str, run: Path, corpus: Corpus) -> None:
    attempt = run / "attempt-2"
    attempt.mkdir()
    (attempt / "origin.json").write_text(content)
    with pytest.raises(RunFolderError, match=rf"origin\.json must name the checkpoint .* remove {attempt}"):
        resume(run, corpus)


def test_an_origin_that_is_gone_is_not_the_beginning(run: Path) -> None:
    (run / "attempt-2").mkdir()
    (run / "attempt-2" / "origin.json").write_text('"attempt-1/checkpoint-3"')
    shutil.rmtree(run / "attempt-1")
    with pytest.raises(RunFolderError, match=r"attempt-2 .* attempt-1/checkpoint-3, which is gone"):
        find_latest(run)


@pytest.mark.parametrize(
    ("name", "protocol"),
    [(name, protocol) for name in ("optimizer.pt", "scheduler.pt") for protocol in (0, 2, 4)]
    + [("rng_state.pth", 4), ("training_args.bin", 4)],
)
def test_a_hostile_pickle_runs_no_code_even_if_its_marker_was_rewritten(
    name: str, protocol: int, run: Path, corpus: Corpus, tmp_path: Path
) -> None:
    latest, trace = checkpoints(run)[1], tmp_path / "trace"
    if protocol == 4:
        torch.save(Hostile(trace), latest / name)
    else:
        (latest / name).write_bytes(pickle.dumps(Hostile(trace), protocol))
    reseal(latest)
    if name in ("rng_state.pth", "training_args.bin"):  # never read
        assert resume(run, corpus).state == "completed"
    else:
        with pytest.raises(RunFolderError, match=r"the state of the optimizer or of the scheduler cannot be used"):
            resume(run, corpus)
    assert not trace.exists()


def test_hostile_arrays_and_weights_run_no_code_either(run: Path, corpus: Corpus, tmp_path: Path) -> None:
    latest, trace = checkpoints(run)[1], tmp_path / "trace"
    stream = (latest / "stream.npz").read_bytes()
    hostile = np.empty(1, object)
    hostile[0] = Hostile(trace)
    for content in (pickle.dumps(Hostile(trace)), b"", b"PK\x05\x06" + bytes(18), None):
        if content is None:
            np.savez(latest / "stream.npz", scores=hostile)
        else:
            (latest / "stream.npz").write_bytes(content)
        reseal(latest)
        with pytest.raises(RunFolderError, match=r"stream\.npz cannot be used"):
            resume(run, corpus)
    (latest / "stream.npz").write_bytes(stream)
    (latest / "model.safetensors").write_bytes(pickle.dumps(Hostile(trace)))
    reseal(latest)
    with pytest.raises(RunFolderError, match=r"model\.safetensors cannot be used"):
        resume(run, corpus)
    assert not trace.exists()


def lose_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop(min(weights))
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def add_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"other": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})


def forget_moments(folder: Path) -> None:
    state = torch.load(folder / "optimizer.pt")
    torch.save(state | {"state": {}}, folder / "optimizer.pt")


def reshape_moments(folder: Path) -> None:
    state = torch.load(folder / "optimizer.pt")
    state["state"][0]["exp_avg"] = torch.zeros(1)
    torch.save(state, folder / "optimizer.pt")


def regroup(folder: Path) -> None:
    state = torch.load(folder / "optimizer.pt")
    state["param_groups"].pop()
    torch.save(state, folder / "optimizer.pt")


def other_object(folder: Path) -> None:
    torch.save({"nothing": 1}, folder / "optimizer.pt")


def trainer_state(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        values = json.loads((folder / "trainer_state.json").read_text())
        (folder / "trainer_state.json").write_text(json.dumps(values | changes))

    return change


def no_json(folder: Path) -> None:
    (folder / "trainer_state.json").write_text("{")


def no_object(folder: Path) -> None:
    (folder / "trainer_state.json").write_text("[1]")


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def a_bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "stream.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "scores.npy",
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000000,)}\n",
        )


def another_corpus(folder: Path) -> None:
    with np.load(folder / "stream.npz") as arrays:
        state = dict(arrays)
    np.savez(folder / "stream.npz", **state | {"scores": state["scores"][1:]})


def a_key_less(folder: Path) -> None:
    with np.load(folder / "stream.npz") as arrays:
        state = dict(arrays)
    state.pop("words_seen")
    np.savez(folder / "stream.npz", **state)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lose_weights, r"model\.safetensors cannot be used .*it holds no "),
        (add_weights, r"model\.safetensors cannot be used .*it holds other"),
        (broken_config, r"model\.safetensors cannot be used"),
        (forget_moments, r"the optimizer .* cannot be used .*no moments"),
        (reshape_moments, r"the optimizer .* cannot be used .*exp_avg is of shape \(1,\)"),
        (regroup, r"the optimizer .* cannot be used"),
        (other_object, r"the optimizer .* cannot be used"),
        (no_json, r"trainer_state\.json cannot be used"),
        (no_object, r"trainer_state\.json cannot be used"),
        (trainer_state(global_step=3), r"trainer_state\.json cannot be used .*global_step is 3"),
        (trainer_state(global_step="3"), r"trainer_state\.json cannot be used .*global_step is '3'"),
        (trainer_state(epoch="x"), r"trainer_state\.json cannot be used .*epoch is 'x'"),
        (trainer_state(other=1), r"trainer_state\.json cannot be used .*other"),
        (a_bomb, r"stream\.npz cannot be used"),
        (another_corpus, r"stream\.npz cannot be used .*the state is of"),
        (a_key_less, r"stream\.npz cannot be used .*words_seen"),
    ],
)
def test_what_is_no_checkpoint_of_this_run_is_refused_even_if_its_marker_was_rewritten(
    change: Callable[[Path], None], said: str, run: Path, corpus: Corpus
) -> None:
    latest = checkpoints(run)[1]
    change(latest)
    reseal(latest)
    with pytest.raises(RunFolderError, match=said):
        resume(run, corpus)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seconds", "x"),
        ("seconds", ...),
        ("num_tokens", 1.5),
        ("num_predicted", -1),
        ("meter", None),
        ("meter.sums", [1.0]),
        ("meter.counts", [1, "2"]),
        ("rates", 3),
        ("rates", [0, 2, 100, 1, 0.01]),
        ("shrinks_due", -1),
        ("guard.window", "x"),
        ("guard.up_since", True),
        ("guard.wake_is_up", 1),
        ("identity", []),
        ("identity.options", 3),
    ],
)
def test_a_state_of_another_shape_is_refused(key: str, value: object, run: Path, corpus: Corpus) -> None:
    def change(content: dict[str, Any]) -> None:
        *parents, name = key.split(".")
        section = content["state"]
        for parent in parents:
            section = section[parent]
        if value is ...:
            del section[name]
        else:
            section[name] = value

    reseal(checkpoints(run)[1], change)
    with pytest.raises(RunFolderError, match=rf"complete\.json cannot be used \(ValueError: {key}"):
        resume(run, corpus)


def test_a_checkpoint_of_a_version_without_rates_and_shrinking_is_resumed(
    run: Path, whole: tuple[Path, Outcome], corpus: Corpus
) -> None:
    def forget(content: dict[str, Any]) -> None:
        del content["state"]["rates"], content["state"]["shrinks_due"]

    reseal(checkpoints(run)[1], forget)
    assert same_outcome(resume(run, corpus), whole[1])
    assert read_lines(run, "train") == read_lines(whole[0], "train")


@pytest.mark.parametrize("damage", [missing, empty, truncated, flipped, longer], ids=lambda damage: damage.__name__)
def test_a_record_that_was_changed_is_put_back(
    damage: Callable[[Path], None],
    run: Path,
    whole: tuple[Path, Outcome],
    corpus: Corpus,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shutil.copy(checkpoints(run)[1] / "metrics.jsonl", run)  # without the line of the phase that the pause cut short
    damage(run / "metrics.jsonl")
    with caplog.at_level(logging.WARNING):
        assert same_outcome(resume(run, corpus), whole[1])
    assert read_lines(run) == read_lines(whole[0])
    assert ("metrics.jsonl no longer begins with the" in caplog.text) is (damage is not longer)


def test_another_configuration_is_refused_by_the_options_that_differ(run: Path, corpus: Corpus) -> None:
    config = make_config(run, rungs=RUNGS, learning_rate=0.005, seed=3)
    differences = r"training\.seed is 0 there, 3 here; training\.learning_rate is 0\.01 there, 0\.005 here"
    with pytest.raises(RunFolderError, match=rf"is of another run: {differences}\. Remove it"):
        train(config, keep_training, corpus=corpus, evaluate=weigh)


def test_an_option_that_an_earlier_version_did_not_have_counts_as_its_default(
    run: Path, whole: tuple[Path, Outcome], corpus: Corpus
) -> None:
    def forget(content: dict[str, Any]) -> None:
        del content["state"]["identity"]["options"]["training.save_model"]

    reseal(checkpoints(run)[1], forget)
    assert same_outcome(resume(run, corpus), whole[1])
