"""The worker of real searches, and other calls into training and data; imports them only inside its functions."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import TypeVar

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.errors import UserError
from sleep_tune.experiment.run_folder import CONFIG, read_config, record_run
from sleep_tune.experiment.trial_state import TrialState
from sleep_tune.import_paths import is_import_path
from sleep_tune.records import Outcome, Report
from sleep_tune.search.space.search_space import CorpusSummary

__all__ = [
    "check_first_models",
    "check_models",
    "check_tracking",
    "finish_killed_trials",
    "list_unscored_tasks",
    "remove_mirrored",
    "summarize",
    "train_worker",
    "upload_command",
]


Given = TypeVar("Given")
Result = TypeVar("Result")


def train_worker(config: RunConfig, report: Report) -> Outcome:
    """Train one configuration with `training.run.train`, and record the configuration and versions in its folder.

    Raises:
        TrialFailure: the configuration cannot be trained.
        UserError: a full disk, or a folder of another run.
    """
    from sleep_tune.training.run import train

    assert config.run.dir is not None
    record_run(Path(config.run.dir), config)
    outcome: Outcome = train(config, report)
    return outcome


def summarize(config: RunConfig) -> CorpusSummary:
    """Prepare the corpus, or find it in the cache, and return its size and description.

    Raises:
        DataError: the corpus or its tokenizer cannot be read.
    """
    from sleep_tune.data.prepare import prepare

    corpus = prepare(config.data, config.tokenizer)
    return CorpusSummary(words=corpus.train.num_words, samples=len(corpus.train), description=corpus.description)


def list_unscored_tasks(config: RunConfig) -> tuple[str, ...]:
    """Read every task of evaluation.data before training, and return why some will not be scored, one sentence each.

    Raises:
        DataError: a task's file is not valid.
    """
    return () if config.evaluation.data is None else _in_another_process(_list_unscored_tasks, config)


def check_models(configs: Mapping[str, RunConfig]) -> None:
    """Make the first models and open the reference models of runs once, before a search begins.

    Only that shows whether an architecture of transformers, weights, a function of the user's, or a reference model
    can be trained with; the options of this package's own architectures were checked with the configuration.

    Args:
        configs: where each was given, '' for the base -> a configuration.

    Raises:
        UserError: one of them cannot be trained.
    """
    unsure = {
        where: config
        for where, config in configs.items()
        if config.model.kind == "hf" or is_import_path(config.model.kind) or config.sleep.replay.reference is not None
    }
    if unsure:
        _in_another_process(_open_models, unsure)


def check_first_models(configs: Mapping[str, RunConfig]) -> None:
    """Check what is known of first models without the text, which takes long to read (`check_first_model`).

    Args:
        configs: where each was given, '' for the base -> a configuration.

    Raises:
        UserError: one of them cannot be made.
    """
    unsure = {where: config for where, config in configs.items() if config.model.kind == "hf"}
    if unsure:
        _in_another_process(_check_first_models, unsure)


def _in_another_process(function: Callable[[Given], Result], given: Given) -> Result:
    """Call a function in a process of its own, because the driver of a search does not import torch."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        call = alone.submit(function, given)
        try:
            return call.result()
        except (KeyboardInterrupt, SystemExit):  # a signal; leaving the pool would wait for its process
            for process in active_children():
                process.kill()
            raise


def _check_first_models(configs: Mapping[str, RunConfig]) -> None:
    from sleep_tune.training.first_model import check_first_model

    for where, config in configs.items():
        with _at(where):
            check_first_model(config)


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Begin the message of a user's mistake with where the configuration was given."""
    try:
        yield
    except UserError as error:
        raise type(error)(f"{where}: {error}" if where else str(error)) from error


def _open_models(configs: Mapping[str, RunConfig]) -> None:
    from sleep_tune.data.prepare import prepare
    from sleep_tune.training.first_model import make_first_model
    from sleep_tune.training.reference_model import open_reference

    for where, config in configs.items():
        with _at(where):
            corpus = prepare(config.data, config.tokenizer)
            if config.model.kind == "hf" or is_import_path(config.model.kind):
                make_first_model(config, corpus)
            open_reference(config, corpus, "cpu")


def _list_unscored_tasks(config: RunConfig) -> tuple[str, ...]:
    from sleep_tune.training.run import find_unscored_tasks

    return find_unscored_tasks(config)


def check_tracking(tracking: TrackingConfig) -> None:
    """Check before training that the configured experiment trackers can be used.

    Raises:
        ConfigError: one is not installed, or refuses the login.
    """
    from sleep_tune.training import tracking as trackers

    trackers.require_trackers(tracking)


def finish_killed_trials(tracking: TrackingConfig, trials: Path, ended: Iterable[TrialState]) -> None:
    """Report to the trackers the end of trials whose processes were killed before they could do so.

    Args:
        tracking: the trackers of all trials.
        trials: the folder with the folder of each trial.
        ended: the trials that have ended.
    """
    from sleep_tune.training import tracking as trackers

    for trial in ended:
        folder = trials / trial.id
        if trackers.has_unfinished(tracking, folder, trial.state):
            trackers.finish_trackers(read_config(folder), trial.state, trial.outcome.metrics if trial.outcome else {})


def remove_mirrored(trials: Path, ended: Iterable[TrialState], processes: int) -> None:
    """Remove the checkpoints in training.mirror of trials that have ended and will not resume.

    Args:
        trials: the folder with the folder of each trial.
        ended: the trials that have ended and will not resume.
        processes: number of processes that trained each trial.
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


def upload_command(tracking: TrackingConfig, trials: Path) -> str | None:
    """Return the command that uploads what trials tracked offline; None if nothing was tracked offline."""
    from sleep_tune.training.weights_and_biases import wandb_sync_command

    return wandb_sync_command(tracking, trials / "*")
