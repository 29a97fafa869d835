"""From a space to a finished search: who runs the trials, what a signal does, where all noise goes.

Importing this module starts nothing and imports no Ray; only the launcher that needs it does.
"""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.console import PlainConsole
from sleep_tune.errors import UserError
from sleep_tune.experiment.event_log import LOG
from sleep_tune.experiment.experiment_file import EXPERIMENT
from sleep_tune.folder_lock import FolderLock
from sleep_tune.interrupts import catching, current
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.work import Worker
from sleep_tune.search.monitor.display import Display
from sleep_tune.search.plan.calibration import calibrate
from sleep_tune.search.plan.search_plan import Plan, Slots, make_plan
from sleep_tune.search.plan.speeds import Speed, find_speed, save_speed, scale_speed
from sleep_tune.search.run.disk import MAY_GO_ON, Disk
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.run.on_ray import cluster, own_ray
from sleep_tune.search.run.on_ray.cluster_checks import check_nodes
from sleep_tune.search.run.on_ray.slot_plan import Node, Seats, count_slots, plan_seats
from sleep_tune.search.run.output_redirection import printing_to, terminal
from sleep_tune.search.run.stop_signals import Interrupted, is_over
from sleep_tune.search.run.worker import (
    check_trackers,
    left_out,
    remove_mirrored,
    settle_trackers,
    summarize,
    sync_command,
    train_worker,
)
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.budget_check import check_budget
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.space_file import load_space

__all__ = ["LAUNCHERS", "Interrupted", "Launch", "Study"]


COUNT_SECONDS = 2.0
"""How often a cluster is asked for its nodes."""

WATCH_SECONDS = 10.0
"""How often the disk is looked after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a launcher needs to run a search's trials."""

    director: Director
    worker: Worker
    seats: Seats
    nodes: list[Node]
    joined: bool
    """Whether the process belongs to a Ray cluster already."""
    logs: Path
    slots: Callable[[], int]
    """How many trials may run now."""
    interrupted: Callable[[], bool]
    """Whether to let everything go; asked again and again."""
    refresh: Callable[[], None]
    """Called about ten times a second."""


def _inline(launch: Launch) -> None:
    def refresh() -> None:
        launch.refresh()
        if launch.interrupted():
            current().end()

    with current().waiting():
        run_inline(launch.director, launch.worker, refresh)


def _ray(launch: Launch) -> None:
    with contextlib.ExitStack() as stack:
        stack.callback(current().install)  # Ray takes SIGTERM for itself when it starts, and gives it up when it ends
        if not launch.joined:
            stack.enter_context(own_ray.started(launch.nodes[0]))
        current().install()
        from sleep_tune.search.run.on_ray import tuner

        tuner.run(
            launch.director,
            launch.worker,
            launch.seats,
            logs=launch.logs,
            slots=launch.slots,
            interrupted=launch.interrupted,
            tick=launch.refresh,
        )


LAUNCHERS: dict[str, Callable[[Launch], None]] = {"inline": _inline, "ray": _ray}
"""Who runs the trials: this process, one at a time, or Ray on warm slots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A search as it is asked for, read and checked; nothing is written before `run`."""

    space: Space
    base: RunConfig
    corpus: CorpusSummary
    folder: Path
    worker: Worker

    @classmethod
    def read(cls, path: Path, overrides: Sequence[str], results: Path) -> "Study":
        """Read the space's file and prepare the corpus, once for every trial.

        Args:
            path: of the YAML file.
            overrides: `key=value` texts.
            results: the folder that holds the experiment's.

        Raises:
            UserError: a mistake in the file, the overrides, or the corpus.
        """
        space = load_space(path, overrides)
        base = compose_base(space)
        folder = (results / space.name).absolute()
        options()["run.dir"].check(str(folder))  # else every trial's would be refused, one after another
        return cls(space=space, base=base, corpus=summarize(base), folder=folder, worker=train_worker)

    def plan(self, *, launcher: str, address: str | None, calibrated: bool = False) -> Plan:
        """What would run, without running it.

        Args:
            launcher: a name in `LAUNCHERS`.
            address: a Ray cluster that would be joined.
            calibrated: measure this machine's speed first, by half a minute of training.

        Raises:
            UserError: what the budget or the cluster cannot hold.
            TrialFailure: the base cannot be trained (with `calibrated`).
        """
        check_budget(self.space, self.base, self.corpus)
        with contextlib.ExitStack() as stack:
            warn = _warner(PlainConsole(file=stack.enter_context(terminal())))
            nodes = [cluster.this_machine()]
            if address is not None or calibrated:
                stack.enter_context(printing_to(Path(os.devnull)))
            if address is not None:
                nodes = stack.enter_context(cluster.joined(address, warn))
            seats = _seats(self.space, nodes, launcher)
            speed = self._speed(seats, calibrated=calibrated)
        slots = Slots(seats.slots, seats.gpus, seats.describe())
        return make_plan(self.space, self.base, self.corpus, slots=slots, speed=speed)

    def _speed(self, seats: Seats, *, calibrated: bool) -> Speed | None:
        results, workers = self.folder.parent, seats.workers
        if calibrated:
            one = calibrate(self.base, self.corpus, self.worker, threads=seats.cpus_per_worker)
            speed = scale_speed(one, workers)
            save_speed(results, self.base, workers, speed)
            return speed
        return find_speed(results, self.base, workers, on_gpu=seats.gpus > 0)

    def run(self, *, launcher: str, address: str | None) -> None:
        """Run the search to its end, or go on with it; returns at once if it has ended.

        Args:
            launcher: a name in `LAUNCHERS`.
            address: a Ray cluster to join; None starts one on this machine.

        Raises:
            UserError: see `Director` and `cluster`. What was made for a search that trained nothing is removed.
            Interrupted: a signal ended this session.
        """
        with contextlib.ExitStack() as stack:
            lock = stack.enter_context(FolderLock(self.folder))
            fresh = stack.enter_context(_fresh(lock))
            console = PlainConsole(file=stack.enter_context(terminal(lambda: current().hang_up())))
            nodes = [cluster.this_machine()]
            if address is not None:
                stack.enter_context(printing_to(self.folder / "logs" / "driver.log"))
                nodes = stack.enter_context(cluster.joined(address, _warner(console)))
            seats = _seats(self.space, nodes, launcher)
            director = Director(self.space, self.base, self.corpus, self.folder, gpus=seats.gpus, lock=lock)
            stack.callback(director.close)
            fresh.director = director
            if director.finished:
                self._settle(director, seats.workers)
                return
            if address is None:
                stack.enter_context(printing_to(self.folder / "logs" / "driver.log"))
            elif launcher == "ray":
                check_nodes(self.folder, [Path(path) for path in (self.base.data.path,) if path is not None])
            check_trackers(self.base.tracking)
            console.print(f"{self.folder}: {seats.describe()}", highlight=False, soft_wrap=True)
            if launcher == "ray" and address is None:
                for note in own_ray.notes():
                    console.print(f"note: {note}", highlight=False, soft_wrap=True, markup=False)
            for line in self.corpus.description:
                console.print(line, highlight=False, soft_wrap=True, markup=False)
            for reason in left_out(self.base):
                console.print(f"beware: {reason}", highlight=False, soft_wrap=True)
            interrupts = stack.enter_context(catching())
            display = stack.enter_context(Display(director, seats.slots, console))
            disk = Disk(director)
            slots = _elastic(seats) if address is not None else lambda: seats.slots
            launch = Launch(
                director=director,
                worker=self.worker,
                seats=seats,
                nodes=nodes,
                joined=address is not None,
                logs=self.folder / "logs",
                slots=slots,
                interrupted=lambda: is_over(director, interrupts),
                refresh=_refresher(display, slots, disk),
            )
            try:
                LAUNCHERS[launcher](launch)
            except (KeyboardInterrupt, SystemExit):
                if not interrupts.have_come():
                    raise
            if interrupts.number is not None:
                raise Interrupted(interrupts.number)
            disk.watch()
            self._settle(director, seats.workers)
            console.print(disk.summary(), highlight=False, soft_wrap=True)
            command = sync_command(self.base.tracking, self.folder / "trials")
            if command is not None:
                console.print(f"tracked offline; upload with: {command}", highlight=False, soft_wrap=True)

    def _settle(self, director: Director, processes: int) -> None:
        trials, ended = self.folder / "trials", [trial for trial in director.trials.values() if trial.ended]
        settle_trackers(self.base.tracking, trials, ended)
        if self.base.training.mirror is not None:
            remove_mirrored(trials, [trial for trial in ended if trial.kind not in MAY_GO_ON], processes)


def _warner(console: PlainConsole) -> Callable[[str], None]:
    """Print warnings to the console, and to where this process's output goes."""

    def warn(sentence: str) -> None:
        console.print(f"warning: {sentence}", highlight=False, soft_wrap=True, markup=False)
        print(f"warning: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - into the driver's log

    return warn


def _seats(space: Space, nodes: Sequence[Node], launcher: str) -> Seats:
    if launcher == "inline":
        return Seats(slots=1, workers=1, cpus_per_worker=nodes[0].cpus, gpus_per_worker=min(1.0, nodes[0].gpus))
    return plan_seats(space.resources, nodes)


def _elastic(seats: Seats) -> Callable[[], int]:
    """How many trials the joined cluster holds now, asked of it every few seconds: nodes come and leave."""
    slots, asked = seats.slots, time.monotonic()

    def count() -> int:
        nonlocal slots, asked
        if time.monotonic() - asked >= COUNT_SECONDS:
            slots, asked = count_slots(seats, cluster.nodes()), time.monotonic()
        return slots

    return count


def _refresher(display: Display, slots: Callable[[], int], disk: Disk) -> Callable[[], None]:
    watched = -math.inf

    def refresh() -> None:
        nonlocal watched
        if time.monotonic() - watched >= WATCH_SECONDS:
            disk.watch()
            watched = time.monotonic()
        display.slots = slots()
        display.refresh()

    return refresh


@dataclass
class _Fresh:
    director: Director | None = None


@contextlib.contextmanager
def _fresh(lock: FolderLock) -> Iterator[_Fresh]:
    """Remove what this session made of a new experiment if the user's mistake ended it before a trial."""
    fresh = _Fresh()
    try:
        yield fresh
    except UserError:
        if lock.is_new and not (fresh.director and fresh.director.trials):
            # In this order: after a kill, experiment.yaml alone is resumed, but a log without it would be refused.
            lock.remove((LOG, "optuna.journal", "trials", "logs", EXPERIMENT))
        raise
