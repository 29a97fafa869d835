"""Made-up experiment folders of any size: an event log, training logs of the compared runs, an experiment.yaml."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.results.conftest import BUDGET, SyntheticLog

EXAMPLES = [
    {"text": "the <b>cat</b> sat & slept", "score": 7.25, "age": 3, "times_seen": 12},
    {"text": "a dog ran", "score": 1.5, "age": 0, "times_seen": 2},
]

RUNGS = (BUDGET // 3, BUDGET)


def make_search(
    folder: Path, trials: int, *, seeds: int = 3, sleeps: int = 10, paradigms: Sequence[str] = (), seed: int = 0
) -> SyntheticLog:
    """Write a search of `trials` trials (one in seven failed, the last still running) and its runs over fresh seeds.

    With names of `paradigms`, the runs kept their answers to 40 items of each, of BLiMP.
    """
    log, rng = SyntheticLog(folder), np.random.default_rng(seed)
    log.open(name=folder.name, parameters={"sleep.folds": {}, "sleep.replay.ratio": {}, "sleep.replay.strategy": {}})
    for number in range(1, trials + 1):
        name = f"t{number:04d}"
        folds, ratio = int(rng.choice([5, 10, 20])), float(rng.uniform(0.05, 0.8))
        strategy = str(rng.choice(["strict", "weighted", "random"]))
        parameters = {"sleep.folds": folds, "sleep.replay.ratio": ratio, "sleep.replay.strategy": strategy}
        log.ask(name, parameters=parameters)
        value = 4.0 + (ratio - 0.4) ** 2 + 0.3 / folds + float(rng.normal(0, 0.02))
        if number == trials:
            continue
        if number % 7 == 0:
            log.event("failed", name, 1, kind="diverged", reason="the loss became <nan> & stayed so", log=None)
            continue
        kept = number % 3 == 0
        log.rung(name, RUNGS[0], decision="continue" if kept else "stop", nll=value + 1)
        if kept:
            log.rung(name, RUNGS[1], nll=value)
            log.complete(name, {"eval/nll": value})
        else:
            log.event("stopped", name, 1, reason="not among the best", outcome=None)
    for at in range(seeds):
        base = 4.2 + float(rng.normal(0, 0.02))
        for arm, role, effect in (
            ("epochs", "baseline", 0.0),
            ("as_epochs", "baseline", 0.0),
            ("t0003", "finalist", -0.1),
        ):
            parameters = {"sleep.folds": 5, "sleep.replay.ratio": 0.4} if role == "finalist" else {}
            run = log.folder / "trials" / f"{arm}-s{at}"
            write_training_log(run, sleeps if arm != "epochs" else 0, nll=base + effect + float(rng.normal(0, 0.02)))
            scores = {"babylm/blimp_fast": write_answers(run, paradigms, effect, rng)} if paradigms else {}
            nll = base + effect + float(rng.normal(0, 0.01))
            log.run(arm, at, nll, 0.8, role=role, parameters=parameters, metrics=scores)
    return log


def write_answers(
    run: Path, paradigms: Sequence[str], effect: float, rng: np.random.Generator, *, items: int = 40
) -> float:
    """Write a run's answers to BLiMP's items and return its score in percent; paradigms differ in how easy they are."""
    easy = np.linspace(0.45, 0.95, len(paradigms)) - effect * np.linspace(-0.5, 2.0, len(paradigms))
    right = rng.random((len(paradigms), items)) < easy[:, None]
    table = pd.DataFrame({"uid": np.repeat(paradigms, items), "id": np.tile(np.arange(items), len(paradigms))})
    (run / "eval").mkdir()
    table.assign(task="blimp_fast", text="", correct=right.ravel().astype(float)).to_parquet(run / "eval/items.parquet")
    return 100.0 * float(right.mean())


def write_training_log(run: Path, sleeps: int, *, nll: float = 4.0, torn: bool = False) -> None:
    """Write a run's metrics.jsonl: an evaluation at each rung, `nll` at the end, twenty lines of losses, its sleeps."""
    run.mkdir(parents=True)
    lines: list[dict[str, Any]] = []
    for step in range(1, 21):
        words = BUDGET * step // 20
        phase = "sleep" if sleeps and step % 2 == 0 else "wake"
        head = {"words_seen": words, "updates": step, "phase": phase, "cycle": step // 2, "pass_index": 0, "fold": 0}
        rate = 1e-3 * (1 - step / 21)
        lines.append({"kind": "phase", **head, "batches": 4, "learning_rate": rate})
        lines.append({"kind": "train", **head, "loss": 9 / step, f"loss/{phase}": 9 / step, "learning_rate": 1e-3})
        if step % 2 == 0 and step // 2 <= sleeps:
            sleep: dict[str, Any] = {
                "cycle": step // 2,
                "buffer_size": 30,
                "candidates": 100,
                "words": 900,
                "batches": 2,
            }
            sleep |= {"mean_score": 5.0, "mean_age": step / 4, "sources": {"tales": 0.75, "talk": 0.25, "songs": 0.0}}
            sleep |= {"corpus": {"tales": 0.5, "talk": 0.4, "songs": 0.1}}
            lines.append({"kind": "sleep", **sleep, "exposures": [0, 60, 30, 10 + step], "examples": EXAMPLES})
    for rung in RUNGS:
        head = {"words_seen": rung, "phase": "wake", "cycle": 0, "split": "dev", "rung": rung}
        lines.append({"kind": "eval", **head, "metrics": {"eval/nll": nll + 1 - rung / BUDGET}})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (run / "metrics.jsonl").write_text(text[:-40] if torn else text, encoding="utf-8")
