"""The real worker: the only file of the search that knows training and data, and only while they run."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.experiment.run_folder import CONFIG, read_config, record
from sleep_tune.experiment.trial_state import TrialState
from sleep_tune.records import Outcome, Report
from sleep_tune.search.space.search_space import CorpusSummary

__all__ = [
    "check_trackers",
    "left_out",
    "remove_mirrored",
    "settle_trackers",
    "summarize",
    "sync_command",
    "train_worker",
]


def train_worker(config: RunConfig, report: Report) -> Outcome:
    """Train one configuration (`training.run.train`); its folder says which, and with what it was trained.

    Raises:
        TrialFailure: the configuration cannot be trained.
        UserError: a full disk, or a folder that holds another run.
    """
    from sleep_tune.training.run import train

    assert config.run.dir is not None
    record(Path(config.run.dir), config)
    outcome: Outcome = train(config, report)
    return outcome


def summarize(config: RunConfig) -> CorpusSummary:
    """Prepare the corpus, or find it in the cache, and say how large it is.

    Raises:
        DataError: the corpus or its tokenizer cannot be read.
    """
    from sleep_tune.data.prepare import prepare

    corpus = prepare(config.data, config.tokenizer)
    return CorpusSummary(words=corpus.train.num_words, samples=len(corpus.train), description=corpus.description)


def left_out(config: RunConfig) -> tuple[str, ...]:
    """Read every task of evaluation.data once, before anything is trained, and say which will not be scored, and why.

    In a process of its own: the driver of a search never holds torch.

    Raises:
        DataError: a task that is not as it must be.
    """
    if config.evaluation.data is None:
        return ()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        reading = alone.submit(_left_out, config)
        try:
            return reading.result()
        except (KeyboardInterrupt, SystemExit):  # a signal; leaving the pool would wait until all is read
            for process in active_children():
                process.kill()
            raise


def _left_out(config: RunConfig) -> tuple[str, ...]:
    from sleep_tune.training.unscored_tasks import find_unscored_tasks

    return find_unscored_tasks(config)


def check_trackers(tracking: TrackingConfig) -> None:
    """Find out before anything is trained whether the trackers that are asked for can be had.

    Raises:
        ConfigError: one is not installed, or does not let runs in.
    """
    from sleep_tune.training import tracking as trackers

    trackers.require_trackers(tracking)


def settle_trackers(tracking: TrackingConfig, trials: Path, ended: Iterable[TrialState]) -> None:
    """Tell trackers the end of trials whose processes were killed before they could, and who are not started again.

    Args:
        tracking: of every trial.
        trials: the folder of their folders.
        ended: those that have ended.
    """
    from sleep_tune.training import tracking as trackers

    for trial in ended:
        folder = trials / trial.id
        if trackers.has_unfinished(tracking, folder, trial.state):
            trackers.finish_trackers(read_config(folder), trial.state, trial.outcome.metrics if trial.outcome else {})


def remove_mirrored(trials: Path, ended: Iterable[TrialState], processes: int) -> None:
    """Remove from training.mirror what trials that are over have left there: those that failed, or ended at rest.

    Args:
        trials: the folder of their folders.
        ended: those that are over, and are not started again.
        processes: that trained each together.
    """
    from sleep_tune.data.prepare import prepare
    from sleep_tune.training.identity import identify
    from sleep_tune.training.mirror import open_mirror

    keys: dict[str, str] = {}
    for trial in ended:
        if not (trials / trial.id / CONFIG).is_file():
            continue
        config = read_config(trials / trial.id)
        text = repr((config.data, config.tokenizer))
        if text not in keys:
            keys[text] = prepare(config.data, config.tokenizer).key
        mirror = open_mirror(config, identify(config, keys[text], processes))
        if mirror is not None:
            mirror.remove()


def sync_command(tracking: TrackingConfig, trials: Path) -> str | None:
    """The command that uploads what trials left offline; None if nothing was to be left."""
    from sleep_tune.training.weights_and_biases import wandb_sync_command

    return wandb_sync_command(tracking, trials / "*")
