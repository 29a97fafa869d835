"""Names of other tools for what an option sets: hints for users who know transformers, Lightning, W&B or lm-eval.

Where the two differ, in their unit or in what they count, the hint says so. Keys of other tools' search spaces are in
search/space/foreign_spaces.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sleep_tune.config.options import options, sections

__all__ = ["ForeignName", "find_foreign_name", "foreign_names", "plain_name"]


@dataclass(frozen=True, slots=True)
class ForeignName:
    """A name of another tool, and what is written here instead."""

    tool: str
    name: str
    key: str
    """The option (or group=choice) of this package; '' where there is none."""
    difference: str = ""
    """How the option differs from what the tool means, or what to do where there is no option; '' if it does not."""

    @property
    def hint(self) -> str:
        """The second half of a message about the name."""
        theirs = f"{self.name} of {self.tool}"
        if not self.key:
            return f"there is no option like {theirs}: {self.difference}"
        if not self.difference:
            return f"{theirs} is {self.key} here"
        return f"nearest to {theirs} is {self.key}, {self.difference}"


SHARE = "a share of the budget, not a number of updates"
WORDS = "which counts words, replayed ones included"
GRADUAL = "shares of the budget, below 1, such as [0.5]"
GPU = "of each worker, which trains on one device"
BY_MODEL_HF = "with model=hf"

TRAINING_ARGUMENTS = (
    ("learning_rate", "training.learning_rate", ""),
    ("per_device_train_batch_size", "training.batch_size", GPU),
    ("per_gpu_train_batch_size", "training.batch_size", GPU),
    ("train_batch_size", "training.batch_size", GPU),
    ("per_device_eval_batch_size", "evaluation.batch_tokens", "which counts tokens, not rows"),
    ("gradient_accumulation_steps", "training.accumulation", ""),
    ("num_train_epochs", "budget.passes", WORDS),
    ("max_steps", "budget.words", WORDS),
    ("adam_beta1", "training.beta1", ""),
    ("adam_beta2", "training.beta2", ""),
    ("adam_epsilon", "training.epsilon", ""),
    ("warmup_steps", "training.warmup", SHARE),
    ("warmup_ratio", "training.warmup", "a share of the budget in words"),
    ("lr_scheduler_type", "training.schedule", "one of constant, cosine, linear, wsd"),
    ("optim", "training.optimizer", "adamw or muon"),
    ("seed", "training.seed", "beside data.seed, which draws the split of the text"),
    ("data_seed", "training.seed", "which also orders the batches; data.seed draws the split of the text"),
    ("bf16", "training.precision", "auto, bf16 or fp32"),
    ("fp16", "training.precision", "auto, bf16 or fp32, without fp16"),
    ("torch_compile", "training.compile", ""),
    ("use_cpu", "training.device", "such as cpu"),
    ("no_cuda", "training.device", "such as cpu"),
    ("output_dir", "run.dir", "the folder of this one run; run.name=NAME writes to runs/NAME"),
    ("run_name", "run.name", "which also names the folder runs/NAME"),
    ("report_to", "tracking", "a group: tracking=wandb or tracking=tensorboard"),
    ("project", "tracking.project", ""),
    ("logging_steps", "training.log_ratio", SHARE),
    ("eval_steps", "evaluation.rungs", GRADUAL),
    ("eval_strategy", "evaluation.rungs", GRADUAL),
    ("evaluation_strategy", "evaluation.rungs", GRADUAL),
    ("save_steps", "training.checkpoint_ratio", SHARE),
    ("save_strategy", "training.checkpoint_ratio", SHARE),
    ("resume_from_checkpoint", "", "run the same command again, and it resumes from the last checkpoint"),
    ("do_train", "", "every run trains"),
    ("do_eval", "", "every run evaluates"),
    ("overwrite_output_dir", "", "a folder is never overwritten; remove it, or give the run another run.name"),
    ("push_to_hub", "", "train first, then export"),
    ("label_smoothing_factor", "", "losses are not smoothed"),
    ("gradient_checkpointing", "", "lower training.batch_size and raise training.accumulation to save memory"),
    ("dataloader_num_workers", "", "batches are read from memory"),
)

RUN_SCRIPTS = (
    ("model_name_or_path", "model.init", BY_MODEL_HF),
    ("config_name", "model.config", BY_MODEL_HF),
    ("model_type", "model.config", BY_MODEL_HF),
    ("tokenizer_name", "tokenizer.name", "with tokenizer=hub"),
    ("train_file", "data.path", "with data=text"),
    ("validation_file", "data.path", "with data=text: a list of files, of which the name of one says dev"),
    ("dataset_name", "data.dataset", "with data=hf"),
    ("dataset_config_name", "data.configuration", "with data=hf"),
    ("text_column_name", "data.field", ""),
    ("max_seq_length", "data.max_length", ""),
    ("block_size", "data.max_length", ""),
    ("mlm_probability", "training.masking.probability", ""),
    ("max_train_samples", "data.max_words", "which counts words"),
)

MODEL_OPTIONS = (
    ("num_hidden_layers", "model.layers", ""),
    ("n_layer", "model.layers", ""),
    ("hidden_size", "model.hidden", ""),
    ("n_embd", "model.hidden", ""),
    ("d_model", "model.hidden", ""),
    ("num_attention_heads", "model.heads", ""),
    ("n_head", "model.heads", ""),
    ("intermediate_size", "model.feed_forward", ""),
    ("n_inner", "model.feed_forward", ""),
    ("hidden_dropout_prob", "model.dropout", ""),
    ("attention_probs_dropout_prob", "model.attention_dropout", ""),
    ("attn_pdrop", "model.attention_dropout", ""),
    ("tie_word_embeddings", "model.tie_embeddings", ""),
    ("max_position_embeddings", "data.max_length", "the tokens of a row, from which the model gets its positions"),
    ("n_positions", "data.max_length", "the tokens of a row, from which the model gets its positions"),
    ("model_max_length", "data.max_length", ""),
)

TABLES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "transformers' TrainingArguments": TRAINING_ARGUMENTS,
    "transformers' run_mlm.py": RUN_SCRIPTS,
    "transformers' models": MODEL_OPTIONS,
    "lm-eval": (
        ("pretrained", "model.init", BY_MODEL_HF),
        ("num_fewshot", "", "tasks are scored zero-shot"),
    ),
    "Lightning": (
        ("max_epochs", "budget.passes", WORDS),
        ("accumulate_grad_batches", "training.accumulation", ""),
        ("gradient_clip_val", "training.max_grad_norm", ""),
        ("accelerator", "training.device", ""),
        ("val_check_interval", "evaluation.rungs", GRADUAL),
        ("default_root_dir", "run.dir", "the folder of this one run; run.name=NAME writes to runs/NAME"),
    ),
    "many tools": (
        ("lr", "training.learning_rate", ""),
        ("epochs", "budget.passes", WORDS),
        ("num_epochs", "budget.passes", WORDS),
        ("bs", "training.batch_size", GPU),
        ("wd", "training.weight_decay", ""),
        ("grad_clip", "training.max_grad_norm", ""),
        ("wandb_project", "tracking.project", ""),
        ("mask_prob", "training.masking.probability", ""),
        ("resume", "", "run the same command again, and it resumes from the last checkpoint"),
    ),
}
"""Tool -> (its name, the option or group here, how it differs)."""


def foreign_names() -> Iterator[ForeignName]:
    """Yield every entry of the tables."""
    for tool, entries in TABLES.items():
        yield from (ForeignName(tool, *entry) for entry in entries)


BY_NAME: Mapping[str, ForeignName] = MappingProxyType({entry.name: entry for entry in foreign_names()})


def find_foreign_name(key: str) -> ForeignName | None:
    """Return the entry for a key (dotted) that is no option but whose last part is another tool's name; else None.

    Where the key's own section has the option, it is meant: sleep.lr is sleep.learning_rate.

    >>> find_foreign_name("training.lr").hint
    "lr of many tools is training.learning_rate here"
    """
    section, _, last = key.rpartition(".")
    entry = BY_NAME.get(plain_name(last))
    is_misspelt = section not in ("", *sections())  # trainin.seed
    if entry is None or (is_misspelt and entry.key.endswith(f".{last}")):
        return None
    beside = f"{section}.{entry.key.rpartition('.')[2]}"
    return replace(entry, key=beside, difference="") if beside in options() and beside != entry.key else entry


def plain_name(name: str) -> str:
    """Return a name as Python would write it: 'learning_rate' for '--learning-rate'."""
    return name.lstrip("-").replace("-", "_")
