"""Rules between the options of sleep, and of its budget, which the range of one option cannot express."""

from sleep_tune import names
from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import BudgetError, ConfigError

__all__ = ["SIGNED_SIGNALS", "SLEEP_RULES", "require_second_scores"]


def sleep_fits_budget(config: RunConfig) -> None:
    """Refuse more sleep than a budget in passes can hold.

    A budget in words depends on the corpus, and is checked by `sleep.budget` when the corpus is known.
    """
    budget, length = config.budget.passes, config.sleep.length
    if budget is None:
        return
    if length.passes is not None and length.passes > budget:
        raise BudgetError(f"sleep.length.passes must be at most budget.passes={budget:g}; got {length.passes:g}")
    if length.ratio and length.ratio > budget - 1:
        raise BudgetError(
            f"sleep.length.ratio must be at most budget.passes - 1 = {budget - 1:g}, so that the first pass fits; "
            f"got {length.ratio:g}"
        )
    if length.repeats is not None and budget < 1:
        raise BudgetError(f"budget.passes must be at least 1 with sleep.length.repeats; got {budget:g}")


SIGNED_SIGNALS = ("excess", "progress")
"""Signals that may be negative."""


def signed_signal_is_ranked(config: RunConfig) -> None:
    """Refuse powers of a signal that may be negative as priorities."""
    replay = config.sleep.replay
    if replay.signal in SIGNED_SIGNALS and replay.normalise == "none":
        others = ", ".join(name for name in names.NORMALISATIONS if name != "none")
        raise ConfigError(
            f"sleep.replay.normalise must be one of {others} with sleep.replay.signal={replay.signal}, which may be "
            "negative; got none"
        )


def excess_has_a_reference(config: RunConfig) -> None:
    """Require the reference model of an excess loss, and refuse one that is not read."""
    replay = config.sleep.replay
    if replay.signal == "excess" and replay.reference is None:
        raise ConfigError(
            "sleep.replay.signal=excess needs sleep.replay.reference=..., the folder of a model; got none"
        )
    if replay.signal != "excess" and replay.reference is not None:
        raise ConfigError(
            f"sleep.replay.reference is read with sleep.replay.signal=excess only; got {replay.reference} with "
            f"sleep.replay.signal={replay.signal}"
        )


def progress_is_measured(config: RunConfig) -> None:
    """Require that samples get a second score, from which progress is computed.

    If the number of passes depends on the corpus, `require_second_scores` checks it when the corpus is known.
    """
    budget, length = config.budget.passes, config.sleep.length
    if length.passes is not None:
        require_second_scores(config, length.passes)
    elif length.ratio is not None and budget is not None:
        require_second_scores(config, budget / (1 + length.ratio))


def require_second_scores(config: RunConfig, passes: float) -> None:
    """Refuse progress as a signal where no sample is scored twice: it would be 0 for all.

    Args:
        config: the run's configuration.
        passes: over the corpus, > 0.

    Raises:
        BudgetError: samples are read once, and replays do not refresh their scores.
    """
    sleep, replay = config.sleep, config.sleep.replay
    sleeps = sleep.matched is None and sleep.length.ratio != 0
    if sleeps and replay.signal == "progress" and not replay.refresh and passes < 2:
        raise BudgetError(
            "sleep.replay.signal=progress needs second scores: set sleep.replay.refresh above 0, or let the budget "
            f"hold at least 2 passes over the corpus; got sleep.replay.refresh=0 and {passes:.4g} passes"
        )


def uniform_draws_exist(config: RunConfig) -> None:
    """Refuse a share of uniform draws for the strategy that draws nothing: it would change no buffer."""
    replay = config.sleep.replay
    if replay.strategy == "strict" and replay.uniform:
        raise ConfigError(
            "sleep.replay.uniform must be 0 with sleep.replay.strategy=strict, which takes the highest priorities and "
            f"draws nothing; got {replay.uniform:g} (weighted draws by priority)"
        )


SLEEP_RULES = (
    sleep_fits_budget,
    signed_signal_is_ranked,
    excess_has_a_reference,
    progress_is_measured,
    uniform_draws_exist,
)
"""Rules of the table `rules.RULES`."""
