"""Prepared corpora are what they were in earlier versions, to the byte: identities, arrays, tokenizers, descriptions.

The digests were recorded before preparation was made to run in bounded memory. They may only change together with
`FORMAT` in `prepare.py`, which gives prepared corpora new identities. To record them:
`UPDATE_DIGESTS=1 pytest tests/data/test_prepared_digests.py`.
"""

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.prepare import prepare
from tests.data.kinds import BERT, KINDS, save

RECORDED = Path(__file__).with_name("prepared_digests.json")

COMMON = [
    *("the", "dog", "sees", "a", "cat", "and", "mother", "runs", "home", "my", "dog's", "cats", "see", "the", "dogs"),
    *("at", "home", "don't", "say", "no"),
]
ODD = [
    *("10,000", "<mask>", "</s>", "<pad>", "[MASK]", "[SEP]", "<|endoftext|>", "'tis", "over-loud", "naïve", "NAÏVE"),
    *(
        "日本語",
        "今天我去了学校然后回家了",
        "cafe\u0301",
        "caf\u00e9",
        "\u00b4",
        "\ufdfa",
        "\u0301",
        "\u2581x",
        "ﬁne",
        "Straße",
    ),
    *(
        "\u200bzero",
        "soft\u00adhyphen",
        "\U00013080",
        "e\u0301\u0301",
        "\ufeffmark",
        "one\u2014two",
        "...",
        "\u201cQuoted\u201d",
    ),
    *(
        "\u0e09\u0e31\u0e19\u0e44\u0e1b",
        "\x07bell",
        "x" * 2300,
        "i\u0307",
        "\u0130",
        "\u2009thin",
        "\u00a0hard",
        "\u0378",
        "a\u180eb",
    ),
]
"""Words on which tokenizers, normal forms, splitting at spaces, and removal of punctuation have special rules."""


def write_text(folder: Path, *, named_splits: bool) -> Path:
    """Write a text of a few thousand words, with rare words, repeated sentences, and all kinds of line ends."""
    random = np.random.default_rng(11)
    lines: list[str] = []
    for number in range(420):
        words = [COMMON[index] for index in random.integers(0, len(COMMON), int(random.integers(1, 24)))]
        words += [f"w{index}" for index in random.zipf(1.4, 2).tolist()]
        if number % 3 == 0:
            words.insert(int(random.integers(0, len(words))), ODD[int(random.integers(0, len(ODD)))])
        line = f"{' '.join(words).capitalize()}{'.?!'[number % 3]} Mr. {words[0].capitalize()} saw it."
        lines += [line, line.upper() if number % 5 == 0 else "", lines[number] if number % 7 == 6 else ""]
    ends = ["\n", "\r\n", "\u2028", "\n\n", "\v"]
    names = ("a_train.txt", "b_train.txt", "c_dev.txt", "a_test.txt") if named_splits else ("a.txt", "b.txt")
    share = len(lines) // len(names)
    for index, name in enumerate(names):
        text = "".join(
            line + ends[at % len(ends)] for at, line in enumerate(lines[index * share : (index + 1) * share])
        )
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return folder


def write_tables(folder: Path, texts: Path) -> Path:
    """Write the files of a text as tables of the type that the folder is named, with sources and rows without words."""
    folder.mkdir()
    for path in sorted(texts.iterdir()):
        rows = [(f"s{at % 3}", line) for at, line in enumerate(path.read_text(encoding="utf-8").split("\n"))]
        with (folder / path.with_suffix(f".{folder.name}").name).open("w", encoding="utf-8", newline="") as file:
            if folder.name == "csv":
                csv.writer(file).writerows([("genre", "text"), *rows])
            else:
                file.writelines(json.dumps({"genre": genre, "text": line}) + "\n" for genre, line in rows)
    return folder


def fixed_word_piece(folder: Path) -> Path:
    """As BERT's, with a vocabulary that is not trained, since the library's training depends on its hash map."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,?!<>[]/|'-\u2019\u65e5\u672c\u4eca\u5929"
    known = [
        *BERT.values(),
        *letters,
        *(f"##{letter}" for letter in letters),
        *COMMON,
        "##s",
        "##ing",
        "cafe",
        "straße",
    ]
    made = Tokenizer(models.WordPiece({token: at for at, token in enumerate(dict.fromkeys(known))}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return save(folder, made, **BERT)


def fixed_unigram(folder: Path) -> Path:
    """As T5's, with pieces of words and a mark for the space."""
    pieces = [f"\u2581{word}" for word in COMMON] + [
        *"\u2581abcdefghijklmnopqrstuvwxyz0123456789.,?!'",
        "og",
        "\u2581c",
    ]
    scored = [(piece, -1.0 - at / 8) for at, piece in enumerate(dict.fromkeys(["<pad>", "</s>", "<unk>", *pieces]))]
    made = Tokenizer(models.Unigram(scored, unk_id=2, byte_fallback=False))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    return save(folder, made, eos_token="</s>", unk_token="<unk>", pad_token="<pad>")


MAKERS = {
    **{kind: KINDS[kind] for kind in ("byte_level", "holes", "sentence_piece", "word_level")},
    "unigram": fixed_unigram,
    "word_piece": fixed_word_piece,
}


WITH_ALL = ("text", "text-no-punctuation")
"""Cases that are prepared with every tokenizer."""


def cases() -> Iterator[tuple[str, dict[str, object], str]]:
    """Yield name, options of the data, and kind of the tokenizer."""
    options: dict[str, dict[str, object]] = {
        "toy": {"kind": "toy", "sentences": 300},
        "text": {"kind": "text"},
        "text-in-splits": {"kind": "text", "path": "splits"},
        "text-short-rows": {"kind": "text", "max_length": 8, "seed": 3, "dev_ratio": 0.2},
        "text-max-words": {"kind": "text", "max_words": 1500},
        "text-no-punctuation": {"kind": "text", "include_punctuation": False},
        "jsonl": {"kind": "text", "path": "jsonl"},
        "csv": {"kind": "text", "path": "csv", "source_field": "genre"},
    }
    for name, chosen in options.items():
        for join in (True, False):
            for kind in ("bpe", *MAKERS):
                if kind == "bpe" or (kind in ("byte_level", "word_piece") and name.startswith("t")) or name in WITH_ALL:
                    yield f"{name}/{'joined' if join else 'separate'}/{kind}", {**chosen, "join_sentences": join}, kind


def prepared_digest(top: Path, options: dict[str, object], kind: str) -> str:
    """Return the digest of the identity and of every file of a prepared corpus, and of the messages to the user."""
    where = {"path": str(top / str(options.get("path", "whole")))} if options["kind"] == "text" else {}
    data = DataConfig(**({"max_length": 32} | options | where | {"cache_dir": str(top / "cache")}))  # type: ignore[arg-type]
    hub = TokenizerConfig(kind="hub", name=str(top / "tokenizers" / kind))
    corpus = prepare(data, TokenizerConfig(vocab_size=400) if kind == "bpe" else hub)
    folder = corpus.tokenizer_dir.parent
    messages = [line.replace(str(top), "") for line in corpus.description]
    digest = hashlib.sha256(json.dumps([corpus.key, messages]).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"):
        digest.update(f"{path.relative_to(folder)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def test_prepared_corpora_are_what_they_were(tmp_path: Path) -> None:
    write_text(tmp_path / "whole", named_splits=False)
    write_text(tmp_path / "splits", named_splits=True)
    for name in ("jsonl", "csv"):
        write_tables(tmp_path / name, tmp_path / "splits")
    for kind, make in MAKERS.items():
        make(tmp_path / "tokenizers" / kind)
    found = {name: prepared_digest(tmp_path, options, kind) for name, options, kind in cases()}
    if os.environ.get("UPDATE_DIGESTS") == "1":
        RECORDED.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        pytest.skip("recorded")
    assert found == json.loads(RECORDED.read_text(encoding="utf-8"))
