"""Rules between options, which the range of one option cannot express."""

import dataclasses
import re
from collections.abc import Callable, Iterable
from operator import attrgetter

from sleep_tune.config.checker import one_of_text
from sleep_tune.config.entry import shown
from sleep_tune.config.schema import ONE_OF, SPLITS, EvaluationConfig, ModelConfig, RunConfig, TrainingConfig
from sleep_tune.config.sleep_rules import SLEEP_RULES
from sleep_tune.errors import ConfigError, UserError, together, unknown
from sleep_tune.import_paths import is_import_path
from sleep_tune.names import OBJECTIVES_OF

__all__ = ["RULES", "check_rules", "require_read_sizes"]

CORPUS_NAMED_BY = {
    "text": ("path", "a file or folder of text, or a list of them"),
    "babylm": ("dataset", "a dataset id on the Hugging Face Hub"),
    "hf": ("dataset", "a dataset id on the Hugging Face Hub, or the folder of a dataset"),
}
"""Kind of corpus -> option that names it, and what it takes."""

READ_BY = {
    "path": ("text",),
    "dataset": ("babylm", "hf"),
    "revision": ("babylm", "hf"),
    "configuration": ("hf",),
    "splits": ("hf",),
    "field": ("text", "hf"),
    "source_field": ("text", "hf"),
}
"""Option of data -> the kinds of corpus that read it."""

MAX_NAME = 200
"""Bytes in the name of a folder; every file system allows this many."""


def check_rules(config: RunConfig) -> None:
    """Refuse options that do not fit together.

    Raises:
        ConfigError: every broken rule of `RULES`: the keys, what must hold, and what was given.
        BudgetError: the budget cannot hold the sleep, whatever the corpus, and nothing else is wrong.
    """
    errors: list[UserError] = []
    for rule in RULES.values():
        try:
            rule(config)
        except UserError as error:
            errors.append(error)
    if errors:
        raise together(errors, "the configuration")


def exactly_one(config: RunConfig) -> None:
    """Require that exactly one option of each `ONE_OF` section is set."""
    for section, members in ONE_OF.items():
        values = attrgetter(section)(config)
        given = {name: value for name in members if (value := getattr(values, name)) is not None}
        if len(given) != 1:
            raise ConfigError(one_of_text(section, given))


def run_name_is_a_folder(config: RunConfig) -> None:
    """Require that the run's name can be the name of a folder."""
    name = config.run.name
    if name is None:
        return
    if "/" in name or "\\" in name or name in (".", "..") or len(name.encode()) > MAX_NAME:
        raise ConfigError(
            f"run.name must be the name of one folder, without slashes, of at most {MAX_NAME} bytes; "
            f"got '{name}' (run.dir takes a path)"
        )


def heads_divide_width(config: RunConfig) -> None:
    """Require that the width of the model is a multiple of its attention heads."""
    hidden, heads = config.model.hidden, config.model.heads
    if hidden % heads and not is_import_path(config.model.kind):
        divisors = ", ".join(str(n) for n in range(1, min(hidden, 64) + 1) if hidden % n == 0)
        raise ConfigError(f"model.heads must divide model.hidden={hidden} ({divisors}); got {heads}")


def objective_fits_model(config: RunConfig) -> None:
    """Require an objective that the architecture can be trained with, and refuse a causal ratio that is not read."""
    kind, training = config.model.kind, config.training
    allowed = OBJECTIVES_OF["hf" if is_import_path(kind) else kind]
    if training.objective not in allowed:
        expected = f"one of {', '.join(allowed)}" if len(allowed) > 1 else allowed[0]
        others = ", ".join(name for name, those in OBJECTIVES_OF.items() if training.objective in those)
        raise ConfigError(
            f"training.objective must be {expected} with model.kind={kind}; got {training.objective}, which is for the "
            f"kinds {others}"
        )
    if training.objective != "hybrid" and training.causal_ratio != TrainingConfig.causal_ratio:
        raise ConfigError(
            f"training.causal_ratio is read by training.objective=hybrid only; got {training.causal_ratio:g} with "
            f"training.objective={training.objective}"
        )


DEFAULTS = ModelConfig()
NAMED = ("config", "options", "init", "trust_remote_code")
"""Options of an architecture of transformers (model.kind=hf)."""
SIZES = tuple(field.name for field in dataclasses.fields(ModelConfig) if field.name not in ("kind", *NAMED))
"""Options of the other architectures."""


def architecture_is_described(config: RunConfig) -> None:
    """Require for model.kind=hf what describes its architecture, and refuse options that are not read."""
    model = config.model
    if is_import_path(model.kind):  # a function of the user's own reads what it wants, and brings its own weights
        if model.init is not None:
            raise ConfigError(
                f"model.init is read by model=hf only; got model.kind={model.kind}, model.init={model.init}"
            )
        return
    if model.kind == "hf" and (model.config is None) == (model.init is None):
        given = "none" if model.config is None else f"{model.config} and {model.init}"
        raise ConfigError(
            "model=hf needs either model.config=... (a model type of transformers, such as opt, or a config.json) or "
            f"model.init=... (a folder with weights, or an id on the Hub); got {given}"
        )
    unread: tuple[str, ...] = NAMED
    why = "is read by model=hf only"
    if model.kind == "hf" and model.init is None:
        unread, why = (*SIZES, "trust_remote_code"), "is not read with model.config; set model.options instead"
    elif model.kind == "hf":
        unread, why = (*SIZES, "options"), f"is not read with model.init={model.init}, which has its own"
    wrong = [name for name in unread if getattr(model, name) != getattr(DEFAULTS, name)]
    if wrong:
        given = ", ".join(f"model.{name}={shown(getattr(model, name))}" for name in wrong)
        raise ConfigError(f"{given} {why}; got model.kind={model.kind}")


def require_read_sizes(config: RunConfig, chosen: Iterable[str]) -> None:
    """Refuse sizes that the user has set and model.kind=hf does not read, also those that are the defaults.

    Args:
        config: the run's configuration.
        chosen: dotted keys of the options that the user has set.

    Raises:
        ConfigError: names them.
    """
    wrong = [key for key in chosen if config.model.kind == "hf" and key in {f"model.{name}" for name in SIZES}]
    if wrong:
        instead = "set model.options instead" if config.model.init is None else "model.init has its own"
        raise ConfigError(f"{', '.join(wrong)} cannot be set with model.kind=hf, which does not read it: {instead}")


def dropout_exists(config: RunConfig) -> None:
    """Refuse dropout on hidden states for an architecture that has none."""
    model = config.model
    if model.kind == "llama" and model.dropout:
        raise ConfigError(
            "model.dropout must be 0 with model.kind=llama, which has no dropout on hidden states; "
            f"got {model.dropout:g} (model.attention_dropout is read)"
        )


def weights_have_a_tokenizer(config: RunConfig) -> None:
    """Require an existing tokenizer for a model with weights, whose embeddings mean nothing with a new vocabulary."""
    if config.model.init is not None and config.tokenizer.kind != "hub":
        raise ConfigError(
            f"model.init needs the tokenizer of its weights: tokenizer=hub tokenizer.name={config.model.init}; "
            f"got tokenizer.kind={config.tokenizer.kind}"
        )


def corpus_is_named(config: RunConfig) -> None:
    """Require the option that names the corpus, and refuse those of another kind of corpus.

    A function of the user's reads any of them.
    """
    data = config.data
    if is_import_path(data.kind):
        return
    for kind, (name, what) in CORPUS_NAMED_BY.items():
        if kind == data.kind and getattr(data, name) is None:
            raise ConfigError(f"data={kind} needs data.{name}=..., {what}; got none")
    for name, kinds in READ_BY.items():
        given = getattr(data, name)
        if given not in (None, {}) and data.kind not in kinds:
            readers = " or ".join(f"data={kind}" for kind in kinds)
            raise ConfigError(
                f"data.{name} is read by {readers} only; got data.kind={data.kind} with data.{name}={shown(given)}"
            )


def splits_are_named(config: RunConfig) -> None:
    """Require that data.splits names splits of a dataset for train, dev and test, and train at least."""
    for split, name in config.data.splits.items():
        key = f"data.splits.{split}"
        if split not in SPLITS:
            raise ConfigError(unknown("key of data.splits", split, SPLITS))
        if not (isinstance(name, str) and name.strip()) and not (name is None and split != "train"):
            expected = "the name of a split" if split == "train" else "the name of a split, or null"
            raise ConfigError(f"{key} must be {expected}; got {shown(name)}")


def tokenizer_is_named(config: RunConfig) -> None:
    """Require the name of a tokenizer that is loaded, and refuse it for one that is trained."""
    tokenizer = config.tokenizer
    if tokenizer.kind == "hub" and tokenizer.name is None:
        raise ConfigError("tokenizer=hub needs tokenizer.name=..., a folder or an id on the Hugging Face Hub; got none")
    if tokenizer.kind != "hub" and tokenizer.name is not None:
        raise ConfigError(
            f"tokenizer.name is read by tokenizer=hub only; got tokenizer.kind={tokenizer.kind} "
            f"with tokenizer.name={tokenizer.name}"
        )


def schedule_fits(config: RunConfig) -> None:
    """Require that warm-up and cool-down together take at most the whole budget."""
    training = config.training
    if training.schedule == "wsd" and training.warmup + training.cooldown > 1:
        raise ConfigError(
            "training.warmup + training.cooldown must be at most 1 with training.schedule=wsd; "
            f"got {training.warmup:g} + {training.cooldown:g}"
        )


def mirror_holds_all(config: RunConfig) -> None:
    """Refuse word checkpoints with a mirror, which copies what a resume needs and not these models."""
    if config.training.mirror is not None and config.training.word_checkpoints:
        raise ConfigError(
            "training.word_checkpoints must be false with training.mirror, which does not hold them; got true"
        )


def mirror_holds_no_secret(config: RunConfig) -> None:
    """Refuse passwords in the mirror's URI: options are written to files, logs and trackers, and the process list."""
    if SECRET.search(config.training.mirror or ""):
        raise ConfigError(
            "training.mirror must hold no password, key or token, for it is written to the run's files; give them by "
            "the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY) or the file system's own settings"
        )


SECRET = re.compile(
    r"^[^/?#]+://[^/?#@]*:(?!\d+/)[^?#]*@|[?&][^=&]*(?:key|secret|token|password|signature)[^=&]*=", re.IGNORECASE
)
"""A secret in a URI: user:password@, or a query such as ?sas_token=..."""


def mask_shares_fit(config: RunConfig) -> None:
    """Require that the shares of masked and of random tokens add up to at most 1."""
    masking = config.training.masking
    if masking.mask_share + masking.random_share > 1 + 1e-9:
        raise ConfigError(
            "training.masking.mask_share + training.masking.random_share must be at most 1; "
            f"got {masking.mask_share:g} + {masking.random_share:g}"
        )


def masking_changes_where_tokens_are_masked(config: RunConfig) -> None:
    """Refuse a final probability of masking, and one asleep, for an objective that masks nothing."""
    changes = {"training.masking.final": config.training.masking.final, "sleep.masking": config.sleep.masking}
    given = {key: value for key, value in changes.items() if value is not None}
    if config.training.objective == "clm" and given:
        raise ConfigError(
            f"{' and '.join(given)} must be null with training.objective=clm, which masks nothing; "
            f"got {' and '.join(f'{value:g}' for value in given.values())}"
        )


def evaluation_fits(config: RunConfig) -> None:
    """Require rising rungs, a stride within a row, and a forward pass that holds at least one row."""
    evaluation, length = config.evaluation, config.data.max_length
    if any(later <= earlier for earlier, later in zip(evaluation.rungs, evaluation.rungs[1:], strict=False)):
        raise ConfigError(f"evaluation.rungs must rise strictly; got {list(evaluation.rungs)}")
    if evaluation.method == "strided" and evaluation.stride > length:
        raise ConfigError(f"evaluation.stride must be at most data.max_length={length}; got {evaluation.stride}")
    if evaluation.batch_tokens < length:
        raise ConfigError(
            f"evaluation.batch_tokens must hold one row of data.max_length={length}; got {evaluation.batch_tokens}"
        )


def tasks_have_data(config: RunConfig) -> None:
    """Require the folder of the tasks that are scored, also where only their protocol is given."""
    evaluation = config.evaluation
    if evaluation.tasks and evaluation.data is None:
        raise ConfigError(
            "evaluation.tasks needs evaluation.data=..., a folder such as evaluation_data/fast_eval; "
            f"got none with evaluation.tasks=[{', '.join(evaluation.tasks)}]"
        )
    if evaluation.protocol != EvaluationConfig.protocol and evaluation.data is None:
        raise ConfigError(
            "evaluation.protocol needs evaluation.data=..., a folder such as evaluation_data/fast_eval; "
            f"got none with evaluation.protocol={evaluation.protocol}"
        )


RULES: dict[str, Callable[[RunConfig], None]] = {
    rule.__name__: rule
    for rule in (
        exactly_one,
        run_name_is_a_folder,
        heads_divide_width,
        objective_fits_model,
        architecture_is_described,
        dropout_exists,
        weights_have_a_tokenizer,
        corpus_is_named,
        splits_are_named,
        tokenizer_is_named,
        schedule_fits,
        mirror_holds_all,
        mirror_holds_no_secret,
        mask_shares_fit,
        masking_changes_where_tokens_are_masked,
        evaluation_fits,
        tasks_have_data,
        *SLEEP_RULES,
    )
}
"""Name -> rule: a function of the RunConfig that raises an error if it is broken."""
