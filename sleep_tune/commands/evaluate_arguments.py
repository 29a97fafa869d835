"""Arguments and help of `sleep-tune evaluate`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sleep_tune.babylm.challenge import AOA_CHECKPOINTS
from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL
from sleep_tune.babylm.protocols import NEWEST, PROTOCOLS
from sleep_tune.evaluation.backends import AUTO, BACKENDS
from sleep_tune.installation import command
from sleep_tune.names import DEVICES, FINE_TUNING, PRECISIONS

__all__ = ["parse_arguments"]

HELP = """\
Score a language model on the zero-shot tasks of the BabyLM challenge. For every item it chooses the same option as
BabyLM's pipeline of 2026 or 2025 (--protocol), and it writes the same files.

  {evaluate} runs/tiny/model --data evaluation_data/fast_eval
  {evaluate} MODEL --data evaluation_data/full_eval --tasks blimp,entity_tracking --backend causal

MODEL is a folder that AutoModelForMaskedLM or AutoModelForCausalLM can load, with a fast tokenizer. It must hold
exactly the weights of its model: missing, unused and non-finite weights are errors. Python files in it are run only
with --trust-remote-code.

DATA is the folder of the challenge's data (see docs/evaluation.md). It has a folder for each task, with the official
names. All tasks in it are scored:

  folder                                    items                            score
  blimp_fast, blimp_filtered                minimal pairs                    % correct
  supplement_fast, supplement_filtered      minimal pairs                    % correct
  ewok_fast, ewok_filtered                  2025: two targets after a context, 2026: one target after two contexts
                                                                             % correct; a zip with a password is read
  entity_tracking_fast, entity_tracking     five options: contents of a box  % correct
  comps                                     a property of two concepts       % correct
  global_piqa_parallel, ..._nonparallel     2026: ways to a goal             % correct, by the score per token
  wug_adj_nominalization, wug_past_tense    2025: forms of a made-up word    Spearman's rho with people's choices, x 100
  reading                                   words in sentences               % of the remaining variance of the times
                                                                             that surprisal explains: eye tracking,
                                                                             and self-paced
  zorro                                     minimal pairs                    % correct; not part of BabyLM

The score of a text is the sum of its tokens' log-probabilities; only Global PIQA divides it by their number. The back
ends that mask (mlm, mntp) mask one token at a time. If options tie, 2025 chooses the first one. It is the right one, so
a model that gives all options the same score is 100% correct (there is a warning). In 2026 an item whose right option
is among k best ones counts as 1/k, and predictions.json holds one drawn among them (--seed, --draw-ties).

A hybrid model of this package is scored by two back ends, mntp and causal, one after the other.

Files are written to OUTPUT_DIR/<model>/<revision>/zero_shot/<backend>/. RUN/model, the model of a
training run RUN, is its revision main. RUN/checkpoints/chck_1M, ... are its revisions chck_1M, ...
  <task>/<folder>/predictions.json, best_temperature_report.txt   the official files
  reading/predictions.json, report.txt                            the official files of reading
  scores.json                                                     all scores, also by group, and warnings
  items.parquet                                                   every item: scores of the options, choice, margin

Instead of the zero-shot tasks:
  --glue          fine-tune on the tasks in DATA/glue_filtered with the official settings: boolq, mnli, mrpc, multirc,
                  qqp, rte, wsc (or those of --tasks); --workers N fine-tunes on N at a time, with Ray on this machine
  --aoa           ages of acquisition: surprisal of the words in DATA/aoa/cdi_childes.json at every checkpoint
                  (training.word_checkpoints=true saves them), compared with those of children in
                  DATA/aoa/cdi_human.csv by the rules of the protocol
  --submission    join the files in OUTPUT_DIR into the one file for the leaderboard, as BabyLM's pipeline does; DATA is
                  evaluation_data/fast_eval; of a hybrid model the files of mntp are joined, or those of --backend.
                  2026: parts that are missing or of a wrong size are null, and listed; the leaderboard scores them 0.
                  2025: all parts must be there, or what is missing is listed and no file is written

A complete submission, for a run of 100 million words with training.word_checkpoints=true, in runs/NAME (RUN):
  {evaluate} RUN/model --data evaluation_data/full_eval
  {evaluate} RUN/model --data evaluation_data/full_eval --glue --aoa
  for each in RUN/checkpoints/*; do {evaluate} $each --data evaluation_data/fast_eval; done
  {evaluate} RUN/model --data evaluation_data/fast_eval --submission
--protocol auto follows each DATA by itself: for a submission of 2025 its folders must be 2025's, or give --protocol.
"""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed arguments; a mistake in them exits with code 2."""
    parser = argparse.ArgumentParser(
        prog=command("evaluate"),
        description=HELP.format(evaluate=command("evaluate")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="the model's folder")
    parser.add_argument("--data", type=Path, required=True, help="folder of tasks, such as evaluation_data/fast_eval")
    parser.add_argument(
        "--tasks",
        type=_names,
        default=(),
        metavar="A,B",
        help="score only these: names of folders, of tasks such as blimp, or import paths of functions of your own "
        "(my_lab.tasks:stripes reads the files in DATA/stripes; see CONTRIBUTING.md) (default: all)",
    )
    parser.add_argument(
        "--protocol",
        choices=(AUTO_PROTOCOL, *PROTOCOLS),
        default=AUTO_PROTOCOL,
        help="year of the challenge whose rules are followed; auto: 2025 if DATA has a wug folder and no Global PIQA, "
        f"else {NEWEST} (default: auto)",
    )
    parser.add_argument(
        "--backend",
        choices=(AUTO, *BACKENDS),
        default=AUTO,
        help="how probabilities are computed: mlm masks a token; mntp masks it and reads the position before it "
        "(GPT-BERT); causal reads from left to right; auto follows training_objective in config.json (a hybrid model "
        "is scored by mntp and by causal), or without it the architecture: mlm or causal (default: auto)",
    )
    parser.add_argument(
        "--output-dir", type=Path, default=Path("results"), help="folder of the results (default: results)"
    )
    parser.add_argument(
        "--batch-tokens",
        type=_positive,
        default=16_384,
        metavar="N",
        help="largest number of tokens in a forward pass (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="auto: a GPU (cuda) if there is one (default); mps: that of a Mac",
    )
    parser.add_argument(
        "--dtype",
        choices=PRECISIONS,
        default="auto",
        help="bf16 scores options with nearly equal scores again in fp32, so that the choices do not change; auto: "
        "bf16 on a GPU that supports it, else fp32 (default)",
    )
    parser.add_argument(
        "--revision-name",
        metavar="NAME",
        help="revision in the path of the results (default: chck_10M for RUN/checkpoints/chck_10M, ..., else main)",
    )
    parser.add_argument("--trust-remote-code", action="store_true", help="run the Python files in the model's folder")
    parser.add_argument(
        "--draw-ties",
        action="store_true",
        help="2026: scores and reports follow the draw among tied options that predictions.json holds, as in the "
        "official code, instead of its expected value (seed: --seed)",
    )
    _add_extra_tasks(parser)
    options = parser.parse_args(arguments)
    for name in FINE_TUNING:
        if getattr(options, name) is not None and not options.glue:
            parser.error(f"--{name.replace('_', '-')} is a setting of fine-tuning: it needs --glue")
    return options


def _add_extra_tasks(parser: argparse.ArgumentParser) -> None:
    """Add the options of fine-tuning, ages of acquisition and a submission."""
    group = parser.add_argument_group("instead of the zero-shot tasks")
    group.add_argument("--glue", action="store_true", help="fine-tune on the tasks in DATA/glue_filtered")
    group.add_argument(
        "--workers", type=_positive, default=1, metavar="N", help="fine-tune on N tasks at a time (default: 1)"
    )
    group.add_argument(
        "--seed",
        type=int,
        default=42,
        metavar="N",
        help="seed of fine-tuning and of draws among ties (default: 42, the pipeline's)",
    )
    group.add_argument(
        "--learning-rate",
        type=_rate,
        metavar="RATE",
        help="highest learning rate of fine-tuning (default: 3e-5, the pipeline's)",
    )
    group.add_argument(
        "--epochs",
        type=_positive,
        metavar="N",
        help="epochs of fine-tuning; the best one counts (default: the pipeline's: 10, for wsc 30)",
    )
    group.add_argument(
        "--batch-size",
        type=_positive,
        metavar="N",
        help="examples in an update of fine-tuning (default: the pipeline's: 32, for boolq and multirc 16)",
    )
    group.add_argument(
        "--accumulate",
        type=_positive,
        metavar="N",
        help="read the batch of an update in N parts, to need less memory; N must divide its size (default: 1)",
    )
    group.add_argument("--aoa", action="store_true", help="compute ages of acquisition over checkpoints")
    group.add_argument(
        "--checkpoints",
        type=Path,
        metavar="DIR",
        help="folder of chck_1M, ... (default: checkpoints/ in or beside MODEL)",
    )
    group.add_argument("--submission", action="store_true", help="join the files in OUTPUT_DIR for the leaderboard")
    group.add_argument(
        "--track",
        choices=tuple(AOA_CHECKPOINTS),
        default=next(iter(AOA_CHECKPOINTS)),
        help="track of the challenge, which defines the checkpoints (default: %(default)s)",
    )


def _rate(text: str) -> float:
    """Return an argument that must be a number above 0 and at most 1."""
    try:
        rate = float(text)
    except ValueError:
        rate = float("nan")
    if not 0 < rate <= 1:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and at most 1; got '{text}'")
    return rate


def _positive(text: str) -> int:
    """Return an argument that must be a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1; got '{text}'")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    """Return names separated by commas, at least one."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError(f"must name at least one task; got '{text}'")
    return names
