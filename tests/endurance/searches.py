"""A small real search for the scripts of this folder, and a summary of what happened to it."""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.search.run.on_ray.driving import Driver

__all__ = ["TUNE", "account", "decisions", "drive", "finish_inline", "has_reported", "parser", "read_log"]

TUNE = Path(__file__).parents[2] / "tune.py"

SPACE = """\
base: {data: toy, data.sentences: 600, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 8,
       sleep: default, evaluation.samples: 16, evaluation.pairs: 24, training.save_model: false,
       training.checkpoint_ratio: 0.05, training.log_ratio: 0.05, training.device: cpu, training.threads: 1}
parameters:
  sleep.folds: {choice: [2, 3, 4]}
  sleep.replay.strategy: {choice: [strict, weighted]}
stop: {trials: 3}
baselines: {epochs: {}}
finalists: {count: 1, seeds: 2}
resources: {cpus_per_worker: 2, max_retries: 3}
"""
"""With one slot, so that the decisions do not depend on how long something was stopped."""

ENDS = ("completed", "stopped", "failed", "refused")


def parser(doc: str | None, cases: str = "", names: Iterable[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of a script of this folder.

    Args:
        doc: the script's docstring.
        cases: name of the argument that chooses cases, such as "parts"; empty for a script without cases.
        names: the cases that can be chosen; all of them run unless some are given.
    """
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "folder",
        type=lambda text: Path(text).absolute(),
        help="where the searches are kept; the undisturbed one in it is reused",
    )
    if cases:
        made.add_argument(cases, nargs="*", help=f"of {', '.join(names)}; all of them unless given")
    return made


def drive(folder: Path, *overrides: str, launcher: str = "ray") -> Driver:
    """Start or resume the search in its own process; its output is in results/output.txt.

    Args:
        folder: of this search only.
        overrides: of the space, as `key=value`.
        launcher: ray or inline.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_text(SPACE)
    (folder / "results").mkdir(exist_ok=True)
    command = [str(TUNE), "study.yaml", "--launcher", launcher, *overrides]
    return Driver(folder / "results" / "study", command=command)


def finish_inline(folder: Path, *overrides: str) -> list[dict[str, Any]]:
    """Run the search undisturbed, without Ray, and return its events."""
    driver = drive(folder, *overrides, launcher="inline")
    assert driver.process.wait() == 0, driver.output.read_text()[-2000:]
    return read_log(driver)


def read_log(driver: Driver) -> list[dict[str, Any]]:
    """Return the search's events."""
    lines = (driver.folder / "trials.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def decisions(events: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return each trial's settings, its values at rungs and at its end, and how it ended, without times."""
    made: dict[str, list[Any]] = {}
    for event in events:
        if event.get("trial") is None:
            continue
        data = event["data"]
        if event["event"] == "asked":
            made[event["trial"]] = [event["arm"], event["seed"], data["parameters"], {}]
        elif event["event"] == "report":
            made[event["trial"]][3].setdefault(data["rung"], data["value"])
        elif event["event"] in ENDS:
            made[event["trial"]] += [event["event"], data.get("value"), data.get("kind")]
    return [(name, *what) for name, what in made.items()]


def account(driver: Driver, undisturbed: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield lines about what happened to the search, and how it differs from the undisturbed one."""
    events = read_log(driver)
    same = decisions(events) == decisions(undisturbed)
    yield f"exit code {driver.process.returncode}; trials {'the same as' if same else 'OTHER than'} undisturbed"
    starts, ended = Counter(e["trial"] for e in events if e["event"] == "started"), set[str]()
    again = []
    for event in events:
        if event["event"] in ENDS:
            ended.add(event["trial"])
        elif event["event"] == "started" and event["trial"] in ended:
            again.append(event["trial"])
    after = Counter(e["data"]["after"] for e in events if e["event"] == "started" and e["data"]["after"])
    yield f"{len(ended)} trials ended, {starts.total()} attempts, {dict(after) or 'none'} of them after an interruption"
    yield f"trained again after their end: {again or 'none'}"
    kinds = Counter(e["data"].get("kind") for e in events if e["event"] == "failed")
    yield f"failed: {dict(kinds) or 'none'}"
    ends = [e["data"] for e in events if e["event"] in ENDS]
    seconds = [(data.get("outcome") or data).get("seconds") or 0.0 for data in ends]
    sessions = sum(e["event"] in ("opened", "resumed") for e in events)
    wall = events[-1]["time"] - events[0]["time"]
    took = f"{sum(seconds):.0f} s, the longest {max(seconds, default=0):.0f} s"
    yield f"{sessions} sessions, {wall:.0f} s; by their own clocks the trials took {took}"


def has_reported(driver: Driver) -> bool:
    """Return whether a rung of a trial has been reached."""
    return driver.count("report") > 0
