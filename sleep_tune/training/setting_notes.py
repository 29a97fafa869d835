"""Notes on settings that a run does not read, and on a control that differs from its run in more than sleep.

None of them is refused: the arms of a study share settings, and a control inherits those of the run that it repeats.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, fields

from sleep_tune.config.schema import MaskingConfig, RunConfig, SleepConfig, TrainingConfig
from sleep_tune.config.tracking_options import note_on_tracking
from sleep_tune.config.tree import flatten
from sleep_tune.errors import UserError
from sleep_tune.experiment.run_folder import defining_options, describe_differences, read_config
from sleep_tune.files import expanded

__all__ = ["setting_notes"]

OF_PHASES = ("learning_rate", "masking", "shrink.factor", "shrink.protect", "shrink.by")
OF_PRIORITIES = ("replay.signal", "replay.normalise", "replay.alpha", "replay.decay", "replay.floor")
OF_DRAWS = ("replay.uniform", "replay.refresh", "replay.reference")
OF_BUFFERS = ("replay.strategy", "replay.ratio", "replay.scope", "replay.max_exposures")
OF_SLEEP = (*OF_PHASES, *OF_BUFFERS, *OF_PRIORITIES, *OF_DRAWS)

UNREAD: tuple[tuple[Callable[[SleepConfig], bool], str, tuple[str, ...]], ...] = (
    (lambda sleep: sleep.interleave, "sleep.interleave=true has no sleep phases", OF_PHASES),
    (
        lambda sleep: sleep.replay.strategy == "random",
        "sleep.replay.strategy=random draws all candidates alike",
        (*OF_PRIORITIES, *OF_DRAWS),
    ),
    (
        lambda sleep: sleep.replay.strategy == "weighted" and sleep.replay.uniform == 1,
        "sleep.replay.uniform=1 draws all candidates alike",
        (*OF_PRIORITIES, "replay.refresh", "replay.reference"),
    ),
    (
        lambda sleep: sleep.replay.scope == "fold",
        "the candidates of sleep.replay.scope=fold were all read in the same cycle",
        ("replay.decay", "replay.floor"),
    ),
    (lambda sleep: sleep.replay.decay == 0, "sleep.replay.decay is 0", ("replay.floor",)),
    (lambda sleep: sleep.shrink.factor == 1, "sleep.shrink.factor is 1", ("shrink.protect", "shrink.by")),
    (lambda sleep: sleep.shrink.protect == 1, "sleep.shrink.protect is 1", ("shrink.factor", "shrink.by")),
)
"""When options of a run with replay have no effect, why, and which: names in the section sleep."""


MASKING = tuple(f"training.masking.{field.name}" for field in fields(MaskingConfig) if field.name != "final")

UNREAD_IN_TRAINING: tuple[tuple[Callable[[TrainingConfig], bool], str, tuple[str, ...]], ...] = (
    (
        lambda training: training.schedule != "wsd",
        "training.schedule=wsd alone has a cool-down",
        ("training.cooldown",),
    ),
    (lambda training: training.objective == "clm", "training.objective=clm masks nothing", MASKING),
)
"""When options of training have no effect, why, and which."""


def setting_notes(config: RunConfig, *, replays: bool) -> list[str]:
    """Return a sentence about each reason for which settings have no effect, and about a control that is none.

    Args:
        config: of the run.
        replays: whether the run chooses samples and replays them.
    """
    tracked = note_on_tracking(config.tracking)
    notes = [*_unread_in_training(config), *_unread(config.sleep, replays=replays), *_other_settings(config)]
    return notes if tracked is None else [*notes, tracked]


def _unread_in_training(config: RunConfig) -> Iterator[str]:
    """Yield why options of training that are not at their defaults have no effect, and their keys."""
    values, defaults = (flatten({"training": asdict(each)}) for each in (config.training, TrainingConfig()))
    for applies, why, keys in UNREAD_IN_TRAINING:
        unread = [key for key in keys if values[key] != defaults[key]]
        if unread and applies(config.training):
            yield _no_effect(unread, why)


def _no_effect(keys: list[str], why: str) -> str:
    return f"{', '.join(keys)} {'has' if len(keys) == 1 else 'have'} no effect: {why}"


def _unread(sleep: SleepConfig, *, replays: bool) -> Iterator[str]:
    """Yield why options that are not at their defaults have no effect, and their keys; for each the first reason."""
    values, defaults = (flatten({"sleep": asdict(settings)}) for settings in (sleep, SleepConfig()))
    chosen = {key for key in values if values[key] != defaults[key]}
    reasons = [(why, names) for applies, why, names in UNREAD if applies(sleep)]
    if sleep.matched is not None:
        reasons = [("sleep.matched repeats the exposures of another run, without sleep", ("interleave", *OF_SLEEP))]
    elif not replays:
        reasons = [("the run has no sleep", OF_SLEEP)]
    for why, names in reasons:
        unread = [key for key in (f"sleep.{name}" for name in names) if key in chosen]
        chosen -= set(unread)
        if unread:
            yield _no_effect(unread, why)


def _other_settings(config: RunConfig) -> Iterator[str]:
    """Yield how the run of sleep.matched was trained in another way than this one, so that order is not all."""
    if config.sleep.matched is None:
        return
    folder = expanded(config.sleep.matched)
    try:
        there = read_config(folder)
    except UserError:
        return
    differences = describe_differences(*(_of_training(each) for each in (there, config)))
    if differences:
        yield f"warning: sleep.matched={folder} differs from this run in more than sleep: {differences}"


def _of_training(config: RunConfig) -> dict[str, object]:
    """Return the options of the model and of its training; corpus, budget and seed are compared elsewhere."""
    options = defining_options(config)
    return {key: options[key] for key in options if key.startswith(("model.", "training.")) and key != "training.seed"}
