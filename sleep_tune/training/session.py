"""One attempt of a run, put together: stream, feed, meter, course and journal, fresh or as a checkpoint left them.

Knows no trainer and no report.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.data.decoding import decoder
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import RunFolderError, Superseded
from sleep_tune.sleep.budget import plan_budget
from sleep_tune.sleep.stream import Replay, SleepStream
from sleep_tune.training.checkpoint import Checkpoint, find_latest, is_writer, make_attempt, start_from
from sleep_tune.training.course import Course
from sleep_tune.training.feed import Feed
from sleep_tune.training.guard import Guard, unigram_entropy
from sleep_tune.training.journal import Journal
from sleep_tune.training.meter import LossMeter
from sleep_tune.training.mirror import Mirror, open_mirror
from sleep_tune.training.peers import Peers

__all__ = ["Session", "open_session", "open_stream"]


@dataclass(frozen=True, slots=True)
class Session:
    """What the parts of one attempt share."""

    run: Path
    """The run's folder."""
    attempt: Path
    """attempt-<n> in it, where checkpoints go."""
    checkpoint: Checkpoint | None
    """Where it goes on from."""
    identity: Mapping[str, object]
    """What its checkpoints may only be resumed with."""
    device: torch.device
    peers: Peers
    feed: Feed
    meter: LossMeter
    guard: Guard
    course: Course
    journal: Journal
    mirror: Mirror | None
    text: Callable[[int], str]
    """The text of a sample of the corpus."""

    def state(self) -> dict[str, object]:
        """What a checkpoint keeps beside the stream's state; every process must ask at once."""
        return {
            "identity": self.identity,
            "journal_bytes": self.journal.size,
            "seconds": self.course.seconds,
            "num_tokens": self.feed.num_tokens,
            "num_predicted": self.feed.num_predicted,
            "meter": self.meter.state_dict(),
            "guard": self.guard.state_dict(),
        }

    def require_current(self) -> None:
        """Go on only if no later attempt has begun. Asked before every write, by every process at once.

        Raises:
            Superseded: this process has been given up for dead, and another one trains the run.
        """
        if not self.peers.first(self.peers.leads and is_writer(self.attempt)):
            raise Superseded(
                f"{self.attempt} writes nothing more: another attempt at the run has begun, or it was ended"
            )


def open_stream(config: RunConfig, corpus: Corpus, peers: Peers) -> SleepStream:
    """The run's stream of batches, from its beginning.

    Raises:
        BudgetError: the budget cannot hold what was asked for.
    """
    sleep, samples = config.sleep, corpus.train
    plan = plan_budget(
        corpus_words=samples.num_words,
        num_samples=len(samples),
        batch_size=config.training.batch_size * peers.size,
        folds=sleep.folds,
        budget_passes=config.budget.passes,
        budget_words=config.budget.words,
        length_passes=sleep.length.passes,
        length_ratio=sleep.length.ratio,
        length_repeats=sleep.length.repeats,
        replay_ratio=sleep.replay.ratio,
        replay_scope=sleep.replay.scope,
    )
    replay = Replay(**asdict(sleep.replay))
    return SleepStream(samples, plan, replay, context=sleep.context, seed=config.training.seed)


def open_session(
    config: RunConfig, run: Path, stream: SleepStream, corpus: Corpus, device: torch.device, peers: Peers
) -> Session:
    """Begin an attempt: where the last complete checkpoint of any attempt left off, else at the beginning.

    Args:
        config: the run's configuration.
        run: the run's folder.
        stream: the run's stream, at its beginning.
        corpus: what is read.
        device: where it is trained.
        peers: the processes that train it.

    Raises:
        RunFolderError: the checkpoint is of another corpus, or of another number of processes.
    """
    mirror = open_mirror(config.training.mirror, run)
    attempt, checkpoint = peers.first(_begin(run, mirror) if peers.leads else None)
    state = checkpoint.state if checkpoint else {}
    identity = {"corpus": corpus.key, "processes": peers.size}
    if checkpoint is not None:
        _check(run, checkpoint, identity)
        stream.load_state_dict(checkpoint.stream_state())
    training = config.training
    feed = Feed(stream, corpus.train, training.masking, seed=training.seed, device=device, peers=peers)
    meter = LossMeter(corpus.train.vocab_size, peers, device)
    guard = _guard(training, stream, corpus)
    if checkpoint is not None:
        feed.num_tokens, feed.num_predicted = state["num_tokens"], state["num_predicted"]
        meter.load_state_dict(state["meter"])
        guard.load_state_dict(state["guard"])
    course = Course(feed, seconds=state.get("seconds", 0.0), updates=checkpoint.updates if checkpoint else 0)
    journal = Journal(run / "metrics.jsonl", keep=state.get("journal_bytes", 0), writes=peers.leads)
    text = decoder(corpus.train, corpus.tokenizer_dir)
    return Session(run, attempt, checkpoint, identity, device, peers, feed, meter, guard, course, journal, mirror, text)


def _guard(training: TrainingConfig, stream: SleepStream, corpus: Corpus) -> Guard:
    ratio, special = training.divergence_ratio, corpus.train.special
    return Guard(
        level=training.divergence_level,
        patience=math.inf if ratio is None else ratio * stream.plan.budget_words,
        entropy=unigram_entropy(corpus.train.tokens, (special.start, special.pad, special.mask)),
        vocab_size=corpus.train.vocab_size,
    )


def _begin(run: Path, mirror: Mirror | None) -> tuple[Path, Checkpoint | None]:
    """A new attempt's folder, and what it goes on from. In this order: only then is what was found there to stay."""
    attempt = make_attempt(run)
    if mirror is not None and find_latest(run) is None:
        mirror.pull(attempt)
    checkpoint = find_latest(run)
    start_from(attempt, checkpoint)
    return attempt, checkpoint


def _check(run: Path, checkpoint: Checkpoint, identity: Mapping[str, object]) -> None:
    """Refuse to go on with what would not be the same run."""
    theirs = checkpoint.state["identity"]
    if theirs["corpus"] != identity["corpus"]:
        raise RunFolderError(f"{run} holds a run on another corpus; restore its text, or give this one another run.dir")
    if theirs["processes"] != identity["processes"]:
        raise RunFolderError(
            f"{run} holds a run of {theirs['processes']} processes, which must be resumed by as many; "
            f"got {identity['processes']}"
        )
