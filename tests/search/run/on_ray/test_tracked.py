"""A tracked search on Ray, whose worker, tracker and driver are killed: every line and every end is logged once."""

from pathlib import Path

import pytest

from tests.search.run.on_ray.driving import Driver
from tests.search.run.on_ray.runs import Watch
from tests.search.run.on_ray.test_faults import ROOT
from tests.training.wandb_files import Kept, closed_network, tracked_lines

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(900)]

SPACE = """\
base: {data: toy, data.sentences: 600, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 12,
       sleep: default, evaluation.samples: 16, evaluation.pairs: 24, training.save_model: false,
       training.checkpoint_ratio: 0.1, training.log_ratio: 0.02, training.device: cpu,
       tracking: wandb, tracking.tensorboard: true}
parameters:
  sleep.folds: {choice: [2, 3, 4, 5]}
scheduler: {name: asha, first_rung: 0.3, reduction: 3}
stop: {trials: 5}
baselines: {epochs: {}}
finalists: {count: 1, seeds: 1}
"""


def losses(run: Path) -> list[int]:
    """Return the words at each loss in TensorBoard's file."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [event.step for event in events.Scalars("loss")]


def test_a_search_has_every_line_of_every_run_once_though_its_parts_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "study.yaml").write_text(SPACE)
    folder = tmp_path / "results" / "study"
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    with closed_network() as (proxy, asked):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        killed = Driver(folder, command=[str(ROOT / "tune.py"), "study.yaml"])
        first = Watch(folder / "trials" / "t0001")
        killed.until(first.look)
        killed.named("ray::RayTrainWorker")[0].kill()
        killed.until(lambda: killed.attempts(2) == 1 and bool(killed.named("wandb-core")))
        killed.named("wandb-core")[-1].kill()
        killed.until(lambda: bool(killed.count("completed") + killed.count("stopped")))
        killed.process.kill()
        killed.wait()
        assert killed.leaves_nothing()
        driver = Driver(folder, command=[str(ROOT / "tune.py"), "study.yaml"])
        assert driver.wait() == 0, driver.output.read_text()
        assert driver.leaves_nothing()
    assert asked == []
    ends = {e["trial"]: e for e in driver.events() if e["event"] in ("completed", "stopped", "failed")}
    states = [end["event"] for end in ends.values()]
    assert set(states) == {"completed", "stopped"}
    for name, end in ends.items():
        run = folder / "trials" / name
        kept = Kept(run)
        assert kept.lines == tracked_lines(run), name
        assert kept.finished, name
        assert kept.summary["state"] == end["event"], name
        assert (kept.run.run_group, kept.run.display_name) == ("study", f"study/{name}")
        assert (kept.run.job_type, list(kept.run.tags)) == (end["role"], [end["role"], end["arm"]])
        assert losses(run) == sorted(set(losses(run))), name
        assert len(losses(run)) == (run / "metrics.jsonl").read_text(encoding="utf-8").count('"kind":"train"'), name
    assert not (tmp_path / "wandb").exists()
    assert "wandb" not in driver.output.read_text().replace("wandb sync", "").replace("wandb/offline-run", "")
