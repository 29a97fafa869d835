"""The parts of one attempt of a run, new or restored from a checkpoint: stream, batches, losses, progress, journal."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sleep_tune.babylm.word_limits import warn_of_words
from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.config.size import plan_words
from sleep_tune.data.decoding import decoder
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import RunFolderError, Superseded, UserError, shortened
from sleep_tune.experiment.exposures import Exposures, read_exposures, write_exposures
from sleep_tune.experiment.json_checks import Check, is_bool, is_text, list_of, nullable
from sleep_tune.experiment.run_folder import METRICS
from sleep_tune.files import expanded, write_whole
from sleep_tune.import_paths import is_import_path, lookup, require_parameters
from sleep_tune.models.architectures import mask_maker
from sleep_tune.records import is_count, is_number
from sleep_tune.sleep.batch_stream import BatchStream
from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.interleaved_stream import InterleavedStream
from sleep_tune.sleep.matched_stream import MatchedStream
from sleep_tune.sleep.selection import STRATEGIES, checked
from sleep_tune.sleep.stream import PHASES, Replay, SleepStream
from sleep_tune.training.attempts import find_latest, is_writer, make_attempt, record_origin, remove_folder
from sleep_tune.training.batch_feed import BatchFeed
from sleep_tune.training.checkpoint import MARKER, STREAM, Checkpoint, unusable_checkpoint
from sleep_tune.training.divergence import DivergenceGuard, unigram_entropy
from sleep_tune.training.identity import Identity, identify
from sleep_tune.training.journal import Journal
from sleep_tune.training.learning_rates import LearningRates, is_phase_rate
from sleep_tune.training.meter import LossMeter
from sleep_tune.training.mirror import Mirror, open_mirror
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.reference_model import ReferenceModel, open_reference
from sleep_tune.training.run_progress import RunProgress
from sleep_tune.training.setting_notes import setting_notes
from sleep_tune.training.shrink import SleepShrink

__all__ = ["Session", "open_session", "open_stream", "record_exposures"]

STRATEGY = "sleep.replay.strategy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """State that the parts of one attempt share."""

    run: Path
    """The run's folder."""
    attempt: Path
    """attempt-<n> in it, for checkpoints."""
    checkpoint: Checkpoint | None
    """The checkpoint that the attempt resumed from; None at the beginning."""
    identity: Identity
    """Identity of the run; the checkpoints of another identity are refused."""
    device: torch.device
    processes: ProcessGroup
    feed: BatchFeed
    meter: LossMeter
    rates: LearningRates
    shrink: SleepShrink
    reference: ReferenceModel | None
    """The model that losses are compared with; None unless the run replays by excess loss."""
    guard: DivergenceGuard
    progress: RunProgress
    journal: Journal
    mirror: Mirror | None
    text: Callable[[int], str]
    """Sample of the corpus -> its text."""
    source_shares: Mapping[str, float]
    """Source -> share of the corpus's samples that come from it."""

    def state(self) -> dict[str, object]:
        """Return what a checkpoint keeps beside the stream's state; all processes must call this together."""
        return {
            "identity": self.identity.to_json(),
            "seconds": self.progress.seconds,
            "num_tokens": self.feed.num_tokens,
            "num_predicted": self.feed.num_predicted,
            "meter": self.meter.state_dict(),
            "rates": self.rates.state_dict(),
            "shrinks_due": self.shrink.due,
            "reference": None if self.reference is None else self.reference.state_dict(),
            "guard": self.guard.state_dict(),
        }

    def require_current(self) -> None:
        """Raise unless this attempt is the current one; called before every write, by all processes together.

        Raises:
            Superseded: this process was presumed lost, and another one trains the run.
        """
        if not self.processes.run_on_leader(lambda: is_writer(self.attempt)):
            raise Superseded(
                f"{self.attempt} writes nothing more: another attempt at the run has begun, or it was ended or removed"
            )


def open_stream(config: RunConfig, corpus: Corpus, processes: ProcessGroup) -> BatchStream:
    """Return the run's stream of batches, at its beginning.

    Raises:
        BudgetError: the budget cannot hold the settings of sleep.
        ConfigError: the strategy is a function of the user's that cannot be imported, or takes other arguments.
        RunFolderError: the run of sleep.matched has not completed, or is not comparable.
    """
    samples, context, seed = corpus.train, config.sleep.context, config.training.seed
    plan = plan_words(config, corpus_words=samples.num_words, num_samples=len(samples), processes=processes.size)
    if config.sleep.matched is not None:
        there = expanded(config.sleep.matched)
        exposures = read_exposures(there)
        here = _exposures(np.zeros(len(samples), np.int32), config, corpus, plan)
        if differences := exposures.differences_from(here):
            raise RunFolderError(f"sleep.matched={there} must be comparable with this run, but {differences}")
        return MatchedStream(samples, plan, exposures.times_seen, context=context, seed=seed)
    settings, strategy = asdict(config.sleep.replay), config.sleep.replay.strategy
    del settings["reference"]  # a model, whose losses come with those of the run
    if is_import_path(strategy):
        own = lookup(STRATEGIES, strategy, STRATEGY)
        require_parameters(own, f"{STRATEGY}={strategy}", "priorities", "scores", "n", "rng")
        settings["strategy"] = checked(own, strategy)
    kind = InterleavedStream if plan.interleave else SleepStream
    return kind(samples, plan, Replay(**settings), context=context, seed=seed)


def record_exposures(config: RunConfig, session: Session, corpus: Corpus) -> None:
    """Write how often the run, which has ended, trained on each sample."""
    stream = session.feed.stream
    write_exposures(session.run, _exposures(stream.history.times_seen, config, corpus, stream.plan))


def _exposures(times_seen: NDArray[np.int32], config: RunConfig, corpus: Corpus, plan: SleepPlan) -> Exposures:
    return Exposures(
        times_seen,
        corpus=corpus.key,
        context=config.sleep.context,
        budget_words=plan.budget_words,
        seed=config.training.seed,
    )


def open_session(
    config: RunConfig, run: Path, stream: BatchStream, corpus: Corpus, device: torch.device, processes: ProcessGroup
) -> Session:
    """Begin an attempt, at the last complete checkpoint of any attempt, else at the beginning.

    Args:
        config: the run's configuration.
        run: the run's folder.
        stream: the run's stream, at its beginning.
        corpus: the text and its tokenizer.
        device: where the run computes.
        processes: the group that trains the run.

    Raises:
        ConfigError: the reference model does not fit the run.
        DataError: the reference model cannot be read, or is of another tokenizer or objective.
        RunFolderError: the checkpoint is of another run, or cannot be used; no other one is left.
    """
    identity = identify(config, corpus.key, processes.size)
    mirror = open_mirror(config, identity)
    reference = open_reference(config, corpus, device) if stream.needs_losses("wake") else None
    notes = [f"budget: {stream.plan.describe()}", *setting_notes(config, replays=stream.plan.sleeps)]
    for note in notes if processes.is_leader else ():
        _logger.info("%s", note)
    excess = warn_of_words(config.data.dataset, stream.plan.corpus_words, stream.plan.budget_words)
    if excess is not None and processes.is_leader:
        _logger.warning("warning: %s", excess)
    attempt, checkpoint = processes.run_on_leader(lambda: _begin(run, identity, mirror))
    state = checkpoint.state if checkpoint else {}
    if checkpoint is not None:
        _load(stream, checkpoint)
        _logger.info(
            "resuming from %s, after %s of %s words",
            checkpoint.folder,
            f"{stream.words_seen:,}",
            f"{stream.plan.budget_words:,}",
        )
    training = config.training
    feed = BatchFeed(
        stream,
        corpus.train,
        training,
        masking_asleep=config.sleep.masking,
        mask=mask_maker(config.model.kind),
        device=device,
        processes=processes,
    )
    meter = LossMeter(corpus.train.vocab_size, processes, device)
    rates = LearningRates(config.sleep.learning_rate)
    shrink = SleepShrink(config.sleep.shrink, is_asleep=stream.phase == "sleep")
    guard = _guard(training, stream, corpus)
    if checkpoint is not None:
        feed.num_tokens, feed.num_predicted = state["num_tokens"], state["num_predicted"]
        meter.load_state_dict(state["meter"])
        rates.load_state_dict(state.get("rates"))
        shrink.due = state.get("shrinks_due", 0)
        if reference is not None:
            reference.load_state_dict(state["reference"])
        guard.load_state_dict(state["guard"])
    progress = RunProgress(stream, seconds=state.get("seconds", 0.0), updates=checkpoint.updates if checkpoint else 0)
    kept = checkpoint.journal() if checkpoint is not None and processes.is_leader else b""
    journal = Journal(run / METRICS, kept=kept, writes=processes.is_leader)
    text = decoder(corpus.train, corpus.tokenizer_dir)
    return Session(
        run=run,
        attempt=attempt,
        checkpoint=checkpoint,
        identity=identity,
        device=device,
        processes=processes,
        feed=feed,
        meter=meter,
        rates=rates,
        shrink=shrink,
        reference=reference,
        guard=guard,
        progress=progress,
        journal=journal,
        mirror=mirror,
        text=text,
        source_shares=corpus.train.source_shares(),
    )


def _guard(training: TrainingConfig, stream: BatchStream, corpus: Corpus) -> DivergenceGuard:
    ratio, special = training.divergence_ratio, corpus.train.special
    return DivergenceGuard(
        level=training.divergence_level,
        patience=math.inf if ratio is None else ratio * stream.plan.budget_words,
        entropy=unigram_entropy(corpus.train.tokens, (special.start, special.pad, special.mask)),
        vocab_size=corpus.train.vocab_size,
    )


def _begin(run: Path, identity: Identity, mirror: Mirror | None) -> tuple[Path, Checkpoint | None]:
    """Make a new attempt, then find what it resumes from: once made, no earlier attempt removes that checkpoint."""
    attempt = make_attempt(run)
    try:
        checkpoint = _find(run, attempt, mirror)
        if checkpoint is not None:
            pulled = mirror is not None and checkpoint.folder.parent == attempt
            _check(checkpoint, identity, mirror.place if mirror is not None and pulled else str(checkpoint.folder))
    except UserError:
        remove_folder(attempt)
        raise
    if checkpoint is not None and checkpoint.folder.parent == attempt and not (run / METRICS).exists():
        write_whole(run / METRICS, checkpoint.journal())  # it came with the copy from the mirror
    record_origin(attempt, checkpoint)
    return attempt, checkpoint


def _find(run: Path, attempt: Path, mirror: Mirror | None) -> Checkpoint | None:
    """Return the latest checkpoint of the run's folder; if it has none that is undamaged, that of the mirror."""
    damage = None
    try:
        checkpoint = find_latest(run)
    except RunFolderError as error:
        checkpoint, damage = None, error
    if checkpoint is None and mirror is not None:
        checkpoint = mirror.pull(attempt)
    if checkpoint is None and damage is not None:
        raise damage
    return checkpoint


def _check(checkpoint: Checkpoint, identity: Identity, where: str) -> None:
    """Raise unless the checkpoint is of the same run and its state has the form that `Session.state` makes."""
    for key, is_one in _STATE.items():
        value: Any = checkpoint.state
        for name in key.split("."):
            value = value.get(name, ...) if isinstance(value, Mapping) else ...
        if not is_one(value):
            problem = "is missing" if value is ... else f"is {shortened(repr(value))}"
            raise unusable_checkpoint(checkpoint.folder, MARKER, ValueError(f"{key} {problem}"))
    if differences := identity.differences_from(checkpoint.state["identity"]):
        raise RunFolderError(
            f"{where} is of another run: {differences}. Remove it, or give this run another run.name or training.mirror"
        )


def _load(stream: BatchStream, checkpoint: Checkpoint) -> None:
    """Restore the stream from a checkpoint."""
    state = checkpoint.stream_state()
    try:
        stream.load_state_dict(state)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise unusable_checkpoint(checkpoint.folder, STREAM, error) from error


_STATE: dict[str, Check] = {
    "identity.options": lambda value: isinstance(value, dict),
    "identity.corpus": is_text,
    "identity.processes": is_count,
    "seconds": is_number,
    "num_tokens": is_count,
    "num_predicted": is_count,
    "meter.latest": nullable(is_number),
    "meter.highest": is_number,
    "meter.first": is_number,
    "meter.sums": list_of(is_number, len(PHASES)),
    "meter.counts": list_of(is_count, len(PHASES)),
    "rates": lambda value: value is ... or nullable(is_phase_rate)(value),  # earlier versions had none, nor the next
    "shrinks_due": lambda value: value is ... or is_count(value),
    "reference": lambda value: value is ... or nullable(list_of(is_count, 2))(value),
    "guard.lowest": is_number,
    "guard.window": list_of(is_number),
    "guard.up_since": nullable(is_count),
    "guard.lines_up": is_count,
    "guard.wake_is_up": is_bool,
}
"""Dotted key in a checkpoint's state -> whether a value is valid there."""

_logger = logging.getLogger(__name__)
