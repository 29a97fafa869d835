"""The configuration of a run: one dataclass per section, each option with its meaning, range and unit.

Options are declared here only; checks, `--help` and search spaces read them from here. None means absent. Where one
quantity can be given in several ways, there is an option for each, of which exactly one is set (`ONE_OF`).
"""

from dataclasses import dataclass, field
from typing import Any

from sleep_tune import names

__all__ = [
    "ONE_OF",
    "SPLITS",
    "BudgetConfig",
    "DataConfig",
    "EvaluationConfig",
    "LengthConfig",
    "MaskingConfig",
    "ModelConfig",
    "ReplayConfig",
    "RunConfig",
    "RunSection",
    "ShrinkConfig",
    "SleepConfig",
    "TokenizerConfig",
    "TrackingConfig",
    "TrainingConfig",
]

MAX_SEED = 2**32 - 1
"""The largest seed that every generator accepts."""

ONE_OF: dict[str, tuple[str, ...]] = {
    "budget": ("passes", "words"),
    "sleep.length": ("passes", "ratio", "repeats"),
}
"""Section -> options of which exactly one is set. Setting one clears the others."""

SPLITS = ("train", "dev", "test")
"""The parts of a text, in the order in which they are prepared."""


def option(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] | None = None,
    auto: bool = False,
    extensible: bool = False,
    several: bool = False,
) -> Any:
    """Return a dataclass field that declares an option.

    Args:
        default: of the option.
        doc: its meaning, as `--help` prints it.
        low: the least value; `above` instead if that bound itself is not allowed.
        high: the largest value; `below` instead if that bound itself is not allowed.
        above: see `low`.
        below: see `high`.
        choices: the valid names, of a text or of each item of a tuple.
        auto: whether the word auto may stand for the number.
        extensible: whether an import path, package.module:function, may stand for one of `choices`.
        several: whether a list of texts may stand for a text.
    """
    metadata = {
        "doc": doc,
        "low": low,
        "high": high,
        "above": above,
        "below": below,
        "choices": choices,
        "auto": auto,
        "extensible": extensible,
        "several": several,
    }
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(kw_only=True)
class RunSection:
    """The name and the folder of a run."""

    name: str | None = option(
        None, "name of the run; its folder is runs/<name> unless run.dir is given; null: named after its settings"
    )
    dir: str | None = option(None, "folder of the run; it must not hold a run with another configuration")
    sources: tuple[str, ...] = option(
        (), "filled in: source file and SHA-256 of each function given by import path; another source is another run"
    )


@dataclass(kw_only=True)
class DataConfig:
    """The training text."""

    kind: str = option("toy", "where the text comes from", choices=names.CORPORA, extensible=True)
    path: str | tuple[str, ...] | None = option(
        None,
        "file or folder, or a list of them (data=text): *.txt, *.jsonl, *.csv, *.tsv, *.parquet, or .gz or .zst of "
        "them; the names (train.txt, wiki_valid.jsonl, dev/a.txt) give the split",
        several=True,
    )
    dataset: str | None = option(
        None, "dataset id on the Hugging Face Hub (data=babylm, data=hf), or the folder of a dataset (data=hf)"
    )
    revision: str | None = option(None, "branch, tag or commit of that dataset on the Hub")
    configuration: str | None = option(None, "configuration of that dataset, if it has several (data=hf)")
    splits: dict[str, Any] = option(  # noqa: RUF009 - it returns a field
        {},
        "the dataset's split that becomes train, dev and test (data=hf), such as {dev: validation, test: null}; null: "
        "cut from train; those that are not given are found by their names",
    )
    field: str | None = option(
        None, "column that holds the text of a table or dataset; null: 'text', or the only column of text"
    )
    source_field: str | None = option(
        None, "column that names the source of each row; null: the name of the file or dataset"
    )
    max_words: int | None = option(None, "train on about this many words: whole documents, drawn with data.seed", low=1)
    sentences: int = option(20_000, "training sentences that are generated (data=toy)", low=100)
    dev_ratio: float = option(
        0.05,
        "share of the documents that becomes dev if there is no dev file, and the same for test",
        above=0,
        high=0.3,
    )
    include_punctuation: bool = option(True, "keep punctuation; otherwise it is dropped before tokenization")
    join_sentences: bool = option(True, "pack several sentences into one row; otherwise each sentence starts a new row")
    max_length: int = option(128, "tokens in a sample (a packed row), special tokens included", low=8, high=4096)
    seed: int = option(0, "random seed of the split and of max_words, for all runs of a study", low=0, high=MAX_SEED)
    cache_dir: str | None = option(
        None, "folder of the token cache (default: $SLEEP_TUNE_CACHE, else ~/.cache/sleep-tune)"
    )

    @property
    def paths(self) -> tuple[str, ...]:
        """The files and folders that `path` names."""
        return (self.path,) if isinstance(self.path, str) else self.path or ()


@dataclass(kw_only=True)
class TokenizerConfig:
    """The tokenizer."""

    kind: str = option("bpe", "train a byte-level BPE on the training text, or load one", choices=names.TOKENIZERS)
    name: str | None = option(None, "tokenizer to load: a folder or an id on the Hub (tokenizer=hub)")
    vocab_size: int = option(8192, "largest number of tokens in the vocabulary (tokenizer=bpe)", low=64, high=65_536)


@dataclass(kw_only=True)
class ModelConfig:
    """The model that is trained."""

    kind: str = option(
        "roberta_prelayernorm",
        "architecture; hf: one of transformers, from model.config or model.init",
        choices=names.MODELS,
        extensible=True,
    )
    layers: int = option(8, "transformer layers", low=1, high=256)
    hidden: int = option(256, "width of the hidden states", low=8, high=65_536)
    heads: int = option(8, "attention heads; a divisor of model.hidden", low=1, high=1024)
    feed_forward: int = option(2048, "width of the feed-forward layers", low=8, high=1_048_576)
    dropout: float = option(0.1, "dropout on embeddings and hidden states", low=0, below=1)
    attention_dropout: float = option(0.1, "dropout on attention weights", low=0, below=1)
    initializer_range: float = option(0.02, "standard deviation of the initial weights", above=0, high=1)
    tie_embeddings: bool = option(True, "share input and output embeddings")
    config: str | None = option(
        None, "architecture of a new model (model=hf): a model type of transformers, such as opt, or a config.json"
    )
    options: dict[str, Any] = option(  # noqa: RUF009 - it returns a field
        {}, "options of its configuration (model=hf), such as {num_hidden_layers: 4}; those of a config.json are added"
    )
    init: str | None = option(
        None, "model whose weights are the first ones (model=hf): a folder or an id on the Hub; its tokenizer is used"
    )
    trust_remote_code: bool = option(False, "run the Python files of the model named by model.init")


@dataclass(kw_only=True)
class ReplayConfig:
    """The samples that a sleep replays."""

    strategy: str = option(
        "weighted", "how the buffer is chosen from the candidates", choices=names.STRATEGIES, extensible=True
    )
    ratio: float = option(0.3, "buffer size as a share of the candidates", above=0, high=1)
    alpha: float = option(1.0, "exponent of the score in the priority; 0: the score does not matter", low=0, high=32)
    decay: float = option(
        0.0, "share of its priority that a sample loses with each cycle since it was read", low=0, high=1
    )
    floor: float = option(0.0, "lowest value of the factor (1 - decay)^age", low=0, high=1)
    scope: str = option(
        "seen",
        "samples that can be replayed: all that were read so far (seen), or those of the last fold (fold)",
        choices=names.SCOPES,
    )
    max_exposures: int | None = option(
        None,
        "most times that a sample is seen, awake and asleep; a buffer of which none may be replayed any more is chosen "
        "anew, and if there is no sample left, later sleeps are longer; null: no limit",
        low=1,
    )
    signal: str = option(
        "loss",
        "what the priority is made of: a sample's mean loss when last read (loss), how much it last fell (progress), "
        "or how much it exceeds that of a reference model (excess)",
        choices=names.SIGNALS,
    )
    reference: str | None = option(
        None,
        "folder of the reference model (sleep.replay.signal=excess), of the same tokenizer and objective; its forward "
        "passes count in the run's cost",
    )
    refresh: float = option(
        0.0,
        "weight r of the loss of each replay: a replayed sample's score s becomes (1 - r) s + r loss; 0: only losses "
        "awake count",
        low=0,
        high=1,
    )
    normalise: str = option(
        "none",
        "what stands in for the signal in the priority: none: the signal itself, if never negative; rank: 1/rank; "
        "cycle, source: 1/rank of the signal relative to those of the same cycle of reading, or of the same source "
        "(z-scores)",
        choices=names.NORMALISATIONS,
    )
    uniform: float = option(
        0.0,
        "share e of uniform draws: a sample is drawn with probability (1 - e) p / sum(p) + e / N; strict draws none",
        low=0,
        high=1,
    )


@dataclass(kw_only=True)
class LengthConfig:
    """The amount of sleep; exactly one of the three is set."""

    passes: float | None = option(1.0, "times that the corpus is read; the rest of the budget is sleep", above=0)
    ratio: float | None = option(None, "words replayed for each word read; 0: no sleep (epochs)", low=0)
    repeats: float | None = option(None, "times that each buffer is replayed", above=0)


@dataclass(kw_only=True)
class ShrinkConfig:
    """After each sleep, before the next fold is read, the less important weights shrink."""

    factor: float = option(1.0, "factor of the weights that shrink; 1: none does", low=0, high=1)
    protect: float = option(
        0.2, "share of each matrix, its most important weights, that does not shrink", low=0, high=1
    )
    by: str = option(
        "magnitude",
        "importance of a weight w: |w|, or |w g| with the optimizer's running mean g of its gradients",
        choices=names.IMPORTANCES,
    )


@dataclass(kw_only=True)
class SleepConfig:
    """The mechanism: read a fold awake, then replay a buffer asleep."""

    folds: int = option(10, "folds that a pass is split into; each is read once and followed by a sleep", low=1)
    context: str = option(
        "keep",
        "how rows are replayed: as they were, joined and cut anew, or with sentences shuffled and packed whole",
        choices=names.CONTEXTS,
    )
    learning_rate: float = option(
        1.0, "learning rate asleep, in multiples of that awake; 0: sleep changes no weight", low=0, high=100
    )
    masking: float | None = option(
        None,
        "share of the tokens that are predicted asleep, constant, where tokens are masked; null: as awake",
        above=0,
        below=1,
    )
    interleave: bool = option(
        False,
        "mix the replay into the batches that are read, from the second fold on, in place of sleep phases (a control "
        "of phases); options of sleep phases, such as their learning rate, then have no effect",
    )
    matched: str | None = option(
        None,
        "folder of a run that has completed, with the same seed: train on each sample as often as that run did, in one "
        "random order, without sleep (a control of order)",
    )
    shrink: ShrinkConfig = field(default_factory=ShrinkConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    length: LengthConfig = field(default_factory=LengthConfig)


@dataclass(kw_only=True)
class BudgetConfig:
    """Words that the run may see, replay included; exactly one of the two is set."""

    passes: float | None = option(
        10.0, "in words of the training text: 10 is ten times as many words as it has (BabyLM's limit)", above=0
    )
    words: int | None = option(None, "in words", low=1)


@dataclass(kw_only=True)
class MaskingConfig:
    """The positions that are predicted where tokens are masked; `sleep.masking` may be another share asleep."""

    kind: str = option(
        "fixed",
        "fixed: the same number of masks in every row; bernoulli: each position is drawn independently",
        choices=names.MASKINGS,
    )
    probability: float = option(
        0.15, "share of the tokens, without special tokens, that are predicted", above=0, below=1
    )
    final: float | None = option(
        None,
        "that share at the end of the budget, to which it moves linearly by words; null: it stays as it is",
        above=0,
        below=1,
    )
    mask_share: float = option(0.8, "share of these that are replaced by the mask token", low=0, high=1)
    random_share: float = option(0.1, "share replaced by a random token; the rest stays as it is", low=0, high=1)


@dataclass(kw_only=True)
class TrainingConfig:
    """How it is trained. Schedules depend on the share of the budget that was used."""

    seed: int = option(0, "random seed of the run", low=0, high=MAX_SEED)
    objective: str = option(
        "mlm",
        "mlm: masked tokens are predicted; clm: each next token; hybrid: masked tokens from the position before them, "
        "and in some batches each next token",
        choices=names.OBJECTIVES,
    )
    causal_ratio: float = option(
        0.0625, "share of the batches that predict each next token (training.objective=hybrid)", above=0, below=1
    )
    batch_size: int = option(32, "samples in a batch, per worker", low=1, high=65_536)
    accumulation: int = option(1, "batches whose gradients are summed into one update", low=1, high=65_536)
    optimizer: str = option(
        "adamw",
        "adamw; or muon: Muon for the matrices of the trunk, AdamW for all other weights, both with the same learning "
        "rate and weight decay, which may be those that suit AdamW",
        choices=names.OPTIMIZERS,
    )
    learning_rate: float = option(5e-4, "peak learning rate", above=0, high=1)
    schedule: str = option(
        "linear",
        "learning rate after the warm-up: linear, cosine and wsd (stable, then linear) fall to 0; constant stays",
        choices=names.SCHEDULES,
    )
    warmup: float = option(0.05, "share of the budget over which the learning rate rises", low=0, below=1)
    cooldown: float = option(0.2, "share of the budget over which wsd decays", above=0, high=1)
    weight_decay: float = option(0.01, "weight decay, for all weights except biases and layer norms", low=0, high=10)
    beta1: float = option(0.9, "AdamW's decay of the first moment", low=0, below=1)
    beta2: float = option(0.98, "AdamW's decay of the second moment", low=0, below=1)
    epsilon: float = option(1e-6, "AdamW's epsilon", above=0, high=1)
    max_grad_norm: float = option(1.0, "largest norm of the gradients, which are clipped; 0: no clipping", low=0)
    ema: float | None = option(
        None,
        "also evaluate and save an exponential moving average of the weights, of which each update keeps this share; "
        "null: no average",
        above=0,
        below=1,
    )
    device: str = option(
        "auto", "where to train; auto: cuda if there is a GPU, else cpu; mps: the GPU of a Mac", choices=names.DEVICES
    )
    precision: str = option(
        "auto",
        "number format; auto: bf16 on a GPU (cuda) that supports it, else fp32; bf16 is autocast, with weights in fp32",
        choices=names.PRECISIONS,
    )
    compile: bool = option(False, "compile the model with torch.compile (worth it on a GPU)")
    threads: int | None = option(None, "CPU threads of a run (default: its share of the cores)", low=1, high=4096)
    checkpoint_ratio: float = option(
        0.1,
        "share of the budget between two checkpoints; the first is saved at 1% or earlier; 0: none before the end",
        low=0,
        high=1,
    )
    checkpoint_minutes: float | None = option(
        5.0,
        "longest time between two checkpoints, in minutes, unless writing takes over 1% of the time; null: no limit",
        above=0,
    )
    mirror: str | None = option(
        None,
        "URI (s3://bucket/folder) that checkpoints are copied to, and restored from if the run's folder has none",
    )
    divergence_ratio: float | None = option(
        0.05,
        "a run has diverged if its losses stay high in all phases for this share of the budget; null: never",
        above=0,
        high=1,
    )
    divergence_level: float = option(
        0.8,
        "losses are high if this share of what the model had learned, beyond token frequencies, is lost again",
        above=0,
        high=1,
    )
    log_ratio: float = option(0.01, "share of the budget between two lines of losses in metrics.jsonl", above=0, high=1)
    save_model: bool = option(True, "write the model, and the averaged one, to the run's folder at the end")
    word_checkpoints: bool = option(
        False, "also write models (checkpoints/chck_1M, ...) at the numbers of words that BabyLM names"
    )
    masking: MaskingConfig = field(default_factory=MaskingConfig)


@dataclass(kw_only=True)
class EvaluationConfig:
    """Evaluation on dev at the rungs and at the end, and on test at the end."""

    method: str = option(
        "strided",
        "exact: mask one position at a time; strided: mask every stride-th at a time, faster and nearly equal; a "
        "causal model masks nothing and reads a row once",
        choices=names.PERPLEXITIES,
    )
    stride: int = option(8, "distance between two masks of the strided method, in tokens", low=2, high=512)
    samples: int = option(256, "rows of evaluation text, drawn with data.seed, the same for all runs", low=1)
    pairs: int = option(
        1000, "number of minimal pairs (data=toy), drawn with data.seed, equally many per paradigm; 0: none", low=0
    )
    batch_tokens: int = option(16_384, "tokens in one forward pass of evaluation", low=128)
    rungs: tuple[float, ...] = option(
        (), "shares of the budget, below 1, at which the run is also evaluated", above=0, below=1
    )
    test: bool = option(True, "at the end, also evaluate on test and on every task of evaluation.data")
    data: str | None = option(
        None, "folder of BabyLM's evaluation tasks, such as evaluation_data/fast_eval; its tasks are scored at the end"
    )
    tasks: tuple[str, ...] = option(
        (),
        "tasks of evaluation.data that are also scored at the rungs; a search can use them as its objective",
        choices=names.TASKS,
        extensible=True,
    )
    protocol: str = option(
        "auto",
        "year of the BabyLM challenge by whose rules evaluation.data is scored; auto: that of the run or search that "
        "is resumed, else by the folders in evaluation.data",
        choices=names.PROTOCOL_CHOICES,
    )


@dataclass(kw_only=True)
class TrackingConfig:
    """Experiment trackers; metrics.jsonl holds the same numbers in any case."""

    wandb: str = option(
        "off", "Weights & Biases; auto: online if a key is found, else offline", choices=names.WANDB_MODES
    )
    project: str = option("sleep-tune", "project of Weights & Biases")
    entity: str | None = option(None, "user or team of Weights & Biases (default: that of the key)")
    group: str | None = option(None, "group of runs that belong together; a search sets its own name")
    role: str | None = option(None, "role of the run; a search sets search, baseline, arm or finalist")
    arm: str | None = option(
        None, "arm of the comparison; a search sets the name of a baseline or an arm, or the id of a trial"
    )
    tensorboard: bool = option(False, "write TensorBoard's event files to tensorboard/ in the run's folder")


@dataclass(kw_only=True)
class RunConfig:
    """One run: every option that its result depends on, and where it is written."""

    run: RunSection = field(default_factory=RunSection)
    data: DataConfig = field(default_factory=DataConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    sleep: SleepConfig = field(default_factory=SleepConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
