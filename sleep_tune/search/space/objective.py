"""The objective of a search and the endpoint of its comparison: their metrics, and whether the runs report them.

Both may be a variant of a metric (`metric_names`), and a loss only where all runs have one training objective. Of
BabyLM's data only the names of the folders are read.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.protocols import NEWEST, PROTOCOLS, Protocol, split_score
from sleep_tune.babylm.score_names import score_names
from sleep_tune.config.checker import read_section
from sleep_tune.config.entry import Entry
from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import nearest, unknown
from sleep_tune.import_paths import function_name, is_import_path
from sleep_tune.metric_names import AVERAGED, CAUSAL, of_variant, on_test, split_variant
from sleep_tune.names import TASKS
from sleep_tune.search.space.arm_settings import arm_settings, found_first
from sleep_tune.search.space.foreign_spaces import hint_at_key
from sleep_tune.search.space.search_space import BEST, METRICS, Choice, Claim, Objective, Space

__all__ = ["check_claim", "check_data", "check_reported", "read_claim", "read_objective", "trained_objectives"]

OBJECTIVE = "training.objective"
"""The option that decides what a run's losses measure."""

PERPLEXITIES = ("perplexity", "pseudo_perplexity")
"""What the exponential of a loss is called: that of causal and that of masked predictions."""

PAIRS = "eval/pairs"
"""First part of the metrics of minimal pairs."""

MOST_OF_INTEREST = 0.1
"""A smallest difference of interest, as a share of right answers, is below this; a larger one was meant in points."""

SCORES = {
    metric: folder
    for protocol in PROTOCOLS.values()
    for metric, folder in (
        *(
            (protocol.prefix + score, folder)
            for folder in TASKS
            if folder in protocol.folders
            for score in score_names(folder)
        ),
        (protocol.macro, ""),
    )
}
"""Metric, of any year's protocol -> the folder that it is measured on; '' for the macro average."""


def read_objective(entry: Entry) -> Objective:
    """Return the objective, with the mode that its metric has.

    Raises:
        ConfigError: an unknown metric, or a mode that is not its own.
    """
    objective = read_section(Objective, entry, hint_at_key)
    metric = objective.metric
    plain = split_variant(metric)[1]
    known = {**METRICS, **dict.fromkeys(SCORES, "max")}
    if plain not in known and not (plain.startswith(f"{PAIRS}/") or split_score(plain)):  # a task of the user's own
        raise entry.inside("metric").error(unknown("objective.metric", metric, known))
    mode = known.get(plain, "max")
    if entry.is_sound and "mode" in entry.value and objective.mode != mode:
        raise entry.inside("mode").error(f"objective.mode must be {mode} for {metric}; got {objective.mode}")
    return Objective(metric=metric, mode=mode)


def read_claim(entry: Entry) -> Claim:
    """Return what the comparison may claim.

    Raises:
        ConfigError: an endpoint that no finished run reports.
    """
    claim = read_section(Claim, entry)
    plain = split_variant(claim.primary or "")[1]
    known = [*map(on_test, METRICS), *SCORES]
    if claim.primary is not None and plain not in known and split_score(plain) is None:
        raise entry.inside("primary").error(unknown("comparison.primary", claim.primary, known))
    return claim


def trained_objectives(space: Space, base: RunConfig) -> tuple[str, ...]:
    """Return the values of training.objective that the study's runs have: of its trials, its baselines and its arms.

    Args:
        space: the study.
        base: what every run starts from.
    """
    own = base.training.objective
    searched = next((each for each in space.parameters if each.key == OBJECTIVE), None)
    of_search = list(map(str, searched.domain.values)) if searched and isinstance(searched.domain, Choice) else []
    if searched is None or not of_search or searched.when:
        of_search.append(own)
    trained = of_search.copy() if space.stop.trials != 0 else []
    for name in (*space.baselines, *space.arms):
        settings, first = arm_settings(space, name) or {}, found_first(space, name)
        if OBJECTIVE in settings:
            trained.append(str(settings[OBJECTIVE]))
        elif first == BEST or (first is not None and OBJECTIVE in space.baselines[first].parameters):
            trained += of_search
        else:
            trained.append(own)
    return tuple(dict.fromkeys(trained or [own]))


def check_reported(metric: str, base: RunConfig, entry: Entry, objectives: Sequence[str]) -> None:
    """Refuse an objective that the study's runs will not report, or that is not comparable between them.

    Args:
        metric: the search's objective.
        base: what every run starts from.
        entry: of the objective.
        objectives: what the runs are trained for, see `trained_objectives`.

    Raises:
        ConfigError: it needs averaged weights, a hybrid model, minimal pairs, a task that is not scored at the rungs,
            or one training objective for all runs; or it is a score of another year than those of the runs.
    """
    evaluation = base.evaluation
    plain = split_variant(metric)[1]
    _check_variant(metric, base, entry, objectives)
    _check_loss("objective.metric", metric, objectives, entry)
    if plain.startswith(PAIRS):
        _check_pairs(metric, base, entry)
    named = split_score(plain)
    if named is None:
        return
    scores = SCORES | _own_scores(base)
    if plain not in scores:
        raise entry.inside("metric").error(unknown("objective.metric", metric, {**METRICS, **scores}))
    _check_protocol("objective.metric", metric, base, entry.inside("metric"), scores)
    counted = [task for task in evaluation.tasks if FOLDERS.get(task, "zorro") != "zorro"]
    needed = scores[plain] or "at least one task of BabyLM's"
    if not counted if plain == named[0].macro else scores[plain] not in evaluation.tasks:
        given = f"[{', '.join(evaluation.tasks)}]" if evaluation.tasks else "none"
        raise entry.error(
            f"{metric} needs {needed} among base's evaluation.tasks, scored at the rungs, and their folder as "
            f"evaluation.data; got evaluation.tasks: {given}"
        )


def check_claim(claim: Claim, objective: str, base: RunConfig, entry: Entry, objectives: Sequence[str]) -> None:
    """Refuse an endpoint that the study's runs will not report, and a smallest difference in the wrong unit.

    Args:
        claim: what the comparison may claim.
        objective: metric of the search, which is the endpoint where the claim names none.
        base: what every run starts from.
        entry: of the claim.
        objectives: what the runs are trained for, see `trained_objectives`.

    Raises:
        ConfigError: it needs averaged weights, a hybrid model, minimal pairs, BabyLM's data, or one training objective
            for all runs; or it is a score of another year than those of the runs; or a share of right answers is
            given in points.
    """
    endpoint = claim.primary or objective
    plain = split_variant(endpoint)[1]
    is_share = plain.partition("/")[2].startswith("pairs")
    if is_share and claim.smallest is not None and claim.smallest >= MOST_OF_INTEREST:
        raise entry.inside("smallest").error(
            f"comparison.smallest must be below {MOST_OF_INTEREST:g} for {endpoint}, a share from 0 to 1 (a point is "
            f"0.01); got {claim.smallest:g}"
        )
    if claim.primary is None:
        return
    _check_variant(endpoint, base, entry.inside("primary"), objectives)
    _check_loss("comparison.primary", endpoint, objectives, entry.inside("primary"))
    if is_share:
        _check_pairs(endpoint, base, entry.inside("primary"))
    scores = SCORES | _own_scores(base)
    if split_score(plain) is not None and plain not in scores:
        raise entry.inside("primary").error(unknown("comparison.primary", endpoint, scores))
    _check_protocol("comparison.primary", endpoint, base, entry.inside("primary"), scores)
    if plain in SCORES and base.evaluation.data is None:
        raise entry.inside("primary").error(
            f"{endpoint} needs BabyLM's tasks: name their folder in base as evaluation.data; got none"
        )


def check_data(base: RunConfig, entry: Entry) -> None:
    """Refuse tasks whose folder is missing.

    Raises:
        ConfigError: `evaluation.data` is no folder, or lacks one of `evaluation.tasks`; names those that it holds.
    """
    if base.evaluation.data is None:
        return
    data = Path(base.evaluation.data)
    if not data.is_dir():
        raise _given(entry, "data").error(
            f"evaluation.data must be a folder of BabyLM's tasks; there is none at {data}"
        )
    tasks = [function_name(task) for task in base.evaluation.tasks]
    known = dict.fromkeys((*TASKS, *tasks))
    present = [task for task in known if (data / task).is_dir() or (data / f"{task}.zip").is_file()]
    for task in tasks:
        if task not in present:
            close = nearest(task, present)
            hint = f"; did you mean '{close}'? It" if close else "; it"
            raise _given(entry, "tasks").error(
                f"evaluation.tasks names {task}, which {data} does not hold{hint} holds: "
                f"{', '.join(present) or 'no task'}"
            )


def _own_scores(base: RunConfig) -> dict[str, str]:
    """Return the metrics of the user's own tasks -> their import paths."""
    prefix = (_protocol(base) or PROTOCOLS[NEWEST]).prefix
    return {prefix + function_name(task): task for task in base.evaluation.tasks if is_import_path(task)}


def _protocol(base: RunConfig) -> Protocol | None:
    """Return the protocol by which the runs are scored; None if they are scored on no tasks."""
    return None if base.evaluation.data is None else PROTOCOLS.get(base.evaluation.protocol)


def _check_protocol(key: str, metric: str, base: RunConfig, entry: Entry, scores: Mapping[str, str]) -> None:
    """Refuse a score by another year's protocol than that of the runs; say what it is called by theirs."""
    variant, plain = split_variant(metric)
    named, ours = split_score(plain), _protocol(base)
    if named is None or ours is None or named[0] is ours:
        return
    protocol, score = named
    same = ours.prefix + score
    instead = f"write {of_variant(variant, same)}, or" if same in scores else f"{ours.year} has no {score};"
    raise entry.error(
        f"{key} must be a score by the protocol of {ours.year}, by which {base.evaluation.data} is scored "
        f"(evaluation.protocol); got {metric}, a score of {protocol.year}: {instead} set evaluation.protocol: "
        f"{protocol.year} in base"
    )


def _check_variant(metric: str, base: RunConfig, entry: Entry, objectives: Sequence[str]) -> None:
    """Refuse a variant of a metric that the study's runs do not measure."""
    variant, plain = split_variant(metric)
    others = [objective for objective in objectives if objective != "hybrid"]
    needs = {
        "": None,
        AVERAGED: None if base.training.ema is not None else "training.ema: 0.999, for example",
        CAUSAL: f"{OBJECTIVE}: hybrid instead of {' and '.join(others)}" if others else None,
    }
    needs[of_variant(AVERAGED, CAUSAL)] = needs[AVERAGED] or needs[CAUSAL]
    if variant not in needs:
        raise entry.error(unknown("metric", metric, [f"{name}/{plain}" for name in needs if name]))
    if needs[variant] is not None:
        raise entry.error(f"{metric} needs {needs[variant]}, in base, since every run must report it")


def _check_loss(key: str, metric: str, objectives: Sequence[str], entry: Entry) -> None:
    """Refuse a perplexity by a name that it does not have, and a loss that the runs measure differently."""
    variant, plain = split_variant(metric)
    split, _, name = plain.partition("/")
    if len(objectives) > 1 and METRICS.get(f"eval/{name}") == "min":
        raise entry.error(
            f"{key} must be comparable between runs with {OBJECTIVE} {' and '.join(objectives)}, whose nats per token "
            f"are not: choose a score of test items, such as {split}/pairs_accuracy (data=toy) or "
            f"{PROTOCOLS[NEWEST].prefix}blimp_filtered (evaluation.data); got {metric}"
        )
    is_causal = objectives[0] == "clm" or variant.endswith(CAUSAL)
    called = PERPLEXITIES[0 if is_causal else 1]
    if name in PERPLEXITIES and name != called:
        valid = of_variant(variant, f"{split}/{called}")
        raise entry.error(f"{key} must be {valid} with {OBJECTIVE}={objectives[0]}; got {metric}")


def _check_pairs(metric: str, base: RunConfig, entry: Entry) -> None:
    if not ((base.data.kind == "toy" or is_import_path(base.data.kind)) and base.evaluation.pairs):
        raise entry.error(
            f"{metric} needs minimal pairs, which data=toy with evaluation.pairs above 0 has; "
            f"got data.kind={base.data.kind}, evaluation.pairs={base.evaluation.pairs}"
        )


def _given(entry: Entry, name: str) -> Entry:
    """Return the entry of an option of the evaluation, or that of the base where it was not given."""
    key = f"evaluation.{name}"
    return entry.inside(key) if isinstance(entry.value, dict) and key in entry.value else entry
