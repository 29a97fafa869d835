"""Train one configuration: the whole life of a run in its folder. Knows no search.

In run.dir: metrics.jsonl; attempt-<n>/checkpoint-<updates> while it runs; model/ (opened by AutoModelForMaskedLM and
AutoTokenizer), eval/<split>.json and outcome.json at its end.
"""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from transformers import PreTrainedModel

from sleep_tune.config.run_folder import needed_bytes, read_outcome, require_space, write_outcome
from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.errors import ConfigError
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.model import build_model, count_flops, sparse_forward
from sleep_tune.records import Outcome, Report
from sleep_tune.training.callbacks import Evaluate, Examiner, Heartbeat, LossLines, Rungs, Saver, Updates
from sleep_tune.training.checkpoint import remove_attempts
from sleep_tune.training.dropout import DropoutStream, TorchStream, fast_dropout
from sleep_tune.training.failures import translated_failures
from sleep_tune.training.hardware import choose_device, device_name, training_arguments
from sleep_tune.training.interrupts import Interrupts, caught_interrupts
from sleep_tune.training.peers import find_peers
from sleep_tune.training.products import read_evaluation, write_evaluation, write_model
from sleep_tune.training.progress_bar import ProgressBar
from sleep_tune.training.schedules import SCHEDULES
from sleep_tune.training.session import Session, open_session, open_stream
from sleep_tune.training.surroundings import quiet_libraries, undistracted, using_threads
from sleep_tune.training.trainer import RandomStream, SleepTrainer

__all__ = ["train"]


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
        How the run ended: its budget spent, or told to stop. Within a group of processes, the same for each.

    Raises:
        Diverged: the loss became NaN, infinite or exploded.
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
            report(read_evaluation(folder, "dev"))
        return Outcome.from_json(ended)
    if corpus is None:
        corpus = prepare(config.data, config.tokenizer)
    if evaluate is None:
        evaluate = Evaluator(corpus, config.evaluation, config.data.seed)
    device = choose_device(config.training, peers)
    stream = open_stream(config, corpus, peers)
    model = build_model(
        config.model,
        vocab_size=corpus.train.vocab_size,
        max_length=corpus.train.max_length,
        special=corpus.train.special,
        seed=config.training.seed,
    )
    with ExitStack() as stack:
        stack.enter_context(translated_failures(folder))
        folder.mkdir(parents=True, exist_ok=True)
        require_space(folder, needed_bytes(config))
        stack.enter_context(quiet_libraries())
        stack.enter_context(undistracted(peers))
        stack.enter_context(using_threads(config.training.threads))
        session = open_session(config, folder, stream, corpus, device, peers)
        stack.enter_context(session.journal)
        examine = Examiner(session, evaluate)
        with caught_interrupts(show_progress) as interrupts:
            stopped = _spend_budget(config, session, model, examine, report, interrupts, show_progress=show_progress)
            interrupts.end()
        if not stopped and config.training.save_model and peers.leads:
            write_model(folder, model, corpus.tokenizer_dir)
        metrics = {} if stopped else _examine_at_end(config, session, model, examine, report)
        outcome = _outcome(session, model, corpus, metrics, state="stopped" if stopped else "completed")
        if peers.leads:
            if not stopped:
                write_outcome(folder, outcome.to_json())
            remove_attempts(folder)
        return outcome


def _spend_budget(
    config: RunConfig,
    session: Session,
    model: PreTrainedModel,
    examine: Examiner,
    report: Report,
    interrupts: Interrupts,
    *,
    show_progress: bool,
) -> bool:
    """Train until the budget is spent, the run is told to stop, or it is interrupted.

    Returns:
        Whether it was told to stop.
    """
    training, peers = config.training, session.peers
    rungs = Rungs(session, examine, report, config.evaluation.rungs)
    bar = [ProgressBar(session.course, session.meter)] if show_progress and peers.leads else []
    with ExitStack() as stack:
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
                rungs,
                Heartbeat(session, report, rungs, interrupts, training.log_ratio),
                Saver(session, training.checkpoint_ratio),
                *bar,
            ],
        )
        trainer.train(resume_from_checkpoint=str(session.checkpoint.folder) if session.checkpoint else None)
    return rungs.stopped


def _examine_at_end(
    config: RunConfig, session: Session, model: PreTrainedModel, examine: Examiner, report: Report
) -> dict[str, float]:
    """Evaluate on dev and test, and report the last rung: the budget itself.

    Returns:
        The metrics of both splits. Only those of dev are reported, since a search must not look at test.
    """
    course, leads = session.course, session.peers.leads
    metrics: dict[str, float] = {}
    for split in ("dev", "test") if config.evaluation.test else ("dev",):
        measured = examine(model, split, course.budget_words)
        progress = course.progress(rung=course.budget_words, metrics=measured)
        if leads:
            write_evaluation(session.run, split, progress)
        if leads and split == "dev":
            report(progress)
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
