"""A search from its space file to its end: read and check it, plan it, run its trials.

Importing this module starts nothing and imports no Ray.
"""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.config.options import options
from sleep_tune.config.schema import ModelConfig, RunConfig
from sleep_tune.config.tracking_options import note_on_tracking
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.console import PlainConsole
from sleep_tune.errors import ConfigError, UserError
from sleep_tune.experiment.event_log import LOG
from sleep_tune.experiment.experiment_file import EXPERIMENT
from sleep_tune.experiment.look_evidence import Judge
from sleep_tune.experiment.run_protocol import protocol_of_experiment
from sleep_tune.folder_lock import FolderLock
from sleep_tune.interrupts import catching, current
from sleep_tune.output_redirection import redirect_output, terminal
from sleep_tune.search.decide.assignments import Worker
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.experiment_identity import ExperimentIdentity
from sleep_tune.search.decide.stop_signals import Interrupted, should_end
from sleep_tune.search.decide.warm_start import WarmStart
from sleep_tune.search.monitor.display import Display
from sleep_tune.search.plan.calibration import calibrate
from sleep_tune.search.plan.done_runs import read_done
from sleep_tune.search.plan.seed_scatter import find_scatter
from sleep_tune.search.plan.speeds import Speed, find_speed, save_speed, scale_speed
from sleep_tune.search.run.disk import RESUMABLE, DiskWatch
from sleep_tune.search.run.launchers import LAUNCHERS, Launch
from sleep_tune.search.run.on_ray import cluster, own_ray
from sleep_tune.search.run.on_ray.cluster_checks import check_nodes
from sleep_tune.search.run.on_ray.slot_plan import Node, SlotPlan, count_slots, plan_slots, shared_memories
from sleep_tune.search.run.worker import (
    check_first_models,
    check_models,
    check_tracking,
    finish_killed_trials,
    list_unscored_tasks,
    remove_mirrored,
    summarize,
    train_worker,
    upload_command,
)
from sleep_tune.search.space.arm_settings import arm_settings
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.budget_check import budget_words, check_budget, check_search_ends, corpus_lines
from sleep_tune.search.space.search_space import Choice, CorpusSummary, Space
from sleep_tune.search.space.space_file import load_space, read_space
from sleep_tune.search.space.trial_configs import with_settings

if TYPE_CHECKING:
    from sleep_tune.search.plan.plan_record import Plan

__all__ = ["Interrupted", "PreparedSearch"]

COUNT_SECONDS = 2.0
"""How often the nodes of a joined cluster are listed."""

REFERENCE = "sleep.replay.reference"

TRACKERS, OFF = ("wandb", "tensorboard"), ("off", False)
"""Options of tracking that turn a tracker on, and their values that leave it off."""

DISK_SECONDS = 10.0
"""How often the disk is checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSearch:
    """A search whose space, base configuration and corpus were read and checked; `run` is the first to write.

    search = PreparedSearch.read(Path("search_spaces/demo.yaml"), ["name=mine"], Path("results"))
    search.run(launcher="ray", address=None)
    """

    space: Space
    base: RunConfig
    corpus: CorpusSummary
    folder: Path
    """Absolute path of results/<name>."""
    worker: Worker

    @classmethod
    def read(
        cls, given: Path | Mapping[str, Any], overrides: Sequence[str] | Mapping[str, Any], results: Path
    ) -> "PreparedSearch":
        """Read the space and prepare the corpus, once for all trials.

        Args:
            given: the space's YAML file, or what one would hold.
            overrides: `key=value` texts, or a mapping from such keys to values.
            results: the folder of all experiments.

        Raises:
            UserError: a mistake in the file, the overrides, or the corpus.
        """
        if isinstance(given, Path):
            space = load_space(given, overrides, results)
        else:
            space = read_space(given, overrides, results)
        folder = (results / space.name).absolute()
        base = compose_base(space, protocol_of_experiment(folder))
        options()["run.dir"].check(str(folder))  # once here, instead of in every trial
        check_first_models(_distinct_models(space, base))
        return cls(space=space, base=base, corpus=summarize(base), folder=folder, worker=train_worker)

    def plan(
        self, *, launcher: str, address: str | None, calibrated: bool = False, earlier: Path | None = None
    ) -> "Plan":
        """Return what would run, without running it.

        Args:
            launcher: a name in `LAUNCHERS`.
            address: the Ray cluster that would be joined; None for a Ray on this machine.
            calibrated: measure this machine's speed first, by half a minute of training.
            earlier: folder of an experiment that shows the scatter over seeds; None: this one, or those of warm_start.

        Raises:
            UserError: the budget or the cluster is too small, or a folder holds another study.
            TrialFailure: the base cannot be trained (with `calibrated`).
        """
        from sleep_tune.search.plan.plan_record import Slots  # with scipy, which a search does not need
        from sleep_tune.search.plan.search_plan import make_plan

        check_budget(self.space, self.base, self.corpus)
        done = read_done(self.folder, self.space, self.base, self.corpus)
        sources = [source for source in self.space.warm_start if done is None or source not in done.warmed]
        budget = budget_words(self.base, self.corpus)
        WarmStart(self.space, self.base, self.corpus, budget).read(sources, self.folder)
        others = [self.folder, *map(Path, sources)]
        scatter = find_scatter(earlier, others, self.space.objective.metric)
        check_tracking(self.base.tracking)
        check_models(_distinct_models(self.space, self.base))
        with contextlib.ExitStack() as stack:
            warn = _warner(PlainConsole(file=stack.enter_context(terminal())))
            nodes = [cluster.this_machine()]
            if address is not None or calibrated:
                stack.enter_context(redirect_output(Path(os.devnull)))
            if address is not None:
                nodes = stack.enter_context(cluster.join_cluster(address, warn))
            slot_plan = _plan_slots(self.space, nodes, launcher)
            check_search_ends(self.space, slot_plan.gpus)
            speed = self._speed(slot_plan, calibrated=calibrated)
        slots = Slots(slot_plan.slots, slot_plan.gpus, slot_plan.describe())
        return make_plan(self.space, self.base, self.corpus, slots=slots, speed=speed, scatter=scatter, done=done)

    def _speed(self, slot_plan: SlotPlan, *, calibrated: bool) -> Speed | None:
        results, workers = self.folder.parent, slot_plan.workers
        if not calibrated:
            return find_speed(results, self.base, workers, on_gpu=slot_plan.gpus > 0)
        one_worker = calibrate(self.base, self.corpus, self.worker, threads=slot_plan.cpus_per_worker)
        speed = scale_speed(one_worker, workers)
        save_speed(results, self.base, workers, speed)
        return speed

    def run(self, *, launcher: str, address: str | None, judge: Judge | None = None) -> None:
        """Run the search to its end, or resume it; return at once if it has ended.

        Args:
            launcher: a name in `LAUNCHERS`.
            address: a Ray cluster to join; None starts one on this machine.
            judge: says at a look which arms are decided. Without one, all arms get the seeds of the last look.

        Raises:
            UserError: see `Director` and `cluster`. If no trial has run, the files of a new experiment are removed.
            Interrupted: a signal ended this session.
        """
        with contextlib.ExitStack() as stack:
            lock = stack.enter_context(FolderLock(self.folder))
            session = stack.enter_context(_removed_if_refused(lock))
            console = PlainConsole(file=stack.enter_context(terminal(lambda: current().hang_up())))
            nodes = [cluster.this_machine()]
            if address is not None:
                stack.enter_context(redirect_output(self.folder / "logs" / "driver.log"))
                nodes = stack.enter_context(cluster.join_cluster(address, _warner(console)))
            slot_plan = _plan_slots(self.space, nodes, launcher)
            gained = self._gained_trackers()
            director = Director(
                self.space,
                self.base,
                self.corpus,
                self.folder,
                gpus=slot_plan.gpus,
                shared=shared_memories(slot_plan, nodes),
                lock=lock,
                judge=judge,
            )
            stack.callback(director.close)
            session.director = director
            if director.finished:
                self._settle(director, slot_plan.workers)
                return
            if address is None:
                stack.enter_context(redirect_output(self.folder / "logs" / "driver.log"))
            elif launcher == "ray":
                data = self.base.data
                folders = [data.dataset] if data.dataset and Path(data.dataset).is_dir() else []
                check_nodes(self.folder, [Path(path) for path in (*data.paths, *folders)])
            check_tracking(self.base.tracking)
            self._announce(console, slot_plan, gained, starts_ray=launcher == "ray" and address is None)
            interrupts = stack.enter_context(catching())
            display = stack.enter_context(Display(director, slot_plan.slots, console))
            disk = DiskWatch(director)
            slots = _slots_now(slot_plan) if address is not None else lambda: slot_plan.slots
            launch = Launch(
                director=director,
                worker=self.worker,
                slot_plan=slot_plan,
                nodes=nodes,
                joined=address is not None,
                logs=self.folder / "logs",
                slots=slots,
                interrupted=lambda: should_end(director, interrupts),
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
            self._settle(director, slot_plan.workers)
            console.print(disk.summary(), highlight=False, soft_wrap=True)
            command = upload_command(self.base.tracking, self.folder / "trials")
            if command is not None:
                console.print(f"tracked offline; upload with: {command}", highlight=False, soft_wrap=True)

    def _gained_trackers(self) -> list[str]:
        """Return the trackers that the folder's search did not have so far; none for a new search."""
        if not (self.folder / EXPERIMENT).exists():
            return []
        before, now = ExperimentIdentity(self.folder).tree["tracking"], to_dict(self.base)["tracking"]
        return [name for name in TRACKERS if before[name] in OFF and now[name] not in OFF]

    def _announce(self, console: PlainConsole, slot_plan: SlotPlan, gained: Sequence[str], *, starts_ray: bool) -> None:
        """Print where results go, the slots, what the text is, and what the user should know before trials start."""
        lines = [f"{self.folder}: {slot_plan.describe()}"]
        if gained:
            lines.append(f"note: runs are tracked from now on ({', '.join(gained)}); those that have ended are not")
        unread = note_on_tracking(self.base.tracking)
        lines += [f"note: {unread}"] if unread else []
        lines += [f"note: {note}" for note in (own_ray.startup_notes() if starts_ray else ())]
        lines += corpus_lines(self.base, self.corpus)
        lines += ["starting Ray"] if starts_ray else []
        for line in lines:
            console.print(line, highlight=False, soft_wrap=True, markup=False)
        check_models(_distinct_models(self.space, self.base))
        for reason in list_unscored_tasks(self.base):  # this takes seconds, so the lines above are printed first
            console.print(f"warning: {reason}", highlight=False, soft_wrap=True, markup=False)

    def _settle(self, director: Director, processes: int) -> None:
        """Report the ends of trials to the trackers, and remove mirrored checkpoints that no trial needs any more."""
        trials, ended = self.folder / "trials", [trial for trial in director.trials.values() if trial.ended]
        finish_killed_trials(self.base.tracking, trials, ended)
        if self.base.training.mirror is not None:
            remove_mirrored(trials, [trial for trial in ended if trial.kind not in RESUMABLE], processes)


def _warner(console: PlainConsole) -> Callable[[str], None]:
    """Return a function that prints a warning to the console and to the driver's log."""

    def warn(sentence: str) -> None:
        console.print(f"warning: {sentence}", highlight=False, soft_wrap=True, markup=False)
        print(f"warning: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - into the driver's log

    return warn


def _distinct_models(space: Space, base: RunConfig) -> dict[str, RunConfig]:
    """Return configurations that differ in their first model or their reference model, by where they were given.

    They are the base, its arms, and the base with each reference model that is searched.
    """
    tree = to_dict(base)
    given = [(f"arms.{name}", f"arms.{name}", arm_settings(space, name) or {}) for name in space.arms]
    searched = next((each.domain for each in space.parameters if each.key == REFERENCE), None)
    for value in searched.values if isinstance(searched, Choice) else ():
        if value is not None:
            excess = {"sleep.replay.signal": "excess", "sleep.replay.normalise": "rank", REFERENCE: value}
            given.append((f"parameters.{REFERENCE}", f"{REFERENCE}={value}", excess))
    found = {"": base}
    for key, what, settings in given:
        with contextlib.suppress(ConfigError):  # of an arm like the best trial, which other settings may fit
            config = from_dict(with_settings(tree, settings))
            if all(_models(config) != _models(other) for other in found.values()):
                found[f"{space.where.get(key, key)}: {what}"] = config
    return found


def _models(config: RunConfig) -> tuple[ModelConfig, str, str | None]:
    return config.model, config.training.objective, config.sleep.replay.reference


def _plan_slots(space: Space, nodes: Sequence[Node], launcher: str) -> SlotPlan:
    if launcher == "inline":
        return SlotPlan(slots=1, workers=1, cpus_per_worker=nodes[0].cpus, gpus_per_worker=min(1.0, nodes[0].gpus))
    return plan_slots(space.resources, nodes)


def _slots_now(slot_plan: SlotPlan) -> Callable[[], int]:
    """Return a function that counts the slots of the joined cluster now; its nodes may come and go."""
    slots, asked = slot_plan.slots, time.monotonic()

    def count() -> int:
        nonlocal slots, asked
        if time.monotonic() - asked >= COUNT_SECONDS:
            slots, asked = count_slots(slot_plan, cluster.nodes()), time.monotonic()
        return slots

    return count


def _refresher(display: Display, slots: Callable[[], int], disk: DiskWatch) -> Callable[[], None]:
    checked = -math.inf

    def refresh() -> None:
        nonlocal checked
        if time.monotonic() - checked >= DISK_SECONDS:
            disk.watch()
            checked = time.monotonic()
        display.slots = slots()
        display.refresh()

    return refresh


@dataclass
class _Session:
    director: Director | None = None


@contextlib.contextmanager
def _removed_if_refused(lock: FolderLock) -> Iterator[_Session]:
    """Remove the files of a new experiment if a `UserError` ends the session before its first trial."""
    session = _Session()
    try:
        yield session
    except UserError:
        if lock.is_new and not (session.director and session.director.trials):
            # In this order: after a kill, experiment.yaml alone is resumed, but a log without it would be refused.
            lock.remove((LOG, "optuna.journal", "trials", "logs", EXPERIMENT))
        raise
