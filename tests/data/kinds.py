"""Tiny tokenizers of every kind that exists, as somebody may have left them in a folder."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from sleep_tune.data.encoding import one_thread

TEXT = [
    "the dog sees a cat and mother runs home .",
    "don't say 'no' ! it's 10,000 times over-loud , naïve 日本語",
    "my dog's cats see the dogs at home",
] * 5
SPECIAL = ["<s>", "</s>", "<unk>", "<pad>", "<mask>"]
ROLES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
BERT = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]", "mask_token": "[MASK]"}


def save(folder: Path, tokenizer: Tokenizer, **roles: Any) -> Path:
    """Write the folder as transformers would."""
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **roles}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def train(tokenizer: Tokenizer, trainer: Any) -> Tokenizer:
    with one_thread():
        tokenizer.train_from_iterator(TEXT, trainer)
    return tokenizer


def byte_level(folder: Path, **roles: Any) -> Path:
    """As GPT-2's: no pad, no mask, one token for both ends of a text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.ByteLevel(trim_offsets=True)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    end = "<|endoftext|>"
    train(made, trainers.BpeTrainer(vocab_size=400, special_tokens=[end], initial_alphabet=alphabet))
    return save(folder, made, **{"bos_token": end, "eos_token": end, "unk_token": end} | roles)


def word_piece(folder: Path, **roles: Any) -> Path:
    """As BERT's, lower case."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    train(made, trainers.WordPieceTrainer(vocab_size=200, special_tokens=list(BERT.values())))
    ids = made.get_vocab()
    made.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    made.enable_truncation(8)
    made.enable_padding(pad_token="[PAD]", length=12)
    return save(folder, made, **BERT | roles)


def unigram(folder: Path, **roles: Any) -> Path:
    """As T5's: pieces with a mark for the space, special tokens that a text can spell, and no start."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    train(made, trainers.UnigramTrainer(vocab_size=120, unk_token="<unk>", special_tokens=special))
    return save(folder, made, **{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"} | roles)


def sentence_piece(folder: Path, **roles: Any) -> Path:
    """As Llama's: BPE over whole sentences with a mark put before them, bytes for what is unknown, a start only."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    made.pre_tokenizer = pre_tokenizers.Metaspace()  # no piece reaches over a space
    train(made, trainers.BpeTrainer(vocab_size=400, special_tokens=special))
    saved = json.loads(made.to_str())
    saved["added_tokens"], saved["pre_tokenizer"] = saved["added_tokens"][:3], None
    made = Tokenizer.from_str(json.dumps(saved))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return save(folder, made, **{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} | roles)


def word_level(folder: Path, *, known: str = " ".join(TEXT), split: Any = None, **roles: Any) -> Path:
    """A word, a token: with every special token, in a vocabulary from which a text can spell them."""
    words = list(dict.fromkeys(known.split()))
    made = Tokenizer(models.WordLevel({word: index for index, word in enumerate(SPECIAL + words)}, unk_token="<unk>"))
    made.pre_tokenizer = split or pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return save(folder, made, **ROLES | roles)


def holes(folder: Path, **roles: Any) -> Path:
    """Ids that are not counted up without a gap, so that the next one by their count is taken."""
    words = [word for word in dict.fromkeys(" ".join(TEXT).split()) if word not in SPECIAL]
    vocabulary = {word: 2 * index for index, word in enumerate(["<s>", "</s>", "<unk>", *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return save(folder, made, **{"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"} | roles)


KINDS: dict[str, Callable[..., Path]] = {
    "byte_level": byte_level,
    "holes": holes,
    "sentence_piece": sentence_piece,
    "unigram": unigram,
    "word_level": word_level,
    "word_piece": word_piece,
}
"""Kind -> function (folder, roles by keyword) that writes a tokenizer of it."""
