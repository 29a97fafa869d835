"""The real worker: the only file of the search that knows training and data, and only while they run."""

from pathlib import Path

from sleep_tune.config.run_folder import record
from sleep_tune.config.schema import RunConfig
from sleep_tune.records import Outcome, Report
from sleep_tune.search.space import CorpusSummary

__all__ = ["summarize", "train_worker"]


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
    return CorpusSummary(words=corpus.train.num_words, samples=len(corpus.train))
