"""Train one model: `sleep-tune train sleep=weighted training.seed=3` (in a clone: `python train_worker.py ...`).

Tiny, on a laptop: `sleep-tune train run.name=tiny data.sentences=5000 budget.passes=4`. The study's model on BabyLM:
`sleep-tune train data=text data.path=DIR model=small training=gpu`. To resume a run that was stopped or
killed, or to print the results of one that has ended, run the same command again.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune import cli
from sleep_tune.commands.flags import FlagParser
from sleep_tune.errors import RunFolderError, UserError, together
from sleep_tune.import_paths import lookup
from sleep_tune.installation import command
from sleep_tune.interrupts import current
from sleep_tune.plain_text import visible

if TYPE_CHECKING:
    from sleep_tune.config.schema import RunConfig
    from sleep_tune.records import Decision, Outcome, Progress

ARGUMENTS = "[--help] [--cfg job] [group=choice | option=value ...]"

FIGURES = {
    "nll": "nll {:.4f}",
    "pseudo_perplexity": "pseudo-perplexity {:.2f}",
    "perplexity": "perplexity {:.2f}",
    "pairs_accuracy": "minimal pairs {:.1%}",
}
"""Metric, without its split -> its text in the summary."""

MASKED = "AutoModelForMaskedLM.from_pretrained({})"
OPENERS = {
    "mlm": (MASKED,),
    "clm": ("AutoModelForCausalLM.from_pretrained({})",),
    "hybrid": (MASKED, "AutoModelForCausalLM.from_pretrained({}, is_decoder=True)"),
}
"""training.objective -> how the model's folder is opened."""


def main(arguments: Sequence[str]) -> int:
    """Parse, then describe or train."""
    options = parse(arguments)
    if options.help:
        print(help_text())
        return 0
    from sleep_tune.config.describe import to_yaml
    from sleep_tune.experiment.run_place import compose_run

    config = compose_run(options.overrides)
    if options.cfg:
        print(to_yaml(config), end="")
        return 0
    assert config.run.dir is not None
    train(Path(config.run.dir), config)
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return --help, --cfg and the overrides, which may come in any order."""
    of_a_search = f"that is a flag of {command('search')}"
    several = f"to try several values, use {command('search')}"
    flags = dict.fromkeys(("plan", "status", "launcher", "address"), of_a_search) | {
        "name": "write run.name={}",
        "dir": "write run.dir={}",
        "m": several,
        "multirun": several,
    }
    parser = FlagParser(command("train"), flags)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--cfg", choices=["job"])
    parser.add_argument("overrides", nargs="*")
    parser.usage = f"{command('train')} {ARGUMENTS}"
    return parser.parse_line(arguments)


def help_text() -> str:
    """Return the usage, the groups of conf/ and the options of the schema."""
    from sleep_tune.config.describe import describe_groups, describe_options

    train = command("train")
    return f"""\
usage: {train} {ARGUMENTS}

Train one model. The text is read in folds (wake); after each fold, a buffer of samples that were read before is
replayed (sleep), until the budget of words is used. Everything is written to runs/<run.name>; a run without a name is
called after its settings. Run the same command again to resume a stopped or killed run, or to print the results of one
that has ended.

  {train} sleep=weighted training.seed=3     the run weighted-seed3, in minutes on a laptop
  {train} sleep=epochs run.name=baseline     the same without sleep, to compare it with
  {train} data=text data.path=DIR model=small budget.words=100000000

  --cfg job    print the whole configuration, with the meaning of every option, and train nothing
  --help       print this text

GROUPS  (group=choice; * marks the default; to add a choice, write a file conf/GROUP/CHOICE.yaml)

{describe_groups()}

OPTIONS  (option=value; the second column is the default with the default groups)

{describe_options()}"""


def train(folder: Path, config: "RunConfig") -> None:
    """Train in `folder`, resume there, or print the results of its finished run."""
    from sleep_tune.experiment import run_folder

    with _checked_text(config), run_folder.claimed(folder, config) as resumed:
        outcome = run_folder.read_outcome(folder)
        if outcome is not None:
            print(f"{folder} has ended already.")
            settle_in(folder, config, outcome)
        else:
            print(f"{'Resuming' if resumed else 'Training'} in {folder} (log: {folder / run_folder.LOG})", flush=True)
            outcome = train_in(folder, config)
        print(visible(summary(folder, config, outcome)))


@contextmanager
def _checked_text(config: "RunConfig") -> Iterator[None]:
    """If the run's folder is refused, also look for its text: a wrong data.path must not be found by a second try."""
    try:
        yield
    except RunFolderError as error:
        from sleep_tune.data.prepare import CORPORA

        try:
            lookup(CORPORA, config.data.kind, "data.kind")(config.data)
        except UserError as mistake:
            raise together([mistake, error], "the run") from None
        raise


def train_in(folder: Path, config: "RunConfig") -> "Outcome":
    """Train with a progress bar; messages of libraries go to log.txt."""
    from sleep_tune.config.library_logs import log_to, redirect_libraries
    from sleep_tune.experiment.run_folder import LOG

    current().farewell = f"run the same command again to resume from the last checkpoint in {folder}"
    with log_to(folder / LOG):
        cli.say("loading torch and transformers")
        from sleep_tune.data.prepare import prepare
        from sleep_tune.training.first_model import check_first_model
        from sleep_tune.training.hardware import find_device
        from sleep_tune.training.run import train
        from sleep_tune.training.tracking import require_trackers

        redirect_libraries()
        require_trackers(config.tracking)
        with cli.echo_log("sleep_tune.data"):
            find_device(config.training.device, "training.device")
            check_first_model(config)
            corpus = prepare(config.data, config.tokenizer)
        print(visible("\n".join(corpus.description)), flush=True)
        with ExitStack() as stack:
            # Where it resumes, what was damaged, that it compiles, and what follows training.
            for part in ("session", "attempts", "mirror", "journal", "compilation", "stages"):
                stack.enter_context(cli.echo_log(f"sleep_tune.training.{part}"))
            return train(config, always_continue, corpus=corpus, show_progress=True)


def settle_in(folder: Path, config: "RunConfig", outcome: "Outcome") -> None:
    """Report the end of a run to its trackers, if its process was killed before it could."""
    from sleep_tune.config.library_logs import log_to
    from sleep_tune.experiment.run_folder import LOG
    from sleep_tune.training.tracking import finish_trackers

    with log_to(folder / LOG):
        finish_trackers(config, outcome.state, outcome.metrics)


def always_continue(progress: "Progress") -> "Decision":
    """Answer every report of a run outside a search."""
    from sleep_tune.records import Decision

    return Decision.CONTINUE


def summary(folder: Path, config: "RunConfig", outcome: "Outcome") -> str:
    """Return the metrics, the cost, and how to load the model, a line each."""
    from sleep_tune.training.weights_and_biases import wandb_sync_command

    lines = format_metrics(outcome.metrics)
    lines.append(
        f"cost  {outcome.words_seen:,} words, {outcome.updates:,} updates, {outcome.seconds:,.1f} s on {outcome.device}"
    )
    if config.training.save_model:
        for place in ("model",) if config.training.ema is None else ("model", "model-ema"):
            trust = ", trust_remote_code=True" if any((folder / place).glob("*.py")) else ""
            openers = [opener.format(f'"{folder / place}"{trust}') for opener in OPENERS[config.training.objective]]
            lines.append(f"model {folder / place}  ({'; '.join(openers)})")
    left_out = folder / "eval" / "left_out.json"
    lines += [f"warning: {reason}" for reason in json.loads(left_out.read_text("utf-8"))] if left_out.is_file() else []
    if (command := wandb_sync_command(config.tracking, folder)) is not None:
        lines.append(f"track {command}")
    return "\n".join(lines)


def format_metrics(metrics: Mapping[str, float]) -> list[str]:
    """Return the losses of each split and BabyLM's scores, a line each; those of a variant begin with its name."""
    from sleep_tune.evaluation.benchmark import with_macro
    from sleep_tune.metric_names import split_variant

    variants: dict[str, dict[str, float]] = {}
    for key, value in metrics.items():
        variant, plain = split_variant(key)
        variants.setdefault(variant, {})[plain] = value
    lines = []
    for variant, measured in variants.items():
        name = f"{variant}: " if variant else ""
        for split, prefix in (("dev", "eval/"), ("test", "test/")):
            figures = [text.format(measured[prefix + key]) for key, text in FIGURES.items() if prefix + key in measured]
            if figures:
                lines.append(f"{split:6}{name}{', '.join(figures)}")
        lines += format_scores(with_macro(measured), name)
    return lines


def format_scores(metrics: Mapping[str, float], variant: str = "") -> list[str]:
    """`babylm2026 BLiMP 59.40, Zorro 61.00`: a protocol's scores on one line after `variant`, if there are any."""
    from sleep_tune.babylm.protocols import split_score
    from sleep_tune.babylm.score_names import MACRO, score_title

    scores: dict[str, dict[str, float]] = {}
    for key, value in metrics.items():
        if (found := split_score(key)) is not None:
            scores.setdefault(found[0].prefix.rstrip("/"), {})[found[1]] = value
    lines = []
    for protocol, of_year in scores.items():
        names = sorted(of_year, key=lambda name: (name == MACRO, name))
        lines.append(f"{protocol} {variant}{', '.join(f'{score_title(name)} {of_year[name]:.2f}' for name in names)}")
    return lines
