"""Train one configuration: the whole life of a run in its folder. Knows no search.

In run.dir: metrics.jsonl; attempt-<n>/checkpoint-<updates> while it runs; checkpoints/chck_<n>M if asked for; model/
(opened by AutoModelForMaskedLM and AutoTokenizer), eval/<split>.json and outcome.json at its end.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from transformers import PreTrainedModel

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import ConfigError
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.experiment.run_folder import MODEL, read_outcome, require_room, write_outcome
from sleep_tune.interrupts import Interrupts, catching, current
from sleep_tune.model import build_model, count_flops, sparse_forward
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.training.callbacks import (
    CheckpointClock,
    Evaluate,
    Examiner,
    Heartbeat,
    LossLines,
    Rungs,
    Saver,
    Updates,
)
from sleep_tune.training.checkpoint import remove_attempts, remove_unfinished
from sleep_tune.training.dropout import DropoutStream, TorchStream, fast_dropout
from sleep_tune.training.failures import translated_failures
from sleep_tune.training.hardware import choose_device, device_name, training_arguments
from sleep_tune.training.peers import find_peers
from sleep_tune.training.products import publish, read_evaluation, write_evaluation, write_model
from sleep_tune.training.progress_bar import ProgressBar
from sleep_tune.training.schedules import SCHEDULES
from sleep_tune.training.session import Session, open_session, open_stream
from sleep_tune.training.surroundings import at_home
from sleep_tune.training.tracking import settle, tracked
from sleep_tune.training.trainer import RandomStream, SleepTrainer
from sleep_tune.training.word_checkpoints import WordCheckpoints, word_marks

__all__ = ["train"]

logger = logging.getLogger(__name__)

STATES = {Decision.CONTINUE: "completed", Decision.STOP: "stopped", Decision.PAUSE: "paused"}
"""What a run was told last -> how it ended."""


def train(
    config: RunConfig,
    report: Report,
    *,
    corpus: Corpus | None = None,
    show_progress: bool = False,
    evaluate: Evaluate | None = None,
) -> Outcome:
    """Train, evaluate and save one configuration, going on from its last complete checkpoint if it has one.

    A run is a function of (config, seed): interrupted and resumed, it meets the same batches, and on a CPU the same
    losses. A run that has ended already reports its last rung again and returns its outcome.

    Args:
        config: what to train; run.dir says where it lives.
        report: told of progress at most once a second (rung None), and of every rung, which it answers.
        corpus: what to read; prepared from the configuration unless given.
        show_progress: draw a progress bar, and turn Ctrl-C and SIGTERM into a checkpoint and an end.
        evaluate: what measures the model; the evaluation layer's own unless given.

    Returns:
        How the run ended: its budget spent, or told to stop or to pause (its checkpoint then stays). Within a group
        of processes, the same for each.

    Raises:
        Diverged: the loss became NaN, infinite or exploded.
        Superseded: a later attempt at the run has begun; this one has written nothing since.
        JobCancelled: `report` raised it, or the leading process has left the run.
        OutOfMemory: the device is too small.
        UserError: the budget, the device or the disk cannot hold what was asked for.
        KeyboardInterrupt: Ctrl-C, after a checkpoint (with `show_progress`).
        SystemExit: SIGTERM, after a checkpoint (with `show_progress`).
    """
    if config.run.dir is None:
        raise ConfigError("run.dir must be the folder of the run; got null")
    folder = Path(config.run.dir)
    peers = find_peers()
    ended = read_outcome(folder)
    if ended is not None:
        if peers.leads:
            settle(config, ended.state, ended.metrics)
            report(read_evaluation(folder, "dev"))
        return ended
    with translated_failures(folder):
        if corpus is None:
            corpus = prepare(config.data, config.tokenizer)
        for line in corpus.description:
            logger.log(logging.WARNING if line.startswith("warning:") else logging.INFO, line)
        if evaluate is None:
            evaluate = Evaluator(corpus, config.evaluation, config.data.seed)
        device = choose_device(config.training, peers)
        stream = open_stream(config, corpus, peers)
        marks = word_marks(stream.plan.budget_words) if config.training.word_checkpoints else ()
        with at_home(config.training.threads, peers):
            folder.mkdir(parents=True, exist_ok=True)
            require_room(folder, config)
            session = open_session(config, folder, stream, corpus, device, peers)
            with session.journal, _cleared(session), tracked(config, leads=peers.leads) as told:
                session.journal.listener = told
                words, examine = WordCheckpoints(session, corpus.tokenizer_dir, marks), Examiner(session, evaluate)
                outcome = _train(config, session, corpus, words, examine, report, show_progress=show_progress)
                told.state, told.metrics = outcome.state, outcome.metrics
                return outcome


@contextmanager
def _cleared(session: Session) -> Iterator[None]:
    """Clear away what an attempt was writing when it failed: on a full disk, or when a later one has taken over."""
    try:
        yield
    except BaseException:
        if session.peers.leads:
            remove_unfinished(session.attempt)
        raise


def _train(
    config: RunConfig,
    session: Session,
    corpus: Corpus,
    words: WordCheckpoints,
    examine: Examiner,
    report: Report,
    *,
    show_progress: bool,
) -> Outcome:
    """Spend the budget, and leave behind what the run's end calls for."""
    model = build_model(
        config.model,
        vocab_size=corpus.train.vocab_size,
        max_length=corpus.train.max_length,
        special=corpus.train.special,
        seed=config.training.seed,
    )
    with catching() if show_progress else nullcontext(Interrupts()) as interrupts:
        told = _spend_budget(config, session, model, words, examine, report, interrupts, show_progress=show_progress)
        interrupts.end()
    metrics: dict[str, float] = {}
    if told is Decision.CONTINUE:
        words.finish(model)
        if config.training.save_model:
            _leave_model(session, model, corpus)
        metrics = _examine_at_end(config, session, model, examine, report)
        examine.keep_answers()
    outcome = _outcome(session, model, corpus, metrics, state=STATES[told])
    session.require_current()
    if session.peers.leads and told is not Decision.PAUSE and session.mirror is not None:
        session.mirror.remove()
    if session.peers.leads and told is Decision.CONTINUE:
        write_outcome(session.run, outcome)
    if session.peers.leads and told is not Decision.PAUSE:
        remove_attempts(session.run)
    return outcome


def _spend_budget(
    config: RunConfig,
    session: Session,
    model: PreTrainedModel,
    words: WordCheckpoints,
    examine: Examiner,
    report: Report,
    interrupts: Interrupts,
    *,
    show_progress: bool,
) -> Decision:
    """Train until the budget is spent, the run is told to stop or to pause, or it is interrupted.

    Returns:
        What it was told: to go on, if the budget is spent or it was interrupted.
    """
    training, peers = config.training, session.peers
    rungs = Rungs(session, examine, report, config.evaluation.rungs)
    clock = CheckpointClock(training.checkpoint_minutes if training.checkpoint_ratio else None)
    bar = [ProgressBar(session.course, session.meter)] if show_progress and peers.leads else []
    saves = show_progress or current().waits
    with ExitStack() as stack:
        stack.enter_context(current().waiting(False))  # until the first update ends, a signal acts at once
        for part in bar:
            stack.callback(part.close)
        dropout: RandomStream = TorchStream(training.seed, peers.rank)
        if session.device.type == "cpu" and not training.compile:
            fast = DropoutStream(training.seed, peers.rank)
            stack.enter_context(fast_dropout(model, fast))
            dropout = fast
        stack.enter_context(sparse_forward(model))
        trainer = SleepTrainer(
            model,
            training_arguments(
                config, session.attempt, session.device, max_updates=session.feed.stream.plan.budget_words
            ),
            feed=session.feed,
            meter=session.meter,
            dropout=dropout,
            schedule=partial(SCHEDULES[training.schedule], warmup=training.warmup, cooldown=training.cooldown),
            accumulation=training.accumulation,
            callbacks=[
                Updates(session),
                LossLines(session, training.log_ratio),
                words,
                rungs,
                Heartbeat(session, report, rungs, interrupts, clock, saves=saves),
                Saver(session, training.checkpoint_ratio, clock),
                *bar,
            ],
        )
        trainer.train(resume_from_checkpoint=str(session.checkpoint.folder) if session.checkpoint else None)
    return rungs.told


def _leave_model(session: Session, model: PreTrainedModel, corpus: Corpus) -> None:
    """Leave the model in run/model, made where no other attempt writes."""
    made = session.attempt / MODEL
    session.peers.lead(lambda: write_model(made, model, corpus.tokenizer_dir))
    session.require_current()
    session.peers.lead(lambda: publish(made, session.run / MODEL))


def _examine_at_end(
    config: RunConfig, session: Session, model: PreTrainedModel, examine: Examiner, report: Report
) -> dict[str, float]:
    """Evaluate on dev and test, and report the last rung: the budget itself.

    Returns:
        The metrics of both splits. Only those of dev are reported, since a search must not look at test; the macro
        average among them, by which a search may judge, is over dev's tasks.
    """
    course = session.course
    metrics: dict[str, float] = {}

    def tell(split: str, progress: Progress) -> None:
        write_evaluation(session.run, split, progress)
        if split == "dev":
            report(progress)

    for split in ("dev", "test") if config.evaluation.test else ("dev",):
        measured = examine(model, split, course.budget_words)
        progress = course.progress(rung=course.budget_words, metrics=measured)
        session.peers.lead(partial(tell, split, progress))
        metrics |= measured
    return metrics


def _outcome(
    session: Session, model: PreTrainedModel, corpus: Corpus, metrics: dict[str, float], *, state: str
) -> Outcome:
    """How the run ended and what it cost."""
    feed = session.feed
    return Outcome(
        state=state,
        words_seen=session.course.words_seen,
        updates=session.course.updates,
        seconds=session.course.seconds,
        flops=count_flops(
            model.config, tokens=feed.num_tokens, predicted=feed.num_predicted, length=corpus.train.max_length
        ),
        device=device_name(session.device),
        metrics=metrics,
    )
