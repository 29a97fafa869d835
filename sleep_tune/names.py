"""The names that options can be set to, one tuple for each table of functions.

A table (name -> function) is beside its functions, in a layer that the configuration may not import; a test checks
that each tuple equals the keys of its table.
"""

__all__ = [
    "BASELINES",
    "CONTEXTS",
    "CORPORA",
    "DEVICES",
    "FINE_TUNING",
    "IMPORTANCES",
    "LAUNCHERS",
    "MASKINGS",
    "MATCHED",
    "MODELS",
    "NORMALISATIONS",
    "OBJECTIVES",
    "OBJECTIVES_OF",
    "OPTIMIZERS",
    "PERPLEXITIES",
    "PRECISIONS",
    "PROTOCOL_CHOICES",
    "SAMPLERS",
    "SCHEDULERS",
    "SCHEDULES",
    "SCOPES",
    "SIGNALS",
    "STRATEGIES",
    "TASKS",
    "TOKENIZERS",
    "WANDB_MODES",
]

STRATEGIES = ("random", "strict", "weighted")
SCOPES = ("fold", "seen")
SIGNALS = ("excess", "loss", "progress")
NORMALISATIONS = ("cycle", "none", "rank", "source")
CONTEXTS = ("keep", "repack", "shuffle")

CORPORA = ("babylm", "hf", "text", "toy")
TOKENIZERS = ("bpe", "hub")
MASKINGS = ("bernoulli", "fixed")
IMPORTANCES = ("gradient", "magnitude")

OBJECTIVES = ("clm", "hybrid", "mlm")
OBJECTIVES_OF = {
    "deberta_v2": ("mlm",),
    "gpt2": ("clm",),
    "hf": ("clm", "mlm"),
    "llama": ("clm",),
    "modernbert": ("mlm",),
    "roberta": OBJECTIVES,
    "roberta_prelayernorm": OBJECTIVES,
}
"""Architecture -> objectives that it can be trained with."""
MODELS = tuple(OBJECTIVES_OF)
OPTIMIZERS = ("adamw", "muon")
SCHEDULES = ("constant", "cosine", "linear", "wsd")
PRECISIONS = ("auto", "bf16", "fp32")
FINE_TUNING = ("accumulate", "batch_size", "epochs", "learning_rate")
"""Settings of fine-tuning on GLUE that a command can change."""
DEVICES = ("auto", "cpu", "cuda", "mps")

PERPLEXITIES = ("exact", "strided")
TASKS = (
    "blimp_fast",
    "blimp_filtered",
    "comps",
    "entity_tracking",
    "entity_tracking_fast",
    "ewok_fast",
    "ewok_filtered",
    "global_piqa_nonparallel",
    "global_piqa_parallel",
    "reading",
    "supplement_fast",
    "supplement_filtered",
    "wug_adj_nominalization",
    "wug_past_tense",
    "zorro",
)

PROTOCOL_CHOICES = ("2025", "2026", "auto")
"""Years of the BabyLM challenge, and auto: by the folders of the data."""

SAMPLERS = ("gp", "grid", "qmc", "random", "tpe")
SCHEDULERS = ("asha", "none", "promotion")
LAUNCHERS = ("inline", "ray")
WANDB_MODES = ("auto", "off", "offline", "online")
BASELINES = ("as_epochs", "epochs")
MATCHED = ("device_hours", "flops", "words")
