"""The part of `--help` about search spaces: every option with its meaning and default, from the dataclasses."""

import textwrap
from collections.abc import Iterator

from sleep_tune.config.describe import yaml_value
from sleep_tune.config.options import Option, section_fields
from sleep_tune.installation import command
from sleep_tune.search.space.search_space import (
    ArmParent,
    Baseline,
    Claim,
    Finalists,
    Looks,
    Objective,
    Resources,
    Scheduler,
    Search,
    Stop,
)

__all__ = ["describe_space", "space_keys"]

SECTION_CLASSES: dict[str, type] = {
    "objective": Objective,
    "search": Search,
    "scheduler": Scheduler,
    "stop": Stop,
    "baselines.NAME": Baseline,
    "arms.NAME": ArmParent,
    "finalists": Finalists,
    "finalists.seeds": Looks,
    "comparison": Claim,
    "resources": Resources,
}

INTRODUCTION = """\
A SEARCH SPACE  (section.option, its default and meaning)

  name                       folder of the study in results/; the file's name without .yaml
  base                       groups and options of every run, as in TRAIN --help, such as
                               {data: text, budget.passes: 10}
  parameters                 what is searched, option by option:
                               sleep.folds:           {choice: [5, 10, 20]}
                               sleep.replay.ratio:    {uniform: [0.05, 0.8]}
                               training.learning_rate: {log_uniform: [1e-4, 1e-2]}
                               sleep.replay.decay:    {uniform: [0, 0.7], when: {sleep.replay.strategy: [strict]}}
                             also {int: [low, high]}, {int: [16, 512], log: true}, and uniform or int with a step:
                             {uniform: [0, 1], step: 0.1}. With `when` an option is searched only if another has one of
                             these values
  baselines                  what sleep is compared with: epochs, and its A/A control: {epochs: {}, as_epochs: {}}
  arms                       more of what is compared: fixed configurations over the same fresh seeds as finalists
                               strict:  {sleep: strict}                        a choice of a group, or options
                               folds20: {like: strict, sleep.folds: 20}        another arm's settings, and its own
                               control: {matched: strict}                      its exposures, in random order
  enqueue                    settings to train first: [{sleep.folds: 10}, ...]; the sampler fills in those left out
  warm_start                 earlier experiments whose trials are used by the sampler, and can become finalists:
                               [results/earlier]"""

COLUMN = 29
WIDTH = 120


def describe_space() -> str:
    """Return the options of a search space, section by section."""
    return "\n".join([INTRODUCTION.replace("TRAIN", command("train")), *_lines()])


def space_keys() -> set[str]:
    """Return the keys of all options of a space, dotted."""
    return {f"{name}.{field}" for name, section in SECTION_CLASSES.items() for field in section_fields(section, name)}


def _lines() -> Iterator[str]:
    for name, section in SECTION_CLASSES.items():
        assert section.__doc__ is not None
        yield ""
        heading = f"{name}: {section.__doc__.splitlines()[0].rstrip('.')}"
        yield from textwrap.wrap(heading, WIDTH, initial_indent="  ", subsequent_indent="  ")
        for field, option in section_fields(section, name).items():
            assert isinstance(option, Option)
            default = yaml_value(option.default)
            choices = f"; one of {', '.join(option.choices)}" if option.choices else ""
            first, *rest = textwrap.wrap(f"{option.doc} (default: {default}{choices})", WIDTH - COLUMN)
            yield f"    {field}".ljust(COLUMN) + first
            yield from (" " * COLUMN + line for line in rest)
