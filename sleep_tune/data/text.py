"""Corpora of files: a folder of the user's, or BabyLM's from the Hub. Knows no tokens.

Nothing of a file is decoded until its tokens are found missing from the cache; its digest is enough to look.
"""

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune import babylm
from sleep_tune.config.schema import DataConfig
from sleep_tune.data.cache import cache_folder, cached_folder, content_key
from sleep_tune.data.documents import SPLITS, Document, RawCorpus, Splits
from sleep_tune.data.hub import asking_hub, hub_token
from sleep_tune.data.sentences import documents_of
from sleep_tune.errors import ConfigError, DataError, nearest
from sleep_tune.files import write_whole

__all__ = ["babylm_corpus", "text_corpus"]


@dataclass(frozen=True, slots=True)
class TextFile:
    """One file and what it is for."""

    path: Path
    split: str
    source: str


def text_corpus(data: DataConfig) -> RawCorpus:
    """The text files below `data.path`.

    With any `*.train` (or `*.train.txt`) file below it, the folder is read as BabyLM's: `*.train`, `*.dev` and `*.test`
    are the splits. Otherwise every `*.txt` is training text. Missing splits are cut by document.

    Raises:
        ConfigError: data.path is not set.
        DataError: no such folder, no text in it, or two files that would be one source.
    """
    if data.path is None:
        raise ConfigError("data.path must be set for data=text: a folder of text files; got nothing")
    folder = Path(data.path).expanduser()
    if not folder.is_dir():
        raise DataError(f"data.path must be a folder; {_what_is_there(folder)}")
    return _corpus_of(find_files(folder, "data.path"))


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
            f"{' or '.join(babylm.DATASETS.values())}; got nothing"
        )
    cache = cache_folder(data.cache_dir)
    key = "hub-" + content_key({"dataset": dataset, "revision": data.revision})
    pointer = cached_folder(cache, key, lambda folder: _download(folder, dataset, data.revision))
    folder = Path(json.loads((pointer / "snapshot.json").read_text(encoding="utf-8"))["folder"])
    if not folder.is_dir():
        raise DataError(f"data.dataset: the download of '{dataset}' is gone from {folder}; remove {pointer}")
    return _corpus_of(find_files(folder, f"data.dataset '{dataset}'"))


def _download(pointer: Path, dataset: str, revision: str | None) -> None:
    """Bring the text files here and note where they are."""
    from huggingface_hub import snapshot_download

    patterns = [f"*{suffix}" for suffixes in babylm.SUFFIXES.values() for suffix in suffixes] + ["*.txt"]
    with asking_hub(f"dataset '{dataset}'", "data.dataset"):
        folder = snapshot_download(
            dataset, repo_type="dataset", revision=revision, allow_patterns=patterns, token=hub_token()
        )
    write_whole(pointer / "snapshot.json", json.dumps({"folder": folder, "dataset": dataset, "revision": revision}))


def find_files(folder: Path, key: str) -> list[TextFile]:
    """The text files below `folder`, in sorted order.

    Args:
        folder: where to look, at any depth.
        key: what named the folder, for messages.

    Raises:
        DataError: none, or two files of one split that have one name (two sizes of a corpus in one folder).
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    named = [found for path in paths if (found := _babylm_file(path)) is not None]
    if any(file.split == "train" for file in named):
        seen: dict[tuple[str, str], Path] = {}
        for file in named:
            other = seen.setdefault((file.split, file.source), file.path)
            if other is not file.path:
                raise DataError(
                    f"{key}: {folder} must hold one corpus; it has two files of one name, {other.relative_to(folder)} "
                    f"and {file.path.relative_to(folder)}: give the folder of one"
                )
        return named
    plain = [TextFile(path, "train", path.stem) for path in paths if path.suffix == ".txt"]
    if not plain:
        kinds = ", ".join(sorted({path.suffix or path.name for path in paths})[:5])
        others = f"{len(paths)} other files ({kinds})" if paths else "no files at all"
        raise DataError(f"{key}: {folder} must hold *.txt or *.train files; it has {others}")
    return plain


def _babylm_file(path: Path) -> TextFile | None:
    """The file's split and source by BabyLM's names, or None."""
    for split, suffixes in babylm.SUFFIXES.items():
        for suffix in suffixes:
            if path.name.endswith(suffix) and len(path.name) > len(suffix):
                return TextFile(path, split, path.name.removesuffix(suffix))
    return None


def _corpus_of(files: Sequence[TextFile]) -> RawCorpus:
    """A corpus that is a pure function of what its files hold and are called."""
    digests = {f"{file.split}/{file.source}/{index}": _digest(file.path) for index, file in enumerate(files)}
    return RawCorpus({"kind": "text", **digests}, lambda: _read(files))


def _digest(path: Path) -> str:
    """SHA-256 of the content; read again only when the file changed (a slot trains many trials on one corpus)."""
    status = path.stat()
    return _digest_of(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _digest_of(path: Path, _size: int, _changed: int) -> str:
    """The digest of a file in the state that its size and time of change stand for."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(files: Sequence[TextFile]) -> Splits:
    """Decode the files and cut them into documents.

    Raises:
        DataError: a file is not UTF-8, or no file of a split that has files holds any text.
    """
    splits: Mapping[str, list[Document]] = {split: [] for split in SPLITS}
    for file in files:
        splits[file.split] += documents_of(_decode(file.path), file.source)
    for split, documents in splits.items():
        paths = [str(file.path) for file in files if file.split == split]
        if paths and not documents:
            raise DataError(f"the {split} text must not be empty; got nothing but white space in {', '.join(paths)}")
    return Splits(tuple(splits["train"]), tuple(splits["dev"]), tuple(splits["test"]))


def _decode(path: Path) -> str:
    """The file's text, without a byte-order mark.

    Raises:
        DataError: not UTF-8; says where.
    """
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        offset = error.start
        line = content.count(b"\n", 0, offset) + 1
        raise DataError(
            f"{path}:{line}: the text must be UTF-8; got the byte 0x{content[offset]:02x} at offset {offset:,}. "
            "Convert the file, for instance with iconv -t UTF-8"
        ) from error


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
