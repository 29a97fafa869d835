"""Tokenizers that exist, of every kind: no content is hidden, every word is counted, or one sentence says why not."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer

from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.prepare import Corpus, prepare
from sleep_tune.data.preprocess import preprocess
from sleep_tune.data.tokenizer import MAX_VOCABULARY, hub_recipe
from sleep_tune.data.tokenizer_files import load_tokenizer
from sleep_tune.errors import ConfigError, DataError, shortened
from tests.data.kinds import KINDS, TEXT, save, word_level
from tests.data.stored_text import Tokenized
from tests.data.stored_text import tokenize as tokenize_texts
from tests.messages import raises_naming

EOS = {"pad_token": "</s>", "mask_token": "</s>"}
SHARED: dict[str, dict[str, str]] = {
    "byte_level": {"pad_token": "<|endoftext|>"},
    "byte_level, a pad that is a letter": {"pad_token": "!", "mask_token": "the"},
    "holes": {"pad_token": "<unk>", "mask_token": "<unk>"},
    "sentence_piece": EOS,
    "unigram": EOS,
    "word_level": EOS,
    "word_level, words": {"bos_token": "[s:1]", "eos_token": "a $A", "pad_token": "dogged", "mask_token": "dog"},
    "byte_level, a pad of letters beside the vocabulary": {"pad_token": "dogs"},
    "word_level, one for all": {role: "<s>" for role in ("bos_token", "eos_token", "pad_token", "mask_token")},
    "word_level, a mask that is a pad": {"mask_token": "<pad>"},
    "word_level, all unknown": {role: "<unk>" for role in ("bos_token", "eos_token", "pad_token", "mask_token")},
    "word_piece": {"pad_token": "[SEP]", "mask_token": "[UNK]"},
}
"""Kind, and how its roles share tokens -> those roles."""
CASES: list[tuple[str, dict[str, str]]] = [(kind, {}) for kind in KINDS] + [
    (name.split(",")[0], roles) for name, roles in SHARED.items()
]
SENTENCES = st.lists(
    st.text().map(lambda text: preprocess(text, include_punctuation=True)).filter(bool), min_size=1, max_size=4
)


def tokenize(source: Path, texts: list[str], made: Path) -> Tokenized:
    recipe = hub_recipe(TokenizerConfig(kind="hub", name=str(source)), made)
    return tokenize_texts(recipe, {"train": texts}, made)


def content(made: Tokenized) -> list[int]:
    """The text tokens, without what ends sentences."""
    stream = made.streams["train"]
    ends = np.cumsum(stream.lengths) - 1
    assert (stream.tokens[ends] == made.special.separator).all()
    return np.delete(stream.tokens, ends).tolist()


def write_books(folder: Path) -> Path:
    folder.mkdir()
    (folder / "book.txt").write_text("\n\n".join(TEXT * 20), encoding="utf-8")
    return folder


def prepare_books(top: Path, source: Path) -> Corpus:
    data = DataConfig(kind="text", path=str(top / "books"), max_length=16, cache_dir=str(top / "cache"))
    return prepare(data, TokenizerConfig(kind="hub", name=str(source)))


@pytest.mark.parametrize(("kind", "roles"), CASES)
def test_no_content_is_hidden_and_every_word_is_counted(tmp_path: Path, kind: str, roles: dict[str, str]) -> None:
    source = KINDS[kind](tmp_path / "source", **roles)
    texts = [*TEXT, "a <pad> </s> b <s> <unk> <mask> [PAD] [MASK] [SEP] <|endoftext|> c"]
    made = tokenize(source, texts, tmp_path / "made")
    special = made.special
    assert special.pad not in (special.start, special.separator, special.mask)
    assert special.mask not in (special.start, special.separator)
    assert not {special.start, special.separator, special.pad, special.mask} & set(content(made))
    assert made.streams["train"].starts_word.sum() == sum(len(text.split()) for text in texts)
    saved = Tokenizer.from_file(str(tmp_path / "made" / "tokenizer.json"))
    assert made.vocab_size == max(saved.get_vocab().values()) + 1 > max(content(made))
    assert len(set(saved.get_vocab().values())) == len(saved.get_vocab()), "two tokens have one id"


@pytest.mark.parametrize(("kind", "roles"), CASES)
def test_what_is_saved_reads_a_text_as_training_did(tmp_path: Path, kind: str, roles: dict[str, str]) -> None:
    from transformers import AutoTokenizer

    made = tokenize(KINDS[kind](tmp_path / "source", **roles), TEXT, tmp_path / "made")
    opened = AutoTokenizer.from_pretrained(tmp_path / "made")
    special = made.special
    assert (opened.pad_token_id, opened.mask_token_id) == (special.pad, special.mask)
    assert (opened.cls_token_id, opened.sep_token_id) == (special.start, special.separator)
    [first, *_] = np.split(made.streams["train"].tokens, np.cumsum(made.streams["train"].lengths))
    assert opened(TEXT[0])["input_ids"] == [special.start, *first.tolist()]
    assert set(opened(TEXT[0], TEXT[1])) == {"input_ids", "attention_mask"}


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20)
@given(texts=SENTENCES)
def test_any_text_is_content(tmp_path_factory: pytest.TempPathFactory, kind: str, texts: list[str]) -> None:
    top = tmp_path_factory.getbasetemp() / "kinds"
    if not (top / kind).is_dir():
        KINDS[kind](top / kind)
    made = tokenize(top / kind, [*TEXT, *texts], tmp_path_factory.mktemp("made"))
    special = made.special
    assert not {special.start, special.separator, special.pad, special.mask} & set(content(made))
    words = sum(len(text.split()) for text in [*TEXT, *texts])
    assert made.streams["train"].starts_word.sum() <= words
    if kind == "byte_level":
        assert made.streams["train"].starts_word.sum() == words


def test_tokens_of_the_tokenizers_own_are_taken_where_they_can_be(tmp_path: Path) -> None:
    made = tokenize(KINDS["word_piece"](tmp_path / "source"), TEXT, tmp_path / "made")
    saved = Tokenizer.from_file(str(tmp_path / "made" / "tokenizer.json"))
    roles = (made.special.start, made.special.separator, made.special.pad, made.special.mask)
    assert [saved.id_to_token(role) for role in roles] == ["[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    assert made.notes == ()
    assert saved.truncation is None
    assert saved.padding is None


def test_what_was_added_is_said_with_its_reason(tmp_path: Path) -> None:
    write_books(tmp_path / "books")
    source = KINDS["byte_level"](tmp_path / "source", pad_token="<|endoftext|>")
    for _ in range(2):
        corpus = prepare_books(tmp_path, source)
        said = "\n".join(corpus.description)
        assert "<pad> was added as pad, for its pad_token <|endoftext|> is its separator too" in said
        assert "<mask> was added as mask, for it has no mask_token" in said
        assert "as start" not in said
    tokens = np.asarray(corpus.train.tokens)
    assert (tokens[:-1] != corpus.train.special.pad).all(), "only the last row is padded"


def test_unknown_and_uncounted_words_are_said(tmp_path: Path) -> None:
    made = tokenize(word_level(tmp_path / "one", known="the dog"), TEXT, tmp_path / "made")
    assert any("of the training text is unknown to the tokenizer (<unk>)" in note for note in made.notes)
    pairs = Tokenizer(models.BPE({"a": 0, "b": 1}, []))  # no token for anything else
    save(tmp_path / "two", pairs)
    made = tokenize(tmp_path / "two", ["a b cc dd"] * 9, tmp_path / "other")
    assert any("of the training words have no token of their own" in note for note in made.notes)


def test_a_pad_with_a_high_id_is_said(tmp_path: Path) -> None:
    source = word_level(tmp_path / "one", known=" ".join(map(str, range(2000))), pad_token="1999")
    assert any("the id 2,005" in note for note in tokenize(source, TEXT, tmp_path / "made").notes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_opened_as_by_auto_tokenizer(tmp_path: Path, kind: str) -> None:
    source = KINDS[kind](tmp_path / "source")
    opened, roles = load_tokenizer(source, "x")
    auto = AutoTokenizer.from_pretrained(source)
    expected = Tokenizer.from_str(auto.backend_tokenizer.to_str())
    expected.no_truncation()
    expected.no_padding()
    assert opened.to_str() == expected.to_str()
    assert roles and all(token == str(getattr(auto, role)) for role, token in roles.items())


def test_a_plain_folder_is_opened_without_torch(tmp_path: Path) -> None:
    source = KINDS["byte_level"](tmp_path / "source")
    opening = (
        "import sys; from pathlib import Path; from sleep_tune.data.tokenizer_files import load_tokenizer; "
        "load_tokenizer(Path(sys.argv[1]), 'x'); print('torch' in sys.modules)"
    )

    def imports_torch() -> str:
        done = subprocess.run([sys.executable, "-c", opening, source], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert imports_torch() == "False"
    (source / "config.json").write_text('{"model_type": "gpt2"}')
    assert imports_torch() == "True"


def test_a_folder_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("one", "two"):
        word_level(tmp_path / name)

    def identity(name: str) -> object:
        return hub_recipe(TokenizerConfig(kind="hub", name=str(tmp_path / name)), tmp_path).identity

    before = identity("one")
    assert identity("two") == before
    (tmp_path / "two" / "model.safetensors").write_bytes(b"weights")
    assert identity("two") == before
    (tmp_path / "two" / "tokenizer_config.json").write_text("{}")
    assert identity("two") != before


def test_a_name_is_needed(tmp_path: Path) -> None:
    with raises_naming(ConfigError, "tokenizer.name", "tokenizer=hub"):
        hub_recipe(TokenizerConfig(kind="hub"), tmp_path)


@pytest.mark.parametrize(
    "name", ["./nothing", "/nothing/here", "~/nothing", "a/b/c", "book.txt", "a b", "x" * 200, "x" * 5000, "-"]
)
def test_a_name_that_is_neither_a_folder_nor_an_id_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book.txt").touch()
    with raises_naming(DataError, "tokenizer.name", shortened(name)):
        hub_recipe(TokenizerConfig(kind="hub", name=name), tmp_path / "cache")


def test_an_id_without_a_network_is_refused(tmp_path: Path) -> None:
    with raises_naming(DataError, "tokenizer.name", "lab/none", "Hub"):
        hub_recipe(TokenizerConfig(kind="hub", name="lab/none"), tmp_path)


HOSTILE: dict[str, dict[str, object]] = {
    "nothing": {"tokenizer.json": None, "tokenizer_config.json": None},
    "a model alone": {"tokenizer.json": None, "tokenizer_config.json": None, "config.json": {"model_type": "bert"}},
    "a model of no type": {"tokenizer.json": None, "tokenizer_config.json": None, "config.json": {}},
    "no tokenizer.json": {"tokenizer.json": None},
    "broken JSON": {"tokenizer.json": "{"},
    "empty JSON": {"tokenizer.json": {}},
    "empty file": {"tokenizer.json": ""},
    "a list": {"tokenizer.json": []},
    "null": {"tokenizer.json": "null"},
    "bytes": {"tokenizer.json": b"\xff\xfe\x00"},
    "a folder": {"tokenizer.json": Path()},
    "no kind of model": {"tokenizer.json": {"model": {"type": "Nonsense"}}},
    "a panic of the library": {
        "tokenizer.json": {
            "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
            "model": {"type": "WordLevel", "vocab": {}, "unk_token": "a"},
        }
    },
    "no model": {"tokenizer.json": {"version": "1.0", "model": None}},
    "two tokens of one id": {
        "tokenizer.json": {
            "version": "1.0",
            "added_tokens": [],
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "ba": 2}, "merges": [["a", "b"], ["b", "a"]]},
        }
    },
    "a pointer of Git LFS": {
        "tokenizer.json": "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"
    },
    "broken settings": {"tokenizer_config.json": "{"},
    "settings that are a list": {"tokenizer_config.json": []},
    "settings that are a number": {"tokenizer_config.json": "1"},
    "a folder as settings": {"tokenizer_config.json": Path(), "tokenizer.json": "{"},
    "unknown class": {"tokenizer_config.json": {"tokenizer_class": "Nonsense"}, "tokenizer.json": "{"},
    "a class that is a number": {"tokenizer_config.json": {"tokenizer_class": 3}},
    "a role that is a list": {"tokenizer_config.json": {"pad_token": [1]}},
    "a role that is an object": {"tokenizer_config.json": {"pad_token": {"content": 3, "__type": "AddedToken"}}},
    "an empty vocabulary": {
        "tokenizer.json": {"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {}}}
    },
}
"""What is wrong -> files in place of those of a good folder (None: not there)."""


@pytest.mark.parametrize("what", HOSTILE)
def test_a_folder_that_cannot_be_understood_is_one_sentence(tmp_path: Path, what: str) -> None:
    source = word_level(tmp_path / "source")
    for name, wrong in HOSTILE[what].items():
        (source / name).unlink(missing_ok=True)
        if isinstance(wrong, Path):
            (source / name).mkdir()
        elif isinstance(wrong, bytes):
            (source / name).write_bytes(wrong)
        elif wrong is not None:
            (source / name).write_text(wrong if isinstance(wrong, str) else json.dumps(wrong))
    with pytest.raises(DataError) as refused:
        tokenize(source, TEXT, tmp_path / "made")
    message = str(refused.value)
    assert message.startswith("tokenizer.name")
    assert str(source) in message
    assert "\n" not in message
    assert len(message) < 600


def test_code_that_a_folder_brings_along_is_never_run(tmp_path: Path) -> None:
    source = word_level(tmp_path / "source")
    (source / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil: pass\n")
    settings = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": [None, "evil.Evil"]}}
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    try:
        tokenize(source, TEXT, tmp_path / "made")
    except DataError as error:
        assert "tokenizer.name" in str(error)
    assert not (tmp_path / "ran").exists()
    assert not list((tmp_path / "made").glob("*.py"))


def test_ids_far_away_are_refused(tmp_path: Path) -> None:
    vocabulary = {"<unk>": 0, "the": 1, "dog": MAX_VOCABULARY}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    save(tmp_path / "source", made)
    with raises_naming(DataError, "999,999", "1,000,000"):
        tokenize(tmp_path / "source", TEXT, tmp_path / "made")


def test_text_that_cannot_be_encoded_is_refused(tmp_path: Path) -> None:
    made = Tokenizer(models.WordLevel({"the": 0}))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    save(tmp_path / "source", made)
    with raises_naming(DataError, "tokenizer.name", tmp_path / "source", "encode"):
        tokenize(tmp_path / "source", TEXT, tmp_path / "made")


def test_a_tokenizer_that_finds_no_word_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "source", Tokenizer(models.BPE({"ж": 0}, [])))
    with raises_naming(DataError, "tokenizer.name", "words"):
        tokenize(tmp_path / "source", ["the dog"], tmp_path / "made")
