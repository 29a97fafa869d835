"""A real search whose every part is killed, again and again, at seeded random moments; then an account of every trial.

    python -m tests.benchmarks.bench_faults FOLDER          # 10 drivers, 3 of each other part: about 10 minutes
    python -m tests.benchmarks.bench_faults FOLDER --drivers 3 --others 1

Two slots, real training with a checkpoint at each 5% of the budget. A session ends when its driver is killed with
SIGKILL, or with the whole cluster (its raylet or its GCS); before that, some lose a worker, a slot's actor or the
mailbox actor. The same command resumes each time. At the end: whether every trial ended once, whether an ended one was
started again, whether any run went back behind its last complete checkpoint, and whether runs that were killed have
the losses, bit for bit, of an undisturbed search.
"""

import argparse
import contextlib
import json
import math
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.search.run.on_ray.driving import Driver
from tests.search.run.on_ray.runs import Watch, losses, train_again

ROOT = Path(__file__).parents[2]

SPACE = """\
base: {data: toy, data.sentences: 600, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 16,
       sleep: default, evaluation.samples: 16, evaluation.pairs: 24, training.save_model: false,
       training.checkpoint_ratio: 0.05, training.log_ratio: 0.02, training.device: cpu}
parameters:
  sleep.folds: {choice: [2, 3, 4]}
  sleep.replay.strategy: {choice: [strict, weighted]}
stop: {trials: 5}
baselines: {epochs: {}}
finalists: {count: 1, seeds: 2}
resources: {max_retries: 20}
"""

PARTS = {
    "worker": "ray::RayTrainWorker",
    "slot": "ray::ResourceTrainable",
    "mailbox": "ray::Mailboxes",
    "raylet": "raylet",
    "gcs": "gcs_server",
}
"""What is killed -> how its process is called."""

WHOLE = ("raylet", "gcs")
"""With one of these dead there is no cluster any more: the driver is to end by itself."""

HANGS_SECONDS = 180.0
"""A driver that has not ended so long after its cluster counts as hanging."""


class Account:
    """What was killed when, and what must hold of every run at every moment; kept in a file between two sessions."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "account.json"
        kept = json.loads(self._file.read_text()) if self._file.exists() else {}
        self.sessions: int = kept.get("sessions", 0)
        self.seconds: float = kept.get("seconds", 0.0)
        self.killed: Counter[str] = Counter(kept.get("killed", {}))
        self.ended_alone: list[float] = kept.get("ended_alone", [])
        self.broken: list[str] = kept.get("broken", [])
        self._experiment = folder / "results" / "faults"
        self._runs: dict[str, Watch] = {}

    def look(self) -> None:
        """Look at every run's record."""
        for run in self._experiment.glob("trials/*"):
            try:
                self._runs.setdefault(run.name, Watch(run)).look()
            except AssertionError as error:
                self.broken.append(str(error))

    def save(self) -> None:
        """Keep what is known."""
        told = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        self._file.write_text(json.dumps(told))


def is_there(driver: Driver, part: str) -> bool:
    """Whether the search has such a process now."""
    return bool(driver.named(PARTS[part]))


def session(driver: Driver, account: Account, parts: Sequence[str], moments: random.Random) -> bool:
    """Drive one session to its violent end; False if the search was done before."""
    before = len(driver.events())

    def begun() -> bool:
        account.look()
        return driver.process.poll() is not None or any(e["event"] == "started" for e in driver.events()[before:])

    while not begun():
        driver.look()
        time.sleep(0.1)
    for part in [*parts, "driver"]:
        end = time.monotonic() + moments.uniform(1, 6)
        while time.monotonic() < end and driver.process.poll() is None:
            account.look()
            time.sleep(0.1)
        if driver.process.poll() is not None:
            return False
        if part == "driver":
            driver.process.kill()
            driver.wait()
        else:
            driver.until(partial(is_there, driver, part))
            moments.choice(driver.named(PARTS[part])).kill()
        account.killed[part] += 1
        if part in WHOLE:
            began = time.monotonic()
            while driver.process.poll() is None and time.monotonic() - began < HANGS_SECONDS:
                time.sleep(0.1)
            if driver.process.poll() is None:
                account.broken.append(f"a driver whose {part} was killed did not end within {HANGS_SECONDS:.0f} s")
                driver.process.kill()
                driver.wait()
            account.ended_alone.append(time.monotonic() - began)
            break
    if not driver.leaves_nothing():
        account.broken.append("processes of a killed search stayed")
    return True


def plan(drivers: int, others: int, moments: random.Random) -> list[list[str]]:
    """Which parts each session loses before its driver."""
    sessions: list[list[str]] = [[] for _ in range(drivers)]
    for part in ("worker", "slot", "mailbox"):
        for number in moments.sample(range(drivers), min(others, drivers)):
            sessions[number].append(part)
    for parts in sessions:
        moments.shuffle(parts)
    sessions[drivers // 3 : drivers // 3] = [["raylet"]]
    sessions[2 * drivers // 3 : 2 * drivers // 3] = [["gcs"]]
    return sessions


def main(arguments: Sequence[str]) -> int:
    """Kill, finish, and account."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where everything is kept; the same command again resumes there")
    parser.add_argument("--drivers", type=int, default=10, help="drivers that are killed, at least 3")
    parser.add_argument("--others", type=int, default=3, help="workers, slots and mailboxes that are killed, of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop between two sessions after so long")
    given = parser.parse_args(arguments)
    folder = given.folder.absolute()
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "faults.yaml").write_text(SPACE)
    account = Account(folder)
    began = time.monotonic()
    plans = plan(given.drivers, given.others, random.Random(given.seed))
    while account.sessions < len(plans):
        started = time.monotonic()
        if started - began > 60 * given.minutes:
            print(f"{account.sessions} of {len(plans)} sessions are over; the same command resumes")
            return 0
        driver = Driver(folder / "results" / "faults", command=[str(ROOT / "tune.py"), "faults.yaml"])
        moments = random.Random(f"{given.seed} {account.sessions}")
        was_killed = session(driver, account, plans[account.sessions], moments)
        account.sessions += 1
        account.seconds += time.monotonic() - started
        account.save()
        if not was_killed:
            print("the search was done before everything was killed")
            break
    started = time.monotonic()
    driver = Driver(folder / "results" / "faults", command=[str(ROOT / "tune.py"), "faults.yaml"])
    while driver.process.poll() is None:
        account.look()
        time.sleep(0.1)
    account.seconds += time.monotonic() - started
    code = driver.process.returncode
    if code:
        print(driver.output.read_text()[-3000:])
        return code
    report(driver, account)
    return bool(account.broken)


def report(driver: Driver, account: Account) -> None:
    """Print what was killed and what became of every trial."""
    events = driver.events()
    killed = ", ".join(f"{number} x {part}" for part, number in account.killed.items())
    print(f"killed in {account.sessions} sessions ({account.seconds:.0f} s in all): {killed}")
    alone = ", ".join(f"{each:.0f} s" for each in account.ended_alone)
    print(f"drivers whose cluster was killed ended by themselves after {alone or 'none'}")
    ends = Counter(e["trial"] for e in events if e["event"] in ("completed", "stopped", "failed", "refused"))
    asked = [e["trial"] for e in events if e["event"] == "asked"]
    starts = Counter(e["trial"] for e in events if e["event"] == "started")
    print(f"{len(asked)} trials asked for, {len(ends)} ended, {sum(ends.values())} ends, {starts.total()} attempts")
    ended: set[str] = set()
    again = []
    for event in events:
        if event["event"] in ("completed", "stopped", "failed", "refused"):
            ended.add(event["trial"])
        elif event["event"] == "started" and event["trial"] in ended:
            again.append(event["trial"])
    print(f"ended trials that were started again: {again or 'none'}")
    print(f"broken (a run behind its last complete checkpoint, a driver that hung, a process left): {account.broken}")
    print("ends: " + ", ".join(f"{n} {what}" for what, n in Counter(_ends(events)).items()))
    whole = [name for name in starts if (driver.folder / "trials" / name / "outcome.json").exists()]
    most = max(whole, key=lambda name: starts[name])
    with tempfile.TemporaryDirectory() as undisturbed:
        train_again(driver.folder / "trials" / most, Path(undisturbed) / "run")
        same = losses(driver.folder / "trials" / most) == losses(Path(undisturbed) / "run")
    print(
        f"{most}, after {starts[most]} attempts, has {'exactly the' if same else 'OTHER'} losses of a run undisturbed"
    )


def _ends(events: list[dict[str, object]]) -> list[str]:
    return [str(e["event"]) for e in events if e["event"] in ("completed", "stopped", "failed", "refused")]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
