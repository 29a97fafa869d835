"""Made-up evaluation data under the official names and in the official columns, and tiny models to score it.

It is made from a seed and the same on every machine. The pipeline's output on it is stored in `official/`;
tests/benchmarks/parity.md says how to make it again.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedModel

from tests.evaluation import tiny
from tests.evaluation.folders import write_rows
from tests.evaluation.official_rows import ADJECTIVES, BOXES, FILLER, NOUNS, VERBS, Row, Rows

POSITIONS = 128

Files = dict[str, Iterator[Row]]


def files_of_2025(rows: Rows) -> Files:
    """Return the files of every task of 2025, `fast_eval` names, at least 30 items each."""
    return {
        "blimp_fast/adjunct_island": rows.blimp("adjunct_island", "syntax", "island_effects"),
        "blimp_fast/npi_présent": rows.blimp("npi_présent", "syntax_semantics", "npi_licensing"),
        "supplement_fast/hypernym": rows.blimp("", "", ""),
        "supplement_fast/turn_taking": rows.blimp("", "", ""),
        "ewok_fast/agent-properties": rows.ewok("agent-properties"),
        "ewok_fast/social-relations": rows.ewok("social-relations"),
        "entity_tracking_fast/regular": rows.entity_tracking(),
        "entity_tracking_fast/move_contents": rows.entity_tracking(),
        "wug_adj_nominalization/wug_adj": rows.wug("ness"),
        "wug_past_tense/wug_past": rows.wug("ded"),
        **files_of_comps(rows),
    }


def files_of_2026(rows: Rows) -> Files:
    """Return the files of every task of 2026, at least 30 items each; some of EWoK's are in the full format."""
    return {
        "blimp_fast/adjunct_island": rows.blimp("adjunct_island", "syntax", "island_effects"),
        "blimp_fast/npi_présent": rows.blimp("npi_présent", "syntax_semantics", "npi_licensing"),
        "supplement_fast/hypernym": rows.blimp("", "", ""),
        "supplement_fast/turn_taking": rows.blimp("", "", ""),
        "ewok_fast/social-relations": rows.ewok("social-relations"),
        "ewok_filtered/agent-properties": rows.ewok_swapped("agent-properties"),
        "ewok_filtered/material-dynamics": rows.ewok_swapped("material-dynamics"),
        "entity_tracking/regular": rows.empty_boxes(),
        "entity_tracking/ambiref": rows.empty_boxes(),
        "entity_tracking/move_contents": rows.empty_boxes(),
        **files_of_comps(rows),
        "global_piqa_parallel/eng_latn": rows.global_piqa(4),
        "global_piqa_nonparallel/eng_latn": rows.global_piqa(2),
    }


def files_of_comps(rows: Rows) -> Files:
    """Return the four files of COMPS."""
    names = ("comps_base", "comps_wugs", "comps_wugs_dist-before", "comps_wugs_dist-in-between")
    return {f"comps/{name}": rows.comps() for name in names}


FILES: dict[str, Callable[[Rows], Files]] = {"2025": files_of_2025, "2026": files_of_2026}
"""Protocol -> function that returns its files: path without suffix -> rows, which are drawn when they are written."""


def write_data(folder: Path, *, longest: int = 40, year: str = "2025") -> None:
    """Write every zero-shot task of a protocol.

    Args:
        folder: gets a folder for each task.
        longest: words of the longest stories, in entity tracking and COMPS.
        year: of the protocol, in FILES.
    """
    for name, lines in FILES[year](Rows(longest)).items():  # drawn here, one file after another
        write_rows(folder / f"{name}.jsonl", list(lines))


def write_glue(folder: Path) -> None:
    """Write a task of pairs under the name of rte; the last word decides nine labels of ten."""
    rng = np.random.default_rng(0)
    for split, size in (("train", 200), ("valid", 96)):
        rows: list[Row] = []
        for number in range(size):
            first, second, verb = (str(rng.choice(words)) for words in (NOUNS, NOUNS, VERBS))
            label = int(rng.integers(2))
            rows.append(
                {
                    "sentence1": f"the {first} {verb} the {rng.choice(ADJECTIVES)} one"
                    + f" {FILLER}" * int(rng.integers(4)),
                    "sentence2": f"the {second} is {ADJECTIVES[label]}",
                    "label": label if rng.random() < 0.9 else 1 - label,
                    "idx": number,
                }
            )
        write_rows(folder / f"rte.{split}.jsonl", rows)


ROLES = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "mask_token": "<mask>"}


def write_tokenizer(folder: Path, *, framed: bool) -> int:
    """A byte-level BPE of few merges, trained on the words above; returns its size.

    Args:
        folder: gets the files that AutoTokenizer opens.
        framed: put <s> and </s> around a text, and a space before it, as masked models have it; GPT-2 has neither.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=framed)
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=list(ROLES.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = [*NOUNS, *VERBS, *ADJECTIVES, *BOXES, FILLER]
    tokenizer.train_from_iterator([f" the {word}" for word in words for _ in range(3)], trainer)
    if framed:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False} | ROLES
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return int(tokenizer.get_vocab_size())


def masked_model(vocab_size: int) -> PreTrainedModel:
    """A masked model of two layers, in evaluation mode."""
    return filled(tiny.masked_model(vocab_size, positions=POSITIONS, pad=1))


def causal_model(vocab_size: int) -> PreTrainedModel:
    """A causal model of two layers, in evaluation mode."""
    return filled(tiny.causal_model(vocab_size, positions=POSITIONS, end=2))


def filled(model: PreTrainedModel) -> PreTrainedModel:
    """Weights from numpy's generator, whose numbers are the same on every machine.

    Large enough that choices are not near-ties, and small enough that rounding in float32 is not blown up by layers.
    """
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 0.3 if any(table in name for table in ("embed", "wte", "wpe")) else 0.1
            drawn = rng.normal(scale=scale, size=tuple(parameter.shape)).astype(np.float32)
            is_norm = name.lower().replace("_", "").find("norm") >= 0 or ".ln" in name
            parameter.copy_(torch.from_numpy(drawn) + (1.0 if is_norm and name.endswith("weight") else 0.0))
    opened: PreTrainedModel = model.train(False)
    return opened


def uniform_model(vocab_size: int) -> PreTrainedModel:
    """A causal model to which all tokens are equally probable, so that options of as many tokens tie."""
    model = causal_model(vocab_size)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".ln_f." in name:
                parameter.zero_()
    return model


MODELS: dict[str, tuple[Callable[[int], PreTrainedModel], bool]] = {
    "masked": (masked_model, True),
    "causal_framed": (causal_model, True),
    "causal": (causal_model, False),
    "uniform": (uniform_model, False),
}
"""Name -> how to build it, and whether its tokenizer frames a text."""


def write_model(folder: Path, name: str) -> None:
    """Write one of MODELS with its tokenizer."""
    build, framed = MODELS[name]
    size = write_tokenizer(folder, framed=framed)
    build(size).save_pretrained(folder)


def write_hybrid(folder: Path) -> Path:
    """Write the masked model as a run of this package writes one of objective hybrid; returns its folder."""
    model = masked_model(write_tokenizer(folder, framed=True))
    model.config.training_objective = "hybrid"
    model.save_pretrained(folder)
    return folder
