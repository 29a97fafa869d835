"""Options of Weights & Biases that a run does not read, because it is not tracked there."""

from sleep_tune.config.schema import TrackingConfig

__all__ = ["note_on_tracking"]

DEFAULTS = TrackingConfig()


def note_on_tracking(tracking: TrackingConfig) -> str | None:
    """Return a note on a project or entity that the user has set while Weights & Biases is off; None if there is none.

    Group, role and arm are left out: a search sets them for every run.
    """
    given = [key for key in ("project", "entity") if getattr(tracking, key) != getattr(DEFAULTS, key)]
    if tracking.wandb != "off" or not given:
        return None
    keys = " and ".join(f"tracking.{key}" for key in given)
    return (
        f"{keys} {'has' if len(given) == 1 else 'have'} no effect: Weights & Biases is off; turn it on: tracking=wandb"
    )
