"""Corpora of text files: a folder of the user, or a BabyLM dataset from the Hub.

The digests of the files identify a corpus. They are decoded only if their tokens are not in the cache.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sleep_tune.babylm.challenge import DATASETS
from sleep_tune.config.schema import DataConfig
from sleep_tune.data.cache import cache_folder, cached_folder, content_key, file_digest
from sleep_tune.data.documents import SPLITS, Document, RawCorpus, Splits
from sleep_tune.data.formats import find_format, find_marks
from sleep_tune.data.hub import hub_errors, hub_token
from sleep_tune.data.sentences import cut_documents
from sleep_tune.data.split_names import MARKED_SUFFIXES, SPLIT_NAMES
from sleep_tune.data.text_files import TextFile, find_text_files, read_errors
from sleep_tune.errors import ConfigError, DataError, listed, nearest, shortened
from sleep_tune.files import expanded, write_whole

__all__ = ["babylm_corpus", "decode", "text_corpus"]

BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""First bytes of a file in another encoding -> the encoding; longer marks first."""

ODD_CHARACTERS = {
    "replacement characters (U+FFFD, left where a conversion lost text)": re.compile("\ufffd"),
    "byte-order marks within the text (U+FEFF, left where files were joined)": re.compile("\ufeff"),
    "zero-width spaces (U+200B, which separate no words here)": re.compile("\u200b"),
    "soft hyphens (U+00AD)": re.compile("\u00ad"),
    "control characters": re.compile("[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"),
}
"""Name -> characters that a text seldom holds on purpose; those that end a line are not among them."""


def text_corpus(data: DataConfig) -> RawCorpus:
    """Return the corpus of the text files below `data.path`, divided into splits by their names (`find_text_files`).

    A dev or test split without a file is cut from the training text later, by document.

    Raises:
        ConfigError: data.path is not set.
        DataError: the folder does not exist, or its files are not one corpus.
    """
    if data.path is None:
        raise ConfigError("data.path must be set for data=text, to a folder of text files; it is not set")
    folder = expanded(data.path)
    with read_errors(folder):
        if not folder.is_dir():
            raise DataError(f"data.path must be a folder; {_what_is_there(folder)}")
    return _corpus_of(folder, "data.path")


def babylm_corpus(data: DataConfig) -> RawCorpus:
    """Return the corpus of a BabyLM dataset of plain text files on the Hub, which is downloaded once.

    Later runs use the download without asking the Hub again, so that a study does not change when a branch moves, and
    a trial starts without a network.

    Raises:
        ConfigError: data.dataset is not set.
        DataError: it cannot be downloaded, or it holds no text files.
    """
    dataset = data.dataset
    if dataset is None:
        raise ConfigError(
            "data.dataset must be set for data=babylm: a dataset id on the Hub, such as "
            f"{' or '.join(DATASETS.values())}; it is not set"
        )
    cache = cache_folder(data.cache_dir)
    key = "hub-" + content_key({"dataset": dataset, "revision": data.revision})
    pointer = cached_folder(cache, key, lambda folder: _download(folder, dataset, data.revision))
    noted = json.loads((pointer / "snapshot.json").read_text(encoding="utf-8"))
    folder = Path(noted["folder"])
    if not folder.is_dir():
        raise DataError(
            f"data.dataset: the download of '{dataset}' is no longer in {folder}: remove {pointer} to download it again"
        )
    for name, digest in noted.get("files", {}).items():
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            wrong = "has changed" if path.is_file() else "is missing"
            raise DataError(
                f"data.dataset: the download of '{dataset}' must be unchanged; {path} {wrong}: remove {pointer} and "
                f"{path.resolve()} to download it again"
            )
    corpus = _corpus_of(folder, f"data.dataset '{dataset}'")
    if left := noted.get("not_downloaded"):
        not_read = {**corpus.inventory.not_read, "not downloaded from the Hub": tuple(left)}
        return replace(corpus, inventory=replace(corpus.inventory, not_read=not_read))
    return corpus


def _download(pointer: Path, dataset: str, revision: str | None) -> None:
    """Download the text files, and write their folder and digests to snapshot.json."""
    from huggingface_hub import list_repo_files, snapshot_download

    suffixes = ["txt", *MARKED_SUFFIXES, *(name for names in SPLIT_NAMES.values() for name in names)]
    patterns = [f"*.{suffix}" for suffix in suffixes]
    token = hub_token()
    with hub_errors(f"dataset '{dataset}'", "data.dataset"):
        folder = snapshot_download(
            dataset, repo_type="dataset", revision=revision, allow_patterns=patterns, token=token
        )
        names = list_repo_files(dataset, repo_type="dataset", revision=revision, token=token)
    files = {
        path.relative_to(folder).as_posix(): file_digest(path)
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }
    left = sorted(set(names) - set(files))
    noted = {"folder": folder, "dataset": dataset, "revision": revision, "files": files, "not_downloaded": left}
    write_whole(pointer / "snapshot.json", json.dumps(noted))


def _corpus_of(folder: Path, key: str) -> RawCorpus:
    """Return the corpus of the files below `folder`, identified by their contents, splits and sources."""
    files, inventory = find_text_files(folder, key)
    digests = [_digest(file.path) for file in files]
    identity = {f"{file.split}/{file.source}/{index}": digests[index] for index, file in enumerate(files)}
    inventory = replace(inventory, warnings=tuple(_twice(files, digests, folder)))
    return RawCorpus({"kind": "text", **identity}, lambda: _read(files, digests, folder), inventory)


def _digest(path: Path) -> str:
    """Return the SHA-256 of the content; it is read again only if the file changed, since trials share a corpus.

    Raises:
        DataError: the file cannot be read.
    """
    with read_errors(path):
        return file_digest(path)


def _twice(files: Sequence[TextFile], digests: Sequence[str], folder: Path) -> Iterator[str]:
    """Yield a warning for files that hold the same bytes, all of which are read."""
    alike: dict[str, list[Path]] = {}
    for file, digest in zip(files, digests, strict=True):
        alike.setdefault(digest, []).append(file.path.relative_to(folder))
    for paths in alike.values():
        if len(paths) > 1:
            yield f"{len(paths)} files hold the same bytes, and each of them is read: {listed(paths)}"


def _read(files: Sequence[TextFile], digests: Sequence[str], folder: Path) -> Splits:
    """Return the documents of the files by split.

    Raises:
        DataError: a file cannot be read, is not UTF-8 text, or has changed since its digest was computed; or all
            files of a split are blank.
    """
    splits: Mapping[str, list[Document]] = {split: [] for split in SPLITS}
    warnings = []
    for file, digest in zip(files, digests, strict=True):
        with read_errors(file.path):
            content = file.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise DataError(
                f"{file.path} changed while the corpus was read: run the command again when the file is complete"
            )
        text = decode(content, file.path)
        documents = cut_documents(text, file.source)
        splits[file.split] += documents
        warnings += [f"{file.path.relative_to(folder)} {what}" for what in _oddities(text, documents)]
    for split, found in splits.items():
        paths = [str(file.path) for file in files if file.split == split]
        if paths and not found:
            raise DataError(
                f"the {split} text must not be empty; {listed(paths)} hold{'s' * (len(paths) == 1)} only white space"
            )
    return Splits(tuple(splits["train"]), tuple(splits["dev"]), tuple(splits["test"]), warnings=tuple(warnings))


def decode(content: bytes, path: Path) -> str:
    """Return a file's text, without a byte-order mark.

    Args:
        content: of the file.
        path: of the file, for messages.

    Raises:
        DataError: it is not UTF-8 text; the message says what it is, or which line is wrong, and the usual cause.
    """
    found = find_format(content)
    if found is not None:
        what, remedy = found
        raise DataError(f"{path} must hold text; it is {what}: {remedy}, or move it out of the folder")
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise DataError(
                f"{path}: the text must be UTF-8; it begins with the byte-order mark of {encoding}. Convert the file "
                f"with iconv -f {encoding} -t UTF-8"
            )
    offset = content.find(b"\0")
    if offset >= 0:
        raise DataError(
            f"{path}:{_line(content, offset)}: the text must not hold NUL; got one at offset {offset:,}, as in UTF-16 "
            "without a byte-order mark, or in a file that is not text. Convert it with iconv -f UTF-16LE -t UTF-8, "
            "or move it out of the folder"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start
        raise DataError(
            f"{path}:{_line(content, offset)}: the text must be UTF-8; got the byte 0x{content[offset]:02x} at offset "
            f"{offset:,}. Convert the file, for instance with iconv -f LATIN1 -t UTF-8"
        ) from error


def _line(content: bytes, offset: int) -> int:
    return content.count(b"\n", 0, offset) + 1


def _oddities(text: str, documents: Sequence[Document]) -> Iterator[str]:
    """Yield what is seldom intended in a text, but not certainly a mistake."""
    if not documents:
        yield "holds no words"
    yield from find_marks(text)
    for what, characters in ODD_CHARACTERS.items():
        number = len(characters.findall(text))
        if number:
            yield f"holds {what}: {number:,}"


def _what_is_there(path: Path) -> str:
    """Return what is at `path` instead of a folder: a file, or nothing; then with the nearest name that exists."""
    if path.exists():
        return f"got the file {path}: set it to the folder that holds the file"
    missing = path
    while not missing.parent.is_dir():
        missing = missing.parent
    close = nearest(missing.name, (entry.name for entry in missing.parent.iterdir()))
    hint = f"; did you mean {missing.parent / close}?" if close else ""
    return f"got {shortened(str(path), 200)}, which does not exist{hint}"
