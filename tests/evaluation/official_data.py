"""Made-up evaluation data under the official names and in the official columns, and tiny models to score it.

Built from a seed, the same everywhere: the pipeline's own output on it is kept in `official/`, and anybody can make it
again (see tests/benchmarks/parity.md). The texts are awkward on purpose: completions of several tokens, accents,
scripts without spaces, emoji, punctuation, quotes, spaces in front, within and at the end, one word, many words.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedModel,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForMaskedLM,
)

NOUNS = ["cat", "dog", "naïve child", "Zoë", "crocodile", "co-worker", "mother-in-law", "東京", "señor", "owl 🦉"]
VERBS = ["sees", "doesn't see", "re-reads", "is... finding", "“likes”", "eats", "photosynthesises", "can't stand"]
ENDS = [".", "!", "?", "...", "?!", "", " ", " .", "。", '."']
ADJECTIVES = ["big", "très petit", "quick-witted", "unbelievable", "½ öd", "ß", "3.5-metre", "it's"]
BOXES = ["Box 0 contains", "Box 1 contains", "The box holds", "Inside it there is"]
FILLER = "the clock and the old map and the brush"

Row = dict[str, Any]
MASKED_POSITIONS = 128


def write_data(folder: Path, *, longest: int = 40) -> None:
    """Write every zero-shot task of the official folder, `fast_eval` names, at least 30 items each.

    Args:
        folder: gets a folder for each task.
        longest: words of the longest stories, in entity_tracking_fast and comps.
    """
    rng = np.random.default_rng(7)

    def pick(words: list[str]) -> str:
        return str(words[int(rng.integers(len(words)))])

    def sentence() -> str:
        return f"{pick(['The', 'A', ' The', 'the'])} {pick(NOUNS)} {pick(VERBS)} the {pick(NOUNS)}{pick(ENDS)}"

    def story() -> str:
        words = (FILLER + " ") * (longest // 8)
        return " ".join(words.split()[: int(rng.integers(2, longest))])

    def blimp(uid: str, field: str, term: str) -> Iterator[Row]:
        for number in range(34):
            good = sentence()
            bad = good if number == 5 else sentence()  # options that are the same tokens
            columns = {"field": field, "linguistics_term": term, "UID": uid} if field else {}
            yield {"sentence_good": good, "sentence_bad": bad, **columns, "pair_id": number}

    def ewok(domain: str) -> Iterator[Row]:
        for number in range(32):
            contexts = [sentence(), sentence()]
            targets = [f"{pick(NOUNS)} {pick(VERBS)}{pick(ENDS)}", f"{pick(ADJECTIVES)} {pick(NOUNS)}{pick(ENDS)}"]
            yield {
                "Context1": contexts[0],
                "Context2": contexts[1],
                "Target1": targets[0],
                "Target2": targets[1],
                "Domain": domain,
                "ContextType": ["direct", "indirect"][number % 2],
                "ContextDiff": ["antonym", "negation"][number // 2 % 2],
                "TargetDiff": ["concept swap", "variable swap"][number // 3 % 2],
            }

    def entity_tracking() -> Iterator[Row]:
        for number in range(36):
            prefix = f"{story()}, {pick(NOUNS)}. {pick(BOXES)}"
            options = [f" the {pick(ADJECTIVES)} {pick(NOUNS)} and the {pick(NOUNS)}." for _ in range(5)]
            yield {"input_prefix": prefix, "options": options, "numops": number % 4}

    def wug(second: str) -> Iterator[Row]:
        for number in range(35):
            stem = f"{pick(ADJECTIVES)}{pick(['ous', 'able', 'ish', 'ed'])}"
            first = f"{pick(NOUNS)} was {stem}ity"
            yield {"sentences": f"{first}\t{pick(NOUNS)} was {stem}{second}", "ratio": round(number / 34, 3)}

    def comps() -> Iterator[Row]:
        for _ in range(31):
            yield {
                "prefix_acceptable": f"{story()}; a {pick(NOUNS)}",
                "prefix_unacceptable": f"{story()}; a {pick(NOUNS)}",
                "property_phrase": f"{pick(VERBS)} {pick(ADJECTIVES)} things{pick(ENDS)}",
            }

    write(folder / "blimp_fast" / "adjunct_island.jsonl", blimp("adjunct_island", "syntax", "island_effects"))
    write(folder / "blimp_fast" / "npi_présent.jsonl", blimp("npi_présent", "syntax_semantics", "npi_licensing"))
    write(folder / "supplement_fast" / "hypernym.jsonl", blimp("", "", ""))
    write(folder / "supplement_fast" / "turn_taking.jsonl", blimp("", "", ""))
    write(folder / "ewok_fast" / "agent-properties.jsonl", ewok("agent-properties"))
    write(folder / "ewok_fast" / "social-relations.jsonl", ewok("social-relations"))
    write(folder / "entity_tracking_fast" / "regular.jsonl", entity_tracking())
    write(folder / "entity_tracking_fast" / "move_contents.jsonl", entity_tracking())
    write(folder / "wug_adj_nominalization" / "wug_adj.jsonl", wug("ness"))
    write(folder / "wug_past_tense" / "wug_past.jsonl", wug("ded"))
    for name in ("comps_base", "comps_wugs", "comps_wugs_dist-before", "comps_wugs_dist-in-between"):
        write(folder / "comps" / f"{name}.jsonl", comps())


def write(path: Path, rows: Iterator[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


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
    config = RobertaPreLayerNormConfig(
        vocab_size=vocab_size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=MASKED_POSITIONS + 2,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        type_vocab_size=1,
    )
    return filled(RobertaPreLayerNormForMaskedLM(config))


def causal_model(vocab_size: int) -> PreTrainedModel:
    """A causal model of two layers, in evaluation mode."""
    config = GPT2Config(
        vocab_size=vocab_size,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=MASKED_POSITIONS,
        bos_token_id=0,
        eos_token_id=2,
    )
    return filled(GPT2LMHeadModel(config))


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


MODELS: dict[str, tuple[Callable[[int], PreTrainedModel], bool]] = {
    "masked": (masked_model, True),
    "causal_framed": (causal_model, True),
    "causal": (causal_model, False),
}
"""Name -> how to build it, and whether its tokenizer frames a text."""


def write_model(folder: Path, name: str) -> None:
    """Write one of MODELS with its tokenizer."""
    build, framed = MODELS[name]
    size = write_tokenizer(folder, framed=framed)
    build(size).save_pretrained(folder)
