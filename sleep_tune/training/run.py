"""Training of one configuration, from its beginning or its last checkpoint to its outcome.

In run.dir: metrics.jsonl; attempt-<n>/checkpoint-<updates> while it runs; checkpoints/chck_<n>M with word checkpoints;
at its end model/ (opened by the Auto class of its objective and AutoTokenizer), model-ema/ with averaged weights,
eval/<split>.json, exposures.npz and outcome.json.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from transformers import PreTrainedModel

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.sources import with_sources
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import ConfigError, Superseded
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.experiment.run_folder import AVERAGED_MODEL, MODEL, read_outcome, require_room, write_outcome
from sleep_tune.interrupts import Interrupts, catching, current
from sleep_tune.models.sparse import sparse_forward
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.training.after_update import AfterUpdate
from sleep_tune.training.attempts import remove_attempts, remove_unfinished
from sleep_tune.training.checkpoint_saver import CheckpointClock, CheckpointSaver
from sleep_tune.training.compilation import open_compilation
from sleep_tune.training.dropout import DropoutStream, TorchStream, fast_dropout, has_fast_dropout
from sleep_tune.training.failures import translated_failures
from sleep_tune.training.first_model import make_first_model
from sleep_tune.training.flops import count_flops
from sleep_tune.training.hardware import choose_device, device_name, training_arguments
from sleep_tune.training.heartbeat import Heartbeat
from sleep_tune.training.loss_log import LossLog
from sleep_tune.training.optimizers import OPTIMIZERS
from sleep_tune.training.outputs import publish_model, read_evaluation, write_evaluation
from sleep_tune.training.process_environment import training_environment
from sleep_tune.training.process_group import find_process_group
from sleep_tune.training.progress_bar import ProgressBar
from sleep_tune.training.rung_evaluation import Evaluate, RungEvaluator, Rungs
from sleep_tune.training.schedules import SCHEDULES
from sleep_tune.training.session import Session, open_session, open_stream, record_exposures
from sleep_tune.training.tracking import finish_trackers, tracking_run
from sleep_tune.training.trainer import RandomStream, SleepTrainer
from sleep_tune.training.weight_average import WeightAverage
from sleep_tune.training.word_checkpoints import WordCheckpoints, word_marks

__all__ = ["find_unscored_tasks", "train"]

logger = logging.getLogger(__name__)

stages = logging.getLogger("sleep_tune.training.stages")
"""Logs what follows training and may take long; a command that shows progress prints these lines."""

STATES = {Decision.CONTINUE: "completed", Decision.STOP: "stopped", Decision.PAUSE: "paused"}
"""Last answer to a report -> how the run ended."""


def train(
    config: RunConfig,
    report: Report,
    *,
    corpus: Corpus | None = None,
    show_progress: bool = False,
    evaluate: Evaluate | None = None,
) -> Outcome:
    """Train, evaluate and save one configuration, from its last complete checkpoint if it has one.

    A run is a function of its configuration, seed included: interrupted and resumed, it has the same batches, and on a
    CPU the same losses. A run that has ended already reports its last rung again and returns its outcome.

    Usage: `train(config, lambda progress: Decision.CONTINUE)`

    Args:
        config: what to train; run.dir is its folder.
        report: called with the progress at most once a second (rung None) and at every rung; its answer is followed.
        corpus: the text; prepared from the configuration unless given.
        show_progress: draw a progress bar, and turn Ctrl-C and SIGTERM into a checkpoint and an end.
        evaluate: measures the model; an `Evaluator` unless given.

    Returns:
        How the run ended: completed, stopped, or paused (its checkpoints then stay). The same in every process of a
        group.

    Raises:
        Diverged: the loss became NaN, infinite or exploded.
        Superseded: a later attempt at the run has begun; this one has written nothing since.
        JobCancelled: `report` raised it, or the leading process has left the run.
        OutOfMemory: the device is too small.
        UserError: the budget, the device or the disk cannot hold the configuration; or a function that it names by
            import path cannot be used, or is another one than `run.sources` says.
        KeyboardInterrupt: Ctrl-C, after a checkpoint (with `show_progress`).
        SystemExit: SIGTERM, after a checkpoint (with `show_progress`).
    """
    if config.run.dir is None:
        raise ConfigError("run.dir must be the folder of the run; got null")
    folder = Path(config.run.dir)
    processes = find_process_group()
    ended = read_outcome(folder)
    if ended is not None:
        if processes.is_leader:
            finish_trackers(config, ended.state, ended.metrics)
            report(read_evaluation(folder, "dev"))
        return ended
    with translated_failures(folder):
        config = with_sources(config)
        if corpus is None:
            corpus = prepare(config.data, config.tokenizer)
        for line in corpus.description:
            logger.log(logging.WARNING if line.startswith("warning:") else logging.INFO, line)
        if evaluate is None:
            evaluate = Evaluator(corpus, config.evaluation, config.data.seed, objective=config.training.objective)
        device = choose_device(config.training, processes)
        stream = open_stream(config, corpus, processes)
        marks = word_marks(stream.plan.budget_words) if config.training.word_checkpoints else ()
        with training_environment(config.training.threads, processes):
            folder.mkdir(parents=True, exist_ok=True)
            require_room(folder, config)
            model = make_first_model(config, corpus)  # refused before the attempt writes anything
            if processes.run_on_leader(lambda: read_outcome(folder)) is not None:
                raise Superseded(f"{folder} was trained to its end by another process while this one prepared")
            session = open_session(config, folder, stream, corpus, device, processes)
            tracking = tracking_run(config, is_leader=processes.is_leader)
            with session.journal, _clean_on_failure(session), tracking as trackers:
                session.journal.listener = trackers
                words = WordCheckpoints(session, corpus.tokenizer_dir, marks)
                outcome = _train(config, session, model, corpus, words, evaluate, report, show_progress=show_progress)
                trackers.state, trackers.metrics = outcome.state, outcome.metrics
                return outcome


def find_unscored_tasks(config: RunConfig) -> tuple[str, ...]:
    """Return the tasks of evaluation.data that a run would not be scored on at its end, each with the reason.

    Raises:
        DataError: a task's files are not valid, or the corpus or tokenizer cannot be read.
    """
    corpus = prepare(config.data, config.tokenizer)
    evaluation, objective = replace(config.evaluation, test=True), config.training.objective
    return Evaluator(corpus, evaluation, config.data.seed, objective=objective).left_out


@contextmanager
def _clean_on_failure(session: Session) -> Iterator[None]:
    """Remove what an attempt was writing if it fails: on a full disk, or when a later one has taken over."""
    try:
        yield
    except BaseException:
        if session.processes.is_leader:
            remove_unfinished(session.attempt)
        raise


def _train(
    config: RunConfig,
    session: Session,
    model: PreTrainedModel,
    corpus: Corpus,
    words: WordCheckpoints,
    measure: Evaluate,
    report: Report,
    *,
    show_progress: bool,
) -> Outcome:
    """Train, then write the outputs that belong to the way in which the run ended."""
    average = _open_average(config, session, model)
    evaluate = RungEvaluator(session, measure, average)
    with catching() if show_progress else nullcontext(Interrupts()) as interrupts:
        decision = _spend_budget(
            config, session, model, average, words, evaluate, report, interrupts, show_progress=show_progress
        )
        interrupts.end()
    metrics: dict[str, float] = {}
    if decision is Decision.CONTINUE:
        words.finish(model)
        if config.training.save_model:
            stages.info("saving the model")
            publish_model(session, MODEL, model, corpus.tokenizer_dir)
            if average is not None:
                with average.in_model():
                    publish_model(session, AVERAGED_MODEL, model, corpus.tokenizer_dir)
        metrics = _evaluate_at_end(config, session, model, evaluate, report)
        evaluate.write_answers()
    outcome = _outcome(session, model, corpus, metrics, state=STATES[decision])
    session.require_current()
    if session.processes.is_leader and decision is not Decision.PAUSE and session.mirror is not None:
        session.mirror.remove()
    if session.processes.is_leader and decision is Decision.CONTINUE:
        record_exposures(config, session, corpus)
        write_outcome(session.run, outcome)
    if session.processes.is_leader and decision is not Decision.PAUSE:
        remove_attempts(session.run)
    return outcome


def _open_average(config: RunConfig, session: Session, model: PreTrainedModel) -> WeightAverage | None:
    """Return the average of the weights if the run has one, as it was in the checkpoint that the run resumes from."""
    if config.training.ema is None:
        return None
    average = WeightAverage(model.to(session.device), config.training.ema)  # type: ignore[arg-type]
    if session.checkpoint is not None:
        average.load(session.checkpoint.folder)
    return average


def _spend_budget(
    config: RunConfig,
    session: Session,
    model: PreTrainedModel,
    average: WeightAverage | None,
    words: WordCheckpoints,
    evaluate: RungEvaluator,
    report: Report,
    interrupts: Interrupts,
    *,
    show_progress: bool,
) -> Decision:
    """Train until the budget is spent, a report is answered by a stop or a pause, or a signal comes.

    Returns:
        The last answer to a report: CONTINUE if the budget is spent or a signal has come.
    """
    training, processes = config.training, session.processes
    stream = session.feed.stream
    clock = CheckpointClock(training.checkpoint_minutes if training.checkpoint_ratio else None)
    bar = ProgressBar(session.progress, session.meter) if show_progress and processes.is_leader else None
    saves = show_progress or current().waits
    compilation = open_compilation(config, session.device, stream.plan)
    after_update = AfterUpdate(
        session,
        losses=LossLog(session, training.log_ratio),
        word_checkpoints=words,
        rungs=Rungs(session, evaluate, report, config.evaluation.rungs),
        heartbeat=Heartbeat(session, report, interrupts, clock, saves=saves),
        saver=CheckpointSaver(session, training.checkpoint_ratio, clock, average),
        average=average,
        bar=bar,
        compilation=compilation,
    )
    with ExitStack() as stack:
        stack.enter_context(current().waiting(False))  # until the first update ends, a signal acts at once
        if bar is not None:
            stack.callback(bar.close)
        dropout: RandomStream = TorchStream(training.seed, processes.rank)
        if compilation is not None:
            stack.enter_context(compilation.active())
        elif session.device.type == "cpu" and has_fast_dropout(model):
            fast = DropoutStream(training.seed, processes.rank)
            stack.enter_context(fast_dropout(model, fast))
            dropout = fast
        if session.reference is not None:
            stack.enter_context(sparse_forward(session.reference.model))
        stack.enter_context(sparse_forward(model, None if compilation is None else compilation.compile))
        trainer = SleepTrainer(
            model,
            training_arguments(config, session.attempt, session.device, max_updates=stream.plan.budget_words),
            feed=session.feed,
            meter=session.meter,
            rates=session.rates,
            shrink=session.shrink,
            reference=session.reference,
            dropout=dropout,
            make_optimizer=lambda made: OPTIMIZERS[training.optimizer](made, training),
            schedule=partial(SCHEDULES[training.schedule], warmup=training.warmup, cooldown=training.cooldown),
            accumulation=training.accumulation,
            after_update=after_update,
        )
        trainer.train(resume_from_checkpoint=str(session.checkpoint.folder) if session.checkpoint else None)
    return after_update.decision


def _evaluate_at_end(
    config: RunConfig, session: Session, model: PreTrainedModel, evaluate: RungEvaluator, report: Report
) -> dict[str, float]:
    """Evaluate on dev and test, and report the last rung: the budget itself.

    Returns:
        The metrics of both splits. Only those of dev are reported, since a search must not see test; the macro average
        among them, which may be the objective of a search, is over dev's tasks.
    """
    budget_words = session.progress.budget_words
    metrics: dict[str, float] = {}

    def publish_metrics(split: str, progress: Progress) -> None:
        write_evaluation(session.run, split, progress)
        if split == "dev":
            report(progress)

    for split in ("dev", "test") if config.evaluation.test else ("dev",):
        stages.info("evaluating the model on %s", split)
        measured = evaluate(model, split, budget_words)
        progress = session.progress.snapshot(rung=budget_words, metrics=measured)
        session.processes.run_on_leader(partial(publish_metrics, split, progress))
        metrics |= measured
    return metrics


def _outcome(
    session: Session, model: PreTrainedModel, corpus: Corpus, metrics: dict[str, float], *, state: str
) -> Outcome:
    """Return how the run ended and what it cost."""
    feed, reference, length = session.feed, session.reference, corpus.train.max_length
    flops = count_flops(model, tokens=feed.num_tokens, predicted=feed.num_predicted, length=length)
    return Outcome(
        state=state,
        words_seen=session.progress.words_seen,
        updates=session.progress.updates,
        seconds=session.progress.seconds,
        flops=flops if reference is None else flops + reference.flops(length),
        device=device_name(session.device),
        metrics=metrics,
    )
