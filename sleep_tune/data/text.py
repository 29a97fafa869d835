"""Corpora of files: a folder of the user's, or BabyLM's from the Hub. Knows no tokens.

Nothing of a file is decoded until its tokens are found missing from the cache; its digest is enough to look.
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
from sleep_tune.data.folder import TextFile, find_files, reading
from sleep_tune.data.formats import find_format, find_marks
from sleep_tune.data.hub import asking_hub, hub_token
from sleep_tune.data.sentences import documents_of
from sleep_tune.data.split_names import MARKED_SUFFIXES, SPLIT_NAMES
from sleep_tune.errors import ConfigError, DataError, listed, nearest
from sleep_tune.files import expanded, write_whole

__all__ = ["babylm_corpus", "decode", "text_corpus"]

BYTE_ORDER_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""What a file in another encoding begins with, the longer marks first, and the encoding."""

ODD_CHARACTERS = {
    "replacement characters (U+FFFD, left where a conversion lost text)": re.compile("\ufffd"),
    "byte-order marks within the text (U+FEFF, left where files were joined)": re.compile("\ufeff"),
    "zero-width spaces (U+200B, which separate no words here)": re.compile("\u200b"),
    "soft hyphens (U+00AD)": re.compile("\u00ad"),
    "control characters": re.compile("[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"),
}
"""What a text seldom holds on purpose -> the characters; those that end a line are not among them."""


def text_corpus(data: DataConfig) -> RawCorpus:
    """The text files below `data.path`: `folder.find_files` says which, and as which split.

    A split that no file's name says is cut off the training text, by document.

    Raises:
        ConfigError: data.path is not set.
        DataError: no such folder, or its files cannot be read as one corpus.
    """
    if data.path is None:
        raise ConfigError("data.path must be set for data=text: a folder of text files; got nothing")
    folder = expanded(data.path)
    with reading(folder):
        if not folder.is_dir():
            raise DataError(f"data.path must be a folder; {_what_is_there(folder)}")
    return _corpus_of(folder, "data.path")


def babylm_corpus(data: DataConfig) -> RawCorpus:
    """A BabyLM dataset of plain text files on the Hub, downloaded once and then read from the cache.

    What was downloaded for a revision is used without asking the Hub again: a study should not change under way
    because a branch moved, and a trial should start without a network.

    Raises:
        ConfigError: data.dataset is not set.
        DataError: the Hub does not give it, or it holds no text files.
    """
    dataset = data.dataset
    if dataset is None:
        raise ConfigError(
            "data.dataset must be set for data=babylm: a dataset id on the Hub, such as "
            f"{' or '.join(DATASETS.values())}; got nothing"
        )
    cache = cache_folder(data.cache_dir)
    key = "hub-" + content_key({"dataset": dataset, "revision": data.revision})
    pointer = cached_folder(cache, key, lambda folder: _download(folder, dataset, data.revision))
    noted = json.loads((pointer / "snapshot.json").read_text(encoding="utf-8"))
    folder = Path(noted["folder"])
    if not folder.is_dir():
        raise DataError(f"data.dataset: the download of '{dataset}' is gone from {folder}; remove {pointer}")
    for name, digest in noted.get("files", {}).items():
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            wrong = "has changed" if path.is_file() else "is missing"
            raise DataError(
                f"data.dataset: the download of '{dataset}' must be as it was made; {path} {wrong}: remove {pointer} "
                f"and {path.resolve()} to download it again"
            )
    corpus = _corpus_of(folder, f"data.dataset '{dataset}'")
    if left := noted.get("not_downloaded"):
        not_read = {**corpus.inventory.not_read, "not downloaded from the Hub": tuple(left)}
        return replace(corpus, inventory=replace(corpus.inventory, not_read=not_read))
    return corpus


def _download(pointer: Path, dataset: str, revision: str | None) -> None:
    """Bring the text files here and note where they are, and the digest of each."""
    from huggingface_hub import list_repo_files, snapshot_download

    suffixes = ["txt", *MARKED_SUFFIXES, *(name for names in SPLIT_NAMES.values() for name in names)]
    patterns = [f"*.{suffix}" for suffix in suffixes]
    token = hub_token()
    with asking_hub(f"dataset '{dataset}'", "data.dataset"):
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
    """A corpus that is a pure function of what the files below `folder` hold, and of their splits and sources."""
    files, inventory = find_files(folder, key)
    digests = [_digest(file.path) for file in files]
    identity = {f"{file.split}/{file.source}/{index}": digests[index] for index, file in enumerate(files)}
    inventory = replace(inventory, warnings=tuple(_twice(files, digests, folder)))
    return RawCorpus({"kind": "text", **identity}, lambda: _read(files, digests, folder), inventory)


def _digest(path: Path) -> str:
    """SHA-256 of the content; read again only when the file changed (a slot trains many trials on one corpus).

    Raises:
        DataError: the file cannot be read.
    """
    with reading(path):
        return file_digest(path)


def _twice(files: Sequence[TextFile], digests: Sequence[str], folder: Path) -> Iterator[str]:
    """Name files that hold the same bytes (a copy left behind): each is read."""
    alike: dict[str, list[Path]] = {}
    for file, digest in zip(files, digests, strict=True):
        alike.setdefault(digest, []).append(file.path.relative_to(folder))
    for paths in alike.values():
        if len(paths) > 1:
            yield f"{len(paths)} files hold the same bytes, and each of them is read: {listed(paths)}"


def _read(files: Sequence[TextFile], digests: Sequence[str], folder: Path) -> Splits:
    """Decode the files and cut them into documents.

    Raises:
        DataError: a file cannot be read, is not UTF-8 text, or has changed since its digest was taken; or no file of
            a split that has files holds any text.
    """
    splits: Mapping[str, list[Document]] = {split: [] for split in SPLITS}
    warnings = []
    for file, digest in zip(files, digests, strict=True):
        with reading(file.path):
            content = file.path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise DataError(f"{file.path} changed while the corpus was read: run the command again when it is complete")
        text = decode(content, file.path)
        documents = documents_of(text, file.source)
        splits[file.split] += documents
        warnings += [f"{file.path.relative_to(folder)} {what}" for what in _oddities(text, documents)]
    for split, found in splits.items():
        paths = [str(file.path) for file in files if file.split == split]
        if paths and not found:
            raise DataError(f"the {split} text must not be empty; got nothing but white space in {listed(paths)}")
    return Splits(tuple(splits["train"]), tuple(splits["dev"]), tuple(splits["test"]), warnings=tuple(warnings))


def decode(content: bytes, path: Path) -> str:
    """Return a file's text, without a byte-order mark.

    Args:
        content: of the file.
        path: of the file, for messages.

    Raises:
        DataError: not UTF-8 text; says what it is or which line is not, and the usual cause.
    """
    found = find_format(content)
    if found is not None:
        what, remedy = found
        raise DataError(f"{path} must hold text; it is {what}: {remedy}, or move it out of the folder")
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise DataError(
                f"{path}: the text must be UTF-8; it begins with the byte-order mark of {encoding}. Convert the file: "
                f"iconv -f {encoding} -t UTF-8"
            )
    offset = content.find(b"\0")
    if offset >= 0:
        raise DataError(
            f"{path}:{_line(content, offset)}: the text must not hold NUL; got one at offset {offset:,}, as in UTF-16 "
            "without a byte-order mark, or in a file that is no text. Convert the file (iconv -f UTF-16LE -t UTF-8), "
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
    """Say what is no mistake for certain, but seldom meant."""
    if not documents:
        yield "holds no words"
    yield from find_marks(text)
    for what, characters in ODD_CHARACTERS.items():
        number = len(characters.findall(text))
        if number:
            yield f"holds {what}: {number:,}"


def _what_is_there(path: Path) -> str:
    """Say what stands at `path` instead of a folder: a file, or the nearest name that exists."""
    if path.exists():
        return f"got the file {path}: give the folder that holds it"
    missing = path
    while not missing.parent.is_dir():
        missing = missing.parent
    close = nearest(missing.name, (entry.name for entry in missing.parent.iterdir()))
    hint = f"; did you mean {missing.parent / close}?" if close else ""
    return f"got {path}, which does not exist{hint}"
