"""The sections of a search space that name parameters or one another: scheduler, stop, baselines."""

from collections.abc import Mapping

from sleep_tune.config.checker import read_section
from sleep_tune.config.entry import Entry
from sleep_tune.errors import unknown
from sleep_tune.names import BASELINES
from sleep_tune.search.space.rungs import rungs_of
from sleep_tune.search.space.search_space import Baseline, Choice, Parameter, Scheduler, Space, Stop

__all__ = ["read_baselines", "read_scheduler", "read_stop"]

Known = Mapping[str, Parameter | None]
"""The keys of the parameters that the file has; None for one in which there is a mistake."""


def read_scheduler(entry: Entry, known: Known) -> Scheduler:
    """Read how trials are stopped early.

    Raises:
        ConfigError: `within` names no choice, or no trial would ever be compared.
    """
    scheduler = read_section(Scheduler, entry)
    if scheduler.within is not None:
        with entry.mistakes:
            _check_within(scheduler.within, entry.inside("within"), known)
    keys = [key for key in ("first_rung", "reduction", "name") if key in entry.value]
    if all(entry.inside(key).is_sound for key in keys) and scheduler.name == "asha" and not rungs_of(scheduler):
        raise entry.inside(keys[0]).error(
            f"scheduler.first_rung must be at most 1 / scheduler.reduction = {1 / scheduler.reduction:.3g}, or no "
            f"trial is ever compared (for that: scheduler.name=none); got {scheduler.first_rung:g}"
        )
    return scheduler


def _check_within(within: str, entry: Entry, known: Known) -> None:
    if within not in known:
        raise entry.error(unknown("parameter in scheduler.within", within, known))
    parameter = known[within]
    if parameter is not None and not isinstance(parameter.domain, Choice):
        raise entry.error(f"scheduler.within must name a choice; {within} is a range")


def read_stop(entry: Entry | None) -> Stop:
    """When the search ends.

    Raises:
        ConfigError: nothing would ever end it; mistakes in single options are kept.
    """
    if entry is None:
        return Space(name="").stop
    stop = read_section(Stop, entry)
    if entry.is_sound and stop == Stop():
        raise entry.error("the search would never end: set stop.trials, hours, gpu_hours or no_improvement; got none")
    return stop


def read_baselines(entry: Entry, known: Known) -> dict[str, Baseline]:
    """The baselines by name; mistakes in one are kept.

    Raises:
        ConfigError: it is no mapping.
    """
    baselines = {}
    for name, inner in entry.mapping(f"a mapping of {', '.join(BASELINES)}").items():
        with inner.mistakes:
            if name not in BASELINES:
                raise inner.error(unknown("baseline", name, BASELINES))
            baselines[name] = _baseline(inner, known)
    return baselines


def _baseline(entry: Entry, known: Known) -> Baseline:
    fields = entry.fields(("trials", "parameters"))
    if not fields:
        return Baseline()
    if len(fields) < 2:
        if entry.has_unknown_keys(("trials", "parameters")):
            return Baseline()
        raise entry.error(f"{entry.key} is tuned by trials and parameters together, or {{}} is not tuned; got one")
    trials_only = Entry({"trials": fields["trials"].value}, entry.path, entry.places, entry.mistakes)
    trials = read_section(Baseline, trials_only).trials
    names: list[str] = []
    for item in fields["parameters"].items("a list of the space's parameters"):
        with item.mistakes:
            names.append(_tuned(item, known))
    if entry.is_sound and (bool(names) != (trials is not None)):
        raise entry.error(f"{entry.key} must have at least one trial and one parameter; got {entry.value}")
    for item in fields["parameters"].items():
        parameter = known.get(item.value) if isinstance(item.value, str) else None
        for other in parameter.when if parameter is not None else ():
            if other not in names:
                with item.mistakes:
                    told = f"{item.value} is conditional on {other}, which {entry.key}.parameters leaves out"
                    raise item.error(told)
    return Baseline(trials=trials, parameters=tuple(names))


def _tuned(item: Entry, known: Known) -> str:
    name = item.value
    if not isinstance(name, str) or name not in known:
        raise item.error(unknown(f"parameter of {item.key.rpartition('.parameters')[0]}", name, known))
    if name.startswith("sleep."):
        where = item.key.rpartition(".parameters")[0]
        raise item.error(f"{where} cannot search {name}: how it sleeps is what makes it a baseline")
    return name
