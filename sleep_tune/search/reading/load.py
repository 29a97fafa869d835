"""A search space's file and the command line's overrides become a Space, or one error that says where and what.

Reads no corpus: what only its size can tell is checked when the search is opened (`fitting.py`).
"""

import re
from collections.abc import Sequence
from pathlib import Path

from sleep_tune.config.groups import groups
from sleep_tune.config.load import compose
from sleep_tune.config.options import options
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.config.tree import unknown_key
from sleep_tune.errors import ConfigError, UserError, nearest, unknown
from sleep_tune.names import BASELINES
from sleep_tune.search.asha import rungs_of
from sleep_tune.search.reading.earlier import read_enqueue, read_warm_start
from sleep_tune.search.reading.entry import Entry
from sleep_tune.search.reading.overrides import SECTIONS, override
from sleep_tune.search.reading.parameters import in_base, read_parameters, set_always
from sleep_tune.search.reading.sections import check, read_section
from sleep_tune.search.reading.yaml_lines import Path as KeyPath
from sleep_tune.search.reading.yaml_lines import read_document
from sleep_tune.search.space import (
    METRICS,
    Baseline,
    Choice,
    Finalists,
    Objective,
    Parameter,
    Resources,
    Scheduler,
    Search,
    Space,
    Stop,
)

__all__ = ["compose_base", "load_space"]

NOT_IN_BASE = ("run", "evaluation.rungs", "evaluation.test")
"""What the search sets in every run."""


def load_space(path: Path, overrides: Sequence[str] = ()) -> Space:
    """Read a search space.

    Args:
        path: of the YAML file, as the user gave it.
        overrides: `key=value` texts. A key whose first part is a section of the space sets the space; any other one
            sets `base`.

    Raises:
        ConfigError: the first mistake: where (file:line, or the override), what was expected, what was given and the
            nearest valid name.
    """
    document = read_document(_read(path), str(path))
    if not isinstance(document.value, dict):
        raise ConfigError(f"{path}:1: a search space must be a mapping of {', '.join(SECTIONS)}; got none")
    places: dict[KeyPath, str] = {keys: f"{path}:{line}" for keys, line in document.lines.items()}
    raw = document.value
    for text in overrides:
        override(raw, places, text)
    root = Entry(raw, (), places)
    fields = root.fields(SECTIONS)

    def section(name: str) -> Entry:
        return fields.get(name, Entry({}, (name,), places))

    parameters = read_parameters(section("parameters"))
    space = Space(
        name=_name(fields["name"]) if "name" in fields else path.stem,
        base=_base(section("base"), parameters),
        objective=_objective(section("objective")),
        parameters=parameters,
        search=read_section(Search, section("search")),
        scheduler=_scheduler(section("scheduler"), parameters),
        stop=_stop(fields.get("stop")),
        baselines=_baselines(section("baselines"), parameters),
        finalists=read_section(Finalists, section("finalists")),
        resources=read_section(Resources, section("resources")),
        enqueue=read_enqueue(fields["enqueue"], parameters) if "enqueue" in fields else (),
        warm_start=read_warm_start(fields["warm_start"]) if "warm_start" in fields else (),
        where={".".join(map(str, keys)): place for keys, place in places.items()},
    )
    if not parameters:
        raise section("parameters").error("a search space must have at least one parameter; got none")
    base = compose_base(space)
    if space.objective.metric.startswith("eval/pairs") and (base.data.kind != "toy" or not base.evaluation.pairs):
        raise section("objective").error(
            f"{space.objective.metric} needs minimal pairs, which data=toy with evaluation.pairs above 0 has; "
            f"got data.kind={base.data.kind}, evaluation.pairs={base.evaluation.pairs}"
        )
    return space


def compose_base(space: Space) -> RunConfig:
    """The configuration that every run of the study starts from. Its paths are absolute: trials run elsewhere.

    Raises:
        UserError: options that do not fit together, by themselves.
    """
    try:
        base = compose([], base=space.base)
    except UserError as error:
        raise type(error)(f"{space.where.get('base', 'base')}: {error}") from error
    for name in ("path", "cache_dir"):
        folder = getattr(base.data, name)
        if folder is not None:
            setattr(base.data, name, str(Path(folder).expanduser().resolve()))
    if base.tokenizer.name is not None and Path(base.tokenizer.name).is_dir():
        base.tokenizer.name = str(Path(base.tokenizer.name).resolve())
    return base


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}:{line}: a search space must be UTF-8 text; got the byte {error.object[error.start]:#x}"
        ) from error
    except FileNotFoundError:
        beside = [file.name for file in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        close = nearest(path.name, beside)
        hint = f"; did you mean '{path.parent / close}'?" if close else ""
        raise ConfigError(f"{path}: there is no such file{hint}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _name(entry: Entry) -> str:
    if not isinstance(entry.value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", entry.value):
        raise entry.wrong("text of letters, digits, '.', '_' and '-', as its folder results/<name> is called")
    return entry.value


def _base(entry: Entry, parameters: tuple[Parameter, ...]) -> dict[str, object]:
    searched = set_always(parameters)
    choices = groups()
    base: dict[str, object] = {}
    for key, inner in entry.mapping("a mapping of groups and options").items():
        if any(key == fixed or key.startswith(f"{fixed}.") for fixed in NOT_IN_BASE):
            raise inner.error(f"{key} cannot be set: the search sets it in every run")
        if key in choices:
            if not isinstance(inner.value, str) or inner.value not in choices[key]:
                raise inner.error(unknown(key, inner.value, choices[key]))
            base[key] = inner.value
            continue
        if key not in options():
            raise inner.error(_unknown_base(key, choices))
        base[key] = check(options()[key], inner)
        if key in searched:
            raise in_base(key, inner)
    for group, members in ONE_OF.items():
        given = [f"{group}.{name}" for name in members if base.get(f"{group}.{name}") is not None]
        if len(given) > 1:
            raise entry.inside(given[1]).error(f"set exactly one of {', '.join(given)}; got {len(given)}")
    return base


def _unknown_base(key: str, choices: object) -> str:
    assert isinstance(choices, dict)
    group = nearest(key, choices) if "." not in key else None
    return f"unknown group '{key}'; did you mean '{group}'?" if group else str(unknown_key(key))


def _objective(entry: Entry) -> Objective:
    objective = read_section(Objective, entry)
    metric = objective.metric
    if metric not in METRICS and not metric.startswith("eval/pairs/"):
        raise (entry.inside("metric")).error(unknown("objective.metric", metric, METRICS))
    mode = METRICS.get(metric, "max")
    if "mode" in entry.value and objective.mode != mode:
        raise entry.inside("mode").error(f"objective.mode must be {mode} for {metric}; got {objective.mode}")
    return Objective(metric=metric, mode=mode)


def _scheduler(entry: Entry, parameters: tuple[Parameter, ...]) -> Scheduler:
    scheduler = read_section(Scheduler, entry)
    if scheduler.within is not None:
        domains = {parameter.key: parameter.domain for parameter in parameters}
        inner = entry.inside("within")
        if scheduler.within not in domains:
            raise inner.error(unknown("parameter in scheduler.within", scheduler.within, domains))
        if not isinstance(domains[scheduler.within], Choice):
            raise inner.error(f"scheduler.within must name a choice; {scheduler.within} is a range")
    if scheduler.name == "asha" and not rungs_of(scheduler):
        key = next((key for key in ("first_rung", "reduction") if key in entry.value), None)
        raise (entry.inside(key) if key else entry).error(
            f"scheduler.first_rung must be at most 1 / scheduler.reduction = {1 / scheduler.reduction:.3g}, or no "
            f"trial is ever compared (for that: scheduler.name=none); got {scheduler.first_rung:g}"
        )
    return scheduler


def _stop(entry: Entry | None) -> Stop:
    if entry is None:
        return Space(name="").stop
    stop = read_section(Stop, entry)
    if stop == Stop():
        raise entry.error("the search would never end: set stop.trials, hours, gpu_hours or no_improvement; got none")
    return stop


def _baselines(entry: Entry, parameters: tuple[Parameter, ...]) -> dict[str, Baseline]:
    baselines = {}
    for name, inner in entry.mapping(f"a mapping of {', '.join(BASELINES)}").items():
        if name not in BASELINES:
            raise inner.error(unknown("baseline", name, BASELINES))
        baselines[name] = _baseline(inner, parameters)
    return baselines


def _baseline(entry: Entry, parameters: tuple[Parameter, ...]) -> Baseline:
    fields = entry.fields(("trials", "parameters"))
    if not fields:
        return Baseline()
    if len(fields) < 2:
        raise entry.error(f"{entry.key} is tuned by trials and parameters together, or {{}} is not tuned; got one")
    trials = read_section(Baseline, Entry({"trials": fields["trials"].value}, entry.path, entry.places)).trials
    known = {parameter.key: parameter for parameter in parameters}
    names = []
    for item in fields["parameters"].items("a list of the space's parameters"):
        if item.value not in known:
            raise item.error(unknown(f"parameter of {entry.key}", item.value, known))
        if str(item.value).startswith("sleep."):
            raise item.error(f"{entry.key} cannot search {item.value}: how it sleeps is what makes it a baseline")
        names.append(item.value)
    if not names or trials is None:
        raise entry.error(f"{entry.key} must have at least one trial and one parameter; got {entry.value}")
    for item in fields["parameters"].items():
        for other in known[item.value].when:
            if other not in names:
                raise item.error(f"{item.value} is conditional on {other}, which {entry.key}.parameters leaves out")
    return Baseline(trials=trials, parameters=tuple(names))
